"""Nets in float16: quantised as they are, simulated in float32 between casts."""
from quantised import *

HALF = np.float16


class Half(LayerTest):
    def write_half(self, nodes, weights, inputs, outputs):
        ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT16, shape) for name, shape in each.items()]
                for each in (inputs, outputs)]  # fmt: skip
        tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
        model = helper.make_model(helper.make_graph(nodes, "net", *ends, tensors),
                                  opset_imports=[helper.make_opsetid("", 13)], ir_version=8)  # fmt: skip
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, self.folder / "net.onnx")
        data = [{name: random(*shape, seed=i, kind=HALF) for name, shape in inputs.items()} for i in range(2)]
        return self.quantise_file(inputs, data)

    def casts(self, *names):
        """The model is sound, and these nodes are there."""
        onnx.checker.check_model(self.fake.model, full_check=True)
        for name in names:
            self.assertEqual(self.fake.nodes[name].op_type, "Cast", name)
            self.assertEqual(attributes(self.fake.nodes[name])["to"], 1 if ".fakequant." in name else 10)

    def test_convolution_pool_and_product(self):
        nodes = [
            node("Conv", "conv", ["x", "w", "b"]),
            node("Relu", "relu", ["conv"]),
            node("AveragePool", "pool", ["relu"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Flatten", "flat", ["pool"]),
            node("Gemm", "fc", ["flat", "v", "a"]),
            node("MatMul", "mm", ["fc", "u"], ["y"]),
        ]
        weights = {"w": random(6, 3, 3, 3), "b": random(6), "v": random(54, 8) / 8, "a": random(8), "u": random(8, 4)}
        weights = {name: array.astype(HALF) for name, array in weights.items()}
        summary = self.write_half(nodes, weights, {"x": [2, 3, 8, 8]}, {"y": [2, 4]})
        self.assertEqual(summary["layers"]["quantized"], ["conv", "pool", "fc", "mm"])
        for name in ("conv", "fc", "mm"):
            entry, weight = self.record[name], self.original.constant(name, 1).astype(F)
            rows = weight.reshape(6, -1) if name == "conv" else weight.reshape(1, -1)
            want = integers(rows, np.array(entry["scale_w"], F), 8).reshape(weight.shape)
            self.same(want, self.deploy.constant(name, 1))
            self.same(want.astype(F), self.fake.constant(name, 1))
        self.casts(*(f"{name}.{place}.cast" for name in ("conv", "pool", "fc", "mm")
                     for place in ("quant.fakequant", "fakedequant")))  # fmt: skip

    def test_recurrent(self):
        for op, gates in (("LSTM", 4), ("GRU", 3)):
            weights = {"w": random(1, gates * 5, 6) / 2, "r": random(1, gates * 5, 5) / 2, "b": random(1, gates * 10) / 4}
            weights = {name: array.astype(HALF) for name, array in weights.items()}
            state = {"h": [1, 2, 5]} | ({"c": [1, 2, 5]} if op == "LSTM" else {})
            given = {} if op == "LSTM" else {"linear_before_reset": 1}
            outputs = ["all", "last", "cell"][: 1 + len(state)]
            nodes = [node(op, "rnn", ["x", "w", "r", "b", "", *state], outputs, hidden_size=5, **given),
                     node("Relu", "relu", ["last"], ["y"])]  # fmt: skip
            self.write_half(nodes, weights, {"x": [7, 2, 6]} | state, {"y": [1, 2, 5]})
            self.assertEqual(self.fake.constant("rnn", 1).dtype, HALF)
            self.casts("rnn.quant.fakequant.cast", "rnn.anti_quant.fake_antiquant.cast",
                       "rnn.quant1.fakequant.cast", "rnn.anti_quant1.fake_antiquant.cast")  # fmt: skip


if __name__ == "__main__":
    main()
