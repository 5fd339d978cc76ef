"""`lathe compare`: any two of the float, the fake-quant and the deploy model of one net."""
from driver import *

FLOAT, FAKE, DEPLOY = "net.onnx", "net_fake_quant_model.onnx", "net_deploy_model.onnx"


class Compare(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / FLOAT)
        self.save("x0.npy", random(4, 3, 8, 8))
        self.save("x1.npy", random(2, 3, 8, 8, seed=1))
        self.done("quantize", FLOAT, "-d", "x0.npy", "-o", "net")

    def compare(self, a, b, *more):
        found = self.summary("compare", a, b, "-d", "x0.npy", "x1.npy", *more)
        self.assertEqual((found["a"], found["b"]), (a, b))
        return {each["layer"]: each for each in found["layers"]}

    def test_float_against_fake_quant(self):
        layers = self.compare(FLOAT, FAKE)
        self.assertEqual([(name, each["operator"]) for name, each in layers.items()],
                         [("conv1", "Conv"), ("relu", "Relu"), ("conv2", "Conv"), ("pool", "GlobalAveragePool"),
                          ("flatten", "Flatten")])  # fmt: skip
        for name, each in layers.items():
            self.assertTrue(30 < each["sqnr_db"] < 70, each)
            self.assertTrue(0.999 < each["cosine"] < 1, each)
            self.assertGreater(each["largest"], 0)
            self.assertIs(each["equal"], False)
            self.assertIsNone(each["saturated_a"])
            self.assertEqual(each["saturated_b"] is not None, name.startswith("conv"))

    def test_the_numbers(self):
        """The last layer's measures, computed here from what `lathe run` gives."""
        values = []
        for model in (FLOAT, DEPLOY):
            both = []
            for data in ("x0.npy", "x1.npy"):
                self.done("run", model, "-i", f"x={data}", "-o", "out")
                both.append(np.load(self.folder / "out" / "y.npy").ravel())
            values.append(np.concatenate(both).astype(np.float64))
        a, b = values
        found = self.compare(FLOAT, DEPLOY)["flatten"]
        self.assertAlmostEqual(found["sqnr_db"], 10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()), places=6)
        self.assertAlmostEqual(found["cosine"], a @ b / np.sqrt((a @ a) * (b @ b)), places=9)
        self.assertAlmostEqual(found["largest"], np.abs(a - b).max(), places=9)

    def test_fake_quant_against_deploy(self):
        for each in self.compare(FAKE, DEPLOY).values():
            self.assertGreater(each["sqnr_db"], 100)
            self.assertEqual(each["saturated_a"], each["saturated_b"])

    def test_deploy_against_itself_is_exact(self):
        for each in self.compare(DEPLOY, DEPLOY).values():
            self.assertEqual((each["equal"], each["sqnr_db"], each["largest"]), (True, None, 0))
            self.assertAlmostEqual(each["cosine"], 1, places=12)

    def test_saturation(self):
        """Data ten times as large as what was calibrated with is cut off."""
        self.save("x0.npy", 10 * random(4, 3, 8, 8))
        conv1 = self.compare(FLOAT, DEPLOY)["conv1"]
        self.assertGreater(conv1["saturated_b"], 0.3)
        self.assertLess(conv1["sqnr_db"], 10)

    def test_the_table(self):
        lines = self.done("compare", DEPLOY, DEPLOY, "-d", "x0.npy").splitlines()
        self.assertEqual(lines[0].split(), ["layer", "operator", "SQNR", "cosine", "largest", "saturated", "A", "saturated", "B"])
        self.assertEqual(lines[2].split(), ["relu", "Relu", "equal", "1.000000", "0", "-", "-"])
        self.assertEqual(len(lines), 6)

    def test_errors(self):
        compare = ("compare", FLOAT)
        save_conv_net(self.folder / "larger.onnx", size=9)
        self.refused("larger.onnx: input 'x': shape [4,3,8,8] has extent 8 in dimension 2, the model wants [batch,3,9,9]",
                     *compare, "larger.onnx", "-d", "x0.npy")  # fmt: skip
        save_conv_net(self.folder / "wider.onnx", last=random(5, 8, 1, 1))
        self.refused("wider.onnx: node 'conv2': it gives [4,5,8,8], in the other model [4,4,8,8]",
                     *compare, "wider.onnx", "-d", "x0.npy")  # fmt: skip
        relu = helper.make_node("Relu", ["x"], ["y"], "other")
        save_net(self.folder / "other.onnx", [relu], {}, {"x": ["n", 3, 8, 8]}, {"y": ["n", 3, 8, 8]})
        self.refused("other.onnx: no layer has the name of one of net.onnx", *compare, "other.onnx", "-d", "x0.npy")
        relu = helper.make_node("Relu", ["z"], ["y"], "relu")
        save_net(self.folder / "input.onnx", [relu], {}, {"z": ["n", 3, 8, 8]}, {"y": ["n", 3, 8, 8]})
        self.refused("input.onnx: the inputs are [z], those of the other model [x]",
                     *compare, "input.onnx", "-d", "x0.npy")  # fmt: skip
        self.save("bad.npy", random(4, 3, 9, 8))
        self.refused("bad.npy: input 'x': shape [4,3,9,8] has extent 9 in dimension 2, the model wants [batch,3,8,8]",
                     *compare, DEPLOY, "-d", "bad.npy")  # fmt: skip
        self.refused("gone.onnx: cannot open: No such file or directory", *compare, "gone.onnx", "-d", "x0.npy")
        self.refused("data is missing: give -d or --images", *compare, DEPLOY, status=2)


if __name__ == "__main__":
    main()
