"""What `lathe config qat` and `lathe retrain` refuse, and that nothing is left behind then."""
import signal
import time

from driver import *


class ErrorsTest(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.done("config", "qat", "net.onnx", "-o", "config.json")

    def config(self, change):
        config = json.loads((self.folder / "config.json").read_text())
        change(config)
        (self.folder / "changed.json").write_text(json.dumps(config))
        return "changed.json"

    def create(self, model="net.onnx", config="config.json", *arguments):
        return ["retrain", "create", model, "--config", config, "--record", "r.txt", "-o", "t.onnx", *arguments]

    def restore(self, checkpoint, model="net.onnx", config="config.json", *arguments):
        return ["retrain", "restore", model, "--config", config, "--checkpoint", checkpoint, "--record", "r.txt", "-o",
                "t.onnx", *arguments]  # fmt: skip

    def save_it(self, checkpoint, model="net.onnx", *arguments):
        return ["retrain", "save", model, "--config", "config.json", "--checkpoint", checkpoint, "-o", "out/net",
                *arguments]  # fmt: skip

    def state(self):
        state = {}
        for layer, shape in (("conv1", (8, 3, 3, 3)), ("conv2", (4, 8, 1, 1))):
            state[f"{layer}.quant_module.replaced_module.weight"] = random(*shape)
            state[f"{layer}.quant_module.acts_clip_max"] = np.float32(2)
            state[f"{layer}.quant_module.acts_clip_min"] = np.float32(-2)
        return state | {"conv1.quant_module.replaced_module.bias": random(8)}

    def checkpoint(self, **changes):
        np.savez(self.folder / "c.npz", **(self.state() | changes))
        return "c.npz"


class Config(ErrorsTest):
    def refused_config(self, error, *options, model="net.onnx", **more):
        self.refused(error, "config", "qat", model, "-o", "c.json", *options, **more)

    def refused_cfg(self, error, text):
        (self.folder / "q.cfg").write_text(text)
        self.refused_config(f"q.cfg: {error}", "--cfg", "q.cfg")

    def test_names_and_values(self):
        self.refused_config("skip_layers: the model has no layer 'conv3' (did you mean 'conv1' or 'conv2'?)",
                            "--skip-layer", "conv3")  # fmt: skip
        self.refused_config("every layer that can be trained is skipped: nothing is left to do",
                            "--skip-layer", "conv1", "--skip-layer", "conv2")  # fmt: skip
        self.refused_config("batch_num is 0, it must be above 0", "--batch-num", "0")
        self.refused_config("nope.onnx: cannot open: No such file or directory", model="nope.onnx")
        self.refused_config("nope.cfg: cannot open: No such file or directory", "--cfg", "nope.cfg")

    def test_simplified_configurations(self):
        self.refused_cfg("override_layer_configs: the model has no layer 'fc'", 'override_layer_configs { layer_name: "fc" }')
        self.refused_cfg("retrain_data_quant_config: dst_type is INT4, a simplified configuration may ask for INT8, INT16",
                         "retrain_data_quant_config { ulq_quantize { dst_type: INT4 } }")  # fmt: skip
        self.refused_cfg("retrain_data_quant_config: clip_min is 1.0, it must be below 0 and finite",
                         "retrain_data_quant_config { ulq_quantize { clip_max_min { clip_max: 2 clip_min: 1 } } }")  # fmt: skip

    def test_models(self):
        save_net(self.folder / "relu.onnx", [helper.make_node("Relu", ["x"], ["y"], "r")], {}, {"x": [4, 2]}, {"y": [4, 2]})
        self.refused_config("the model has no layer that can be trained", model="relu.onnx")
        self.done(*self.create())
        self.refused_config("t.onnx: the model is a retrain model already: node 'conv1.acts_quant' is Mul (finish it with "
                            "'lathe retrain save', or start from the float model)", model="t.onnx")  # fmt: skip


class Create(ErrorsTest):
    def test_files(self):
        self.refused("nope.onnx: cannot open: No such file or directory", *self.create("nope.onnx"))
        self.refused("nope.json: cannot open: No such file or directory", *self.create(config="nope.json"))
        (self.folder / "text.onnx").write_text("no model")
        done = self.lathe(*self.create("text.onnx"))
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertTrue(done.stderr.startswith("lathe: error: text.onnx: "), done.stderr)
        (self.folder / "text.json").write_text("{")
        self.refused("text.json: line 1, column 2: not JSON: unexpected end of input; expected string literal",
                     *self.create(config="text.json"))  # fmt: skip

    def test_configurations(self):
        def pair(config):
            config["conv1"]["retrain_data_config"]["dst_type"] = "INT16"
            config["conv1"]["retrain_weight_config"]["dst_type"] = "INT4"

        self.refused("changed.json: layer 'conv1': activations of INT16 with weights of INT4: allowed are INT4 with INT4, "
                     "INT8 with INT8 or INT4, INT16 with INT8", *self.create(config=self.config(pair)))  # fmt: skip
        off = self.config(lambda config: [config[name].update(retrain_enable=False) for name in ("conv1", "conv2")])
        self.refused("changed.json: no layer of the configuration has retrain_enable true: nothing to train", *self.create(config=off))
        typo = self.config(lambda config: config["conv1"].update(retrain_enabled=True))
        self.refused("changed.json: layer 'conv1': unknown key 'retrain_enabled' (did you mean 'retrain_enable'?)",
                     *self.create(config=typo))  # fmt: skip
        self.refused("changed.json: batch_num is missing",
                     *self.create(config=self.config(lambda config: config.pop("batch_num"))))  # fmt: skip
        one = self.config(lambda config: config["conv1"]["retrain_data_config"].update(clip_max=2.0))
        self.refused("changed.json: layer 'conv1', retrain_data_config: clip_max is there without clip_min, give both or none",
                     *self.create(config=one))  # fmt: skip

    def test_recurrent_layers(self):
        weights = {"w": random(1, 12, 4), "r": random(1, 12, 3), "b": random(1, 24)}
        node = helper.make_node("LSTM", ["x", "w", "r", "b", "", "h", "c"], ["y", "yh", "yc"], "lstm", hidden_size=3)
        save_net(self.folder / "lstm.onnx", [node], weights, {"x": [5, 1, 4], "h": [1, 1, 3], "c": [1, 1, 3]},
                 {"y": [5, 1, 1, 3], "yh": [1, 1, 3], "yc": [1, 1, 3]})  # fmt: skip
        self.done("config", "qat", "lstm.onnx", "-o", "lstm.json")
        self.refused("lstm.onnx: layer 'lstm': LSTM cannot be trained: it runs over 5 time steps, 1 can be trained (set its "
                     "retrain_enable to false)",
                     *self.create("lstm.onnx", "lstm.json"))  # fmt: skip

    def test_outputs(self):
        self.refused("no-folder/t.onnx: cannot create: No such file or directory", "retrain", "create", "net.onnx",
                     "--config", "config.json", "--record", "r.txt", "-o", "no-folder/t.onnx")  # fmt: skip


class Restore(ErrorsTest):
    def test_files(self):
        self.refused("nope.pth: cannot open: No such file or directory", *self.restore("nope.pth"))
        (self.folder / "text.pth").write_text("no checkpoint")
        self.refused("text.pth: it is no checkpoint that is read: neither PyTorch's .pth, nor safetensors, .npz or ONNX",
                     *self.restore("text.pth"))  # fmt: skip

    def test_keys(self):
        state = self.state()
        del state["conv1.quant_module.acts_clip_min"]
        np.savez(self.folder / "c.npz", **state, other=np.zeros(3))
        self.refused("c.npz: the keys do not match the model's: 1 missing: 'conv1.quant_module.acts_clip_min'; 1 extra: 'other'",
                     *self.restore("c.npz"))  # fmt: skip
        wrong = {"conv2.quant_module.replaced_module.weight": random(4, 8, 3, 3)}
        self.refused("c.npz: the keys do not match the model's: 1 misshapen: 'conv2.quant_module.replaced_module.weight' is "
                     "f32[4,8,3,3], not f32[4,8,1,1]", *self.restore(self.checkpoint(**wrong)))  # fmt: skip
        whole = {"conv2.quant_module.acts_clip_max": np.int32(2)}
        self.refused("c.npz: the keys do not match the model's: 1 misshapen: 'conv2.quant_module.acts_clip_max' is i32[], not "
                     "f32[]", *self.restore(self.checkpoint(**whole)))  # fmt: skip

    def test_state_dict_name(self):
        self.refused("c.npz: there is no state dict 'state_dict': tensors of this form (.npz file) have no dict "
                     "around them (leave the state dict's name out)",
                     *self.restore(self.checkpoint(), "net.onnx", "config.json", "--state-dict-name", "state_dict"))  # fmt: skip
        self.refused("--state-dict-name requires --checkpoint (see 'lathe retrain --help')", "retrain", "save", "net.onnx",
                     "--config", "config.json", "-o", "o/n", "--state-dict-name", "state_dict", status=2)  # fmt: skip

    def test_the_configuration_of_another_model(self):
        other = self.config(lambda config: config.update(conv9=config.pop("conv2")))
        self.refused("changed.json: configuration: the model has no layer 'conv9' (did you mean 'conv1' or 'conv2'?)",
                     *self.restore(self.checkpoint(), "net.onnx", other))  # fmt: skip


class Save(ErrorsTest):
    def test_values_that_are_not_finite(self):
        for name in ("acts_clip_max", "acts_clip_min"):
            bad = {f"conv1.quant_module.{name}": np.float32(np.nan)}
            done = self.lathe(*self.save_it(self.checkpoint(**bad)))
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertTrue(done.stderr.startswith("lathe: error: c.npz: node 'conv1': the clips "), done.stderr)
        weight = random(4, 8, 1, 1)
        weight[1, 2] = np.inf
        bad = {"conv2.quant_module.replaced_module.weight": weight}
        error = "c.npz: element 10 of 'conv2.quant_module.replaced_module.weight' is inf: the training has diverged"
        self.refused(error, *self.save_it(self.checkpoint(**bad)))
        self.refused(error, *self.restore("c.npz"))
        bias = random(8)
        bias[3] = np.nan
        self.refused("c.npz: element 3 of 'conv1.quant_module.replaced_module.bias' is nan: the training has diverged",
                     *self.save_it(self.checkpoint(**{"conv1.quant_module.replaced_module.bias": bias})))  # fmt: skip

    def test_nothing_is_left_when_one_file_cannot_be_written(self):
        self.checkpoint()
        (self.folder / "out").mkdir()
        (self.folder / "out/net_fake_quant_model.onnx").mkdir()
        before = self.files()
        done = self.lathe(*self.save_it("c.npz"))
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertIn("net_fake_quant_model.onnx", done.stderr)
        self.assertEqual(self.files(), before)

    def test_an_interrupted_search_leaves_nothing(self):
        batches = [self.save(f"b{i}.npy", random(64, 3, 8, 8)) for i in range(2)]
        self.checkpoint()
        config = json.loads((self.folder / "config.json").read_text())
        config["batch_num"] = 2000
        (self.folder / "config.json").write_text(json.dumps(config))
        before = self.files()
        process = subprocess.Popen(
            self.command(*self.save_it("c.npz", "net.onnx", "--searchn-version", "2", "-d", *(batches * 1000))),
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("lathe: error: interrupted", errors.splitlines()[-1])
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    main()
