"""`lathe quantize --effort high`: what it gains, what it says, and that it is deterministic."""
from driver import *

SAMPLES, BATCHES = 2, 3


class Effort(DriverTest):
    """x -> conv1 -> relu -> depthwise conv -> relu -> conv2 -> y, with channels of very different size between them."""

    def setUp(self):
        super().setUp()
        nodes = [
            helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
            helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "depthwise", pads=[1, 1, 1, 1], group=16),
            helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
            helper.make_node("Conv", ["r2", "w3"], ["y"], "conv2"),
        ]
        size = 2.0 ** (-np.arange(16)[:, None, None, None] / 2)
        weights = {"w1": random(16, 3, 3, 3) * size, "b1": random(16) * size.ravel(), "w2": random(16, 1, 3, 3) / size,
                   "b2": random(16, seed=1), "w3": random(4, 16, 1, 1)}  # fmt: skip
        save_net(self.folder / "net.onnx", nodes, {name: array.astype(np.float32) for name, array in weights.items()},
                 {"x": ["n", 3, 12, 12]}, {"y": ["n", 4, 12, 12]})  # fmt: skip
        self.data = [self.save(f"b{i}.npy", random(SAMPLES, 3, 12, 12, seed=i)) for i in range(BATCHES)]
        self.unseen = self.save("unseen.npy", random(16, 3, 12, 12, seed=99))

    def quantize(self, prefix, *arguments):
        return self.summary("quantize", "net.onnx", "-d", *self.data, "-o", prefix, *arguments)

    def output(self, model):
        self.done("run", model, "-i", self.unseen, "-o", "run")
        return np.load(self.folder / "run/y.npy").astype(np.float64)

    def decibels(self, model):
        want = self.output("net.onnx")
        return 10 * np.log10(np.square(want).sum() / np.square(want - self.output(model)).sum())

    def test_gains_on_data_not_seen(self):
        self.quantize("plain/net")
        summary = self.quantize("high/net", "--effort", "high")
        plain, high = (self.decibels(f"{prefix}/net_fake_quant_model.onnx") for prefix in ("plain", "high"))
        self.assertGreater(high, plain + 6)
        self.assertAlmostEqual(self.decibels("high/net_deploy_model.onnx"), high, delta=0.1)
        self.assertEqual([layer["name"] for layer in summary["effort"]], ["conv1", "depthwise", "conv2"])
        self.assertEqual([layer["weights_rounded_together"] for layer in summary["effort"]], [True] * 3)
        depthwise = summary["effort"][1]
        self.assertGreater(depthwise["balance_strength"], 0)
        self.assertGreater(depthwise["expected_gain_db"], 6)

    def test_gain_is_in_the_record_and_the_model(self):
        """What `save` makes of the record and the modified model of another tool's user is the same kind of model."""
        self.quantize("high/net", "--effort", "high")
        record = (self.folder / "high/net_record.txt").read_text()
        self.assertIn("tensor_balance_factor", record)
        deploy = onnx.load(self.folder / "high/net_deploy_model.onnx")
        kinds = {node.op_type for node in deploy.graph.node}
        self.assertLessEqual({"AscendQuant", "AscendDequant", "Conv"}, kinds)

    def test_default_says_nothing_of_effort(self):
        self.assertNotIn("effort", self.quantize("plain/net", "--effort", "default"))
        files = {name: (self.folder / f"plain/{name}").read_bytes() for name in RESULTS}
        self.quantize("plain/net")
        self.assertEqual({name: (self.folder / f"plain/{name}").read_bytes() for name in RESULTS}, files)

    def test_same_bytes_for_any_number_of_threads(self):
        for threads in (1, 2):
            self.done("--threads", threads, "quantize", "net.onnx", "-d", *self.data, "-o", f"t{threads}/net", "--effort", "high")
        for name in RESULTS:
            self.assertEqual((self.folder / f"t1/{name}").read_bytes(), (self.folder / f"t2/{name}").read_bytes(), name)

    def test_says_what_was_chosen(self):
        text = self.done("-v", "quantize", "net.onnx", "-d", *self.data, "-o", "high/net", "--effort", "high")
        self.assertRegex(text, r"high effort: 3 ranges searched, [123] layers balanced, 3 weights rounded together\n")
        self.assertRegex(text, r"  depthwise: balance strength [0-9.]+, range times [0-9.]+, [0-9.]+ dB expected; weights rounded together\n")

    def test_other_layers_keep_what_calibration_found(self):
        """A 1-D convolution has its range searched, but its weights are rounded to nearest."""
        nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "conv")]
        save_net(self.folder / "one.onnx", nodes, {"w": random(4, 3, 3)}, {"x": ["n", 3, 20]}, {"y": ["n", 4, 18]})
        batch = self.save("one.npy", random(4, 3, 20))
        summary = self.summary("quantize", "one.onnx", "-d", batch, "-o", "one/net", "--effort", "high")
        (layer,) = summary["effort"]
        self.assertFalse(layer["weights_rounded_together"])
        self.assertIn("range_widening", layer)

    def test_refuses_what_it_cannot_be_had_with(self):
        (self.folder / "joint.cfg").write_text("batch_num: 1 joint_quant: true")
        for option, value, reason in (
            ("--max-memory", "4G", "a memory limit cannot be promised with high effort: leave out one of the two"),
            ("--cfg", "joint.cfg", "joint_quant is not done with high effort: leave out one of the two"),
        ):
            done = self.lathe("quantize", "net.onnx", "-d", *self.data, "-o", "out/net", "--effort", "high", option, value)
            self.assertEqual(done.returncode, 1)
            self.assertIn(reason, done.stderr)

    def test_refuses_unknown_efforts(self):
        done = self.lathe("quantize", "net.onnx", "-d", *self.data, "-o", "out/net", "--effort", "enormous")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--effort: enormous not in {default,high}", done.stderr)
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    main()
