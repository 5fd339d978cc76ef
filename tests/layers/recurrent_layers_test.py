"""LSTM and GRU through `lathe quantize`, `lathe calibrate` and `lathe save`."""
from recurrent_net import *

INITIAL = "its initial_h does not come from an input"
ON_REQUEST = "; a configuration that names it quantises it"


class Recurrent(LayerTest):
    def quantise_all(self, net, cfg=None, least=25.0, data=None, opset=13):
        self.write(net.nodes, net.weights, net.inputs, net.outputs, opset)
        return self.quantise_file(net.inputs, data, cfg, least=least)

    def check_all(self, net):
        for name, (op, hidden) in net.layers.items():
            with self.subTest(name):
                self.check_recurrent(name, op, hidden)

    def check_recurrent(self, name, op, hidden):
        entry, before = self.record[name], self.original.nodes[name]
        deploy, fake = self.deploy.nodes[name], self.fake.nodes[name]
        width, half = bits(entry["wts_type"]), GATES[op] * hidden
        steps, real = {}, {}
        for i, letter, activation in ((1, "w", "d"), (2, "r", "h")):
            weight = self.original.constant(name, i)
            scales = np.array(entry[f"scale_{letter}"], F)
            np.testing.assert_allclose(scales, largest(weight[0], width), rtol=1e-6)
            whole = integers(weight[0], scales, width)[None]
            self.same(packed(whole, 2) if width == 4 else whole, self.deploy.constant(name, i), letter)
            self.same(whole.astype(F) * scales.reshape(1, -1, 1), self.fake.constant(name, i), f"fake {letter}")
            steps[letter] = scales * entry[f"scale_{activation}"]
        place = 5 if op == "LSTM" else 4
        bias = self.original.constant(name, 3)
        if bias is None:
            self.assertEqual((deploy.input[place], self.fake.constant(name, 3)), ("", None))
        else:
            step = np.concatenate([steps["w"], steps["r"]])
            want = np.rint(bias / step).astype(np.int32)
            self.same(want, self.deploy.constant(name, place), "bias")
            self.same(want.astype(F) * step, self.fake.constant(name, 3), "fake bias")
        self.same(words(np.concatenate([steps["w"], steps["r"]])), self.deploy.constant(name, place + 3), "param")
        lens = before.input[4] if len(before.input) > 4 else ""
        initial = list(before.input[5:7]) if op == "LSTM" else list(before.input[5:6])
        got = list(deploy.input)
        self.assertEqual([got[0], *got[3:3 + len(initial)], got[place + 1], got[place + 2]], [f"{name}.x", *initial, lens, ""])
        self.assertEqual(list(deploy.output), list(before.output))
        self.assertEqual(deploy.op_type, f"Basic{op}InplaceFillWindowCache")
        wide = entry["act_type"] == "INT16"
        own = {"input_forget": 0} if op == "LSTM" else {"linear_before_reset": 1}
        self.assertEqual(attributes(deploy), own | {
            "hidden_size": hidden, "activation_alpha": [], "activation_beta": [], "activations": [], "clip": -1.0,
            "direction": b"forward", "quant_sqrt_mode_x": 0, "quant_sqrt_mode_h": 0, "quant_dtype": 6 if wide else 2,
            "quant_scale_x": F(1 / np.float64(entry["scale_d"])), "quant_offset_x": entry["offset_d"],
            "quant_scale_h": F(1 / np.float64(entry["scale_h"])), "quant_offset_h": entry["offset_h"]})  # fmt: skip
        for suffix, activation, i in (("", "d", 0), ("1", "h", 5)):
            scale = entry[f"scale_{activation}"]
            self.check_chain(f"{name}.quant{suffix}", F(1 / np.float64(scale)), entry[f"offset_{activation}"],
                             bits(entry["act_type"]))  # fmt: skip
            mul = self.fake.producers[fake.input[i]]
            self.assertEqual(mul.name, f"{name}.anti_quant{suffix}.fake_antiquant.mul")
            self.assertEqual(self.fake.constants[mul.input[1]], scale)
        self.assertEqual(attributes(fake), attributes(before))

    def test_variants(self):
        net = Net()
        for op in GATES:
            for i, variant in enumerate((
                {},
                {"bias": False},
                {"lens": True},
                {"steps": 1, "batch": 1},
                {"features": 1, "hidden": 1},
                {"steps": 3, "batch": 4, "features": 11, "hidden": 16},
                {"bias": False, "lens": True, "direction": "forward"},
            )):  # fmt: skip
                net.add(op, f"{op}{i}", **variant)
        summary = self.quantise_all(net)
        self.assertEqual(summary["layers"], {"quantized": list(net.layers), "float": []})
        self.check_all(net)
        self.check_deploy_run(net)

    def check_deploy_run(self, net):
        """The deploy model rounds the hidden state of every step, the simulation only the first."""
        feed = np.load(self.folder / "b0.npz")
        arguments = [each for name in feed for each in ("-i", f"{name}={self.save(f'{name}.npy', feed[name])}")]
        for kind in ("deploy", "fake_quant"):
            self.done("run", f"out/net_{kind}_model.onnx", *arguments, "-o", kind)
        for name in net.outputs:
            want, got = (np.load(self.folder / kind / f"{name}.npy") for kind in ("fake_quant", "deploy"))
            self.assertGreater(10 * np.log10(np.square(want).sum() / np.square(want - got).sum()), 35, name)

    def test_a_layout_that_is_written_out(self):
        net = Net()
        net.add("LSTM", layout=0)
        self.quantise_all(net, opset=14)
        self.assertNotIn("layout", attributes(self.deploy.nodes["rnn"]))

    def test_the_hidden_state_is_observed_over_all_steps(self):
        """scale_h covers initial_h and every step's result but the last (symmetric, no search: the range says it)."""
        cfg = ("batch_num: 2\nactivation_offset: false\ncommon_config: { ifmr_quantize: "
               "{ search_range_start: 0.999 search_range_end: 1.001 search_step: 0.002 } }")  # fmt: skip
        net = Net()
        for op in GATES:
            net.add(op, op)
            net.outputs.append(f"{op}.all")
        data = [{name: random(*shape, seed=i) * F(0.01 if name.endswith(".h") else 1)
                 for name, shape in net.inputs.items()} for i in range(2)]  # fmt: skip
        self.quantise_all(net, cfg, data=data)
        seen = {op: [] for op in GATES}
        for i, feed in enumerate(data):
            arguments = [each for name in feed for each in ("-i", f"{name}={self.save(f'{name}.npy', feed[name])}")]
            self.done("run", "net.onnx", *arguments, "-o", f"run{i}")
            for op in GATES:
                seen[op] += [feed[f"{op}.h"].ravel(), np.load(self.folder / f"run{i}/{op}.all.npy")[:-1].ravel()]
        for op in GATES:
            values = np.concatenate(seen[op])
            steps = 128 if abs(values.max()) < abs(values.min()) else 127
            np.testing.assert_allclose(self.record[op]["scale_h"], abs(values).max() * F(0.999) / steps, rtol=1e-5)

    def test_widths(self):
        wide = "batch_num: 2\ncommon_config: { ifmr_quantize: { dst_type: INT16 } }"
        narrow = "batch_num: 2\ncommon_config: { arq_quantize: { quant_bits: 4 } }"
        for cfg, hidden, types, least in (
            (wide, 5, ("INT16", "INT8"), 25),
            (narrow, 6, ("INT8", "INT4"), 5),
            (narrow, 5, ("INT8", "INT8"), 25),
        ):
            net = Net()
            for op in GATES:
                net.add(op, op, hidden=hidden)
            self.quantise_all(net, cfg, least)
            self.check_all(net)
            for entry in self.record.values():
                self.assertEqual((entry["act_type"], entry["wts_type"]), types)

    def test_four_bit_activations_are_refused_before_any_work(self):
        net = Net()
        net.add("LSTM")
        self.quantise_all(net)
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        config = json.loads((self.folder / "config.json").read_text())
        config["rnn"]["activation_quant_params"]["num_bits"] = 4
        (self.folder / "config.json").write_text(json.dumps(config))
        self.refused("config.json: layer 'rnn', activation_quant_params: num_bits is 4: "
                     "LSTM takes 8- or 16-bit activations",
                     "quantize", "net.onnx", "--config", "config.json", "-d", "b0.npz", "-o", "other/net")  # fmt: skip

    def test_other_algorithms(self):
        net = Net()
        for op in GATES:
            net.add(op, op)
        self.quantise_all(net, "batch_num: 2\ncommon_config: { hfmg_quantize: { num_of_bins: 1024 } }")
        self.check_all(net)
        self.quantise_all(net, "batch_num: 2\nfakequant_precision_mode: FORCE_FP16_QUANT")
        self.check_all(net)
        for entry in self.record.values():
            for scale in (entry["scale_d"], entry["scale_h"]):
                self.assertEqual(scale, F(np.float16(scale)))

    def test_sequences_of_any_length(self):
        net = Net()
        net.add("LSTM")
        given, net.inputs["rnn.x"] = dict(net.inputs), ["steps", 2, 6]
        data = [{name: random(*([3 + 4 * i, 2, 6] if name == "rnn.x" else shape), seed=i) for name, shape in given.items()}
                for i in range(2)]  # fmt: skip
        summary = self.quantise_all(net, data=data)
        self.assertEqual(summary["layers"]["quantized"], ["rnn"])
        self.check_all(net)

    def test_what_stays_float(self):
        """The limits of the reference, one by one; another layer of the net is quantised."""
        net, reasons = Net(), {}
        both = (
            ({"initial": False}, INITIAL + ON_REQUEST),
            ({"directions": 2, "direction": "bidirectional"}, "it has more than one direction" + ON_REQUEST),
            ({"direction": "reverse"}, "its direction is not forward" + ON_REQUEST),
        )
        own = {
            "LSTM": (
                ({"activations": ["Sigmoid", "Tanh", "Tanh"]}, "activations is set" + ON_REQUEST),
                ({"clip": 3.0}, "clip is set"),
                ({"outputs": ["all", "last"]}, "it lacks some of its outputs" + ON_REQUEST),
            ),
            "GRU": (
                ({"activations": ["Sigmoid", "Tanh"]}, "activations is set" + ON_REQUEST),
                ({"linear_before_reset": 0}, "linear_before_reset is 0" + ON_REQUEST),
            ),
        }
        for op in GATES:
            for i, (given, reason) in enumerate(both + own[op]):
                net.add(op, f"{op}{i}", **given)
                reasons[f"{op}{i}"] = reason
        net.nodes.append(node("MatMul", "mm", ["GRU0.all", "v"], ["z"]))
        net.weights["v"] = random(5, 4, seed=9)
        net.outputs.append("z")
        summary = self.quantise_all(net)
        self.assertEqual(summary["layers"]["quantized"], ["mm"])
        self.assertEqual(self.left_float(summary), reasons)
        for name, (op, _) in net.layers.items():
            self.assertEqual(self.deploy.nodes[name].op_type, op)

    def test_calibrate_and_save_do_the_same(self):
        net = Net()
        for op in GATES:
            net.add(op, op)
        self.quantise_all(net)
        self.done("config", "ptq", "net.onnx", "-o", "config.json", "--batch-num", "2")
        self.done("calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npz", "b1.npz",
                  "--record", "record.txt", "--modified", "modified.onnx")  # fmt: skip
        modified = Graph(self.folder / "modified.onnx")
        for op in GATES:
            for i in (1, 2):
                self.same(self.fake.constant(op, i), modified.constant(op, i))
            self.assertEqual(attributes(modified.nodes[op])["op_data_type"], b"float")
        self.done("save", "modified.onnx", "--record", "record.txt", "-o", "saved/net")
        for name in ("net_deploy_model.onnx", "net_fake_quant_model.onnx"):
            self.assertEqual((self.folder / "out" / name).read_bytes(), (self.folder / "saved" / name).read_bytes())

    def test_explanations(self):
        net = Net()
        for op in GATES:
            net.add(op, op)
        self.quantise_all(net)
        for op in GATES:
            said = self.done("explain", "out/net_deploy_model.onnx", op)
            entry = self.record[op]
            self.assertIn(f"is quantised as {op}\n  input: INT8, scale ", said)
            self.assertIn(f", offset {entry['offset_d']}\n  hidden state: INT8, scale ", said)
            said = self.done("explain", "out/net_fake_quant_model.onnx", op)
            self.assertIn(f"is quantised as {op}\n  '{op}.quant.fakequant.sub' (Sub) quantises its input\n", said)

    def test_a_scale_for_each_gate(self):
        """A record may give one scale a gate."""
        net, text = Net(), ""
        for op in GATES:
            net.add(op, op)
            text += gate_record(op, GATES[op])
        self.write(net.nodes, net.weights, net.inputs, net.outputs)
        (self.folder / "gates.txt").write_text(text)
        self.done("save", "net.onnx", "--record", "gates.txt", "-o", "gates/net")
        record, original = read_record(self.folder / "gates.txt"), Graph(self.folder / "net.onnx")
        deploy, fake = (Graph(self.folder / f"gates/net_{each}_model.onnx") for each in ("deploy", "fake_quant"))
        for op in GATES:
            scales = np.repeat(np.array(record[op]["scale_w"], F), 5)
            want = integers(original.constant(op, 1)[0], scales, 8)[None]
            self.same(want, deploy.constant(op, 1))
            self.same(want.astype(F) * scales.reshape(1, -1, 1), fake.constant(op, 1))
            place = 5 if op == "LSTM" else 4
            step = np.concatenate([scales * F(0.02), scales * F(0.01)])
            self.same(np.rint(original.constant(op, 3) / step).astype(np.int32), deploy.constant(op, place))
            self.assertEqual(deploy.constant(op, place + 3).shape, (2 * GATES[op],))


if __name__ == "__main__":
    main()
