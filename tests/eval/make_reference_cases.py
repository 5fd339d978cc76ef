"""Writes single-operator models whose inputs and expected outputs are initializers: the outputs come
from onnx's reference implementation. usage: make_reference_cases.py FOLDER"""
import os
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

folder = sys.argv[1]
random = np.random.default_rng(1)
count = 0


def case(op, inputs, opset=17, outputs=1, **attributes):
    global count
    names = ["" if array is None else f"in{i}" for i, array in enumerate(inputs)]
    results = [f"out{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, name=f"{op}_{count}", **attributes)
    given = {n: a for n, a in zip(names, inputs) if n}
    value_info = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in given.items()
    ]
    opsets = [helper.make_opsetid("", opset)]
    graph = helper.make_graph([node], "g", value_info, [onnx.ValueInfoProto(name=n) for n in results])
    with np.errstate(all="ignore"):
        expected = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets)).run(None, given)
    constants = [numpy_helper.from_array(np.asarray(a), n) for n, a in given.items()]
    constants += [numpy_helper.from_array(np.asarray(a), f"expected{i}") for i, a in enumerate(expected)]
    graph = helper.make_graph([node], "g", [], [onnx.ValueInfoProto(name=n) for n in results], constants)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, os.path.join(folder, f"{count:04}_{op}.onnx"))
    count += 1


def numbers(dtype, *shape):
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return random.integers(0, 2, shape).astype(bool)
    if dtype.kind == "f":
        return (random.standard_normal(shape) * 4).astype(dtype)
    low = 0 if dtype.kind == "u" else -100
    return random.integers(low, 100, shape).astype(dtype)


def i64(*values):
    return np.array(values, np.int64)


FLOATS = ["float16", "float32", "float64"]
INTS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
SHAPES = [((2, 3), (2, 3)), ((2, 3), (3,)), ((4, 1, 3), (2, 1)), ((), (2,)), ((2, 0), (1, 1))]

for op in ("Add", "Sub", "Mul", "Min", "Max", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"):
    for dtype in FLOATS + INTS:
        for a, b in SHAPES:
            case(op, [numbers(dtype, *a), numbers(dtype, *b)])
for dtype in FLOATS:
    case("Div", [numbers(dtype, 3, 4), numbers(dtype, 4)])
for dtype in ("int8", "int32", "uint8"):
    case("Div", [numbers(dtype, 20), np.full(20, 7, dtype)])
    case("Mod", [numbers(dtype, 20), np.full(20, 7, dtype)])
for op in ("And", "Or", "Xor"):
    case(op, [numbers(bool, 2, 5), numbers(bool, 5)])
case("Not", [numbers(bool, 6)])
for op in ("Abs", "Neg", "Sign", "Relu"):
    for dtype in FLOATS + ["int8", "int32", "int64"]:
        case(op, [numbers(dtype, 3, 5)])
for op in ("Floor", "Ceil", "Round"):
    for dtype in FLOATS:
        case(op, [numbers(dtype, 30)])
        case(op, [np.arange(-4, 4, 0.5).astype(dtype)])
for dtype in ("float32", "float64"):
    case("Sqrt", [np.abs(numbers(dtype, 30))])
    case("Reciprocal", [numbers(dtype, 30)])
    case("Pow", [numbers(dtype, 8), np.array(2, dtype)])
case("Pow", [numbers("int64", 8), i64(3)])
for dtype in FLOATS + INTS + ["bool"]:
    case("Where", [numbers(bool, 2, 1), numbers(dtype, 3), numbers(dtype, 2, 3)])
    case("Transpose", [numbers(dtype, 2, 3, 4)], perm=[1, 2, 0])
    case("Concat", [numbers(dtype, 2, 3), numbers(dtype, 2, 1)], axis=1)
    case("Tile", [numbers(dtype, 2, 3), i64(2, 2)])
    case("Gather", [numbers(dtype, 3, 4), i64(-1, 0)], axis=1)
for source in FLOATS + INTS + ["bool"]:
    for target in FLOATS + INTS + ["bool"]:
        array = numbers(source, 12)
        if np.dtype(source).kind == "f" and np.dtype(target).kind == "u":
            array = np.abs(array)
        case("Cast", [array], to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))

x = numbers("float32", 2, 3, 4)
case("Shape", [x])
case("Shape", [x], start=1)
case("Shape", [x], start=-3, end=-1)
case("Size", [x])
case("Reshape", [x, i64(0, -1)])
case("Reshape", [x, i64(4, 6)])
case("Flatten", [x], axis=2)
case("Squeeze", [numbers("int32", 1, 3, 1), i64(0)])
case("Squeeze", [numbers("int32", 1, 3, 1)])
case("Unsqueeze", [x, i64(1, -1)])
case("Unsqueeze", [x], opset=11, axes=[0, 2])
case("Expand", [numbers("float32", 3, 1), i64(2, 1, 4)])
for starts, ends, axes, steps in (
    ([0, 1], [2, 3], [0, 2], [1, 1]),
    ([-1], [-1000], [2], [-1]),
    ([1], [1 << 60], [1], [2]),
    ([3], [0], [-1], [-2]),
    ([2], [1], [1], [1]),
):
    case("Slice", [x, i64(*starts), i64(*ends), i64(*axes), i64(*steps)])
case("Split", [x, i64(1, 2)], outputs=2, axis=1)
case("Split", [x], outputs=2, axis=2)
case("Split", [numbers("float32", 7)], opset=18, outputs=3, num_outputs=3)
for mode in ("constant", "edge", "reflect", "wrap"):
    case("Pad", [x, i64(0, 1, 2, 1, 1, 3)], opset=19, mode=mode)
case("Pad", [x, i64(1, 1), np.array(5, np.float32), i64(1)], opset=18)
case("Range", [np.array(2, np.float32), np.array(7.5, np.float32), np.array(1.5, np.float32)])
case("Range", [np.array(9, np.int64), np.array(-1, np.int64), np.array(-4, np.int64)])
case("ConstantOfShape", [i64(2, 3)], value=helper.make_tensor("v", onnx.TensorProto.INT32, [1], [7]))
for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
    for dtype in ("float32", "float64", "int32", "int64"):
        array = numbers(dtype, 2, 3, 4)
        if op == "ReduceMean" and dtype.startswith("int"):
            array = np.abs(array)
        if op != "ReduceSum":
            case(op, [array], axes=[1], keepdims=1)
            case(op, [array], axes=[-1, 0], keepdims=0)
            case(op, [array], opset=18, keepdims=1)
        case(op, [array, i64(0, 2)], opset=18, keepdims=0)
for op in ("ArgMax", "ArgMin"):
    for last in (0, 1):
        case(op, [random.integers(0, 3, (3, 6)).astype(np.int32)], axis=1, select_last_index=last)
        case(op, [numbers("float32", 3, 6)], axis=0, keepdims=0, select_last_index=last)
scale = np.array([0.5, 0.013, 2], np.float32)
case("QuantizeLinear", [x, np.array(0.037, np.float32), np.array(11, np.uint8)], opset=19)
case("QuantizeLinear", [x, scale, np.zeros(3, np.int8)], opset=19, axis=1)
case("DequantizeLinear", [numbers("int8", 2, 3, 4), scale, np.array([1, 2, 3], np.int8)], opset=19, axis=1)
case("DequantizeLinear", [numbers("int32", 5), np.array(0.1, np.float32)], opset=19)
print(count, "cases")
