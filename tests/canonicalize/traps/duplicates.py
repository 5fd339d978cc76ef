"""The same twice, and almost the same."""
import numpy as np
from onnx import TensorProto
from traps.trap import F16, F32, I32, I64, ending, ints, trap


@trap("duplicates")
def by_attribute(g):
    x = g.input("x", ["N", 4])
    for alpha in (0.1, 0.1, 0.2):
        g.output(g.op("LeakyRelu", [x], alpha=alpha), ["N", 4])
    for axis in (0, 1, -1, 1):
        g.output(g.op("Softmax", [x], axis=axis), ["N", 4])
    for kind in ("Tanh", "Sigmoid"):
        g.output(g.op(kind, [x]), ["N", 4])


@trap("duplicates")
def by_operand_order(g):
    x, y = g.input("x", ["N"]), g.input("y", ["N"])
    for kind in ("Sub", "Add", "Div", "Mul"):
        for operands in ([x, y], [y, x], [x, x], [x, y]):
            g.output(g.op(kind, operands), ["N"])


@trap("duplicates")
def same_bytes_of_other_types(g):
    raw = np.array([1065353216, 0], np.int32)
    for constant, dtype in ((raw, I32), (raw.view(F32), F32), (raw.view(I64), I64), (raw.reshape(1, 2), I32)):
        ending(g, g.const(constant), list(constant.shape), dtype)
    ending(g, g.const(np.zeros([0, 3], F32)), [0, 3])
    ending(g, g.const(np.zeros([3, 0], F32)), [3, 0])
    ending(g, g.const(np.zeros([0], F16)), [0], F16)


@trap("duplicates")
def strings(g):
    x = g.input("x", [2], object)
    first, second, other = (g.const(np.array(each, object)) for each in (["a", "b"], ["a", "b"], ["ab", ""]))
    for constant in (first, second, other):
        g.output(g.op("Concat", [x, constant], axis=0), [4], object)
        g.output(g.op("Equal", [x, constant]), [2], bool) if g.opset >= 19 else None


@trap("duplicates", ("RandomUniformLike",), ("RandomNormalLike",), ("Bernoulli",))
def random_numbers(g, kind):
    """Two draws are two: their difference is hardly ever zero everywhere."""
    x = g.input("x", [400])
    half = g.op("Add", [g.op("Mul", [x, g.const(F32(0))]), g.const(F32(0.5))])
    a, b = g.op(kind, [half]), g.op(kind, [half])
    g.output(g.op("Greater", [g.op("ReduceMax", [g.op("Abs", [g.op("Sub", [a, b])])], keepdims=0), g.const(F32(0))]), [], bool)


@trap("duplicates", (True,), (False,))
def training_dropout(g, training):
    x = g.input("x", [400])
    pair = [g.op("Dropout", [x, g.const(F32(0.5)), g.const(np.array(training))]) for _ in range(2)]
    g.output(g.op("Equal", [g.op("ReduceSum", [g.op("Abs", [g.op("Sub", pair)])], keepdims=0), g.const(F32(0))]), [], bool)


@trap("duplicates")
def random_without_operands(g):
    a, b = (g.op("RandomUniform", [], shape=[300]) for _ in range(2))
    g.output(g.op("Equal", [g.op("ReduceSum", [g.op("Abs", [g.op("Sub", [a, b])])], keepdims=0), g.const(F32(0))]), [], bool)
    shape = ints(g, 300)
    c, d = (g.op("RandomUniformLike", [g.op("ConstantOfShape", [shape])]) for _ in range(2))
    g.output(g.op("Equal", [g.op("ReduceSum", [g.op("Abs", [g.op("Sub", [c, d])])], keepdims=0), g.const(F32(0))]), [], bool)


@trap("duplicates")
def outputs_that_are_equal(g):
    x = g.input("x", ["N"])
    for name in ("a", "b", "c"):
        g.output(g.op("Tanh", [x], name=name), ["N"])
    g.output(g.op("Identity", ["a"], name="d"), ["N"])
    g.output(g.op("Identity", [x], name="e"), ["N"])
    g.output(g.op("Identity", [x], name="f"), ["N"])
    constant = g.const(np.arange(3, dtype=F32))
    for name in ("g", "h"):
        g.output(g.op("Identity", [constant], name=name), [3])


@trap("duplicates")
def several_outputs(g):
    x = g.input("x", ["N", 6])
    k = ints(g, 2)
    a, b = (g.op("TopK", [x, k], 2, axis=1) for _ in range(2))
    g.output(g.op("Add", [a[0], g.op("Cast", [b[1]], to=TensorProto.FLOAT)]), ["N", 2])
    # One result less is not the same node: an even split into two and into three.
    thirds, halves = g.op("Split", [x], 3, axis=1), g.op("Split", [x], 2, axis=1)
    g.output(thirds[0], ["N", 2])
    g.output(halves[0], ["N", 3])


@trap("duplicates")
def outputs_nobody_reads(g):
    x = g.input("x", ["N", 4, 6, 6])
    values, indices = g.op("MaxPool", [x], 2, kernel_shape=[2, 2], strides=[2, 2])
    g.output(values, ["N", 4, 3, 3])
    y, mask = g.op("Dropout", [x], 2)
    g.output(g.op("Not", [mask]), ["N", 4, 6, 6], bool)
    parts = g.op("Split", [x, ints(g, 1, 2, 1)], 3, axis=1)
    g.output(parts[1], ["N", 2, 6, 6])
    rng = np.random.default_rng(0)
    flat = g.op("Reshape", [x, ints(g, 6, -1, 24)])
    weights = [g.const((rng.standard_normal(shape) * 0.3).astype(F32)) for shape in ((1, 12, 24), (1, 12, 3))]
    g.output(g.op("LSTM", [flat, *weights], 3, hidden_size=3)[2], [1, "N", 3])
    weights = [g.const((rng.standard_normal(shape) * 0.3).astype(F32)) for shape in ((1, 9, 24), (1, 9, 3))]
    g.output(g.op("GRU", [flat, *weights], 2, hidden_size=3)[0], [6, 1, "N", 3])
