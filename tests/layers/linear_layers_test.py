"""Every kind of convolution, Gemm and MatMul through `lathe quantize`: structure, integers, and what the simulation does."""
from quantised import *


class Net:
    """Layers side by side, each with an output of its own: one run quantises them all."""

    def __init__(self):
        self.nodes, self.weights, self.layers = [], {}, []
        # Behind a MatMul: any Add, and those that are recognised as its bias.
        self.bias_adds, self.recognised = {}, {}

    def add(self, op, x, weight, bias=None, **given):
        """A layer on tensor `x`; `weight` and `bias` are arrays. Returns its name."""
        name = f"l{len(self.layers)}"
        constants = {f"{name}.w": weight} | ({} if bias is None else {f"{name}.b": bias})
        self.weights |= constants
        self.layers.append(name)
        self.nodes.append(node(op, name, [x, *constants], **given))
        return name

    def outputs(self):
        ends = [self.bias_adds.get(name, name) for name in self.layers]
        self.nodes += [node("Relu", f"{end}_end", [end]) for end in ends]
        return [f"{end}_end" for end in ends]


class Linear(LayerTest):
    def quantise_all(self, net, inputs, cfg=None, least=25.0):
        """Quantises the net and checks every layer."""
        self.write(net.nodes, net.weights, inputs, net.outputs())
        summary = self.quantise_file(inputs, cfg=cfg, least=least)
        self.assertEqual(summary["layers"], {"quantized": net.layers, "float": []})
        for name in net.layers:
            with self.subTest(**attributes(self.original.nodes[name])):
                self.check_linear(name, net.recognised.get(name))
        return summary


class Convolutions(Linear):
    """Every variant of a convolution."""

    def add(self, net, op, weight, bias=True, **given):
        group = given.get("group", 1)
        channels = weight[1] * group if op == "ConvTranspose" else weight[0]
        array = random(*weight, seed=7)
        # Channels of quite different ranges, so that a scale in the wrong place shows.
        spread = np.exp(np.linspace(-2, 2, channels)).astype(F)
        if op == "ConvTranspose":
            array *= np.repeat(spread.reshape(group, 1, weight[1]), weight[0] // group, 1).reshape(
                weight[0], weight[1], *[1] * (len(weight) - 2))  # fmt: skip
        else:
            array *= spread.reshape(-1, *[1] * (len(weight) - 1))
        return net.add(op, "x", array, random(channels, seed=8) if bias else None, **given)

    def test_conv(self):
        for rank, size in ((1, [17]), (2, [9, 11]), (3, [5, 6, 7])):
            net, kernel = Net(), [3] * rank
            for variant in (
                {},
                {"bias": False},
                {"pads": [1] * rank + [0] * rank, "strides": [2] * rank},
                {"dilations": [1] + [2] * (rank - 1) if rank == 3 else [2] * rank, "pads": [2] * 2 * rank},
                {"auto_pad": "SAME_UPPER"},
            ):
                self.add(net, "Conv", [6, 8, *kernel], **variant)
            self.add(net, "Conv", [12, 2, *kernel], group=4)
            self.add(net, "Conv", [16, 1, *kernel], group=8, pads=[1] * 2 * rank)
            self.quantise_all(net, {"x": [2, 8, *size]})

    def test_conv_transpose(self):
        for rank, size in ((1, [9]), (2, [5, 6])):
            net = Net()
            for variant in (
                {},
                {"bias": False, "strides": [2] * rank, "output_padding": [1] * rank},
                {"pads": [1] * 2 * rank, "dilations": [2] * rank},
            ):
                self.add(net, "ConvTranspose", [8, 5, *[3] * rank], **variant)
            self.add(net, "ConvTranspose", [8, 3, *[3] * rank], group=4, strides=[2] * rank)
            self.add(net, "ConvTranspose", [8, 1, *[3] * rank], group=8)
            self.quantise_all(net, {"x": [2, 8, *size]})

    def both(self, **given):
        net = Net()
        self.add(net, "Conv", [6, 8, 3, 3], **given)
        self.add(net, "ConvTranspose", [8, 6, 3, 3], **given)
        return net

    def test_one_scale_for_the_layer(self):
        cfg = "batch_num: 2\ncommon_config: { arq_quantize: { channel_wise: false } }"
        self.quantise_all(self.both(), {"x": [2, 8, 9, 9]}, cfg, 15)
        self.assertEqual({len(entry["scale_w"]) for entry in self.record.values()}, {1})

    def test_narrow_weights(self):
        for width, least in ((4, 8), (6, 20), (7, 25)):
            cfg = f"batch_num: 2\ncommon_config: {{ arq_quantize: {{ channel_wise: true quant_bits: {width} }} }}"
            self.quantise_all(self.both(), {"x": [2, 8, 9, 9]}, cfg, least)
            wanted = {"l0": f"INT{width}", "l1": "INT4" if width == 4 else "INT8"}
            self.assertEqual({name: entry["wts_type"] for name, entry in self.record.items()}, wanted)

    def test_four_bits_of_a_group_are_eight(self):
        cfg = "batch_num: 2\ncommon_config: { arq_quantize: { quant_bits: 4 } }"
        net = Net()
        self.add(net, "Conv", [8, 4, 3, 3], group=2)
        self.add(net, "Conv", [8, 8, 3, 3])
        self.quantise_all(net, {"x": [2, 8, 9, 9]}, cfg, 8)
        wanted = {"l0": "INT8", "l1": "INT4"}
        self.assertEqual({name: entry["wts_type"] for name, entry in self.record.items()}, wanted)

    def test_sixteen_bit_activations(self):
        cfg = "batch_num: 2\ncommon_config: { ifmr_quantize: { dst_type: INT16 } }"
        for rank in (1, 2, 3):
            net = Net()
            self.add(net, "Conv", [6, 8, *[3] * rank])
            if rank < 3:
                self.add(net, "ConvTranspose", [8, 6, *[3] * rank])
            self.quantise_all(net, {"x": [2, 8, *[7] * rank]}, cfg, 30)
            wanted = "INT8" if rank == 3 else "INT16"
            self.assertEqual({entry["act_type"] for entry in self.record.values()}, {wanted})


class Products(Linear):
    def test_gemm(self):
        net = Net()
        for trans_a, trans_b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for given, bias in (
                ({}, [5]),
                ({}, None),
                ({"alpha": 0.5}, [5]),
                ({"beta": -2.0}, [1, 5]),
                ({"alpha": -1.5, "beta": 0.25}, [6, 5]),
                ({"beta": 0.0}, [5]),
                ({"alpha": 2.0}, [1]),
            ):
                weight = random(5, 8, seed=3) if trans_b else random(8, 5, seed=3)
                addend = random(*bias, seed=4) if bias else None
                net.add("Gemm", "t" if trans_a else "x", weight, addend, transA=trans_a, transB=trans_b, **given)
        self.quantise_all(net, {"x": [6, 8], "t": [8, 6]})

    def add_matmul(self, net, x, weight, bias=None):
        name = net.add("MatMul", x, weight)
        if bias:
            net.weights[f"{name}.b"] = random(1 if bias == "other length" else 5, seed=4)
            order = [name, f"{name}.b"]
            net.nodes.append(node("Add", f"{name}_add", order[::-1] if bias == "first" else order))
            net.bias_adds[name] = f"{name}_add"
            if bias == "second":
                net.recognised[name] = f"{name}_add"

    def test_matmul(self):
        net, inputs = Net(), {"two": [6, 8], "three": [3, 6, 8], "four": [2, 3, 6, 8], "one": [8]}
        for x in inputs:
            for bias in (None, "second", "first", "other length"):
                self.add_matmul(net, x, random(8, 5, seed=3), bias)
        for x, shape in (("three", [3, 8, 5]), ("four", [2, 3, 8, 5]), ("two", [4, 8, 5])):
            for bias in (None, "second"):
                self.add_matmul(net, x, random(*shape, seed=3), bias)
        self.quantise_all(net, inputs)

    def test_narrow_weights(self):
        cfg = "batch_num: 2\ncommon_config: { arq_quantize: { quant_bits: 4 } }"
        net = Net()
        net.add("Gemm", "x", random(5, 8), transB=1)
        net.add("MatMul", "x", random(8, 5))
        net.add("MatMul", "x", random(3, 8, 5))
        odd = net.add("Gemm", "z", random(7, 5))
        summary = self.quantise_all(net, {"x": [6, 8], "z": [6, 7]}, cfg, 8)
        wanted = {name: "INT8" if name == odd else "INT4" for name in net.layers}
        self.assertEqual({name: entry["wts_type"] for name, entry in self.record.items()}, wanted)
        self.assertIn("4-bit weights are packed in pairs and there are 7 input channels; 8 bits are used",
                      " ".join(summary["notes"]))  # fmt: skip

    def test_sixteen_bit_activations_need_a_bias(self):
        cfg = "batch_num: 2\ncommon_config: { ifmr_quantize: { dst_type: INT16 } }"
        net = Net()
        net.add("Gemm", "x", random(8, 5), random(5))
        net.add("Gemm", "x", random(8, 5, seed=2))
        self.quantise_all(net, {"x": [6, 8]}, cfg)
        self.assertEqual([self.record[name]["act_type"] for name in net.layers], ["INT16", "INT8"])


class Sharing(LayerTest):
    def test_a_weight_that_two_layers_use_keeps_both_float(self):
        nodes = [
            node("Conv", "a", ["x", "w"]),
            node("Conv", "b", ["a", "w"]),
            node("Conv", "c", ["b", "v"], ["y"]),
        ]
        weights = {"w": random(3, 3, 1, 1), "v": random(3, 3, 1, 1, seed=1)}
        shape = [2, 3, 8, 8]
        summary = self.quantise(nodes, weights, {"x": shape}, {"y": shape})
        reason = "another layer uses the same weight"
        self.assertEqual(self.left_float(summary), {"a": reason, "b": reason})
        self.check_linear("c")
        for name in "ab":
            self.assertEqual(self.deploy.constant(name, 1).dtype, F)

    def test_equal_factors_share_one_quantiser(self):
        nodes = [node("Conv", name, ["x", f"w{name}"]) for name in "ab"] + [node("Add", "sum", ["a", "b"], ["y"])]
        weights = {"wa": random(3, 3, 1, 1), "wb": random(3, 3, 1, 1, seed=1)}
        shape = [2, 3, 8, 8]
        self.quantise(nodes, weights, {"x": shape}, {"y": shape})
        self.assertEqual({self.deploy.nodes[name].input[0] for name in "ab"}, {"a.quant.output0"})
        self.check_linear("a")
        self.check_linear("b")


class Pools(LayerTest):
    def check_pool(self, name, quantised_before=None):
        entry = self.record[name]
        self.assertEqual((entry["scale_w"], entry["offset_w"]), ([F(1)], [0]))
        self.assertNotIn("wts_type", entry)
        first = self.deploy.nodes[quantised_before or name]
        self.check_quant(name, first.input[0])
        last, last_fake = self.deploy.nodes[name], self.fake.nodes[name]
        self.check_dequant(name, last, last_fake, np.ones(1, F), 2)
        self.assertEqual(attributes(last), attributes(self.original.nodes[name]))

    def test_average_pool(self):
        variants = (
            {},
            {"strides": [2, 2]},
            {"pads": [1, 1, 1, 1]},
            {"pads": [1, 0, 1, 0], "count_include_pad": 1},
            {"ceil_mode": 1, "strides": [2, 2]},
            {"auto_pad": "SAME_UPPER"},
        )
        nodes = [node("AveragePool", f"p{i}", ["x"], kernel_shape=[3, 3], **given) for i, given in enumerate(variants)]
        # The reference knows a pool's own Pad by its name.
        nodes += [node("Pad", "padded_pad", ["x", "pads"]),
                  node("AveragePool", "padded", ["padded_pad"], kernel_shape=[3, 3])]  # fmt: skip
        names = [f"p{i}" for i in range(len(variants))] + ["padded"]
        pads = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
        inputs = {"x": [2, 3, 9, 9]}
        nodes += [node("Relu", f"{name}_end", [name]) for name in names]
        self.write(nodes, pads, inputs, [f"{name}_end" for name in names])
        self.quantise_file(inputs)
        for name in names:
            with self.subTest(name):
                self.check_pool(name, "padded_pad" if name == "padded" else None)

    def test_what_no_pool_takes(self):
        nodes = [
            node("AveragePool", "line", ["x"], kernel_shape=[3]),
            node("Unsqueeze", "four", ["line", "axis"]),
            node("GlobalAveragePool", "all", ["four"]),
            node("Flatten", "flat", ["all"]),
            node("Gemm", "fc", ["flat", "w"], ["y"]),
        ]
        weights = {"axis": np.array([3]), "w": random(3, 5)}
        summary = self.quantise(nodes, weights, {"x": [2, 3, 9]}, {"y": [2, 5]})
        self.assertEqual(summary["layers"]["quantized"], ["fc"])
        for name in ("line", "all"):
            self.assertEqual(len(self.deploy.users(self.deploy.nodes[name].output[0])), 1)
            self.assertEqual(self.deploy.nodes[name].op_type, self.original.nodes[name].op_type)


if __name__ == "__main__":
    main()
