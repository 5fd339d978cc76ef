"""What `lathe quantize` leaves float and says so, and what it refuses: rules that name no layer, quantised models."""
import json

from driver import *

HFMG = "hfmg.cfg"


class LeftFloat(DriverTest):
    """A layer whose range is degenerate stays float and is reported; the others are quantised."""

    def setUp(self):
        super().setUp()
        self.batches = [self.save(f"b{i}.npy", random(4, 3, 8, 8, seed=i)) for i in range(2)]
        (self.folder / HFMG).write_text("batch_num: 1\ncommon_config: { hfmg_quantize: { num_of_bins: 4096 } }\n")

    def quantize(self, layer, reason, *data):
        arguments = ["quantize", "net.onnx", "-o", "out/net", "-d", *(data or self.batches)]
        summary = self.summary(*arguments)
        self.assertEqual(summary["layers"]["float"], [{"name": layer, "reason": reason}])
        other = {"conv1": "conv2", "conv2": "conv1"}[layer]
        self.assertEqual(summary["layers"]["quantized"], [other])
        self.assertIn(f"\nfloat: {layer}: {reason}\n", self.done(*arguments))
        record = (self.folder / "out/net_record.txt").read_text()
        self.assertEqual((f'"{layer}"' in record, f'"{other}"' in record), (False, True))
        deploy = onnx.load(self.folder / "out/net_deploy_model.onnx")
        weights = {tensor.name: tensor.data_type for tensor in deploy.graph.initializer}
        types = {node.name: weights[node.input[1]] for node in deploy.graph.node if node.op_type == "Conv"}
        self.assertEqual(types, {layer: TensorProto.FLOAT, other: TensorProto.INT8})
        return summary

    def test_activations(self):
        save_conv_net(self.folder / "net.onnx")
        constant = np.full((4, 3, 8, 8), 7, np.float32)
        tiny = random(4, 3, 8, 8) * np.float32(1e-40)
        for array, reason in (
            (constant, "all its values are equal"),
            (tiny, "its values are so small that all would be quantised to 0"),
        ):
            data = self.save("data.npy", array)
            self.quantize("conv1", reason, data)
            self.quantize("conv1", reason, data, "--cfg", HFMG)

    def test_activations_that_are_not_finite(self):
        """Two layers side by side, so that the second never sees what the first does."""
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["y"], "conv1"),
            helper.make_node("Conv", ["z", "u"], ["v"], "conv2"),
        ]
        shape = [2, 3, 8, 8]
        weights = {"w": random(4, 3, 1, 1), "u": random(4, 3, 1, 1)}
        ends = [{"x": shape, "z": shape}, {"y": [2, 4, 8, 8], "v": [2, 4, 8, 8]}]
        save_net(self.folder / "net.onnx", nodes, weights, *ends)
        good = random(*shape)
        np.savez(self.folder / "good.npz", x=good, z=good)
        for value in (np.nan, np.inf, -np.inf):
            with self.subTest(value):
                data = good.copy()
                data[1, 2, 3, 4] = value
                np.savez(self.folder / "wrong.npz", x=data, z=good)
                for data in (["good.npz", "wrong.npz"], ["wrong.npz", "good.npz"], ["wrong.npz", "--cfg", HFMG]):
                    summary = self.quantize("conv1", "the activation holds a value that is NaN or infinite", *data)
                    # y is the same NaN or infinity in both models, and tells nothing.
                    self.assertGreater(summary["sqnr_db"], 30)

    def test_an_activation_inside_the_net(self):
        """Relu makes all of conv2's input 0."""
        save_conv_net(self.folder / "net.onnx", first=np.zeros((8, 3, 3, 3), np.float32))
        model = onnx.load(self.folder / "net.onnx")
        bias = next(tensor for tensor in model.graph.initializer if tensor.name == "b1")
        bias.CopyFrom(numpy_helper.from_array(np.full(8, -1, np.float32), "b1"))
        onnx.save(model, self.folder / "net.onnx")
        self.quantize("conv2", "all its values are equal")

    def test_weights(self):
        for value in (np.nan, np.inf):
            with self.subTest(value):
                last = random(4, 8, 1, 1)
                last[0, 1] = value
                save_conv_net(self.folder / "net.onnx", last=last)
                self.quantize("conv2", f"the weight value at index 1 is {value}; only finite weights can be quantised")

    def test_no_layer_is_left(self):
        save_conv_net(self.folder / "net.onnx")
        arguments = ["--skip-layer", "conv2", "-d", self.save("constant.npy", np.zeros((1, 3, 8, 8), np.float32))]
        self.refused("no layer is left to quantise: conv1 (all its values are equal) (check the calibration data)",
                     "quantize", "net.onnx", *arguments, "-o", "out/net")  # fmt: skip


class Rules(DriverTest):
    """A rule that names no layer is an error with the nearest names, before any work."""

    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.save("b0.npy", random(4, 3, 8, 8))

    def quantize(self, *arguments):
        return ["quantize", "net.onnx", "-d", "b0.npy", "-o", "out/net", *arguments]

    def test_skip_layer(self):
        summary = self.summary(*self.quantize("--skip-layer", "conv1"))
        self.assertEqual(summary["layers"], {"quantized": ["conv2"], "float": [
            {"name": "conv1", "reason": "the configuration leaves it out"}]})  # fmt: skip
        for name, error in (
            ("conv3", "skip_layers: the model has no layer 'conv3' (did you mean 'conv1' or 'conv2'?)"),
            ("relu", "skip_layers: 'relu' of type Relu cannot be quantised: Relu is never quantised"),
        ):
            self.refused(error, *self.quantize("--skip-layer", name))
            self.refused(error, "config", "ptq", "net.onnx", "-o", "config.json", "--skip-layer", name)

    def test_cfg_that_is_not_followed(self):
        cfg = self.folder / "quant.cfg"
        nuq = "non-uniform quantisation is not done; the reference dropped it too, as accelerators gain nothing from it"
        for text, error in (
            ('tensor_quantize { layer_name: "relu" input_index: 0 }',
             "tensor_quantize: 'relu' is of type Relu; only inputs of Add and MaxPool are quantised on their own"),
            ('tensor_quantize { layer_name: "relu" }', "line 1, column 1: tensor_quantize has no input_index"),
            ('nuq_config { mapping_file: "map.json" }', f"line 1, column 1: nuq_config: {nuq}: remove the field"),
            (" jont_quant: true", "line 1, column 2: AMCTConfig has no field 'jont_quant' (did you mean 'joint_quant'?)"),
            ('override_layer_types { layer_type: "Conv" }', "line 1, column 1: override_layer_types has no calibration_config"),
        ):  # fmt: skip
            cfg.write_text(text)
            self.refused(f"quant.cfg: {error}", *self.quantize("--cfg", "quant.cfg"))
            self.refused(f"quant.cfg: {error}", "config", "ptq", "net.onnx", "-o", "config.json", "--cfg", "quant.cfg")
        cfg.write_text('batch_num: 1\njoint_quant: false\nskip_layer_types: "Conv"\n')
        self.refused("quant.cfg: every layer that can be quantised is skipped: nothing is left to do",
                     *self.quantize("--cfg", "quant.cfg"))  # fmt: skip

    def test_cfg(self):
        cfg = self.folder / "quant.cfg"
        cfg.write_text('batch_num: 1\nskip_layers: "conv1"\n')
        self.assertEqual(self.summary(*self.quantize("--cfg", "quant.cfg"))["layers"]["quantized"], ["conv2"])
        cfg.write_text('batch_num: 1\nskip_layers: "conv12"\n')
        self.refused("quant.cfg: skip_layers: the model has no layer 'conv12' (did you mean 'conv1' or 'conv2'?)",
                     *self.quantize("--cfg", "quant.cfg"))  # fmt: skip
        cfg.write_text('batch_num: 1\nskip_fusion_layers: "conv0"\n')
        self.refused("quant.cfg: skip_fusion_layers: the model has no layer 'conv0' (did you mean 'conv1' or 'conv2'?)",
                     *self.quantize("--cfg", "quant.cfg"))  # fmt: skip
        cfg.write_text('batch_num: 1\nskip_layer_types: "Conv9d"\n')
        self.refused("quant.cfg: skip_layer_types: 'Conv9d' is not a layer type that can be quantised "
                     "(did you mean 'Conv1d', 'Conv2d' or 'Conv3d'?)", *self.quantize("--cfg", "quant.cfg"))  # fmt: skip
        cfg.write_text('batch_num: 1\noverride_layer_configs: { layer_name: "convl" calibration_config: { } }\n')
        self.refused("quant.cfg: override_layer_configs: the model has no layer 'convl' "
                     "(did you mean 'conv1' or 'conv2'?)", *self.quantize("--cfg", "quant.cfg"))  # fmt: skip
        cfg.write_text('batch_num: 1\nskip_layrs: "conv1"\n')
        done = self.lathe(*self.quantize("--cfg", "quant.cfg"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Alathe: error: quant\.cfg: .*skip_layrs.*\n\Z")

    def test_json(self):
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        config = json.loads((self.folder / "config.json").read_text())
        config["conv9"] = config.pop("conv1")
        (self.folder / "config.json").write_text(json.dumps(config))
        for command in (
            self.quantize("--config", "config.json"),
            ["calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npy", "--record", "r", "--modified", "m"],
        ):
            self.refused("config.json: configuration: the model has no layer 'conv9' (did you mean 'conv1' or 'conv2'?)", *command)

    def test_two_configurations(self):
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        self.refused("--config excludes --cfg (see 'lathe quantize --help')",
                     *self.quantize("--cfg", "a", "--config", "b"), status=2)  # fmt: skip
        self.refused("--config excludes --skip-layer (see 'lathe quantize --help')",
                     *self.quantize("--skip-layer", "a", "--config", "b"), status=2)  # fmt: skip


class QuantisedAlready(DriverTest):
    """A model that is quantised in any form is refused, with what to do instead."""

    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.save("b0.npy", random(4, 3, 8, 8))
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        self.done("calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npy", "--record", "record.txt",
                  "--modified", "modified.onnx")  # fmt: skip
        self.done("save", "modified.onnx", "--record", "record.txt", "-o", "net")
        q = helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], "quantize")
        d = helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], "dequantize")
        save_net(self.folder / "qdq.onnx", [q, d], {"scale": np.float32(1), "zero": np.int8(0)}, {"x": [4]}, {"y": [4]})
        self.forms = {
            "net_deploy_model.onnx":
                "net_deploy_model.onnx: the model is a deploy model already: node 'conv1.quant' is AscendQuant "
                "(start from the float model)",
            "net_fake_quant_model.onnx":
                "net_fake_quant_model.onnx: the model is a fake-quant model already: node "
                "'conv1.quant.fakequant.round' is Round (run it with 'lathe run', or start from the float model)",
            "qdq.onnx":
                "qdq.onnx: the model is quantised already: node 'quantize' is QuantizeLinear "
                "(start from the float model)",
        }  # fmt: skip

    def test_each_form(self):
        self.forms["modified.onnx"] = (
            "modified.onnx: the model is a modified model already: node 'conv1' has op_data_type (finish it with "
            "'lathe save' and its record)")  # fmt: skip
        for name, error in self.forms.items():
            with self.subTest(name):
                self.refused(error, "quantize", name, "-d", "b0.npy", "-o", "out/net")
                self.refused(error, "config", "ptq", name, "-o", "c.json")
                self.refused(error, "calibrate", name, "--config", "config.json", "-d", "b0.npy", "--record", "r",
                             "--modified", "m")  # fmt: skip

    def test_save_takes_a_modified_model_only(self):
        for name, error in self.forms.items():
            with self.subTest(name):
                self.refused(error, "save", name, "--record", "record.txt", "-o", "out/net")

    def test_the_commands_named_exist(self):
        """A hint must not send the user to a command that is not there."""
        there = self.done("--help")
        for name in [*self.forms, "modified.onnx"]:
            error = self.lathe("quantize", name, "-d", "b0.npy", "-o", "out/net").stderr
            for word in error.split("'lathe ")[1:]:
                self.assertRegex(there, rf"\n  {word.split(chr(39))[0]} +")


if __name__ == "__main__":
    main()
