"""tensor_quantize: inputs of Add and MaxPool on their own, from the configuration to the executed models."""
from quantised import *

import onnxruntime


def rounded(x, entry):
    """What AscendQuant and AscendAntiQuant make of x."""
    scale, offset = entry["scale_d"], F(entry["offset_d"])
    q = np.clip(np.rint(x * F(1 / np.float64(scale))) + offset, F(-128), F(127))
    return (q - offset) * scale


class TensorQuantize(LayerTest):
    # x and z are added; one convolution reads what the sum's first input is made of.
    NODES = [
        node("Relu", "relu", ["x"]),
        node("Add", "add", ["relu", "z"]),
        node("MaxPool", "max", ["add"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "conv", ["relu", "w", "b"], ["c"]),
    ]
    WEIGHTS = {"w": random(4, 3, 1, 1, seed=5), "b": random(4, seed=6)}
    INPUTS = {"x": [2, 3, 8, 8], "z": [2, 3, 8, 8]}
    OUTPUTS = {"add": [2, 3, 8, 8], "m": [2, 3, 4, 4], "c": [2, 4, 8, 8]}
    DATA = [{"x": random(2, 3, 8, 8, seed=i), "z": random(2, 3, 8, 8, seed=i + 10) + F(0.5)} for i in range(2)]

    def make(self, cfg, least=25.0):
        return self.quantise(self.NODES, self.WEIGHTS, self.INPUTS, self.OUTPUTS, self.DATA, cfg=cfg, least=least)

    def run_model(self, model, data):
        for name, array in data.items():
            np.save(self.folder / f"{name}.npy", array)
        self.done("run", model, *(each for name in data for each in ("-i", f"{name}={name}.npy")), "-o", "run")
        return {path.stem: np.load(path) for path in (self.folder / "run").glob("*.npy")}

    def entry_text(self, layer, index, more=""):
        return f'tensor_quantize {{ layer_name: "{layer}" input_index: {index} {more} }}\n'

    def check_pair(self, name, record):
        """Both nodes on the edge; the name of the AscendQuant's input."""
        entry, back = self.record[record], self.deploy.nodes[f"{name}.anti_quant"]
        quant = self.deploy.producers[back.input[0]]
        self.assertEqual((quant.op_type, back.op_type), ("AscendQuant", "AscendAntiQuant"))
        given, again = attributes(quant), attributes(back)
        self.assertEqual(F(given["scale"]), F(1 / np.float64(entry["scale_d"])))
        self.assertEqual(F(again["scale"]), entry["scale_d"])
        for each in (given, again):
            self.assertEqual((each["offset"], each["dst_type"]), (entry["offset_d"], b"INT8"))
        if quant.name == f"{name}.quant":
            self.check_chain(quant.name, F(given["scale"]), entry["offset_d"], 8)
        mul = self.fake.nodes[f"{name}.anti_quant.fake_antiquant.mul"]
        self.assertEqual(self.fake.constants[mul.input[1]], entry["scale_d"])
        return quant.input[0]

    def test_from_configuration_to_executed_models(self):
        cfg = (
            self.entry_text("add", 0)
            + self.entry_text("add", 1, "hfmg_quantize { num_of_bins: 1024 asymmetric: false }")
            + self.entry_text("max", 0, "ifmr_quantize { max_percentile: 0.99 search_step: 0.02 }")
        )
        summary = self.make(cfg)
        self.assertEqual(summary["layers"]["quantized"], ["conv", "add:0", "add:1", "max:0"])
        for key in ("add:0", "add:1", "max:0"):
            entry = dict(self.record[key])
            self.assertEqual((entry.pop("key"), entry.pop("is_tensor_quantize"), entry.pop("act_type")), (key, "true", "INT8"))
            self.assertEqual(set(entry), {"scale_d", "offset_d"})
        # The same algorithm on the same tensor finds the same, and one AscendQuant is enough.
        for field in ("scale_d", "offset_d"):
            self.assertEqual(self.record["add:0"][field], self.record["conv"][field])
        self.assertEqual(self.deploy.nodes["conv"].input[0], self.deploy.nodes["add_0.anti_quant"].input[0])
        self.assertEqual(self.record["add:1"]["offset_d"], 0)
        self.assertEqual(self.check_pair("add_0", "add:0"), "relu")
        self.assertEqual(self.check_pair("add_1", "add:1"), "z")
        self.assertEqual(self.check_pair("max_0", "max:0"), "add")

        for name in ("add_0.anti_quant", "add_1.quant"):
            self.assertIn("belongs to the quantisation itself", self.done("explain", "out/net_deploy_model.onnx", name))

        data = {"x": random(2, 3, 8, 8, seed=77) * F(1.5), "z": random(2, 3, 8, 8, seed=78)}
        deployed = self.run_model("out/net_deploy_model.onnx", data)
        simulated = self.run_model("out/net_fake_quant_model.onnx", data)
        want = rounded(np.maximum(data["x"], F(0)), self.record["add:0"]) + rounded(data["z"], self.record["add:1"])
        self.same(want, deployed["add"])
        # A simulation is float arithmetic, which the engine may fuse.
        np.testing.assert_allclose(simulated["add"], want, rtol=1e-6, atol=1e-6)
        pooled = rounded(want, self.record["max:0"]).reshape(2, 3, 4, 2, 4, 2).max(axis=(3, 5))
        self.same(pooled, deployed["m"])
        np.testing.assert_allclose(simulated["m"], pooled, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(deployed["c"], simulated["c"], rtol=1e-6, atol=1e-6)

    def test_two_steps_are_one(self):
        """config, calibrate and save make what quantize makes; a deploy model of both is the same bytes."""
        cfg = "batch_num: 2 " + self.entry_text("add", 1) + self.entry_text("max", 0)
        self.make(cfg)
        self.done("config", "ptq", "net.onnx", "--cfg", "quant.cfg", "-o", "config.json")
        config = json.loads((self.folder / "config.json").read_text())
        self.assertEqual([(each["layer_name"], each["input_index"]) for each in config["tensor_quantize"]],
                         [("add", 1), ("max", 0)])  # fmt: skip
        self.done("--threads", 1, "calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npz", "b1.npz",
                  "--record", "record.txt", "--modified", "modified.onnx")  # fmt: skip
        self.done("save", "modified.onnx", "--record", "record.txt", "-o", "two/net")
        files = self.files()
        self.assertEqual(files["record.txt"], files["out/net_record.txt"])
        for name in ("deploy", "fake_quant"):
            self.assertEqual(files[f"two/net_{name}_model.onnx"], files[f"out/net_{name}_model.onnx"])

        self.done("save", "modified.onnx", "--record", "record.txt", "-o", "two/net", "--emit", "qdq")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(self.folder / "two/net_qdq_model.onnx", options)
        add, pooled = session.run(["add", "m"], self.DATA[0])
        want = np.maximum(self.DATA[0]["x"], F(0)) + rounded(self.DATA[0]["z"], self.record["add:1"])
        np.testing.assert_allclose(add, want, rtol=1e-6, atol=1e-6)
        want = rounded(want, self.record["max:0"]).reshape(2, 3, 4, 2, 4, 2).max(axis=(3, 5))
        np.testing.assert_allclose(pooled, want, rtol=1e-6, atol=1e-6)

    def test_fp16_precision_of_scales(self):
        self.make("fakequant_precision_mode: FORCE_FP16_QUANT " + self.entry_text("add", 1))
        scale = self.record["add:1"]["scale_d"]
        self.assertEqual(scale, F(np.float16(scale)))

    def test_data_that_cannot_be_quantised(self):
        data = [{"x": each["x"], "z": np.full([2, 3, 8, 8], np.inf, F)} for each in self.DATA]
        save_net(self.folder / "net.onnx", self.NODES, self.WEIGHTS, self.INPUTS, self.OUTPUTS)
        np.savez(self.folder / "b.npz", **data[0])
        (self.folder / "quant.cfg").write_text(self.entry_text("add", 1))
        summary = self.summary("quantize", "net.onnx", "-d", "b.npz", "--cfg", "quant.cfg", "-o", "out/net")
        left = self.left_float(summary)
        self.assertIn("add:1", left)
        self.assertNotIn("add_1", (self.folder / "out/net_deploy_model.onnx").read_bytes().decode("latin-1"))

    def test_inside_of_a_body(self):
        """An Add in a branch of an If, one of whose inputs comes from outside."""
        value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3])
        body = lambda name, op, inputs: helper.make_graph([node(op, name, inputs)], name, [], [value(name)])
        nodes = [
            node("MatMul", "mm", ["x", "w"]),
            node("Relu", "relu", ["mm"]),
            node("ReduceMean", "mean", ["x"], keepdims=0),
            node("Constant", "zero", [], value=numpy_helper.from_array(F(-100))),
            node("Greater", "condition", ["mean", "zero"]),
            node("If", "choice", ["condition"], ["y"], then_branch=body("sum", "Add", ["relu", "x"]),
                 else_branch=body("same", "Identity", ["x"])),
        ]  # fmt: skip
        self.quantise(nodes, {"w": random(3, 3)}, {"x": [2, 3]}, {"y": [2, 3]}, cfg=self.entry_text("sum", 0))
        self.assertEqual(list(self.record), ["mm", "sum:0"])
        data = {"x": random(2, 3, seed=9)}
        deployed = self.run_model("out/net_deploy_model.onnx", data)
        simulated = self.run_model("out/net_fake_quant_model.onnx", data)
        np.testing.assert_allclose(deployed["y"], simulated["y"], rtol=1e-6, atol=1e-6)

    def test_refusals(self):
        save_net(self.folder / "net.onnx", self.NODES, self.WEIGHTS, self.INPUTS, self.OUTPUTS)
        for text, error in (
            (self.entry_text("conv", 0), "tensor_quantize: 'conv' is of type Conv2d; only inputs of Add and MaxPool are quantised on their own"),
            (self.entry_text("add", 2), "tensor_quantize: 'add' has no input 2, its inputs are 0 to 1"),
            (self.entry_text("maxx", 0), "tensor_quantize: the model has no layer 'maxx' (did you mean 'max'?)"),
            (self.entry_text("max", 0) * 2, "tensor_quantize: input 0 of 'max' is there twice"),
            (self.entry_text("max", 0, "ifmr_quantize { dst_type: INT16 }"), "tensor_quantize of 'max', input 0: num_bits is 16: AscendAntiQuant, which turns it back, takes 8"),
        ):  # fmt: skip
            (self.folder / "quant.cfg").write_text(text)
            self.refused(f"quant.cfg: {error}", "config", "ptq", "net.onnx", "--cfg", "quant.cfg", "-o", "c.json")
        for entry, error in (
            ({"layer_name": "relu", "input_index": 0}, "tensor_quantize: 'relu' is of type Relu; only inputs of Add and MaxPool are quantised on their own"),
            ({"layer_name": "add", "input_index": -1}, "tensor_quantize: 'add' has no input -1, its inputs are 0 to 1"),
        ):  # fmt: skip
            layers = {"conv": {"quant_enable": True, "activation_quant_params": {}}}
            config = {"tensor_quantize": [entry | {"activation_quant_params": {}}]} | layers
            (self.folder / "c.json").write_text(json.dumps(config))
            np.savez(self.folder / "b.npz", **self.DATA[0])
            self.refused(f"c.json: {error}", "calibrate", "net.onnx", "--config", "c.json", "-d", "b.npz",
                         "--record", "r.txt", "--modified", "m.onnx")  # fmt: skip


if __name__ == "__main__":
    main()
