"""The same operators in other operator sets, and operators of which little is different but the form."""
import numpy as np
from onnx import TensorProto
from traps.trap import F16, F32, I32, I64, INT_MAX, apart, choice, ending, ints, rng_const, tensor, trap

OLD = [(7,), (8,), (9,), (10,), (11,), (12,), (13,)]
ALL = [*OLD, (15,), (18,), (21,)]


@trap("versions", *ALL)
def no_ops(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 2, 4, 4])
    y = g.op("Dropout", [x])
    y = g.op("Transpose", [y], perm=[0, 1, 2, 3])
    y = g.pad(y, [0] * 8)
    y = g.slice(y, [0], [INT_MAX], [2])
    y = g.op("Concat", [y], axis=1)
    y = g.squeeze(g.unsqueeze(y, [1]), [1])
    y = g.op("Flatten", [g.op("Flatten", [y], axis=2)], axis=1)
    y = g.op("Cast", [y], to=TensorProto.FLOAT)
    for kind in ("Sum", "Max", "Min", "Mean"):
        y = g.op(kind, [y])
    ending(g, y, [None, 16])
    ending(g, g.reduce("ReduceMax", g.reduce("ReduceMax", apart(g, x), [3]), [-2 if opset > 10 else 2]), ["N", 2, 1, 1])
    ending(g, g.reduce("ReduceSum", g.reduce("ReduceSum", apart(g, x), [3], 0), [2], 0), ["N", 2])
    ending(g, g.op("DepthToSpace", [x], blocksize=1), ["N", 2, 4, 4])
    ending(g, g.op("SpaceToDepth", [x], blocksize=1), ["N", 2, 4, 4])


@trap("versions", *ALL)
def dropouts(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 4])
    flag = {"dtype": bool} if opset > 9 else {}
    y, mask = g.op("Dropout", [x], 2)
    ending(g, y, ["N", 4])
    ending(g, mask, ["N", 4], flag.get("dtype", F32))
    if opset > 11:
        off, on = g.const(np.array(False)), g.const(np.array(True))
        ending(g, g.op("Dropout", [x, g.const(F32(0.5)), off]), ["N", 4])
        # Nothing is dropped, nor scaled.
        ending(g, g.op("Dropout", [x, g.const(F32(0)), on]), ["N", 4])
        ending(g, g.op("Dropout", [x, None, off], 2)[1], ["N", 4], bool)


@trap("versions", (7,), (8,), (9,))
def upsamples(g, opset):
    g.opset = opset
    x = g.input("x", [1, 2, 3, 3])
    for mode in ("nearest", "linear"):
        for scales in ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.3]):
            if opset < 9:
                ending(g, g.op("Upsample", [x], mode=mode, scales=scales), [None] * 4)
            else:
                ending(g, g.op("Upsample", [x, g.const(np.array(scales, F32))], mode=mode), [None] * 4)


@trap("versions", (10,), (11,), (13,), (18,), (19,))
def resizes(g, opset):
    g.opset = opset
    x = g.input("x", [1, 2, 4, 4])
    scales = g.const(np.ones(4, F32))
    if opset == 10:
        ending(g, g.op("Resize", [x, scales]), [1, 2, 4, 4])
        ending(g, g.op("Resize", [x, scales], mode="linear"), [1, 2, 4, 4])
        return
    roi = g.const(np.zeros(0, F32))
    for mode in ("nearest", "linear", "cubic"):
        for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
            names = {"mode": mode, "coordinate_transformation_mode": coordinates}
            ending(g, g.op("Resize", [x, roi, scales], **names), [1, 2, 4, 4])
            # Version 11 wants scales, be they empty.
            none = g.const(np.zeros(0, F32)) if opset < 13 else None
            ending(g, g.op("Resize", [x, roi, none, ints(g, 1, 2, 4, 4)], **names), [1, 2, 4, 4])
            # As large as before, but not where it was.
            ending(g, g.op("Resize", [x, roi, g.const(np.array([1, 1, 1.2, 1.2], F32))], **names), [1, 2, 4, 4])
    for rounding in ("floor", "ceil", "round_prefer_ceil"):
        ending(g, g.op("Resize", [x, roi, scales], mode="nearest", nearest_mode=rounding), [1, 2, 4, 4])
    if opset >= 18:
        ending(g, g.op("Resize", [x, None, g.const(np.ones(2, F32))], axes=[2, 3], mode="linear"), [1, 2, 4, 4])
        ending(g, g.op("Resize", [x, None, None, ints(g, 4, 6)], axes=[3, 2], mode="linear", keep_aspect_ratio_policy="not_smaller"),
               [None] * 4)  # fmt: skip
        ending(g, g.op("Resize", [x, None, g.const(np.ones(2, F32))], axes=[2, 3], mode="linear", antialias=1), [1, 2, 4, 4])


@trap("versions", *ALL)
def fusions(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 3, 6, 6])
    y = g.op("Conv", [g.pad(x, [0, 0, 1, 1, 0, 0, 1, 1]), rng_const(g, 4, 3, 3, 3), rng_const(g, 4)])
    parameters = [rng_const(g, 4, seed=i) for i in range(1, 4)] + [g.const(np.array([0.5, 1, 2, 3], F32))]
    y = g.op("BatchNormalization", [y, *parameters])
    y = g.op("Mul", [y, rng_const(g, 4, 1, 1, seed=5)])
    y = g.op("Relu", [g.clip(y, -1.0, 1.0)])
    y = g.op("BatchNormalization", [y, *parameters], epsilon=1e-3)
    ending(g, y, ["N", 4, 6, 6])
    y = g.op("ConvTranspose", [g.op("Mul", [x, rng_const(g, 3, 1, 1, seed=6)]), rng_const(g, 3, 2, 2, 2)],
             output_padding=[1, 1], strides=[2, 2])  # fmt: skip
    y = g.op("Add", [y, rng_const(g, 2, 1, 1)])
    y = g.op("BatchNormalization", [y, *(rng_const(g, 2, seed=i) for i in range(3)), g.const(np.array([1, 2], F32))])
    ending(g, y, ["N", 2, 13, 13])
    y = g.op("Reshape", [x, ints(g, -1, 108)])
    y = g.op("Add", [rng_const(g, 5), g.op("MatMul", [y, rng_const(g, 108, 5)])])
    ending(g, g.op("Sub", [y, rng_const(g, 5, seed=3)]), ["N", 5])


@trap("versions", (7,), (8,), (9,), (11,), (13,), (14,), (16,), (18,), (21,))
def pads_and_pools(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 2, 5, 5])
    for number, mode in ((0.0, "constant"), (-1.0, "constant"), (0.0, "reflect"), (0.0, "edge"), (-np.inf, "constant")):
        for kind, attributes in (("MaxPool", {}), ("AveragePool", {"count_include_pad": 1}), ("AveragePool", {}),
                                 ("MaxPool", {"ceil_mode": 1}), ("AveragePool", {"ceil_mode": 1, "count_include_pad": 1})):  # fmt: skip
            if ("ceil_mode" in attributes and opset < 10) or (kind == "AveragePool" and np.isinf(number)):
                continue
            y = g.pad(apart(g, x), [0, 0, 1, 0, 0, 0, 1, 1], number, mode)
            ending(g, g.op(kind, [y], kernel_shape=[3, 2], strides=[2, 2], **attributes), [None] * 4)


@trap("versions", (13,), (18,), (21,))
def wrapping_pad(g, opset):
    g.opset = max(opset, 19)
    x = g.input("x", [1, 2, 5, 5])
    y = g.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], mode="wrap")
    ending(g, g.op("Conv", [y, rng_const(g, 3, 2, 3, 3)]), [1, 3, 5, 5])
    ending(g, g.pad(g.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], mode="wrap"), [0, 0, 1, 1, 0, 0, 1, 1], mode="wrap"), [1, 2, 9, 9])


@trap("versions", *OLD)
def shapes(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 2, 6])
    shape = g.op("Shape", [x])
    n = g.unsqueeze(g.op("Gather", [shape, g.const(np.array(0, I64))]), [0])
    last = g.op("Mul", [g.slice(shape, [1], [2]), g.slice(shape, [2], [3])])
    ending(g, g.op("Reshape", [x, g.op("Concat", [n, last], axis=0)]), ["N", 12])
    ending(g, g.op("Cast", [g.op("Size", [x])], to=TensorProto.FLOAT), [])
    if opset > 7:
        ending(g, g.op("Expand", [g.input("one", [1, 1, 6]), shape]), ["N", 2, 6])
    if opset > 8:
        ending(g, g.op("ConstantOfShape", [shape], value=tensor(2)), ["N", 2, 6])


@trap("versions", (15,), (19,), (21,))
def parts_of_shapes(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 2, 6])
    for start, end in ((0, None), (1, None), (-1, None), (0, -1), (1, 2), (2, 1), (-9, 9)):
        attributes = {key: each for key, each in (("start", start), ("end", end)) if each is not None}
        ending(g, g.op("Shape", [x], **attributes), [None], I64)
    ending(g, g.op("Reshape", [x, g.op("Concat", [g.op("Shape", [x], end=1), ints(g, -1)], axis=0)]), ["N", 12])


@trap("versions", (18,), (21,))
def split_evenly(g, opset):
    g.opset = opset
    x = g.input("x", ["N", 7])
    for name, size in zip(g.op("Split", [x], 3, axis=1, num_outputs=3), (3, 3, 1)):
        ending(g, name, ["N", size])
    ending(g, g.op("Split", [x], 1, axis=-1, num_outputs=1), ["N", 7])


@trap("versions", (13,), (18,), (21,))
def reduced_over_nothing(g, opset):
    g.opset = opset
    x, flat = g.input("x", ["N", 3]), g.input("flat", [])
    if opset >= 18:
        for kind in ("ReduceMax", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceL1", "ReduceProd", "ReduceMean"):
            ending(g, g.op(kind, [x, ints(g)], noop_with_empty_axes=1), ["N", 3])
            ending(g, g.op(kind, [flat]), [])
    ending(g, g.op("ReduceSum", [x, ints(g)], noop_with_empty_axes=1), ["N", 3])
    ending(g, g.op("ReduceSum", [x, ints(g)], noop_with_empty_axes=0, keepdims=0), [])
    ending(g, g.op("ReduceSum", [flat]), [])
    ending(g, g.op("ReduceSum", [g.op("ReduceSum", [apart(g, x), ints(g, 1)], keepdims=0)], keepdims=0), [])


@trap("versions", (np.uint8,), (np.int8,), (I32,), (I64,), (np.uint64,), (np.int16,))
def integers(g, dtype):
    g.opset = 14
    x = g.input("x", ["N"], dtype)
    top = np.iinfo(dtype).max
    # Wraps around: the sum of the constants does not fit.
    y = g.op("Add", [g.op("Add", [x, g.const(np.array(top, dtype))]), g.const(np.array(top, dtype))])
    g.output(y, ["N"], dtype)
    g.output(g.op("Sub", [g.op("Add", [x, g.const(np.array(top, dtype))]), g.const(np.array(top, dtype))]), ["N"], dtype)
    g.output(g.op("Mul", [g.op("Mul", [x, g.const(np.array(top, dtype))]), g.const(np.array(2, dtype))]), ["N"], dtype)
    constant = g.op("Mul", [g.const(np.array([top, 3], dtype)), g.const(np.array([2, 5], dtype))])
    g.output(g.op("Add", [g.op("Sub", [x, x]), g.op("Gather", [constant, ints(g, 0)])]), ["N"], dtype)
    if dtype in (np.int8, I32, I64):
        low = np.iinfo(dtype).min
        g.output(g.op("Neg", [g.op("Neg", [x])]), ["N"], dtype)
        g.output(g.op("Add", [x, g.op("Abs", [g.const(np.array(low, dtype))])]), ["N"], dtype)
        g.output(g.op("Add", [x, g.op("Neg", [g.const(np.array(low, dtype))])]), ["N"], dtype)


@trap("versions", (F16,), (F32,), (np.float64,))
def special_constants(g, dtype):
    x = g.input("x", [6], dtype)
    numbers = g.const(np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1], dtype))
    for kind in ("Max", "Min", "Mul", "Add"):
        # NaN goes through Max and Min.
        g.output(g.op(kind, [x, g.op(kind, [numbers, g.op("Neg", [numbers])])]), [6], dtype)
    for kind in ("Relu", "Abs", "Sign", "Sqrt", "Floor", "Reciprocal", "Exp", "Sigmoid", "Tanh"):
        # ONNX does not say what sign NaN has; ONNX Runtime says 0 for halves and NaN for others.
        if kind != "Sign" or dtype != F16:
            g.output(g.op("Mul", [x, g.op(kind, [numbers])]), [6], dtype)
    g.output(g.op("Where", [g.op("IsNaN", [numbers]), x, numbers]), [6], dtype)
    g.output(g.op("Relu", [g.op("Relu", [x])]), [6], dtype)
    g.output(g.op("Max", [x]), [6], dtype)
    g.output(g.op("Clip", [g.op("Clip", [x, g.const(np.array(-1, dtype))]), None, g.const(np.array(1, dtype))]), [6], dtype)
    return [{"x": np.array([0.5, -1, 2, np.nan, -np.inf, -0.0], dtype)}, {"x": np.array([np.nan, np.inf, 0, 0, 1, np.inf], dtype)}]


@trap("versions", ("Floor",), ("Ceil",), ("Round",), ("Relu",), ("Abs",), ("Sign",), ("Not",), ("HardSigmoid",), ("Softmax",),
      ("Identity",), ("Elu",), ("LeakyRelu",))  # fmt: skip
def twice_of_all_numbers(g, kind):
    dtype = bool if kind == "Not" else F32
    x = g.input("x", [8], dtype)
    y = g.op(kind, [g.op(kind, [x])])
    g.output(y, [8], dtype)
    if dtype is F32:
        g.output(g.op("Reciprocal", [y]), [8])
    numbers = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -1.5, 2.5], F32)
    return [{"x": numbers.astype(bool) if dtype is bool else numbers if kind != "Softmax" else np.arange(8, dtype=F32)}]


@trap("versions")
def quantised(g):
    """Layers between QuantizeLinear and DequantizeLinear: what says how a layer is quantised stays."""
    x = g.input("x", ["N", 3, 5, 5])
    scale, zero = g.const(F32(0.02)), g.const(np.array(3, np.uint8))
    q = g.op("DequantizeLinear", [g.op("QuantizeLinear", [x, scale, zero]), scale, zero])
    weight = g.const(np.random.default_rng(0).integers(-100, 100, (4, 3, 3, 3)).astype(np.int8))
    steps = g.const(np.array([0.01, 0.02, 0.005, 0.01], F32))
    w = g.op("DequantizeLinear", [weight, steps, g.const(np.zeros(4, np.int8))], axis=0)
    y = g.op("Conv", [g.pad(q, [0, 0, 1, 1, 0, 0, 1, 1]), w, rng_const(g, 4)])
    y = g.op("Mul", [y, rng_const(g, 4, 1, 1)])
    y = g.op("DequantizeLinear", [g.op("QuantizeLinear", [y, scale, zero]), scale, zero])
    y = g.op("DequantizeLinear", [g.op("QuantizeLinear", [y, scale, zero]), scale, zero])
    ending(g, g.op("Relu", [y]), ["N", 4, 5, 5])
    # A constant that is quantised.
    c = g.op("DequantizeLinear", [g.op("QuantizeLinear", [rng_const(g, 4, 1, 1), scale, zero]), scale, zero])
    ending(g, g.op("Add", [y, c]), ["N", 4, 5, 5])


@trap("versions", (0,), (1,))
def empty_tensors(g, axis):
    x = g.input("x", ["N", 3])
    none = g.const(np.zeros((0, 3) if axis == 0 else (1, 0), F32))
    if axis == 0:
        ending(g, g.op("Concat", [x, none, x], axis=0), [None, 3])
        ending(g, g.op("ReduceSum", [none, ints(g, 0)]), [1, 3])
        ending(g, g.op("Add", [x, g.op("ReduceSum", [none, ints(g, 0)])]), ["N", 3])
        ending(g, g.op("Reshape", [none, ints(g, 0, 3)]), [0, 3])
    else:
        ending(g, g.op("MatMul", [g.input("y", ["N", 0]), g.const(np.zeros((0, 4), F32))]), ["N", 4])
        ending(g, g.op("Expand", [none, ints(g, 3, 1)]), [3, 0])
        ending(g, g.slice(x, [2], [1], [1]), ["N", 0])
        ending(g, g.op("Concat", [g.slice(x, [3], [3], [1]), x], axis=1), ["N", 3])
        ending(g, g.pad(g.slice(x, [3], [INT_MAX], [1]), [0, 1, 0, 1], 2.0), ["N", 2])
    return [{"x": np.ones((n, 3), F32), **({"y": np.zeros((n, 0), F32)} if axis else {})} for n in (1, 2)]


@trap("versions", (1,), (0,))
def stacked_of_one_round(g, trips):
    x = g.input("x", ["N"])
    body = g.body()
    count, condition, state = body.input("i", [], I64), body.input("c", [], bool), body.input("s", ["N"])
    body.output(body.op("Identity", [condition]), [], bool)
    new = body.op("Tanh", [state])
    body.output(new, ["N"])
    # Stacked are the state, what comes in, and the number of the round.
    body.output(body.op("Identity", [state]), ["N"])
    body.output(body.op("Identity", [count]), [], I64)
    body.output(body.op("Constant", [], value_float=2.0), [])
    results = g.op("Loop", [g.const(np.array(trips, I64)), g.const(np.array(True)), x], 4, body=body.graph("body"))
    for name, shape, dtype in zip(results, (["N"], [trips, "N"], [trips], [trips]), (F32, F32, I64, F32)):
        ending(g, name, shape, dtype)


@trap("versions")
def sequences(g):
    x, flag = g.input("x", ["N", 4]), g.input("flag", [], bool)
    parts = g.op("SplitToSequence", [x, ints(g, 2, 2)], axis=1)
    same = g.op("Identity", [parts])
    ending(g, g.op("ConcatFromSequence", [same], axis=1), ["N", 4])
    ending(g, g.op("SequenceAt", [parts, g.const(np.array(-1, I64))]), ["N", 2])
    ending(g, g.op("Add", [g.op("SequenceAt", [g.op("SequenceConstruct", [x]), g.const(np.array(0, I64))]), x]), ["N", 4])
    g.output(choice(g, flag, lambda b: b.op("Identity", [x]), lambda b: b.op("Neg", [x]), ["N", 4]), ["N", 4])


@trap("versions", (1.0, 1.0, 0, 0), (0.5, 2.0, 0, 1), (1.0, 1.0, 1, 0), (2.0, 0.0, 0, 0))
def gemm_around(g, alpha, beta, left, right):
    x = g.input("x", [4, 3] if left else [3, 4])
    names = {"alpha": alpha, "beta": beta, "transA": left, "transB": right}
    shape = (5, 4) if right else (4, 5)
    for bias in ([5], [1, 5], [3, 5], [3, 1], [], [1]):
        y = g.op("Mul", [apart(g, x), g.const(F32(1.5))])
        y = g.op("Gemm", [y, rng_const(g, *shape), rng_const(g, *bias)], **names)
        ending(g, g.op("Sub", [y, rng_const(g, 5, seed=7)]), [3, 5])
    y = g.op("Add", [apart(g, x), rng_const(g, 1, seed=8)])
    ending(g, g.op("Div", [g.op("Gemm", [y, rng_const(g, *shape)], **names), rng_const(g, 5, seed=9, scale=0.6)]), [3, 5])


@trap("versions")
def casts_like(g):
    g.opset = 15
    x, half = g.input("x", ["N"]), g.input("half", ["N"], F16)
    ending(g, g.op("CastLike", [x, g.input("like", [1])]), ["N"])
    ending(g, g.op("CastLike", [g.op("CastLike", [x, half]), x]), ["N"])
    ending(g, g.op("Cast", [g.op("Cast", [half], to=TensorProto.FLOAT)], to=TensorProto.FLOAT16), ["N"], F16)
    ending(g, g.op("Trilu", [g.op("Unsqueeze", [x, ints(g, 0)])]), [1, "N"])


@trap("versions", (7,), (13,))
def softmax_of_one(g, opset):
    # 1 everywhere, but not where the number is NaN; before 13 over all axes from `axis`.
    g.opset = opset
    x = g.input("x", [3, 1, 2])
    for axis in (1, 2, 0):
        ending(g, g.op("Softmax", [x], axis=axis), [3, 1, 2])
        ending(g, g.op("LogSoftmax", [g.op("LogSoftmax", [x], axis=axis)], axis=axis), [3, 1, 2])


@trap("versions")
def same_padding(g):
    """A convolution that works its padding out from its input, behind something that changes the input's size."""
    x = g.input("x", ["N", 2, 7, 6])
    for window in ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, {"auto_pad": "SAME_LOWER", "strides": [2, 1]},
                   {"auto_pad": "VALID"}, {"auto_pad": "NOTSET", "pads": [1, 0, 0, 1]}):  # fmt: skip
        y = g.pad(apart(g, x), [0, 0, 1, 0, 0, 0, 0, 1])
        ending(g, g.op("Conv", [y, rng_const(g, 3, 2, 3, 3)], **window), [None] * 4)
        y = g.op("Add", [apart(g, x), rng_const(g, 2, 1, 1)])
        ending(g, g.op("Conv", [y, rng_const(g, 3, 2, 3, 3)], **window), [None] * 4)
        y = g.op("Add", [apart(g, x), rng_const(g, 2, 1, 1)])
        ending(g, g.op("ConvTranspose", [y, rng_const(g, 2, 2, 3, 3)], **window), [None] * 4)
