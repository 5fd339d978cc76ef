"""Reverse and bidirectional LSTM and GRU, and what else the reference leaves float, quantised because a configuration
names them."""
from recurrent_net import *

import onnxruntime

KINDS = {
    "reverse": {"direction": "reverse"},
    "both": {"directions": 2, "direction": "bidirectional"},
    "forward": {},
}
# What is optional, or leaves a layer float by default.
VARIANTS = {
    "plain": {},
    "no_bias": {"bias": False},
    "lens": {"lens": True},
    "no_initial": {"initial": False},
    "constant_initial": {"constant": True, "lens": True},
    "one_step": {"steps": 1, "batch": 1},
    "one": {"features": 1, "hidden": 1, "steps": 3},
    "only_last": {"outputs": ["", "last"]},
    "only_all": {"outputs": ["all"], "lens": True},
    "wide": {"steps": 3, "batch": 4, "features": 11, "hidden": 16, "initial": False, "bias": False, "lens": True},
}
WIDE = "common_config: { ifmr_quantize: { dst_type: INT16 } }"
REASONS = {"reverse": "its direction is not forward", "both": "it has more than one direction"}
ON_REQUEST = "; a configuration that names it quantises it"
OWN = {
    "LSTM": {"activations": {"activations": ["Sigmoid", "Tanh", "Tanh"]}},
    "GRU": {"activations": {"activations": ["Sigmoid", "Tanh"]}, "reset_first": {"linear_before_reset": 0, "lens": True},
            "reset_first_by_default": {"linear_before_reset": None}},
}


def named(layers, more="", own=""):
    lines = "".join(f'override_layer_configs: {{ layer_name: "{name}" calibration_config: {{ {own} }} }}\n' for name in layers)
    return f"batch_num: 2\n{more}\n{lines}"


def decibels(want, got):
    noise = np.square(want.astype(np.float64) - got).sum()
    return np.inf if noise == 0 else 10 * np.log10(np.square(want.astype(np.float64)).sum() / noise)


class Directions(LayerTest):
    def every_variant(self, op, kinds=("reverse", "both", "forward"), only=None):
        net = Net()
        for kind in kinds:
            for variant, given in (VARIANTS | OWN[op]).items():
                if only and variant not in only:
                    continue
                # What else forward layers have is quantised anyway.
                if kind == "forward" and variant in ("plain", "no_bias", "lens", "one_step", "one"):
                    continue
                given = KINDS[kind] | given
                if "activations" in given:
                    given = given | {"activations": given["activations"] * given.get("directions", 1)}
                name = f"{op}.{kind}.{variant}"
                net.add(op, name, **given)
                outputs = given.get("outputs") or ["all", "last"] + (["cell"] if op == "LSTM" else [])
                net.outputs += [f"{name}.{each}" for each in outputs if each]
        return net

    def quantise_named(self, net, own="", least=25.0, more="", data=None, opset=14):
        self.write(net.nodes, net.weights, net.inputs, net.outputs, opset)
        summary = self.quantise_file(net.inputs, data, named(net.layers, more, own), least=least)
        self.assertEqual(summary["layers"], {"quantized": list(net.layers), "float": []})
        return summary

    def feed(self):
        feed = np.load(self.folder / "b0.npz")
        return {name: feed[name] for name in feed}

    def run_with_lathe(self, model, to, outputs):
        arguments = [each for name, array in self.feed().items() for each in ("-i", f"{name}={self.save(f'{name}.npy', array)}")]
        self.done("run", model, *arguments, "-o", to)
        return {name: np.load(self.folder / to / f"{name}.npy") for name in outputs}

    def run_with_onnxruntime(self, model, outputs):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(self.folder / model, options, providers=["CPUExecutionProvider"])
        return dict(zip(outputs, session.run(list(outputs), self.feed())))

    def check_runs(self, net, least):
        """Float and simulation as ONNX Runtime computes them; the deploy model as the simulation."""
        real = self.run_with_lathe("net.onnx", "float", net.outputs)
        fake = self.run_with_lathe("out/net_fake_quant_model.onnx", "fake", net.outputs)
        deploy = self.run_with_lathe("out/net_deploy_model.onnx", "deploy", net.outputs)
        peer = self.run_with_onnxruntime("net.onnx", net.outputs)
        peer_fake = self.run_with_onnxruntime("out/net_fake_quant_model.onnx", net.outputs)
        for name in net.outputs:
            np.testing.assert_allclose(real[name], peer[name], rtol=1e-4, atol=1e-5, err_msg=name)
            self.assertGreater(decibels(peer_fake[name], fake[name]), 55, name)
            self.assertEqual(deploy[name].shape, fake[name].shape)
            if not name.endswith(".y"):
                self.assertGreater(decibels(fake[name], deploy[name]), least, name)
            self.assertGreater(decibels(real[name], fake[name]), 15, name)
        # Where no sample has a step, there is nothing.
        for name in net.outputs:
            if name.endswith(".all"):
                np.testing.assert_array_equal(real[name] == 0, deploy[name] == 0, name)

    def check_layer(self, name, op):
        """Scales, weights and biases of each direction, in both models."""
        entry, before = self.record[name], attributes(self.original.nodes[name])
        directions = 2 if before.get("direction") == b"bidirectional" else 1
        width, hidden = bits(entry["wts_type"]), before["hidden_size"]
        half, fake = GATES[op] * hidden, self.fake.nodes[name]
        scales, whole = {}, {}
        for i, letter in ((1, "w"), (2, "r")):
            weight = self.original.constant(name, i)
            rows = weight.reshape(directions * half, -1)
            scales[letter] = np.array(entry[f"scale_{letter}"], F)
            np.testing.assert_allclose(scales[letter], largest(rows, width), rtol=1e-6)
            whole[i] = integers(rows, scales[letter], width).reshape(weight.shape)
            self.same((whole[i].reshape(rows.shape).astype(F) * scales[letter].reshape(-1, 1)).reshape(weight.shape),
                      self.fake.constant(name, i), f"fake {letter}")  # fmt: skip
        step = np.concatenate([scales["w"].reshape(directions, half) * entry["scale_d"],
                               scales["r"].reshape(directions, half) * entry["scale_h"]], axis=1)  # fmt: skip
        bias = self.original.constant(name, 3)
        if bias is not None:
            bias = np.rint(bias / step).astype(np.int32)
            self.same(bias.astype(F) * step, self.fake.constant(name, 3), "fake bias")
        same = lambda each: {k: v for k, v in attributes(each).items() if k != "op_data_type"}
        self.assertEqual(same(fake), before)
        place = 5 if op == "LSTM" else 4
        for d in range(directions):
            reverse = before.get("direction") == b"reverse" or d == 1
            split = before.get("direction") in (b"reverse", b"bidirectional")
            node = self.deploy.nodes[f"{name}.reverse" if reverse else f"{name}.forward" if split else name]
            self.assertEqual(node.op_type, f"Basic{op}InplaceFillWindowCache")
            given = attributes(node)
            self.assertEqual((given["direction"], given["activations"], given["hidden_size"]), (b"forward", [], hidden))
            if op == "GRU":
                self.assertEqual(given["linear_before_reset"], before.get("linear_before_reset", 0))
            self.assertEqual(given["quant_scale_h"], F(1 / np.float64(entry["scale_h"])))
            self.assertEqual(len(node.output), 3 if op == "LSTM" else 2)
            self.assertTrue(node.input[3] and (op == "GRU" or node.input[4]))
            for i in (1, 2):
                part = whole[i][d : d + 1]
                self.same(packed(part, 2) if width == 4 else part, self.deploy.constant(node.name, i), f"operand {i}")
            if bias is not None:
                self.same(bias[d : d + 1], self.deploy.constant(node.name, place), "bias")
            self.same(words(step[d]), self.deploy.constant(node.name, place + 3), "param")

    def check_all(self, net):
        for name, (op, _) in net.layers.items():
            with self.subTest(name):
                self.check_layer(name, op)

    def test_lstm(self):
        net = self.every_variant("LSTM")
        self.quantise_named(net, least=10)
        self.check_all(net)
        self.check_runs(net, 40)

    def test_gru(self):
        net = self.every_variant("GRU")
        self.quantise_named(net, least=10)
        self.check_all(net)
        self.check_runs(net, 40)

    def test_sixteen_bits(self):
        """With finer activations the two models agree so closely that nothing can be in the wrong place."""
        for op in GATES:
            net = self.every_variant(op, ("reverse", "both"), ("plain", "constant_initial", "no_initial", "only_last"))
            self.quantise_named(net, "ifmr_quantize: { dst_type: INT16 }", least=10, more=WIDE)
            fake = self.run_with_lathe("out/net_fake_quant_model.onnx", "fake", net.outputs)
            deploy = self.run_with_lathe("out/net_deploy_model.onnx", "deploy", net.outputs)
            for name in net.outputs:
                self.assertGreater(decibels(fake[name], deploy[name]), 70, name)

    def test_four_bit_weights(self):
        net = Net()
        for op in GATES:
            for kind in ("reverse", "both"):
                net.add(op, f"{op}.{kind}", hidden=6, **KINDS[kind])
        self.quantise_named(net, "arq_quantize: { quant_bits: 4 }", least=5)
        self.check_all(net)

    def small(self, **given):
        """A forward layer and one of each other kind, for each operator."""
        net = Net()
        for op in GATES:
            for kind in KINDS:
                net.add(op, f"{op}.{kind}", **KINDS[kind], **given)
        return net

    def test_by_default_they_stay_float(self):
        net = self.small()
        self.write(net.nodes, net.weights, net.inputs, net.outputs)
        both = {f"{op}.{kind}": reason + ON_REQUEST for op in GATES for kind, reason in REASONS.items()}
        types = "".join(f'override_layer_types: {{ layer_type: "{op}" calibration_config: {{ }} }}\n' for op in GATES)
        for cfg in (None, "batch_num: 2", f"batch_num: 2\n{types}"):
            summary = self.quantise_file(net.inputs, cfg=cfg)
            self.assertEqual(summary["layers"]["quantized"], ["LSTM.forward", "GRU.forward"])
            self.assertEqual(self.left_float(summary), both)
            config = json.loads((self.folder / "out/net_config.json").read_text())
            self.assertEqual([name for name in config if "." in name], ["GRU.forward", "LSTM.forward"])
        for name, reason in both.items():
            self.assertIn(f"stays float: {reason}\n", self.done("explain", "net.onnx", name))
            self.assertIn(f"stays float: {reason.split(';')[0]}\n", self.done("explain", "out/net_deploy_model.onnx", name))

    def test_a_json_configuration_names_them(self):
        net = self.small()
        self.write(net.nodes, net.weights, net.inputs, net.outputs)
        self.done("config", "ptq", "net.onnx", "-o", "config.json", "--batch-num", "1")
        config = json.loads((self.folder / "config.json").read_text())
        for name in net.layers:
            config[name] = config["LSTM.forward"]
        (self.folder / "config.json").write_text(json.dumps(config))
        np.savez(self.folder / "b0.npz", **{name: random(*shape) for name, shape in net.inputs.items()})
        summary = self.summary("quantize", "net.onnx", "--config", "config.json", "-d", "b0.npz", "-o", "out/net")
        self.assertEqual(summary["layers"], {"quantized": list(net.layers), "float": []})
        # The same in steps, and from a record alone.
        self.done("calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npz", "--record", "record.txt",
                  "--modified", "modified.onnx")  # fmt: skip
        for model in ("modified.onnx", "net.onnx"):
            self.done("save", model, "--record", "record.txt", "-o", "saved/net")
            for name in ("net_deploy_model.onnx", "net_fake_quant_model.onnx"):
                self.assertEqual((self.folder / "out" / name).read_bytes(), (self.folder / "saved" / name).read_bytes())

    def test_refusals(self):
        net = Net()
        net.add("LSTM", "reverse", direction="reverse")
        self.write(net.nodes, net.weights, net.inputs, net.outputs)
        np.savez(self.folder / "b0.npz", **{name: random(*shape) for name, shape in net.inputs.items()})
        quantize = ["quantize", "net.onnx", "-d", "b0.npz", "-o", "out/net"]
        self.refused("the model has no layer that can be quantised ('reverse': its direction is not forward; "
                     "override_layer_configs that names it quantises it)", *quantize)  # fmt: skip
        self.refused_cfg('override_layer_types: { layer_type: "LSTM" calibration_config: { } }',
                         "the model has no layer that can be quantised ('reverse': its direction is not forward; "
                         "override_layer_configs that names it quantises it)", quantize)  # fmt: skip
        net.add("GRU", "gru")
        net.add("LSTM", "clipped", direction="reverse", clip=2.0)
        self.write(net.nodes, net.weights, net.inputs, net.outputs)
        np.savez(self.folder / "b0.npz", **{name: random(*shape) for name, shape in net.inputs.items()})
        self.refused_cfg('override_layer_types: { layer_type: "LSTM" calibration_config: { } }',
                         "override_layer_types: no layer of type LSTM is quantised without being named; "
                         "'reverse': its direction is not forward", quantize)  # fmt: skip
        self.refused_cfg('skip_layers: "reverse"',
                         "skip_layers: 'reverse' of type LSTM is left out anyway: its direction is not forward",
                         quantize)  # fmt: skip
        self.refused_cfg(named(["clipped"]).split("\n", 1)[1].strip(),
                         "override_layer_configs: 'clipped' of type LSTM cannot be quantised: clip is set",
                         quantize)  # fmt: skip

    def refused_cfg(self, text, error, arguments):
        (self.folder / "quant.cfg").write_text(text)
        self.refused(f"quant.cfg: {error}", *arguments, "--cfg", "quant.cfg")

    def test_free_batch_and_steps(self):
        """Initial states that are not there are zeros of whatever size it takes."""
        net = Net()
        for op in GATES:
            for kind in KINDS:
                net.add(op, f"{op}.{kind}", initial=False, **KINDS[kind])
                net.outputs += [f"{op}.{kind}.all", f"{op}.{kind}.last"]
        net.inputs = {name: ["steps", "batch", 6] for name in net.inputs}
        data = [{name: random(3 + i, 2 + i, 6, seed=i) for name in net.inputs} for i in range(2)]
        self.quantise_named(net, data=data, least=10)
        self.check_runs(net, 40)

    def test_lengths_that_are_fed(self):
        """sequence_lens of the model's own inputs, in the form for the accelerator."""
        net = self.small()
        for each in net.nodes:
            if each.op_type in GATES:
                each.input[4] = "lens"
        self.write(net.nodes, net.weights | {"lens": np.array([7, 5], np.int32)}, net.inputs, net.outputs)
        model = onnx.load(self.folder / "net.onnx")
        (lens,) = [each for each in model.graph.initializer if each.name == "lens"]
        model.graph.initializer.remove(lens)
        model.graph.input.append(helper.make_tensor_value_info("lens", TensorProto.INT32, [2]))
        onnx.save(model, self.folder / "fed.onnx")
        data = {name: random(*shape) for name, shape in net.inputs.items()}
        self.quantise_file(net.inputs, [data] * 2, named(net.layers))
        self.done("save", "fed.onnx", "--record", "out/net_record.txt", "-o", "fed/net")
        deploy = Graph(self.folder / "fed/net_deploy_model.onnx")
        for op in GATES:
            self.assertIn("lens", deploy.nodes[f"{op}.both.reverse"].input)
            turned = deploy.producers[deploy.nodes[f"{op}.both.reverse"].input[0]]
            self.assertEqual((turned.op_type, attributes(turned)), ("ReverseSequence", {"batch_axis": 1, "time_axis": 0}))
            self.assertEqual(deploy.producers[turned.input[1]].op_type, "Cast")
        fed = self.run_with_lathe_on("fed/net_fake_quant_model.onnx", data | {"lens": np.array([7, 5], np.int32)}, net.outputs)
        own = self.run_with_lathe_on("out/net_fake_quant_model.onnx", data, net.outputs, constant="lens")
        for name in net.outputs:
            np.testing.assert_allclose(fed[name], own[name], rtol=1e-5, atol=1e-6)

    def run_with_lathe_on(self, model, feed, outputs, constant=None):
        arguments = [each for name, array in feed.items() for each in ("-i", f"{name}={self.save(f'{name}.npy', array)}")]
        self.done("run", model, *arguments, "-o", "fed_run")
        return {name: np.load(self.folder / "fed_run" / f"{name}.npy") for name in outputs}

    def test_the_hidden_state_is_observed_over_all_steps(self):
        """scale_h covers initial_h and every result that goes into another step, of both directions."""
        search = "ifmr_quantize: { search_range_start: 0.999 search_range_end: 1.001 search_step: 0.002 }"
        net = self.small()
        for name in net.layers:
            net.outputs.append(f"{name}.all")
        data = [{name: random(*shape, seed=i) * F(0.01 if name.endswith(".h") else 1)
                 for name, shape in net.inputs.items()} for i in range(2)]  # fmt: skip
        self.quantise_named(net, search, more="activation_offset: false", data=data, least=10)
        seen = {name: [] for name in net.layers}
        for feed in data:
            results = self.run_with_lathe_on("net.onnx", feed, net.outputs)
            for name in net.layers:
                steps = results[f"{name}.all"]
                parts = {"forward": steps[:-1], "reverse": steps[1:], "both": np.stack([steps[:-1, 0], steps[1:, -1]])}
                seen[name] += [feed[f"{name}.h"].ravel(), parts[name.split(".")[1]].ravel()]
        for name in net.layers:
            values = np.concatenate(seen[name])
            steps = 128 if abs(values.max()) < abs(values.min()) else 127
            np.testing.assert_allclose(self.record[name]["scale_h"], abs(values).max() * F(0.999) / steps, rtol=1e-5)

    def test_a_scale_for_each_gate_of_each_direction(self):
        net, text = Net(), ""
        for op in GATES:
            net.add(op, op, **KINDS["both"])
            text += gate_record(op, 2 * GATES[op])
        self.write(net.nodes, net.weights, net.inputs, net.outputs)
        (self.folder / "gates.txt").write_text(text)
        self.done("save", "net.onnx", "--record", "gates.txt", "-o", "gates/net")
        record, original = read_record(self.folder / "gates.txt"), Graph(self.folder / "net.onnx")
        deploy = Graph(self.folder / "gates/net_deploy_model.onnx")
        for op in GATES:
            half = GATES[op] * 5
            scales = np.repeat(np.array(record[op]["scale_w"], F), 5)
            want = integers(original.constant(op, 1).reshape(2 * half, -1), scales, 8).reshape(2, half, -1)
            for d, name in enumerate((f"{op}.forward", f"{op}.reverse")):
                self.same(want[d : d + 1], deploy.constant(name, 1))
                own = np.array(record[op]["scale_w"], F)[d * GATES[op] : (d + 1) * GATES[op]]
                self.same(words(np.concatenate([own * F(0.02), own * F(0.01)])),
                          deploy.constant(name, 8 if op == "LSTM" else 7))  # fmt: skip
        (self.folder / "few.txt").write_text(text.replace("    scale_w: 0.08\n    offset_w: 0\n", ""))
        self.refused("few.txt: record of 'LSTM': there are 7 scale_w, this LSTM takes 8 or 40",
                     "save", "net.onnx", "--record", "few.txt", "-o", "few/net")  # fmt: skip

    def test_the_qdq_form(self):
        net = self.small(lens=True)
        for op in GATES:
            net.add(op, f"{op}.bare", initial=False, bias=False, **KINDS["both"])
        self.quantise_named(net, least=10)
        self.done("save", "net.onnx", "--record", "out/net_record.txt", "-o", "out/net", "--emit", "qdq")
        fake = self.run_with_onnxruntime("out/net_fake_quant_model.onnx", net.outputs)
        qdq = self.run_with_onnxruntime("out/net_qdq_model.onnx", net.outputs)
        for name in net.outputs:
            np.testing.assert_allclose(qdq[name], fake[name], rtol=1e-4, atol=1e-5, err_msg=name)

    def test_compare_and_explain(self):
        net = self.small()
        net.outputs += [f"{name}.all" for name in net.layers]
        net.add("LSTM", "only_last", outputs=["", "last"], **KINDS["both"])
        self.quantise_named(net, least=10)
        for a, b, least in (("net", "out/net_deploy_model", 15), ("out/net_fake_quant_model", "out/net_deploy_model", 40)):
            found = self.summary("compare", f"{a}.onnx", f"{b}.onnx", "-d", "b0.npz")
            layers = {each["layer"]: each["sqnr_db"] for each in found["layers"]}
            for name in net.layers:
                if name != "only_last":
                    self.assertGreater(layers[name], least, name)
        for name, (op, _) in net.layers.items():
            node = name if name in self.deploy.nodes else f"{name}.reverse"
            said = self.done("explain", "out/net_deploy_model.onnx", node)
            self.assertIn(f"is quantised as {op}\n  input: INT8, scale ", said)

    def test_float16(self):
        net = self.small(initial=False, lens=True)
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, shape) for name, shape in net.inputs.items()]
        tensors = [numpy_helper.from_array(array.astype(np.float16) if array.dtype == F else array, name)
                   for name, array in net.weights.items()]  # fmt: skip
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, None) for name in net.outputs]
        graph = helper.make_graph(net.nodes, "net", ends, outputs, tensors)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), self.folder / "net.onnx")
        data = [{name: random(*shape, seed=i).astype(np.float16) for name, shape in net.inputs.items()} for i in range(2)]
        summary = self.quantise_file(net.inputs, data, named(net.layers), least=10)
        self.assertEqual(summary["layers"]["quantized"], list(net.layers))
        fake = self.run_with_lathe("out/net_fake_quant_model.onnx", "fake", net.outputs)
        deploy = self.run_with_lathe("out/net_deploy_model.onnx", "deploy", net.outputs)
        for name in net.outputs:
            self.assertEqual(fake[name].dtype, np.float16)
            self.assertGreater(decibels(fake[name], deploy[name]), 30, name)

    def test_in_the_branches_of_an_if(self):
        net = Net()
        net.add("LSTM", "rnn", **KINDS["both"])
        net.add("GRU", "gru", initial=False, **KINDS["reverse"])
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in net.outputs]
        tensors = [numpy_helper.from_array(array, name) for name, array in net.weights.items()]
        then = helper.make_graph(net.nodes, "then", [], ends, tensors)
        other = helper.make_graph([node("Identity", "a", ["rnn.h"], ["o0"]), node("Identity", "b", ["rnn.h"], ["o1"])], "else", [],
                                  [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("o0", "o1")])  # fmt: skip
        inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in net.inputs.items()]
        choose = helper.make_node("If", ["yes"], ["first", "second"], "if", then_branch=then, else_branch=other)
        limit = numpy_helper.from_array(np.array(0, F), "limit")
        nodes = [node("ReduceMax", "max", ["rnn.x"], ["max"], keepdims=0), node("Greater", "yes", ["max", "limit"]), choose]
        graph = helper.make_graph(nodes, "net", inputs, [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                                                         for name in ("first", "second")], [limit])  # fmt: skip
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), self.folder / "net.onnx")
        summary = self.quantise_file(net.inputs, cfg=named(net.layers), least=10)
        self.assertEqual(sorted(summary["layers"]["quantized"]), ["gru", "rnn"])
        fake = self.run_with_lathe("out/net_fake_quant_model.onnx", "fake", ["first", "second"])
        deploy = self.run_with_lathe("out/net_deploy_model.onnx", "deploy", ["first", "second"])
        for name in ("first", "second"):
            self.assertGreater(decibels(fake[name], deploy[name]), 30, name)


if __name__ == "__main__":
    main()
