"""joint_quant and shift_bit: layers whose results are added share scales and shifts, which go into the dequant word."""
from quantised import *

import onnxruntime


def shift_errors(values, deq):
    """The error of N = 1 ... 16 for each channel (axis 1) of a layer's float result."""
    steps = np.swapaxes(values, 0, 1).reshape(values.shape[1], -1) / deq.reshape(-1, 1)
    sums = np.copysign(np.floor(np.abs(steps) + F(0.5)), steps).astype(np.int64)  # half away from zero
    back = [np.clip(sums >> n, -(2**15), 2**15 - 1) << n for n in range(1, 17)]
    return np.stack([((each - sums).astype(np.float64) ** 2).sum(axis=1) for each in back], axis=1)


class Shifted(LayerTest):
    def run_model(self, model, data):
        for name, array in data.items():
            np.save(self.folder / f"{name}.npy", array)
        self.done("run", model, *(each for name in data for each in ("-i", f"{name}={name}.npy")), "-o", "run")
        return {path.stem: np.load(path) for path in (self.folder / "run").glob("*.npy")}

    def calibrate(self, layers, batches=2):
        self.done("config", "ptq", "net.onnx", "--cfg", "quant.cfg", "-o", "config.json")
        config = json.loads((self.folder / "config.json").read_text())
        self.assertEqual(config["batch_num"], batches)
        self.done("--threads", 1, "calibrate", "net.onnx", "--config", "config.json",
                  "-d", *(f"b{i}.npz" for i in range(batches)), "--record", "record.txt", "--modified", "modified.onnx")  # fmt: skip
        return config


class Joint(Shifted):
    NODES = [
        node("Conv", "a", ["x", "wa", "ba"], pads=[1, 1, 1, 1]),
        node("Relu", "relu", ["a"]),
        node("Conv", "b", ["x", "wb"]),
        node("Add", "add", ["relu", "b"]),
        node("Relu", "behind", ["add"]),
        node("Conv", "c", ["behind", "wc"], ["y"]),
    ]
    # Of the first layer some channels have the larger scales, of the second the others; some have sums
    # that do not fit into 16 bits.
    WEIGHTS = {
        "wa": random(6, 3, 3, 3, seed=1) * np.array([1, 3, 0.1, 1, 2, 1], F).reshape(6, 1, 1, 1),
        "ba": random(6, seed=2) + np.array([0, 0, 0, 6000, 0, 2000], F),
        "wb": random(6, 3, 1, 1, seed=3),
        "wc": random(4, 6, 1, 1, seed=4),
    }
    INPUTS, OUTPUTS = {"x": [2, 3, 8, 8]}, {"y": [2, 4, 8, 8]}

    def make(self, cfg="joint_quant: true", least=20.0):
        cfg = "batch_num: 2 " + cfg
        data = [{"x": random(2, 3, 8, 8, seed=i) * F(50)} for i in range(2)]
        return self.quantise(self.NODES, self.WEIGHTS, self.INPUTS, self.OUTPUTS, data, cfg=cfg, least=least)

    def shifts(self, layer):
        return [int(each) for each in self.record[layer]["shift_bit"]]

    def step(self, layer):
        return np.array(self.record[layer]["scale_w"], F) * self.record[layer]["scale_d"]

    def test_scales_and_shifts_are_shared(self):
        summary = self.make()
        self.assertIn("joint_quant: 'a' and 'b' share scales and shifts for 'add'", summary["notes"])
        self.assertNotIn("shift_bit", self.record["c"])
        self.assertEqual(self.shifts("a"), self.shifts("b"))
        self.assertEqual(len(self.shifts("a")), 6)
        self.same(self.step("a"), self.step("b"))
        own = {name: largest(self.WEIGHTS[f"w{name}"].reshape(6, -1), 8) for name in "ab"}
        most = np.maximum(*(own[name] * self.record[name]["scale_d"] for name in "ab"))
        self.assertTrue((self.step("a") >= most).all())
        np.testing.assert_allclose(self.step("a"), most, rtol=1e-5)
        word = words(self.step("a")) | np.array(self.shifts("a"), np.uint64) << np.uint64(32)
        for name in "ab":
            self.same(word, self.deploy.constants[f"{name}.dequant.param"])
            weight = self.WEIGHTS[f"w{name}"]
            want = integers(weight.reshape(6, -1), np.array(self.record[name]["scale_w"], F), 8).reshape(weight.shape)
            self.same(want, self.deploy.constant(name, 1))
            self.same(want.astype(F), self.fake.constant(name, 1))

    def test_the_shift_is_the_best_for_both(self):
        """Searched again in what the layers compute with the weights they were calibrated with."""
        self.make()
        weights = dict(self.WEIGHTS)
        for name in "ab":
            rows = weights[f"w{name}"].reshape(6, -1)
            scales = largest(rows, 8)
            weights[f"w{name}"] = (integers(rows, scales, 8) * scales.reshape(-1, 1)).astype(F).reshape(weights[f"w{name}"].shape)
        save_net(self.folder / "rounded.onnx", self.NODES[:3], weights, self.INPUTS, {name: [2, 6, 8, 8] for name in "ab"})
        session = onnxruntime.InferenceSession(self.folder / "rounded.onnx")
        errors = 0
        for i in range(2):
            for result in session.run(["a", "b"], dict(np.load(self.folder / f"b{i}.npz"))):
                errors = errors + shift_errors(result, self.step("a"))
        best = np.argmin(errors, axis=1) + 1
        self.assertEqual(self.shifts("a"), best.tolist())
        self.assertGreater(len(set(best.tolist())), 1)  # the channels do differ

    def test_deploy_is_the_simulation(self):
        self.make()
        for name in "ab":
            for part in ("shift", "floor", "clip", "mul"):
                self.assertIn(f"{name}.fakedequant.{part}", self.fake.nodes)
        self.assertNotIn("c.fakedequant.shift", self.fake.nodes)
        # Larger than what was calibrated with, so that sums do not fit into 16 bits.
        data = {"x": random(2, 3, 8, 8, seed=9) * F(100)}
        deployed = self.run_model("out/net_deploy_model.onnx", data)["y"]
        simulated = self.run_model("out/net_fake_quant_model.onnx", data)["y"]
        np.testing.assert_allclose(deployed, simulated, rtol=1e-5, atol=1e-5 * np.abs(simulated).max())

    def test_two_steps_and_any_threads(self):
        self.make()
        config = self.calibrate(["a", "b", "c"])
        self.assertIs(config["joint_quant"], True)
        self.done("save", "modified.onnx", "--record", "record.txt", "-o", "two/net")
        files = self.files()
        self.assertEqual(files["record.txt"], files["out/net_record.txt"])
        for name in ("deploy", "fake_quant"):
            self.assertEqual(files[f"two/net_{name}_model.onnx"], files[f"out/net_{name}_model.onnx"])
        self.done("--threads", 2, "quantize", "net.onnx", "-d", "b0.npz", "b1.npz", "--cfg", "quant.cfg", "-o", "many/net")
        files = self.files()
        for name in RESULTS:
            self.assertEqual(files[f"many/{name}"], files[f"out/{name}"], name)
        self.refused("record.txt: node 'a': pass lower-to-qdq: shift_bit has no place in a QDQ model (calibrate without joint_quant)",
                     "save", "modified.onnx", "--record", "record.txt", "-o", "three/net", "--emit", "qdq")  # fmt: skip

    def test_layers_with_one_scale_have_one_shift(self):
        nodes = [
            node("Gemm", "a", ["x", "wa", "ba"]),
            node("MatMul", "m", ["x", "wb"]),
            node("Add", "b", ["m", "bb"]),
            node("Add", "add", ["a", "b"]),
            node("Gemm", "c", ["add", "wc"], ["y"]),
        ]
        weights = {"wa": random(8, 5), "ba": random(5), "wb": random(8, 5, seed=1) * F(3), "bb": random(5), "wc": random(5, 3)}
        summary = self.quantise(nodes, weights, {"x": [4, 8]}, {"y": [4, 3]}, cfg="joint_quant: true", least=20)
        self.assertIn("joint_quant: 'a' and 'm' share scales and shifts for 'add'", summary["notes"])
        self.assertEqual(self.shifts("a"), self.shifts("m"))
        self.assertEqual(len(self.shifts("a")), 1)
        self.same(self.step("a"), self.step("m"))
        data = {"x": random(4, 8, seed=5) * F(2)}
        runs = [self.run_model(f"out/net_{kind}_model.onnx", data)["y"] for kind in ("deploy", "fake_quant")]
        np.testing.assert_allclose(*runs, rtol=1e-5, atol=1e-5)

    def test_nothing_to_join(self):
        note = "joint_quant: no Add has two quantised layers in front of it and a quantised one behind it: nothing was joined"
        summary = self.make('joint_quant: true skip_layers: "b"')
        self.assertIn(note, summary["notes"])
        self.assertNotIn("shift_bit", (self.folder / "out/net_record.txt").read_text())
        summary = self.make("joint_quant: false")
        self.assertNotIn("shift_bit", (self.folder / "out/net_record.txt").read_text())
        self.assertEqual([each for each in summary["notes"] if "joint" in each], [])


class GivenByHand(Shifted):
    """shift_bit that somebody wrote into a record."""

    def setUp(self):
        super().setUp()
        nodes = [node("MatMul", "mm", ["x", "w"]), node("Add", "sum", ["mm", "b"], ["y"])]
        self.weights = {"w": random(16, 4), "b": random(4) * F(10)}
        save_net(self.folder / "net.onnx", nodes, self.weights, {"x": [3, 16]}, {"y": [3, 4]})
        np.savez(self.folder / "b0.npz", x=random(3, 16) * F(40))
        (self.folder / "quant.cfg").write_text("")
        self.calibrate(["mm"], batches=1)
        self.text = (self.folder / "record.txt").read_text()

    def save_with(self, *shifts):
        lines = "".join(f"    shift_bit: {each}\n" for each in shifts)
        (self.folder / "record.txt").write_text(self.text.replace("    act_type", lines + "    act_type"))
        return ["save", "modified.onnx", "--record", "record.txt", "-o", "out/net"]

    def test_it_goes_into_the_word_and_is_executed(self):
        data = {"x": random(3, 16, seed=7) * F(60)}
        seen = set()
        for n in (0, 1, 3, 16):
            self.done(*self.save_with(n))
            entry = read_record(self.folder / "record.txt")["mm"]
            scale_d, scale_w = entry["scale_d"], np.array(entry["scale_w"], F)
            step = scale_w * scale_d
            graph = Graph(self.folder / "out/net_deploy_model.onnx")
            self.same(words(step) | np.array([n], np.uint64) << np.uint64(32), graph.constants["mm.dequant.param"])
            q = np.clip(np.rint(data["x"] * F(1 / np.float64(scale_d))) + entry["offset_d"], -128, 127) - entry["offset_d"]
            w = integers(self.weights["w"].reshape(1, -1), scale_w, 8).reshape(16, 4).astype(np.int64)
            sums = q.astype(np.int64) @ w + np.rint(self.weights["b"] / step[0]).astype(np.int64)
            cut = np.clip(sums >> n, -(2**15), 2**15 - 1) if n else sums
            want = cut.astype(F) * step * F(2**n)
            runs = {kind: self.run_model(f"out/net_{kind}_model.onnx", data)["y"] for kind in ("deploy", "fake_quant")}
            self.same(want, runs["deploy"], f"N = {n}")
            # A simulation is float arithmetic, which the engine may fuse.
            np.testing.assert_allclose(runs["fake_quant"], want, rtol=1e-6, atol=1e-4)
            seen.add(want.tobytes())
        self.assertEqual(len(seen), 4)  # each N makes a difference

    def test_refusals(self):
        for shifts, error in (
            ((1, 1), "there are 1 scale_w and 2 shift_bit, they must be equally many"),
            ((17,), "shift_bit[0] is 17: either all are 0, or all are from 1 to 16"),
        ):
            self.refused(f"record.txt: record of 'mm': {error}", *self.save_with(*shifts))


if __name__ == "__main__":
    main()
