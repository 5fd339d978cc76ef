"""What files may hold besides plain nodes: functions, sequences, other operator sets."""
import numpy as np
from onnx import helper
from traps.trap import F32, I64, ending, rng_const, tensor, trap


@trap("files")
def unknown_operator(g):
    g.domains["com.example"] = 1
    x = g.input("x", ["N"])
    y, _ = g.op("Mystery", [g.op("Identity", [x])], 2, domain="com.example", count=3)
    z = g.op("Mystery", [g.op("Identity", [x])], 2, domain="com.example", count=3)
    g.output(g.op("Add", [y, z[1]]), ["N"])


@trap("files")
def contributed_operator(g):
    g.domains["com.microsoft"] = 1
    x = g.input("x", ["N", 4])
    y = g.op("Gelu", [g.op("Identity", [x])], domain="com.microsoft")
    ending(g, g.op("FusedMatMul", [y, g.op("Identity", [rng_const(g, 4, 4)])], domain="com.microsoft", alpha=0.5), ["N", 4])


@trap("files")
def operator_and_function_of_one_name(g):
    # A local function named like an operator, in its own domain and with another meaning.
    g.domains["our"] = 1
    g.functions.append(helper.make_function("our", "Relu", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])],
                                            [helper.make_opsetid("", 17)]))  # fmt: skip
    x = g.input("x", ["N"])
    ending(g, g.op("Relu", [g.op("Relu", [x], domain="our")]), ["N"])
    ending(g, g.op("Relu", [g.op("Relu", [x], domain="our")], domain="our"), ["N"])


@trap("files")
def function_of_another_operator_set(g):
    # Squeeze takes its axes as an attribute in the function's set, and as an input in the model's.
    g.opset = 13
    nodes = [helper.make_node("Squeeze", ["x"], ["s"], axes=[0]), helper.make_node("ReduceSum", ["s"], ["y"], axes=[0])]
    g.domains["our"] = 1
    g.functions.append(helper.make_function("our", "First", ["x"], ["y"], nodes, [helper.make_opsetid("", 11)]))
    x = g.input("x", [1, 3, 2])
    ending(g, g.op("First", [x], domain="our"), [1, 2])


@trap("files")
def function_without_optional_input(g):
    g.domains["our"] = 1
    nodes = [helper.make_node("Clip", ["x", "low", "high"], ["y"]), helper.make_node("Identity", ["x"], ["z"])]
    g.functions.append(helper.make_function("our", "Bound", ["x", "low", "high"], ["y", "z"], nodes,
                                            [helper.make_opsetid("", 17)]))  # fmt: skip
    x = g.input("x", ["N"])
    one = g.const(F32(0.5))
    y, z = g.op("Bound", [x, None, one], 2, domain="our")
    g.output(g.op("Add", [y, z]), ["N"])
    y, z = g.op("Bound", [x, one], 2, domain="our")
    g.output(g.op("Sub", [y, z]), ["N"])


@trap("files")
def outputs_straight_from_the_start(g):
    x = g.input("x", ["N"])
    g.output(x, ["N"])
    constant = g.const(np.arange(2, dtype=F32), "weights")
    g.output(constant, [2])
    g.output(g.op("Mul", [x, x]), ["N"])


@trap("files")
def unused_inputs_and_weights(g):
    x = g.input("x", ["N"])
    g.input("unused", [3])
    g.const(np.zeros(3, F32), "nobody")
    g.default(np.zeros(3, F32), "nobody_but_an_input")
    g.op("Neg", [g.op("Exp", [x])])
    g.output(g.op("Tanh", [x]), ["N"])


@trap("files")
def sparse_constant(g):
    x = g.input("x", [4])
    values, indices = tensor(1.0, 2.0), tensor(1, 3, dtype=I64)
    sparse = helper.make_sparse_tensor(values, indices, [4])
    g.output(g.op("Add", [x, g.op("Constant", [], sparse_value=sparse)]), [4])


@trap("files")
def sequences(g):
    x = g.input("x", ["N", 4])
    one = g.const(np.array(1, I64))
    parts = g.op("SplitToSequence", [x, g.const(np.array(2, I64))], axis=1)
    both = g.op("SequenceInsert", [parts, g.op("SequenceAt", [parts, one])])
    ending(g, g.op("ConcatFromSequence", [both], axis=1), ["N", 6])
    g.output(g.op("SequenceLength", [both]), [], I64)
    again = g.op("SequenceInsert", [parts, g.op("SequenceAt", [parts, one])])
    ending(g, g.op("ConcatFromSequence", [again], axis=0), [None, 2])


@trap("files")
def quantised(g):
    """Nothing is folded across a quantisation, and a pair is no no-op."""
    x = g.input("x", ["N", 4])
    scale, zero = g.const(F32(0.1)), g.const(np.array(3, np.int8))

    def pair(y, s=scale, z=zero):
        return g.op("DequantizeLinear", [g.op("QuantizeLinear", [y, s, z]), s, z])

    weight = pair(rng_const(g, 4, 4))
    y = g.op("MatMul", [pair(x), weight])
    ending(g, pair(pair(y)), ["N", 4])
    ending(g, pair(g.op("Mul", [pair(y), g.const(F32(1))])), ["N", 4])
    weights = g.op("DequantizeLinear", [g.const(np.arange(16, dtype=np.int8).reshape(4, 4)), scale, zero])
    ending(g, g.op("MatMul", [pair(x), weights]), ["N", 4])


@trap("files")
def metadata(g):
    x = g.input("x", ["N"])
    g.output(g.op("Tanh", [g.op("Identity", [x])]), ["N"])
    model = g.model()
    helper.set_model_props(model, {"author": "somebody", "labels": "a,b"})
    model.doc_string, model.graph.doc_string, model.model_version = "a model", "a graph", 7
    return model


@trap("files", (7,), (8,))
def old_operator_sets(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 3, 4, 4])
    y = g.op("Dropout", [x], ratio=0.5)
    y = g.op("Conv", [y, rng_const(g, 4, 3, 1, 1)])
    y = g.op("BatchNormalization", [y, *(rng_const(g, 4, seed=i) for i in range(3)), g.const(np.full(4, 2, F32))])
    y = g.op("Mul", [y, g.const(np.ones((4, 1, 1), F32))])
    y = g.pad(g.clip(y, 0.0, 6.0), [0, 0, 1, 1, 0, 0, 1, 1])
    y = g.op("AveragePool", [y], kernel_shape=[2, 2], strides=[2, 2])
    y = g.op("Flatten", [g.op("Upsample", [y], scales=[1.0, 1.0, 1.0, 1.0])]) if opset < 9 else y
    y = g.op("Add", [g.op("MatMul", [y, rng_const(g, 36, 5)]), rng_const(g, 5)])
    ending(g, g.op("Softmax", [y], axis=1), ["N", 5])


@trap("files", (7,), (12,))
def softmax_of_two_dimensions(g, opset):
    # Before operator set 13 everything from the axis on is one row.
    g.opset = opset
    x = g.input("x", ["N", 3, 4])
    for axis in (0, 1, 2):
        ending(g, g.op("Softmax", [x], axis=axis), ["N", 3, 4])
