"""`lathe convert-qat`: QDQ models as several tools write them become deploy and fake-quant models that compute what ONNX
Runtime computes of the QDQ model; what has no place in Ascend's operators stays, and is explained."""
import importlib.util
import os

import onnxruntime
from onnxruntime import quantization

from driver import *

I8, U8, I16, U16 = TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16
TYPES = {I8: np.int8, U8: np.uint8, I16: np.int16, U16: np.uint16}


class Qdq:
    """Builds a net with QuantizeLinear and DequantizeLinear nodes."""

    def __init__(self):
        self.nodes, self.weights = [], {}

    def constant(self, name, array):
        self.weights[name] = np.asarray(array)
        return name

    def op(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [f"{name}.out"], name, **attributes))
        return f"{name}.out"

    def quantize(self, x, name, scale, zero=0, kind=I8, **attributes):
        scale = self.constant(f"{name}.s", np.array(scale, "f4"))
        zero = self.constant(f"{name}.z", np.array(zero, TYPES[kind]))
        return self.op("QuantizeLinear", [x, scale, zero], f"{name}.q", **attributes)

    def dequantize(self, q, name, **attributes):
        return self.op("DequantizeLinear", [q, f"{name}.s", f"{name}.z"], f"{name}.dq", **attributes)

    def pair(self, x, name, scale=0.02, zero=0, kind=I8, bounds=None):
        q = self.quantize(x, name, scale, zero, kind)
        if bounds:
            ends = [self.constant(f"{name}.{i}", np.array(b, TYPES[kind])) for i, b in enumerate(bounds)]
            q = self.op("Clip", [q, *ends], f"{name}.clip")
        return self.dequantize(q, name)

    def weight(self, name, integers, scale, zero=None, axis=None):
        """Integers with scales, as most tools export them."""
        self.constant(name, integers)
        self.constant(f"{name}.s", np.array(scale, "f4"))
        self.constant(f"{name}.z", np.array(np.zeros_like(scale) if zero is None else zero, integers.dtype))
        return self.op("DequantizeLinear", [name, f"{name}.s", f"{name}.z"], f"{name}.dq", **({} if axis is None else {"axis": axis}))

    def save(self, path, inputs, outputs, opset=13, kinds=None):
        """`outputs`: {value: shape}"""
        tensors = [numpy_helper.from_array(array, name) for name, array in self.weights.items()]
        info = lambda name, shape: helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), shape)
        graph = helper.make_graph(self.nodes, "net", [info(*each) for each in inputs.items()],
                                  [info(*each) for each in outputs.items()], tensors)  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def int8(*shape, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def scales(count, seed=0):
    return np.random.default_rng(seed).uniform(0.001, 0.01, count).astype("f4")


class ConvertTest(DriverTest):
    def convert(self, name="qdq.onnx"):
        return self.summary("convert-qat", name, "-o", "out/net")

    def ort(self, name, feeds, level=onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        session = onnxruntime.InferenceSession(str(self.folder / name), options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds)

    def deploy(self, feeds):
        arguments = []
        for name, array in feeds.items():
            arguments += ["-i", f"{name}={self.save(name + '.npy', array)}"]
        self.done("run", "out/net_deploy_model.onnx", *arguments, "-o", "got")
        names = [each.name for each in onnx.load(self.folder / "out/net_deploy_model.onnx").graph.output]
        return [np.load(self.folder / "got" / f"{name.replace('/', '_')}.npy") for name in names]

    def close(self, got, want, limit):
        for g, w in zip(got, want, strict=True):
            error = np.square(w.astype("f8") - g).sum()
            reached = np.inf if error == 0 else 10 * np.log10(np.square(w, dtype="f8").sum() / error)
            self.assertGreater(reached, limit)

    def check(self, feeds, limit=80, layers=0, values=0, floats=(), kept=(), name="qdq.onnx"):
        """Single values on rounding edges keep the limit from being higher."""
        summary = self.convert(name)
        self.assertEqual([f"{each['node']}: {each['reason']}" for each in summary["float_layers"]], list(floats))
        self.assertEqual([f"{each['node']}: {each['reason']}" for each in summary["kept"]], list(kept))
        self.assertEqual((summary["integer_layers"], summary["rounded_values"]), (layers, values))
        want = self.ort(name, feeds)
        self.close(self.deploy(feeds), want, limit)
        self.close(self.ort("out/net_fake_quant_model.onnx", feeds), want, limit)
        record = (self.folder / "out/net_record.txt").read_text()
        self.assertEqual(record.count("key:"), layers)
        return summary

    def constants(self):
        model = onnx.load(self.folder / "out/net_deploy_model.onnx")
        return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}

    def operators(self):
        return [node.op_type for node in onnx.load(self.folder / "out/net_deploy_model.onnx").graph.node]


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
        # A matrix with a scale a channel, a product of two computed values, an input that is not rounded.
        net = Qdq()
        a = net.pair("x", "a")
        m = net.op("MatMul", [a, net.weight("w", int8(4, 4), scales(4), axis=1)], "matmul")
        p = net.op("MatMul", [a, net.pair(m, "m")], "product")
        y = net.op("Gemm", [p, net.weight("w2", int8(4, 3), 0.01)], "gemm")
        net.save(self.folder / "qdq.onnx", {"x": [4, 4]}, {y: [4, 3]})
        self.check({"x": random(4, 4)}, values=2,
                   floats=["matmul: its weight has a scale a channel, a matrix has one", "product: its weight: it is computed",
                           "gemm: its input is not quantised"])  # fmt: skip


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

    def near(self, least_layers):
        summary = self.convert()
        self.assertGreaterEqual(summary["integer_layers"], least_layers, summary)
        feeds = {"x": random(8, 3, 21, 21, seed=99)}
        want = self.ort("qdq.onnx", feeds)
        peer = self.ort("qdq.onnx", feeds, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
        error = np.square(want[0] - peer[0], dtype="f8").sum()
        own = min(100, 10 * np.log10(np.square(want[0], dtype="f8").sum() / error)) if error else 100
        self.close(self.deploy(feeds), want, own - 3)
        self.close(self.ort("out/net_fake_quant_model.onnx", feeds), want, own - 3)
        return summary

    def test_onnxruntime(self):
        for activations in (quantization.QuantType.QInt8, quantization.QuantType.QUInt8):
            for per_channel in (False, True):
                with self.subTest(activations=activations, per_channel=per_channel):
                    quantization.quantize_static(
                        str(self.folder / "net.onnx"), str(self.folder / "qdq.onnx"), Reader({"x": x} for x in self.data),
                        quant_format=quantization.QuantFormat.QDQ, per_channel=per_channel, activation_type=activations,
                        weight_type=quantization.QuantType.QInt8)  # fmt: skip
                    self.near(2 if per_channel else 3)

    def test_nncf(self):
        if importlib.util.find_spec("nncf") is None:
            self.skipTest("!!! SKIPPED: NNCF is missing (run this file with a Python that has it)")
        import nncf

        made = nncf.quantize(onnx.load(self.folder / "net.onnx"), nncf.Dataset([{"x": x} for x in self.data]))
        onnx.save(made, self.folder / "qdq.onnx")
        self.near(2)


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
        for name in ("goldfish", "mushroom"):
            (file,) = folder.glob(f"input_*_{name}.npy")
            i = order.index(name)
            got = self.deploy({"input": np.load(file)})[0][0]
            self.assertEqual(got.argmax(), plain[i].argmax())
            error = np.square(plain[i] - peer[i], dtype="f8").sum()
            own = 10 * np.log10(np.square(plain[i], dtype="f8").sum() / error) if error else 100
            self.close([got], [plain[i]], own - 3)


if __name__ == "__main__":
    main()
