"""Every kind of convolution, Gemm and MatMul through `lathe quantize`: structure, integers, and what the simulation does."""
from quantised import *


class Convolutions(LayerTest):
    """One layer between float operators, in each of its variants."""

    def layer(self, op, x, weight, bias=True, cfg=None, least=25.0, **given):
        group = given.get("group", 1)
        channels = weight[1] * group if op == "ConvTranspose" else weight[0]
        weights = {"w": random(*weight, seed=7)}
        # Channels of quite different ranges, so that a scale in the wrong place shows.
        spread = np.exp(np.linspace(-2, 2, channels)).astype(F)
        if op == "ConvTranspose":
            weights["w"] *= np.repeat(spread.reshape(group, 1, weight[1]), weight[0] // group, 1).reshape(
                weight[0], weight[1], *[1] * (len(weight) - 2))  # fmt: skip
        else:
            weights["w"] *= spread.reshape(-1, *[1] * (len(weight) - 1))
        if bias:
            weights["b"] = random(channels, seed=8)
        nodes = [
            node("Relu", "before", ["x"]),
            node(op, "layer", ["before", *weights], **given),
            node("Relu", "after", ["layer"], ["y"]),
        ]
        rank = len(x)
        ends = {"x": x}, {"y": [None] * rank}
        summary = self.quantise(nodes, weights, *ends, cfg=cfg, least=least)
        self.assertEqual(summary["layers"]["quantized"], ["layer"])
        self.check_linear("layer")

    def test_conv(self):
        for rank, size in ((1, [17]), (2, [9, 11]), (3, [5, 6, 7])):
            kernel = [3] * rank
            x = [2, 8, *size]
            for variant in (
                {},
                {"bias": False},
                {"pads": [1] * rank + [0] * rank, "strides": [2] * rank},
                {"dilations": [1] + [2] * (rank - 1) if rank == 3 else [2] * rank, "pads": [2] * 2 * rank},
                {"auto_pad": "SAME_UPPER"},
            ):
                with self.subTest(rank=rank, **variant):
                    self.layer("Conv", x, [6, 8, *kernel], **variant)
            with self.subTest(rank=rank, group=4):
                self.layer("Conv", x, [12, 2, *kernel], group=4)
            with self.subTest(rank=rank, depthwise=True):
                self.layer("Conv", x, [16, 1, *kernel], group=8, pads=[1] * 2 * rank)

    def test_conv_transpose(self):
        for rank, size in ((1, [9]), (2, [5, 6])):
            x = [2, 8, *size]
            for variant in (
                {},
                {"bias": False, "strides": [2] * rank, "output_padding": [1] * rank},
                {"pads": [1] * 2 * rank, "dilations": [2] * rank},
            ):
                with self.subTest(rank=rank, **variant):
                    self.layer("ConvTranspose", x, [8, 5, *[3] * rank], **variant)
            with self.subTest(rank=rank, group=4):
                self.layer("ConvTranspose", x, [8, 3, *[3] * rank], group=4, strides=[2] * rank)
            with self.subTest(rank=rank, depthwise=True):
                self.layer("ConvTranspose", x, [8, 1, *[3] * rank], group=8)

    def test_one_scale_for_the_layer(self):
        cfg = "common_config: { arq_quantize: { channel_wise: false } }"
        for op, weight in (("Conv", [6, 8, 3, 3]), ("ConvTranspose", [8, 6, 3, 3])):
            with self.subTest(op):
                self.layer(op, [2, 8, 9, 9], weight, cfg=f"batch_num: 2\n{cfg}", least=15)
                self.assertEqual(len(self.record["layer"]["scale_w"]), 1)

    def test_narrow_weights(self):
        for width, least in ((4, 8), (6, 20), (7, 25)):
            cfg = f"batch_num: 2\ncommon_config: {{ arq_quantize: {{ channel_wise: true quant_bits: {width} }} }}"
            for op, weight in (("Conv", [6, 8, 3, 3]), ("ConvTranspose", [8, 6, 3, 3])):
                with self.subTest(op=op, width=width):
                    self.layer(op, [2, 8, 9, 9], weight, cfg=cfg, least=least)
                    narrow = width if op == "Conv" or width == 4 else 8
                    self.assertEqual(self.record["layer"]["wts_type"], f"INT{narrow}")

    def test_sixteen_bit_activations(self):
        cfg = "batch_num: 2\ncommon_config: { ifmr_quantize: { dst_type: INT16 } }"
        for op, x, weight in (
            ("Conv", [2, 8, 9], [6, 8, 3]),
            ("Conv", [2, 8, 9, 9], [6, 8, 3, 3]),
            ("ConvTranspose", [2, 8, 9], [8, 6, 3]),
            ("ConvTranspose", [2, 8, 9, 9], [8, 6, 3, 3]),
        ):
            with self.subTest(op=op, rank=len(x)):
                self.layer(op, x, weight, cfg=cfg, least=35)
                self.assertEqual(self.record["layer"]["act_type"], "INT16")
        self.layer("Conv", [2, 8, 5, 6, 7], [6, 8, 3, 3, 3], cfg=cfg)
        self.assertEqual(self.record["layer"]["act_type"], "INT8")


class Products(LayerTest):
    def test_gemm(self):
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
                with self.subTest(transA=trans_a, transB=trans_b, bias=bias, **given):
                    weights = {"w": random(5, 8, seed=3) if trans_b else random(8, 5, seed=3)}
                    if bias:
                        weights["b"] = random(*bias, seed=4)
                    layer = node("Gemm", "fc", ["x", *weights], ["y"], transA=trans_a, transB=trans_b, **given)
                    x = [8, 6] if trans_a else [6, 8]
                    summary = self.quantise([layer], weights, {"x": x}, {"y": [6, 5]})
                    self.assertEqual(summary["layers"]["quantized"], ["fc"])
                    self.check_linear("fc")

    def test_matmul(self):
        for x in ([6, 8], [3, 6, 8], [2, 3, 6, 8], [8]):
            for bias in (None, "second", "first", "other length"):
                with self.subTest(x=x, bias=bias):
                    weights = {"w": random(8, 5, seed=3)}
                    nodes = [node("MatMul", "mm", ["x", "w"], ["y"] if bias is None else None)]
                    if bias:
                        weights["b"] = random(1 if bias == "other length" else 5, seed=4)
                        order = ["b", "mm"] if bias == "first" else ["mm", "b"]
                        nodes.append(node("Add", "add", order, ["y"]))
                    summary = self.quantise(nodes, weights, {"x": x}, {"y": [*x[:-1], 5]})
                    self.assertEqual(summary["layers"]["quantized"], ["mm"])
                    self.check_linear("mm", "add" if bias == "second" else None)

    def test_matmul_with_a_stack_of_weights(self):
        for shape in ([3, 8, 5], [2, 3, 8, 5]):
            for bias in (False, True):
                with self.subTest(shape=shape, bias=bias):
                    weights = {"w": random(*shape, seed=3)} | ({"b": random(5, seed=4)} if bias else {})
                    nodes = [node("MatMul", "mm", ["x", "w"], None if bias else ["y"])]
                    if bias:
                        nodes.append(node("Add", "add", ["mm", "b"], ["y"]))
                    x = [*shape[:-2], 6, 8]
                    self.quantise(nodes, weights, {"x": x}, {"y": [*shape[:-2], 6, 5]})
                    self.check_linear("mm", "add" if bias else None)

    def test_narrow_weights(self):
        cfg = "batch_num: 2\ncommon_config: { arq_quantize: { quant_bits: 4 } }"
        gemm = node("Gemm", "fc", ["x", "w"], ["y"], transB=1)
        self.quantise([gemm], {"w": random(5, 8)}, {"x": [6, 8]}, {"y": [6, 5]}, cfg=cfg, least=8)
        self.check_linear("fc")
        self.assertEqual(self.record["fc"]["wts_type"], "INT4")
        matmul = node("MatMul", "mm", ["x", "w"], ["y"])
        for shape in ([8, 5], [3, 8, 5]):
            self.quantise([matmul], {"w": random(*shape)}, {"x": [3, 6, 8]}, {"y": [3, 6, 5]}, cfg=cfg, least=8)
            self.check_linear("mm")
            self.assertEqual(self.record["mm"]["wts_type"], "INT4")

    def test_an_odd_number_of_inputs_keeps_eight_bits(self):
        cfg = "batch_num: 2\ncommon_config: { arq_quantize: { quant_bits: 4 } }"
        gemm = node("Gemm", "fc", ["x", "w"], ["y"])
        summary = self.quantise([gemm], {"w": random(7, 5)}, {"x": [6, 7]}, {"y": [6, 5]}, cfg=cfg)
        self.assertEqual(self.record["fc"]["wts_type"], "INT8")
        self.assertIn("4-bit weights are packed in pairs and there are 7 input channels; 8 bits are used",
                      " ".join(summary["notes"]))  # fmt: skip

    def test_sixteen_bit_activations_need_a_bias(self):
        cfg = "batch_num: 2\ncommon_config: { ifmr_quantize: { dst_type: INT16 } }"
        for bias, wanted in ((True, "INT16"), (False, "INT8")):
            weights = {"w": random(8, 5)} | ({"b": random(5)} if bias else {})
            gemm = node("Gemm", "fc", ["x", *weights], ["y"])
            self.quantise([gemm], weights, {"x": [6, 8]}, {"y": [6, 5]}, cfg=cfg)
            self.check_linear("fc")
            self.assertEqual(self.record["fc"]["act_type"], wanted)


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
        for given in (
            {},
            {"strides": [2, 2]},
            {"pads": [1, 1, 1, 1]},
            {"pads": [1, 0, 1, 0], "count_include_pad": 1},
            {"ceil_mode": 1, "strides": [2, 2]},
            {"auto_pad": "SAME_UPPER"},
        ):
            with self.subTest(**given):
                nodes = [node("AveragePool", "pool", ["x"], ["y"], kernel_shape=[3, 3], **given)]
                self.quantise(nodes, {}, {"x": [2, 3, 9, 9]}, {"y": [None] * 4})
                self.check_pool("pool")

    def test_a_pad_of_the_pool_stands_behind_the_quantiser(self):
        nodes = [
            node("Pad", "pool_pad", ["x", "pads"]),
            node("AveragePool", "pool", ["pool_pad"], ["y"], kernel_shape=[3, 3]),
        ]
        pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
        self.quantise(nodes, {"pads": pads}, {"x": [2, 3, 9, 9]}, {"y": [None] * 4})
        self.check_pool("pool", "pool_pad")

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
