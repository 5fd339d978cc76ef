"""Arithmetic with special numbers, and casts."""
import numpy as np
from onnx import TensorProto, helper
from traps.trap import F16, F32, F64, I32, I64, I8, ending, tensor, trap


@trap("numbers", ("Add", 0.0), ("Add", -0.0), ("Sub", 0.0), ("Sub", -0.0), ("Mul", 1.0), ("Mul", -1.0), ("Div", 1.0),
      ("Pow", 1.0), ("Pow", 0.0), ("Mul", 0.0))  # fmt: skip
def special(g, kind, number):
    x = g.input("x", [8])
    y = g.op(kind, [x, g.const(F32(number))])
    # 1 / y tells 0 from -0.
    g.output(g.op("Reciprocal", [y]), [8])
    ending(g, y, [8])
    return [{"x": np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -2.5, 1e-40], F32)}]


@trap("numbers", ("Add", 0.0), ("Mul", 1.0), ("Sub", 0.0), ("Mul", 0.0))
def special_swapped(g, kind, number):
    x = g.input("x", [6])
    y = g.op(kind, [g.const(F32(number)), x])
    g.output(g.op("Reciprocal", [y]), [6])
    return [{"x": np.array([0.0, -0.0, np.inf, -np.inf, 1, -2.5], F32)}]


@trap("numbers", ("Sub",), ("Div",), ("Max",), ("Min",))
def with_itself(g, kind):
    # Inf - Inf and 0 / 0 are NaN.
    x = g.input("x", [5])
    g.output(g.op(kind, [x, x]), [5])
    return [{"x": np.array([0.0, np.inf, -np.inf, 1, -2.5], F32)}]


@trap("numbers", (0.0,), (-0.0,))
def zero_as_text(g, number):
    # As a number -0 is 0, as a text it is not.
    x = g.input("x", [3])
    ending(g, g.op("Cast", [g.op("Add", [x, g.const(F32(number))])], to=TensorProto.STRING), [3], object)
    ending(g, g.op("Cast", [g.op("Add", [x, g.const(F32(number))])], to=TensorProto.BOOL), [3], bool)
    return [{"x": np.array([0.0, -0.0, 1], F32)}]


@trap("numbers", ([1],), ([1, 1],), ([1, 1, 1],), ([4],), ([3, 1],), ([1, 3, 4],), ([2, 1, 1],))
def neutral_that_broadcasts(g, shape):
    x = g.input("x", [3, 4])
    for kind in ("Mul", "Add", "Div", "Sub", "Pow"):
        number = 0 if kind in ("Add", "Sub") else 1
        y = g.op(kind, [x, g.const(np.full(shape, number, F32))])
        ending(g, y, list(np.broadcast_shapes((3, 4), shape)))


@trap("numbers", ("Mul", 1), ("Add", 0))
def neutral_makes_a_vector(g, kind, number):
    x = g.input("x", ["N"])
    one = g.op(kind, [g.input("scalar", []), g.const(np.full([1], number, F32))])
    ending(g, g.op(kind, [x, g.const(np.full([3, 1], number, F32))]), [3, "N"])
    ending(g, one, [1])
    # Size 1 stays or becomes N, whatever N is.
    ending(g, g.op(kind, [g.input("y", [1]), g.op("ConstantOfShape", [g.op("Shape", [x])], value=tensor(number))]), ["N"])  # fmt: skip


@trap("numbers", (-0.0,), (np.nan,), (np.inf,), (1e-45,))
def equal_constants(g, number):
    # 0 and -0 are equal numbers and not the same; NaN is the same and not equal.
    x = g.input("x", [2])
    for constant in (g.const(F32(number)), g.const(F32(0)), g.const(F32(number)), g.constant_node(F32(number))):
        g.output(g.op("Reciprocal", [g.op("Mul", [x, constant])]), [2])
    return [{"x": np.array([1, 2], F32)}]


@trap("numbers")
def clips(g):
    x = g.input("x", [6])
    for first, second in (((0, 6), (-1, 3)), ((0, 6), (7, 8)), ((2, 1), (None, None)), ((None, 0), (0, None)),
                          ((None, None), (None, None)), ((-1, None), (None, 1))):  # fmt: skip
        y = g.clip(x, *first)
        g.output(g.clip(y, *second), [6])
        g.output(g.op("Relu", [y]), [6])
        g.output(g.clip(g.op("Relu", [x]), *first), [6])
    return [{"x": np.array([-3, -0.5, 0, 0.5, 2.5, 100], F32)}]


@trap("numbers")
def clip_bounds_that_are_inputs(g):
    x, low, high = g.input("x", [4]), g.input("low", []), g.default(np.array(1, F32), "high")
    g.output(g.op("Clip", [g.op("Clip", [x, low]), None, high]), [4])
    g.output(g.op("Clip", [x, None, None]), [4])
    feed = {"x": np.array([-2, 0, 0.5, 3], F32), "low": np.array(-1, F32)}
    return [feed, {**feed, "high": np.array(2, F32)}]


@trap("numbers")
def logic(g):
    x, y = g.input("x", ["N"], bool), g.input("y", [2, 1], bool)
    true, false = g.const(np.array(True)), g.const(np.array([[False]]))
    for kind in ("And", "Or", "Xor"):
        for constant, shape in ((true, ["N"]), (false, [1, "N"])):
            g.output(g.op(kind, [x, constant]), shape, bool)
        g.output(g.op(kind, [x, x]), ["N"], bool)
        g.output(g.op(kind, [y, g.op("Not", [g.op("Not", [y])])]), [2, 1], bool)
    numbers = [g.op("Cast", [each], to=TensorProto.FLOAT) for each in (x, y)]
    for condition in (true, false):
        ending(g, g.op("Where", [condition, *numbers]), [2, "N"])


@trap("numbers")
def integer_arithmetic(g):
    x = g.input("x", ["N"], I64)
    for kind, number in (("Mul", 1), ("Mul", 0), ("Div", 1), ("Div", -1), ("Add", 0), ("Sub", 0), ("Pow", 1), ("Mod", 1)):
        g.output(g.op(kind, [x, g.const(np.array(number, I64))]), ["N"], I64)
    # (x / 2) * 2 is not x, (x * 2) / 2 is not either where it wraps.
    half, two = g.op("Div", [x, g.const(np.array(2, I64))]), g.const(np.array(2, I64))
    large = g.op("Mul", [x, g.const(np.array(2**62, I64))])
    g.output(g.op("Mul", [half, two]), ["N"], I64)
    g.output(g.op("Div", [g.op("Mul", [large, two]), two]), ["N"], I64)


@trap("numbers", (F32, [F64, F32]), (F32, [F16, F32]), (F32, [I32, F32]), (F32, [bool, F32]), (I64, [I32, I64]),
      (I64, [F32, I64]), (I64, [F64, I64]), (I32, [F64, I32]), (I32, [I64, I32]), (I32, [I8, I32, F32]),
      (F32, [F64, F16]), (F64, [F32, F64]), (F64, [F32, F16]), (bool, [I64, bool]), (bool, [F32, I64]),
      (F32, [F32, F32]), (I64, [I32, F32]), (I64, [np.uint8, I64]))  # fmt: skip
def casts(g, start, steps):
    x = g.input("x", [7], start)
    for step in steps:
        x = g.op("Cast", [x], to=helper.np_dtype_to_tensor_dtype(np.dtype(step)))
    ending(g, x, [7], steps[-1])
    numbers = {"f": [0, -1.5, 2.7, 100.25, 1 + 2**-20, 1 / 3, 0.9], "b": [0, 1, 1, 0, 1, 0, 0],
               "i": [0, -1, 2, 1000, 2**31 - 1, -(2**31), 2**24 + 1]}  # fmt: skip
    return [{"x": np.array(numbers[np.dtype(start).kind], start)}]


@trap("numbers", ("Relu", "Relu"), ("Abs", "Neg"), ("Neg", "Neg"), ("Neg", "Abs"), ("Floor", "Ceil"), ("Floor", "Floor"),
      ("Sign", "Sign"), ("Not", "Not"), ("Abs", "Relu"), ("Relu", "Neg"), ("Round", "Floor"), ("Exp", "Log"),
      ("Sqrt", "Sqrt"), ("Reciprocal", "Reciprocal"), ("Sigmoid", "Sigmoid"), ("Tanh", "Tanh"))  # fmt: skip
def twice(g, first, second):
    dtype = bool if first == "Not" else F32
    x = g.input("x", ["N", 3], dtype)
    ending(g, g.op(second, [g.op(first, [x])]), ["N", 3], dtype)
