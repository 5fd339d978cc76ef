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
OWN = {
    "LSTM": {"activations": {"activations": ["Sigmoid", "Tanh", "Tanh"]}},
    "GRU": {"activations": {"activations": ["Sigmoid", "Tanh"]}, "reset_first": {"linear_before_reset": 0, "lens": True}},
}


def named(layers, more="", own=""):
    lines = "".join(f'override_layer_configs: {{ layer_name: "{name}" calibration_config: {{ {own} }} }}\n' for name in layers)
    return f"batch_num: 2\n{more}\n{lines}"


def decibels(want, got):
    noise = np.square(want.astype(np.float64) - got).sum()
    return np.inf if noise == 0 else 10 * np.log10(np.square(want.astype(np.float64)).sum() / noise)


class Directions(LayerTest):
    def every_variant(self, op, kinds=("reverse", "both", "forward"), **more):
        net = Net()
        for kind in kinds:
            for variant, given in (VARIANTS | OWN[op]).items():
                given = KINDS[kind] | given | more
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
            node = self.deploy.nodes[name if d == 0 else f"{name}.reverse"]
            self.assertEqual(node.op_type, f"Basic{op}InplaceFillWindowCache")
            given = attributes(node)
            self.assertEqual((given["direction"], given["activations"], given["hidden_size"]), (b"forward", [], hidden))
            if op == "GRU":
                self.assertEqual(given["linear_before_reset"], before["linear_before_reset"])
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
            net = self.every_variant(op)
            self.quantise_named(net, "ifmr_quantize: { dst_type: INT16 }", least=10, more=WIDE)
            self.check_runs(net, 75)

    def test_four_bit_weights(self):
        net = Net()
        for op in GATES:
            for kind in ("reverse", "both"):
                net.add(op, f"{op}.{kind}", hidden=6, **KINDS[kind])
        self.quantise_named(net, "arq_quantize: { quant_bits: 4 }", least=5)
        self.check_all(net)


WIDE = "common_config: { ifmr_quantize: { dst_type: INT16 } }"

if __name__ == "__main__":
    main()
