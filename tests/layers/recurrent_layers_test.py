"""LSTM and GRU through `lathe quantize`, `lathe calibrate` and `lathe save`."""
from quantised import *

GATES = {"LSTM": 4, "GRU": 3}
INITIAL = "its initial_h does not come from an input"


class Recurrent(LayerTest):
    def net(self, op, steps=7, batch=2, features=6, hidden=5, bias=True, lens=False, initial=True, directions=1,
            outputs=None, **given):  # fmt: skip
        """x, h (and c) -> the layer -> Relu of the last state; returns nodes, weights and inputs."""
        gates = GATES[op]
        weights = {"w": random(directions, gates * hidden, features, seed=1) / 2,
                   "r": random(directions, gates * hidden, hidden, seed=2) / 2}  # fmt: skip
        if bias:
            weights["b"] = random(directions, 2 * gates * hidden, seed=3) / 4
        inputs = {"x": [steps, batch, features]}
        operands = ["x", "w", "r", "b" if bias else "", "lens" if lens else ""]
        if lens:
            weights["lens"] = np.array([steps - i for i in range(batch)], np.int32)
        if initial:
            inputs["h"] = [directions, batch, hidden]
            operands.append("h")
            if op == "LSTM":
                inputs["c"] = [directions, batch, hidden]
                operands.append("c")
        while not operands[-1]:
            operands.pop()
        if op == "GRU":
            given = {"linear_before_reset": 1} | given
        outputs = outputs or ["all", "last"] + (["cell"] if op == "LSTM" else [])
        nodes = [node(op, "rnn", operands, outputs, hidden_size=hidden, **given),
                 node("Relu", "relu", ["last"], ["y"])]  # fmt: skip
        return nodes, weights, inputs, {"y": [directions, batch, hidden]}

    def check_recurrent(self, op, hidden):
        entry, before = self.record["rnn"], self.original.nodes["rnn"]
        deploy, fake = self.deploy.nodes["rnn"], self.fake.nodes["rnn"]
        width, half = bits(entry["wts_type"]), GATES[op] * hidden
        steps, real = {}, {}
        for i, letter, activation in ((1, "w", "d"), (2, "r", "h")):
            weight = self.original.constant("rnn", i)
            scales = np.array(entry[f"scale_{letter}"], F)
            np.testing.assert_allclose(scales, largest(weight[0], width), rtol=1e-6)
            whole = integers(weight[0], scales, width)[None]
            self.same(packed(whole, 2) if width == 4 else whole, self.deploy.constant("rnn", i), letter)
            self.same(whole.astype(F) * scales.reshape(1, -1, 1), self.fake.constant("rnn", i), f"fake {letter}")
            steps[letter] = scales * entry[f"scale_{activation}"]
        place = 5 if op == "LSTM" else 4
        bias = self.original.constant("rnn", 3)
        if bias is None:
            self.assertEqual((deploy.input[place], self.fake.constant("rnn", 3)), ("", None))
        else:
            step = np.concatenate([steps["w"], steps["r"]])
            want = np.rint(bias / step).astype(np.int32)
            self.same(want, self.deploy.constant("rnn", place), "bias")
            self.same(want.astype(F) * step, self.fake.constant("rnn", 3), "fake bias")
        self.same(words(np.concatenate([steps["w"], steps["r"]])), self.deploy.constant("rnn", place + 3), "param")
        lens = before.input[4] if len(before.input) > 4 else ""
        initial = list(before.input[5:7]) if op == "LSTM" else list(before.input[5:6])
        got = list(deploy.input)
        self.assertEqual([got[0], *got[3:3 + len(initial)], got[place + 1], got[place + 2]], ["x", *initial, lens, ""])
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
            self.check_chain(f"rnn.quant{suffix}", F(1 / np.float64(scale)), entry[f"offset_{activation}"],
                             bits(entry["act_type"]))  # fmt: skip
            mul = self.fake.producers[fake.input[i]]
            self.assertEqual(mul.name, f"rnn.anti_quant{suffix}.fake_antiquant.mul")
            self.assertEqual(self.fake.constants[mul.input[1]], scale)
        self.assertEqual(attributes(fake), attributes(before))

    def test_variants(self):
        for op in GATES:
            for variant in (
                {},
                {"bias": False},
                {"lens": True},
                {"steps": 1, "batch": 1},
                {"features": 1, "hidden": 1},
                {"steps": 3, "batch": 4, "features": 11, "hidden": 16},
                {"bias": False, "lens": True, "direction": "forward", "layout": 0},
            ):
                with self.subTest(op=op, **variant):
                    opset = 14 if "layout" in variant else 13
                    summary = self.quantise(*self.net(op, **variant), opset=opset)
                    self.assertEqual(summary["layers"], {"quantized": ["rnn"], "float": []})
                    self.original.nodes["rnn"].attribute.extend([])
                    hidden = variant.get("hidden", 5)
                    if "layout" in variant:
                        for graph in (self.original, self.fake):
                            for each in list(graph.nodes["rnn"].attribute):
                                if each.name == "layout":
                                    graph.nodes["rnn"].attribute.remove(each)
                    self.check_recurrent(op, hidden)

    def test_the_hidden_state_is_observed_over_all_steps(self):
        """scale_h covers initial_h and every step's result but the last (symmetric, no search: the range says it)."""
        cfg = ("batch_num: 2\nactivation_offset: false\ncommon_config: { ifmr_quantize: "
               "{ search_range_start: 0.999 search_range_end: 1.001 search_step: 0.002 } }")  # fmt: skip
        for op in GATES:
            nodes, weights, inputs, outputs = self.net(op)
            data = [{name: random(*shape, seed=i) * (0.01 if name == "h" else 1) for name, shape in inputs.items()}
                    for i in range(2)]  # fmt: skip
            summary = self.quantise(nodes, weights, inputs, outputs | {"all": [7, 1, 2, 5]}, data, cfg=cfg)
            self.assertEqual(summary["layers"]["quantized"], ["rnn"])
            seen = []
            for i, feed in enumerate(data):
                arguments = [each for name in feed for each in ("-i", f"{name}={self.save(f'{name}.npy', feed[name])}")]
                self.done("run", "net.onnx", *arguments, "-o", f"run{i}")
                seen += [feed["h"].ravel(), np.load(self.folder / f"run{i}/all.npy")[:-1].ravel()]
            seen = np.concatenate(seen)
            steps = 128 if abs(seen.max()) < abs(seen.min()) else 127
            np.testing.assert_allclose(self.record["rnn"]["scale_h"], abs(seen).max() * F(0.999) / steps, rtol=1e-5)

    def test_widths(self):
        for op in GATES:
            with self.subTest(op=op, activations=16):
                cfg = "batch_num: 2\ncommon_config: { ifmr_quantize: { dst_type: INT16 } }"
                self.quantise(*self.net(op), cfg=cfg)
                self.assertEqual(self.record["rnn"]["act_type"], "INT16")
                self.check_recurrent(op, 5)
            with self.subTest(op=op, weights=4):
                cfg = "batch_num: 2\ncommon_config: { arq_quantize: { quant_bits: 4 } }"
                self.quantise(*self.net(op, hidden=6), cfg=cfg, least=8)
                self.assertEqual(self.record["rnn"]["wts_type"], "INT4")
                self.check_recurrent(op, 6)
            with self.subTest(op=op, weights=4, hidden="odd"):
                self.quantise(*self.net(op, hidden=5), cfg=cfg)
                self.assertEqual(self.record["rnn"]["wts_type"], "INT8")

    def test_what_stays_float(self):
        """The limits of the reference, one by one; another layer of the net is quantised."""
        both = [
            ({"initial": False}, INITIAL),
            ({"directions": 2, "direction": "bidirectional"}, "it has more than one direction"),
            ({"direction": "reverse"}, "its direction is not forward"),
            ({"activations": ["Sigmoid", "Tanh", "Tanh"]}, "activations is set"),
        ]
        for op in GATES:
            own = [({"clip": 3.0}, "clip is set"), ({"input_forget": 1}, "input_forget is set"),
                   ({"outputs": ["all", "last"]}, "it lacks some of its outputs")]  # fmt: skip
            if op == "GRU":
                own = [({"linear_before_reset": 0}, "linear_before_reset is 0")]
            for given, reason in both + own:
                if op == "GRU" and "activations" in given:
                    given = {"activations": ["Sigmoid", "Tanh"]}
                with self.subTest(op=op, **given):
                    nodes, weights, inputs, outputs = self.net(op, **given)
                    nodes.append(node("MatMul", "mm", ["all", "v"], ["z"]))
                    weights["v"] = random(5, 4, seed=9)
                    outputs["z"] = [None] * 4
                    summary = self.quantise(nodes, weights, inputs, outputs, least=20)
                    self.assertEqual(summary["layers"]["quantized"], ["mm"])
                    self.assertEqual(self.left_float(summary), {"rnn": reason})
                    self.assertEqual(self.deploy.nodes["rnn"].op_type, op)

    def test_calibrate_and_save_do_the_same(self):
        for op in GATES:
            self.quantise(*self.net(op))
            self.done("config", "ptq", "net.onnx", "-o", "config.json", "--batch-num", "2")
            self.done("calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npz", "b1.npz",
                      "--record", "record.txt", "--modified", "modified.onnx")  # fmt: skip
            modified = Graph(self.folder / "modified.onnx")
            for i in (1, 2):
                self.same(self.fake.constant("rnn", i), modified.constant("rnn", i))
            self.assertEqual(attributes(modified.nodes["rnn"])["op_data_type"], b"float")
            self.done("save", "modified.onnx", "--record", "record.txt", "-o", "saved/net")
            for name in ("net_deploy_model.onnx", "net_fake_quant_model.onnx"):
                self.assertEqual((self.folder / "out" / name).read_bytes(), (self.folder / "saved" / name).read_bytes())

    def test_a_scale_for_each_gate(self):
        """A record may give one scale a gate."""
        for op in GATES:
            self.quantise(*self.net(op))
            lines = []
            for letter in "wr":
                lines += [f"    scale_{letter}: {0.01 * (i + 1)}\n    offset_{letter}: 0\n" for i in range(GATES[op])]
            lines += ["    scale_d: 0.02\n    offset_d: 3\n    scale_h: 0.01\n    offset_h: -4\n"]
            (self.folder / "gates.txt").write_text(
                'record {\n  key: "rnn"\n  value {\n' + "".join(lines) + '    act_type: "INT8"\n  }\n}\n')
            self.done("save", "net.onnx", "--record", "gates.txt", "-o", "gates/net")
            self.record = read_record(self.folder / "gates.txt")
            deploy, fake = (Graph(self.folder / f"gates/net_{each}_model.onnx") for each in ("deploy", "fake_quant"))
            scales = np.repeat(np.array(self.record["rnn"]["scale_w"], F), 5)
            want = integers(self.original.constant("rnn", 1)[0], scales, 8)[None]
            self.same(want, deploy.constant("rnn", 1))
            self.same(want.astype(F) * scales.reshape(1, -1, 1), fake.constant("rnn", 1))
            place = 5 if op == "LSTM" else 4
            step = np.concatenate([scales * F(0.02), scales * F(0.01)])
            self.same(np.rint(self.original.constant("rnn", 3) / step).astype(np.int32), deploy.constant("rnn", place))
            self.assertEqual(deploy.constant("rnn", place + 3).shape, (2 * GATES[op],))


if __name__ == "__main__":
    main()
