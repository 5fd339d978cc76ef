"""`lathe convert-qat`: QDQ models as several tools write them become deploy and fake-quant models that compute what ONNX
Runtime computes of the QDQ model; what has no place in Ascend's operators stays, and is explained."""
import importlib.util
import os

from onnxruntime import quantization

from qdq_nets import *


class Layers(ConvertTest):
    def conv(self, net, x, name, integers, scale, **more):
        axis = {"axis": 0} if np.ndim(scale) else {}
        return net.op("Conv", [x, net.weight(f"{name}.w", integers, scale, **axis)], name, **more)

    def test_a_convolution_keeps_its_integers(self):
        for kind, zero, scale in ((I8, -3, 0.004), (U8, 125, scales(6)), (I8, 0, scales(6)), (U8, 0, 0.004)):
            net = Qdq()
            integers = int8(6, 4, 3, 3)
            y = self.conv(net, net.pair("x", "a", 0.03, zero, kind), "conv", integers, scale)
            net.save(self.folder / "qdq.onnx", {"x": ["n", 4, 8, 8]}, {y: ["n", 6, 6, 6]})
            self.check({"x": random(2, 4, 8, 8)}, layers=1)
            constants = self.constants()
            np.testing.assert_array_equal(constants["conv.weight"], integers)
            words = constants["conv.dequant.param"].astype("u4").view("f4")
            np.testing.assert_array_equal(words, np.float32(scale) * np.float32(0.03))
            self.assertEqual(self.operators(), ["AscendQuant", "Conv", "AscendDequant"])

    def test_unsigned_weights_around_128(self):
        net = Qdq()
        x = net.pair("x", "a")
        integers = int8(6, 4, 1, 1)
        shifted = (integers.astype("i2") + 128).astype("u1")
        y = net.op("Conv", [x, net.weight("w", shifted, 0.01, 128)], "conv")
        net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 5, 5]})
        self.check({"x": random(1, 4, 5, 5)}, layers=1)
        np.testing.assert_array_equal(self.constants()["conv.weight"], integers)

    def test_weights_that_are_rounded_in_the_model(self):
        """Q and DQ around a float constant; between two Transposes as the reference's own operators export it; with the
        Clip of Brevitas."""
        for form in ("plain", "transposed", "clipped"):
            net = Qdq()
            x = net.pair("x", "a")
            w = net.constant("w", random(6, 4, 3, 3) * 0.2)
            if form == "transposed":
                w = net.op("Transpose", [w], "t0", perm=[1, 0, 2, 3])
                axis = {"axis": 1}
            else:
                axis = {"axis": 0}
            q = net.quantize(w, "wq", scales(6), np.zeros(6), **axis)
            if form == "clipped":
                q = net.op("Clip", [q, net.constant("lo", np.int8(-7)), net.constant("hi", np.int8(7))], "wq.clip")
            w = net.dequantize(q, "wq", **axis)
            if form == "transposed":
                w = net.op("Transpose", [w], "t1", perm=[1, 0, 2, 3])
            y = net.op("Conv", [x, w, net.constant("b", random(6))], "conv")
            net.save(self.folder / "qdq.onnx", {"x": [1, 4, 8, 8]}, {y: [1, 6, 6, 6]})
            # The bias is rounded to 32 bits.
            self.check({"x": random(1, 4, 8, 8)}, layers=1, limit=70)

    def test_biases_in_integers(self):
        net = Qdq()
        x = net.pair("x", "a", 0.02)
        w_scale = scales(6)
        w = net.weight("w", int8(6, 4, 1, 1), w_scale, axis=0)
        bias = np.random.default_rng(3).integers(-5000, 5000, 6).astype("i4")
        b = net.weight("b", bias, w_scale * np.float32(0.02), axis=0)
        y = net.op("Conv", [x, w, b], "conv")
        net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 5, 5]})
        self.check({"x": random(1, 4, 5, 5)}, layers=1)
        np.testing.assert_array_equal(self.constants()["conv.bias"], bias)

    def test_transposed_grouped_convolution(self):
        net = Qdq()
        x = net.pair("x", "a")
        w = net.weight("w", int8(6, 2, 2, 2), scales(2), axis=1)
        y = net.op("ConvTranspose", [x, w], "up", group=3, strides=[2, 2])
        net.save(self.folder / "qdq.onnx", {"x": [1, 6, 4, 4]}, {y: [1, 6, 8, 8]})
        self.check({"x": random(1, 6, 4, 4)}, layers=1)

    def test_matrices(self):
        net = Qdq()
        x = net.pair("x", "a", 0.03, 5)
        g = net.op("Gemm", [x, net.weight("w1", int8(6, 4), 0.01), net.constant("b1", random(6))], "gemm", transB=1)
        m = net.op("MatMul", [net.pair(g, "m", 0.1), net.weight("w2", int8(6, 3), 0.01)], "matmul")
        y = net.op("Add", [m, net.constant("b2", random(3))], "add")
        net.save(self.folder / "qdq.onnx", {"x": [5, 4]}, {y: [5, 3]})
        self.check({"x": random(5, 4)}, layers=2, limit=30)

    def test_matrices_with_a_scale_a_column(self):
        """One word a column behind Gemm, either way round, MatMul, also turned behind its quantiser, and a stack."""
        shapes = {"rows": (6, 4, 0), "columns": (4, 6, 1), "matmul": (4, 6, 1), "turned": (6, 4, 0)}
        for form, (a, b, axis) in shapes.items():
            with self.subTest(form=form):
                net = Qdq()
                x = net.pair("x", "a", 0.03, 5)
                w = net.weight("w", int8(a, b), scales(6), axis=axis - 2 if form == "matmul" else axis)
                if form == "turned":
                    w = net.op("Transpose", [w], "t")
                if form in ("rows", "columns"):
                    bias = net.weight("b", np.arange(-300, 300, 100, dtype="i4"), scales(6) * np.float32(0.03), axis=0)
                    y = net.op("Gemm", [x, w, bias], "layer", transB=int(form == "rows"))
                else:
                    y = net.op("MatMul", [x, w], "layer")
                net.save(self.folder / "qdq.onnx", {"x": [5, 4]}, {y: [5, 6]})
                self.check({"x": random(5, 4)}, layers=1)
                words = self.constants()["layer.dequant.param"].astype("u4").view("f4")
                np.testing.assert_array_equal(words, scales(6) * np.float32(0.03))
                record = (self.folder / "out/net_record.txt").read_text()
                self.assertEqual((record.count("scale_w:"), record.count("offset_w:")), (6, 6))
        net = Qdq()
        w = net.weight("w", int8(3, 4, 6), scales(6), axis=2)
        y = net.op("MatMul", [net.pair("x", "a", 0.03, 5), w], "layer")
        net.save(self.folder / "qdq.onnx", {"x": [3, 5, 4]}, {y: [3, 5, 6]})
        self.check({"x": random(3, 5, 4)}, layers=1)

    def test_16_bits(self):
        net = Qdq()
        x = net.pair("x", "a", 0.0002, 100, I16)
        y = net.op("Conv", [x, net.weight("w", int8(6, 4, 1, 1), 0.01)], "conv")
        y = net.op("Relu", [net.pair(y, "y", 0.001, 30000, U16)], "relu")
        net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 5, 5]}, opset=21)
        self.check({"x": random(1, 4, 5, 5)}, layers=1, values=1, limit=60)

    def test_narrowed_ranges(self):
        """Brevitas: Clip between the two; also a range of 4 bits."""
        for bounds, kind, zero in (((-127, 127), I8, 0), ((-8, 7), I8, 1), ((0, 15), U8, 0), ((-100, 20), I8, -5)):
            net = Qdq()
            x = net.pair("x", "a", 0.1, zero, kind, bounds)
            y = net.op("Conv", [x, net.weight("w", int8(6, 4, 1, 1), 0.01)], "conv")
            # The same value and range in front of another operator.
            z = net.op("Sigmoid", [x], "sigmoid")
            net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 5, 5], z: [1, 4, 5, 5]})
            self.check({"x": random(1, 4, 5, 5) * 10}, layers=1, values=1)

    def test_what_stays_float(self):
        weights = {
            "zero point": lambda net: net.weight("w", int8(6, 4, 1, 1), 0.01, 3),
            "another axis": lambda net: net.weight("w", int8(6, 4, 1, 1), scales(4), axis=1),
            "is not quantised": lambda net: net.constant("w", random(6, 4, 1, 1)),
        }
        reasons = ["its weight has a zero point", "its weight's scales lie along another axis",
                   "its weight: it is not quantised"]  # fmt: skip
        for make, reason in zip(weights.values(), reasons):
            net = Qdq()
            y = net.op("Conv", [net.pair("x", "a"), make(net)], "conv")
            net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 5, 5]})
            self.check({"x": random(1, 4, 5, 5)}, values=1, floats=[f"conv: {reason}"])
            self.assertEqual(self.operators(), ["AscendQuant", "AscendAntiQuant", "Conv"])
        # A matrix with a scale a row, a product of two computed values, an input that is not rounded.
        net = Qdq()
        a = net.pair("x", "a")
        m = net.op("MatMul", [a, net.weight("w", int8(4, 4), scales(4), axis=0)], "matmul")
        p = net.op("MatMul", [a, net.pair(m, "m")], "product")
        y = net.op("Gemm", [p, net.weight("w2", int8(4, 3), 0.01)], "gemm")
        net.save(self.folder / "qdq.onnx", {"x": [4, 4]}, {y: [4, 3]})
        self.check({"x": random(4, 4)}, values=2,
                   floats=["matmul: its weight's scales lie along another axis", "product: its weight: it is computed",
                           "gemm: its input is not quantised"])  # fmt: skip


class Between(ConvertTest):
    """Operators between a pair and a layer that only move values: the layer's input is rounded all the same."""

    def layer(self, net, x, cin=4):
        return net.op("Conv", [x, net.weight("w", int8(6, cin, 1, 1), scales(6), axis=0)], "conv")

    def test_one_reader(self):
        """Then the layer rounds, and the pair goes."""
        for bounds in (None, (-60, 50)):
            net = Qdq()
            x = net.pair("x", "a", 0.03, -3, bounds=bounds)
            r = net.op("Relu", [net.op("MaxPool", [x], "max", kernel_shape=[2, 2])], "relu")
            y = self.layer(net, net.op("Transpose", [r], "turn", perm=[0, 1, 3, 2]))
            net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 4, 4]})
            self.check({"x": random(1, 4, 5, 5)}, layers=1)
            clip = ["Clip"] if bounds else []
            self.assertEqual(self.operators(), ["MaxPool", "Relu", "Transpose", *clip, "AscendQuant", "Conv", "AscendDequant"])

    def test_several_readers(self):
        """What is rounded twice alike is what is rounded once."""
        for bounds in (None, (-60, 50)):
            net = Qdq()
            m = net.op("MaxPool", [net.pair("x", "a", 0.03, -3, bounds=bounds)], "max", kernel_shape=[2, 2])
            y = self.layer(net, m)
            z = net.op("Sigmoid", [m], "sigmoid")
            net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 4, 4], z: [1, 4, 4, 4]})
            self.check({"x": random(1, 4, 5, 5)}, layers=1, values=1)

    def test_joined_values(self):
        for second, reason in ((0.03, None), (0.04, "its input joins values that are rounded differently")):
            net = Qdq()
            a, b = net.pair("x", "a", 0.03, 4), net.pair("u", "b", second, 4)
            k = net.op("Concat", [a, net.op("Relu", [b], "relu")], "concat", axis=1)
            y = self.layer(net, k, 8)
            net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5], "u": [1, 4, 5, 5]}, {y: [1, 6, 5, 5]})
            feeds = {"x": random(1, 4, 5, 5), "u": random(1, 4, 5, 5, seed=1)}
            self.check(feeds, layers=0 if reason else 1, values=2, floats=[f"conv: {reason}"] if reason else [])

    def test_operators_that_compute_stay_between(self):
        net = Qdq()
        p = net.op("AveragePool", [net.pair("x", "a", 0.03)], "mean", kernel_shape=[3, 3])
        y = self.layer(net, p)
        net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 6, 3, 3]})
        self.check({"x": random(1, 4, 5, 5)}, values=1, floats=["conv: its input is not quantised"])


class Values(ConvertTest):
    def test_both_sides_of_other_operators(self):
        net = Qdq()
        x = net.pair("x", "a", 0.03, 7, U8)
        w = net.weight("w", int8(4, 4, 3, 3), scales(4), axis=0)
        c = net.pair(net.op("Conv", [x, w], "conv", pads=[1, 1, 1, 1]), "c", 0.05, -128)
        s = net.pair(net.op("Add", [c, x], "add"), "s", 0.06, -20)
        m = net.pair(net.op("MaxPool", [s], "max", kernel_shape=[2, 2], strides=[2, 2]), "m", 0.06, -20)
        p = net.pair(net.op("AveragePool", [s], "mean", kernel_shape=[2, 2], strides=[2, 2]), "p", 0.05)
        k = net.pair(net.op("Concat", [m, p], "concat", axis=1), "k", 0.07, -30)
        y = net.op("Conv", [k, net.weight("w2", int8(3, 8, 1, 1), 0.01)], "last")
        net.save(self.folder / "qdq.onnx", {"x": ["n", 4, 8, 8]}, {y: ["n", 3, 4, 4]})
        summary = self.check({"x": random(2, 4, 8, 8)}, limit=25, layers=2, values=5)
        # One AscendQuant for the convolution and the Add that read x.
        readers = [node for node in onnx.load(self.folder / "out/net_deploy_model.onnx").graph.node if "x" in node.input]
        self.assertEqual([node.op_type for node in readers], ["AscendQuant"])
        self.assertEqual(summary["notes"], [])

    def test_what_stays_as_it_is(self):
        net = Qdq()
        # A scale a channel.
        a = net.pair("x", "a", scales(4) * 10, np.zeros(4))
        # Two ends that differ.
        q = net.quantize(a, "b", 0.03, 2)
        net.constant("other.s", np.float32(0.04))
        b = net.op("DequantizeLinear", [q, "other.s", "b.z"], "b.dq")
        # Integers that come from outside, and that go outside.
        net.constant("u.s", np.float32(0.1)), net.constant("u.z", np.uint8(100))
        u = net.dequantize("u", "u")
        c = net.op("Conv", [net.pair(net.op("Add", [b, u], "add"), "c"), net.weight("w", int8(3, 4, 1, 1), 0.01)], "conv")
        out = net.quantize(c, "o", 0.2, 128, U8)
        net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5], "u": [1, 4, 5, 5]}, {out: [1, 3, 5, 5]},
                 kinds={"u": U8, out: U8})  # fmt: skip
        feeds = {"x": random(1, 4, 5, 5), "u": (int8(1, 4, 5, 5).astype("i2") + 128).astype("u1")}
        self.check(feeds, limit=40, layers=1, kept=[
            "a.dq: its scales lie along an axis",
            "b.dq: scale or zero point differ between QuantizeLinear and DequantizeLinear",
            "u.dq: its integers do not come from QuantizeLinear",
            "o.q: its integers are used by other operators than DequantizeLinear"])  # fmt: skip

    def test_values_halfway_between_two_steps(self):
        """Means of four integers are: QuantizeLinear divides, AscendQuant multiplies, so that these, and no others, may go the
        other way by one step, as in ONNX Runtime's own optimised run. Where the scale is a power of two, both are exact."""
        for scale in (2.0**-5, 0.0315):
            net = Qdq()
            p = net.op("AveragePool", [net.pair("x", "a", scale)], "mean", kernel_shape=[2, 2], strides=[2, 2])
            y = net.pair(p, "p", scale)
            net.save(self.folder / "qdq.onnx", {"x": [8, 4, 16, 16]}, {y: [8, 4, 8, 8]})
            self.convert()
            x = random(8, 4, 16, 16)
            (want,), (got,) = self.ort("qdq.onnx", {"x": x}), self.deploy({"x": x})
            (peer,) = self.ort("qdq.onnx", {"x": x}, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
            steps = np.clip(np.rint(x / np.float32(scale)), -128, 127).reshape(8, 4, 8, 2, 8, 2).mean(axis=(3, 5))
            halfway = np.abs(steps - np.floor(steps) - 0.5) < 1e-3
            self.assertGreater(halfway.mean(), 0.2)
            np.testing.assert_array_equal(got[~halfway], want[~halfway])
            self.assertLess(np.abs(got - want).max(), scale * 1.01)
            self.assertEqual(np.array_equal(got, want), scale == 2.0**-5)
            self.assertEqual(np.array_equal(peer, want), scale == 2.0**-5)
            self.assertLess(np.square(got - want).sum(), 2 * np.square(peer - want).sum() + 1e-9)

    def test_int8_results(self):
        net = Qdq()
        c = net.op("Conv", [net.pair("x", "a"), net.weight("w", int8(3, 4, 1, 1), 0.01)], "conv")
        out = net.quantize(c, "o", 0.2, -9)
        net.save(self.folder / "qdq.onnx", {"x": [1, 4, 5, 5]}, {out: [1, 3, 5, 5]}, kinds={out: I8})
        self.check({"x": random(1, 4, 5, 5)}, layers=1, limit=40)
        self.assertEqual(self.operators(), ["AscendQuant", "Conv", "AscendDequant", "AscendQuant"])

    def test_other_models_are_refused(self):
        save_conv_net(self.folder / "float.onnx")
        self.refused("float.onnx: the model has no QuantizeLinear and no DequantizeLinear (a float model is quantised with "
                     "'lathe quantize')", "convert-qat", "float.onnx", "-o", "out/net")  # fmt: skip
        self.test_int8_results()
        self.refused("out/net_deploy_model.onnx: the model is a deploy model already: node 'conv.quant' is AscendQuant (start from the "
                     "float model)",
                     "convert-qat", "out/net_deploy_model.onnx", "-o", "out/again")  # fmt: skip
        self.refused("nope.onnx: cannot open: No such file or directory", "convert-qat", "nope.onnx", "-o", "out/net")
        net = Qdq()
        y = net.op("Relu", [net.pair("x", "a", scales(4), np.zeros(4))], "relu")
        net.save(self.folder / "none.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 4, 5, 5]})
        self.refused("none.onnx: nothing of the model can be converted; 'a.dq': its scales lie along an axis",
                     "convert-qat", "none.onnx", "-o", "out/none")  # fmt: skip
        net = Qdq()
        y = net.op("Add", ["x", net.weight("w", int8(1, 4, 5, 5), 0.01)], "add")
        net.save(self.folder / "constant.onnx", {"x": [1, 4, 5, 5]}, {y: [1, 4, 5, 5]})
        self.refused("constant.onnx: nothing of the model can be converted: it rounds nothing but constants",
                     "convert-qat", "constant.onnx", "-o", "out/none")  # fmt: skip


NNCF = """
import sys, nncf, numpy, onnx
data = nncf.Dataset([{"x": x} for x in numpy.load("data.npz").values()])
preset = nncf.QuantizationPreset[sys.argv[1]]
onnx.save(nncf.quantize(onnx.load("net.onnx"), data, preset=preset), "qdq.onnx")
"""


def peers_python():
    """The interpreter that has NNCF and Pillow: this one, or that of the benchmarks."""
    if importlib.util.find_spec("nncf") is not None:
        return sys.executable
    peers = os.environ.get("LATHE_PEERS_PYTHON") or pathlib.Path(__file__).parents[2] / "build/peers/bin/python"
    return str(peers) if pathlib.Path(peers).exists() else None


class Reader(quantization.CalibrationDataReader):
    def __init__(self, batches):
        self.batches = iter(batches)

    def get_next(self):
        return next(self.batches, None)


class Tools(ConvertTest):
    """Models that other tools quantised: as near to ONNX Runtime's plain execution as its own optimised one, less 3 dB.

    QuantizeLinear divides by a scale, AscendQuant multiplies by its reciprocal, so that a value halfway between two steps
    may go the other way. Pools over odd numbers of values have none such.
    """

    def setUp(self):
        super().setUp()
        nodes = [
            helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
            helper.make_node("Conv", ["r1", "w2"], ["c2"], "conv2", pads=[1, 1, 1, 1], group=8),
            helper.make_node("Add", ["r1", "c2"], ["s"], "add"),
            helper.make_node("MaxPool", ["s"], ["m"], "max", kernel_shape=[3, 3], strides=[3, 3]),
            helper.make_node("AveragePool", ["s"], ["m2"], "mean", kernel_shape=[3, 3], strides=[3, 3]),
            helper.make_node("Concat", ["m", "m2"], ["k"], "concat", axis=1),
            helper.make_node("GlobalAveragePool", ["k"], ["p"], "pool"),
            helper.make_node("Flatten", ["p"], ["f"], "flatten"),
            helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], "fc", transB=1),
        ]
        weights = {"w1": random(8, 3, 3, 3, seed=1), "b1": random(8, seed=2), "w2": random(8, 1, 3, 3, seed=3),
                   "w3": random(5, 16, seed=4), "b3": random(5, seed=5)}  # fmt: skip
        save_net(self.folder / "net.onnx", nodes, weights, {"x": ["n", 3, 21, 21]}, {"y": ["n", 5]})
        self.data = [random(8, 3, 21, 21, seed=10 + i) for i in range(4)]

    def test_onnxruntime(self):
        for activations in (quantization.QuantType.QInt8, quantization.QuantType.QUInt8):
            for per_channel in (False, True):
                with self.subTest(activations=activations, per_channel=per_channel):
                    quantization.quantize_static(
                        str(self.folder / "net.onnx"), str(self.folder / "qdq.onnx"), Reader({"x": x} for x in self.data),
                        quant_format=quantization.QuantFormat.QDQ, per_channel=per_channel, activation_type=activations,
                        weight_type=quantization.QuantType.QInt8)  # fmt: skip
                    self.near(3, {"x": random(8, 3, 21, 21, seed=99)})

    def test_nncf(self):
        python = peers_python()
        if python is None:
            self.skipTest("!!! SKIPPED: no Python with NNCF (set LATHE_PEERS_PYTHON, or make build/peers: benchmarks/README.md)")
        np.savez(self.folder / "data.npz", *self.data)
        for preset in ("PERFORMANCE", "MIXED"):
            with self.subTest(preset=preset):
                subprocess.run([python, "-c", NNCF, preset], cwd=self.folder, check=True, capture_output=True)
                # The classifier's input is averaged behind the rounding.
                # Its biases are floats: rounding them to 32-bit integers is what keeps the limit lower here.
                self.near(2, {"x": random(8, 3, 21, 21, seed=99)}, equal=80)


class RealModel(ConvertTest):
    def test_shufflenet(self):
        models = pathlib.Path(os.environ.get("LATHE_SHARED_DIR") or pathlib.Path(__file__).parents[3] / "shared") / "models"
        folder = models / "shufflenet_v2_qdq"
        if not folder.is_dir():
            self.skipTest(f"!!! SKIPPED: the real models are missing: {folder} (set LATHE_SHARED_DIR)")
        plain = np.load(folder / "expected_logits_19x1000_ort_disabled.npy")
        peer = np.load(folder / "expected_logits_19x1000_ort_all.npy")
        shutil.copy(folder / "shufflenet-v2-12-qdq.onnx", self.folder / "qdq.onnx")
        summary = self.convert()
        self.assertEqual((summary["integer_layers"], summary["float_layers"], summary["kept"]), (57, [], []))
        order = [pathlib.Path(name).stem for name in json.loads((models / "data/images_order.json").read_text())]
        python = peers_python() if os.environ.get("LATHE_BIG_TESTS") else None
        if python is None:
            print("2 of the 19 photographs (all: LATHE_BIG_TESTS=1, and a Python with Pillow: LATHE_PEERS_PYTHON)")
            inputs = {folder / f"input_{i}_{name}.npy": name for i, name in enumerate(("goldfish", "mushroom"))}
        else:
            subprocess.run([python, models / "prepare_inputs.py", folder.name, self.folder], check=True, capture_output=True)
            inputs = {file: file.stem.split("_", 1)[1].split("__")[0] for file in (self.folder / folder.name).glob("*.npy")}
            self.assertEqual(len(inputs), len(order))
        errors = signals = 0
        for file, name in inputs.items():
            i = order.index(name)
            got = self.deploy({"input": np.load(file)})[0][0]
            self.assertEqual(got.argmax(), plain[i].argmax())
            errors += np.square(got - plain[i], dtype="f8").sum()
            signals += np.square(plain[i], dtype="f8").sum()
        seen = [order.index(name) for name in inputs.values()]
        # Equal bit by bit is 100 dB.
        of = lambda error: 10 * np.log10(signals / max(error, signals * 1e-10))
        own, reached = of(np.square(plain[seen] - peer[seen], dtype="f8").sum()), of(errors)
        print(f"shufflenet_v2_qdq, {len(seen)} photographs: {reached:.1f} dB; ONNX Runtime optimised {own:.1f} dB")
        self.assertGreater(reached, own - 3)


if __name__ == "__main__":
    main()
