"""Makes networks that are large in one way each, with seeded random weights, and two batches of data for them.

    transformer   12 blocks of 768 features and 197 tokens, as ViT-Base has them: 85 million weights in MatMuls
    detector      seven convolutions over one image of 1760x1760: large activations, few weights
    recurrent     an LSTM of 256 units over 24,000 steps (four minutes at 100 steps a second)
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
BATCHES = 2


class Net:
    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, name, shape, fan_in):
        return self.constant(name, self.rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(fan_in)))

    def node(self, op, name, inputs, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [f"{name}_output"], name, **attributes))
        return f"{name}_output"

    def save(self, path, inputs, outputs):
        info = lambda values: [helper.make_tensor_value_info(*each) for each in values]
        graph = helper.make_graph(self.nodes, path.stem, info(inputs), info(outputs), self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION), path)


def transformer(path, blocks=12, width=768, tokens=197, heads=12):
    net, x = Net(), "x"
    split = net.constant("split", np.array([0, 0, heads, width // heads]))
    join = net.constant("join", np.array([0, 0, width]))
    scale = net.constant("scale", np.float32((width // heads) ** -0.5))
    for block in range(blocks):
        dense = lambda what, y, out, size=width: net.node(
            "MatMul", f"{block}.{what}", [y, net.weight(f"{block}.{what}.weight", (size, out), size)])
        parts = []
        for what, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            y = net.node("Reshape", f"{block}.{what}.split", [dense(what, x, width), split])
            parts.append(net.node("Transpose", f"{block}.{what}.order", [y], perm=order))
        y = net.node("Mul", f"{block}.scaled", [net.node("MatMul", f"{block}.scores", parts[:2]), scale])
        y = net.node("MatMul", f"{block}.mixed", [net.node("Softmax", f"{block}.softmax", [y], axis=-1), parts[2]])
        y = net.node("Transpose", f"{block}.order", [y], perm=[0, 2, 1, 3])
        x = net.node("Add", f"{block}.add1", [x, dense("project", net.node("Reshape", f"{block}.join", [y, join]), width)])
        y = net.node("Relu", f"{block}.relu", [dense("expand", x, 4 * width)])
        x = net.node("Add", f"{block}.add2", [x, dense("contract", y, width, 4 * width)])
    shape = ("batch", tokens, width)
    net.save(path, [("x", TensorProto.FLOAT, shape)], [(x, TensorProto.FLOAT, shape)])
    return [{"x": net.rng.standard_normal((4, tokens, width), np.float32)} for _ in range(BATCHES)]


def detector(path, side=1760):
    net, x, channels = Net(), "x", 3
    for i, (out, stride) in enumerate([(32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1)]):
        weight = net.weight(f"conv{i}.weight", (out, channels, 3, 3), 9 * channels / 2)
        x = net.node("Conv", f"conv{i}", [x, weight], kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4)
        x, channels = net.node("Relu", f"relu{i}", [x]), out
    net.save(path, [("x", TensorProto.FLOAT, (1, 3, side, side))],
             [(x, TensorProto.FLOAT, (1, channels, side // 8, side // 8))])  # fmt: skip
    return [{"x": net.rng.standard_normal((1, 3, side, side), np.float32)} for _ in range(BATCHES)]


def recurrent(path, steps=24000, features=80, units=256):
    net = Net()
    operands = ["x", net.weight("w", (1, 4 * units, features), features), net.weight("r", (1, 4 * units, units), units),
                net.constant("b", np.zeros((1, 8 * units), np.float32)), "", "h0", "c0"]  # fmt: skip
    net.nodes.append(helper.make_node("LSTM", operands, ["states", "h", "c"], "lstm", hidden_size=units))
    states = net.node("Squeeze", "squeeze", ["states", net.constant("axis", np.array([1]))])
    y = net.node("MatMul", "classify", [states, net.weight("classify.weight", (units, 30), units)])
    state = [(name, TensorProto.FLOAT, (1, 1, units)) for name in ("h0", "c0", "h", "c")]
    net.save(path, [("x", TensorProto.FLOAT, (steps, 1, features)), *state[:2]],
             [(y, TensorProto.FLOAT, (steps, 1, 30)), *state[2:]])  # fmt: skip
    draw = lambda *shape: net.rng.standard_normal(shape, np.float32)
    return [{"x": draw(steps, 1, features), "h0": draw(1, 1, units), "c0": draw(1, 1, units)} for _ in range(BATCHES)]


NETWORKS = {"transformer": transformer, "detector": detector, "recurrent": recurrent}


def make(name, path, folder):
    """Writes the network, and its batches as folder/0.npz and so on."""
    folder.mkdir()
    for i, batch in enumerate(NETWORKS[name](path)):
        np.savez(folder / f"{i}.npz", **batch)
