"""What the reference's post-training functions refuse, function by function, and what the driver says to it."""
from driver import *


class ErrorsTest(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.save("b0.npy", random(4, 3, 8, 8))

    def config(self, *options):
        self.done("config", "ptq", "net.onnx", "-o", "config.json", *options)
        return json.loads((self.folder / "config.json").read_text())

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return name

    def calibrate(self, config="config.json", model="net.onnx", data="b0.npy"):
        return ["calibrate", model, "--config", config, "-d", data, "--record", "r.txt", "--modified", "m.onnx"]


class CreateConfig(ErrorsTest):
    """create_quant_config"""

    def refused_config(self, error, *options, model="net.onnx", **more):
        self.refused(error, "config", "ptq", model, "-o", "c.json", *options, **more)

    def test_skipped_layers(self):
        skip = lambda *names: [each for name in names for each in ("--skip-layer", name)]
        self.refused_config("skip_layers: 'conv1' is there twice", *skip("conv1", "conv1"))
        self.refused_config("skip_layers: the model has no layer 'conv3' (did you mean 'conv1' or 'conv2'?)", *skip("conv3"))
        self.refused_config("skip_layers: 'relu' of type Relu cannot be quantised: Relu is never quantised", *skip("relu"))
        self.refused_config("every layer that can be quantised is skipped: nothing is left to do", *skip("conv1", "conv2"))
        # The reference ignores them beside a .cfg, with a warning.
        self.write("quant.cfg", "")
        self.refused_config("--cfg excludes --skip-layer (see 'lathe config --help')", "--cfg", "quant.cfg", *skip("conv1"), status=2)

    def test_nothing_to_quantise(self):
        save_net(self.folder / "relu.onnx", [helper.make_node("Relu", ["x"], ["y"], "r")], {}, {"x": [4, 2]}, {"y": [4, 2]})
        error = "the model has no layer that can be quantised"
        self.refused_config(error, model="relu.onnx")
        self.save("b1.npy", random(4, 2))
        self.refused(error, "quantize", "relu.onnx", "-d", "b1.npy", "-o", "out/net")

    def test_layers_named_like_global_keys(self):
        for name in ("version", "batch_num", "activation_offset", "joint_quant", "do_fusion",
                     "fakequant_precision_mode", "skip_fusion_layers", "tensor_quantize"):  # fmt: skip
            save_net(self.folder / "key.onnx", [helper.make_node("Conv", ["x", "w"], ["y"], name)],
                     {"w": random(4, 3, 1, 1)}, {"x": [4, 3, 8, 8]}, {"y": [4, 4, 8, 8]})  # fmt: skip
            self.refused_config(f"layer '{name}' has the name of a global key of the configuration: rename it", model="key.onnx")

    def test_batch_num(self):
        self.refused_config("batch_num is 0, it must be above 0", "--batch-num", "0")
        self.refused_config("batch_num is -1, it must be above 0", "--batch-num", "-1")

    def test_missing_files(self):
        self.refused_config("nope.onnx: cannot open: No such file or directory", model="nope.onnx")
        self.refused_config("nope.cfg: cannot open: No such file or directory", "--cfg", "nope.cfg")

    def test_operators_of_the_reference(self):
        """Each of its list AMCT_OPERATIONS, and those of the ONNX flavour's domain."""
        own = ["IFMR", "HFMG", "Recorder", "RetrainQuant", "RNNRetrainQuant", "MarkedQuantizableModule", "QuantIdentity",
               "SelectiveMaskGen", "DMQBalancer", "Conv2dQAT", "LinearQAT", "LSTMQAT", "GRUQAT", "OFMRQuant",
               "ConvTranspose1dQAT"]  # fmt: skip
        deploy = ["AscendQuant", "AscendDeQuant"]
        flavour = ["Quant", "Dequant", "DUMP", "SearchN", "SearchNv2"]
        for op in own + deploy + flavour:
            domain = "amct.customop" if op in flavour else "custom_op_domain"
            ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 3, 8, 8])] for name in "xy"]
            nodes = [helper.make_node(op, ["x"], ["z"], "odd", domain=domain),
                     helper.make_node("Conv", ["z", "w"], ["y"], "conv")]  # fmt: skip
            weight = numpy_helper.from_array(random(3, 3, 1, 1), "w")
            opsets = [helper.make_opsetid("", 13), helper.make_opsetid(domain, 1)]
            model = helper.make_model(helper.make_graph(nodes, "net", *ends, [weight]), opset_imports=opsets, ir_version=8)
            onnx.save(model, self.folder / "odd.onnx")
            what = "is a deploy model already" if op in deploy else "holds operators of a quantisation run"
            self.refused_config(f"odd.onnx: the model {what}: node 'odd' is {op} (start from the float model)", model="odd.onnx")


class Preprocess(ErrorsTest):
    """quantize_preprocess"""

    def balance(self, config):
        return ["balance", "net.onnx", "--config", config, "-d", "b0.npy", "--record", "r.txt"]

    def test_refusals(self):
        self.refused("nope.json: cannot open: No such file or directory", *self.balance("nope.json"))
        self.config()
        self.refused("config.json: no enabled layer of the configuration has dmq_balancer_param (ask for balancing "
                     "with dmq_balancer in the simplified configuration)", *self.balance("config.json"))  # fmt: skip


class QuantizeModel(ErrorsTest):
    """quantize_model"""

    def test_the_configuration(self):
        self.refused("nope.json: cannot open: No such file or directory", *self.calibrate("nope.json"))
        config = self.config()
        for layer in ("conv1", "conv2"):
            config[layer]["quant_enable"] = False
        self.write("off.json", json.dumps(config))
        self.refused("off.json: no layer of the configuration has quant_enable true: nothing to quantise", *self.calibrate("off.json"))
        self.write("twice.json", '{"batch_num":1,"batch_num":2}')
        self.refused("twice.json: key 'batch_num' is there twice", *self.calibrate("twice.json"))

    def test_fewer_batches_than_batch_num(self):
        self.config("--batch-num", "3")
        self.refused("the configuration asks for 3 batches, the data has 1 (give more data or lower batch_num)", *self.calibrate())

    def test_the_balance_record(self):
        self.write("dmq.cfg", "common_config { dmq_balancer { } }")
        self.config("--cfg", "dmq.cfg")
        with_record = lambda text: [*self.calibrate(), "--balance-record", self.write("balance.txt", text)]
        self.refused("config.json: node 'conv1': the layer has dmq_balancer_param, but there are no factors (run 'lathe "
                     "balance' and give its record as --balance-record)", *self.calibrate())  # fmt: skip
        self.refused("balance.txt: the balance record is empty ('lathe balance' writes it)", *with_record(""))
        entry = lambda factors: f'record {{ key: "conv1" value {{ {factors} }} }}'
        three = "tensor_balance_factor: 1 " * 3
        self.refused("balance.txt: record of 'conv1': there are 2 tensor_balance_factor, this Conv has 3 input channels",
                     *with_record(entry("tensor_balance_factor: 1 " * 2)))  # fmt: skip
        self.refused("balance.txt: record of 'conv1': tensor_balance_factor[2] is 0.0, it must be from 1.1920929e-07 to 8388608.0",
                     *with_record(entry(three.replace("1 ", "0 ", 3).replace("0 ", "1 ", 2))))  # fmt: skip
        self.refused("balance.txt: node 'conv2': the balance record has no tensor_balance_factor for the layer ('lathe "
                     "balance' writes it)", *with_record(entry(three)))  # fmt: skip

    def test_weights(self):
        """Of another type than float32 and float16: no layer. Not finite: quantize_refusals_test."""
        ends = [[helper.make_tensor_value_info(name, TensorProto.DOUBLE, [4, 3, 8, 8])] for name in "xy"]
        weight = numpy_helper.from_array(random(3, 3, 1, 1, kind=np.float64), "w")
        graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"], "conv")], "net", *ends, [weight])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), self.folder / "double.onnx")
        self.refused("the model has no layer that can be quantised", "config", "ptq", "double.onnx", "-o", "c.json")
        self.assertIn("its weight is f64, only f32 and f16 are quantised", self.done("explain", "double.onnx", "conv"))

    def test_a_loss_of_adaround_that_is_not_finite(self):
        self.write("ada.cfg", "batch_num: 1 common_config { ada_quantize { num_iteration: 5 } }")
        self.save("big.npy", random(4, 3, 8, 8) * np.float32(1e37))
        done = self.lathe("quantize", "net.onnx", "-d", "big.npy", "--cfg", "ada.cfg", "-o", "out/net")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"(?m)^lathe: error: node 'conv[12]': .*the loss of its rounding is (inf|nan|-nan)\n\Z")


class SaveModel(ErrorsTest):
    """save_model"""

    def setUp(self):
        super().setUp()
        self.config()
        self.done(*self.calibrate())
        self.text = (self.folder / "r.txt").read_text()

    def save_with(self, text, model="m.onnx"):
        return ["save", model, "--record", self.write("record.txt", text), "-o", "out/net"]

    def test_files(self):
        self.refused("nope.onnx: cannot open: No such file or directory", *self.save_with(self.text, "nope.onnx"))
        self.refused("nope.txt: cannot open: No such file or directory", "save", "m.onnx", "--record", "nope.txt", "-o", "out/net")

    def test_records(self):
        for text, error in (
            ("", "the record is empty (calibrate first: 'lathe calibrate' writes it)"),
            ("record {", "line 1, column 9: Expected identifier, got: "),
            ('record { key: "conv1" }', "record of 'conv1': there is no value"),
            ("record { value { } }", "record entry 0 has no key"),
            ('record { key: "conv1" value { } }', "the record has factors for no layer (calibrate first: 'lathe calibrate' writes them)"),
            (self.text + self.text, "record of 'conv1': is there twice"),
            (self.text.replace('"conv1"', '"conv9"'), "record: the model has no layer 'conv9' (did you mean 'conv1' or 'conv2'?)"),
            (self.text.replace('"conv1"', '"relu"'), "record: 'relu' of type Relu cannot be quantised: Relu is never quantised"),
            # As it stands when calibration did not come to an end.
            (self.text.replace("scale_d", "#"), "record of 'conv1': scale_d is missing"),
            (self.text.replace("INT8", "INT9", 1), "record of 'conv1': act_type is 'INT9', allowed are INT4, INT8, INT16"),
            (self.text.replace("offset_w: 0", "offset_w: 1", 1), "record of 'conv1': offset_w[0] is 1, weights have no offset: it must be 0"),
            (self.text.replace("offset_w: 0\n", "", 1), "record of 'conv1': there are 8 scale_w and 7 offset_w, they must be equally many"),
        ):  # fmt: skip
            with self.subTest(error):
                self.refused(f"record.txt: {error}", *self.save_with(text))

    def test_a_bias_beyond_int32(self):
        done = self.lathe(*self.save_with(self.text.replace("scale_d: ", "scale_d: 1e-30 #")))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Alathe: error: record\.txt: node 'conv1': pass quantize-bias: the bias of channel 0 is "
                                      r"\S+, which is \d+ steps of \S+ and does not fit into int32; [^\n]*\n\Z")  # fmt: skip


if __name__ == "__main__":
    main()
