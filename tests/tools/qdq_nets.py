"""What the tests of `lathe convert-qat` share: building QDQ models, converting them, and judging the results by ONNX Runtime."""
import onnxruntime

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

    def save(self, path, inputs, outputs, opset=13, kinds=None, check=True):
        """`outputs`: {value: shape}"""
        tensors = [numpy_helper.from_array(array, name) for name, array in self.weights.items()]
        info = lambda name, shape: helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), shape)
        graph = helper.make_graph(self.nodes, "net", [info(*each) for each in inputs.items()],
                                  [info(*each) for each in outputs.items()], tensors)  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        if check:
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

    def near(self, least_layers, feeds, equal=97):
        """As near to ONNX Runtime's plain execution of the QDQ model as its own optimised one is, less 3 dB. Where those two
        are equal bit by bit, `equal` dB."""
        summary = self.convert()
        self.assertGreaterEqual(summary["integer_layers"], least_layers, summary)
        want = self.ort("qdq.onnx", feeds)
        peer = self.ort("qdq.onnx", feeds, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
        error = sum(np.square(w - p, dtype="f8").sum() for w, p in zip(want, peer, strict=True))
        signal = sum(np.square(w, dtype="f8").sum() for w in want)
        limit = min(equal, 10 * np.log10(signal / error) - 3) if error else equal
        for got in (self.deploy(feeds), self.ort("out/net_fake_quant_model.onnx", feeds)):
            self.close(got, want, limit)
            for g, w in zip(got, want, strict=True):
                np.testing.assert_array_equal(g.argmax(axis=1), w.argmax(axis=1))
        return summary
