"""What stands around convolutions, matrix products and BatchNormalization."""
import numpy as np
from traps.trap import F16, F32, F64, I32, I64, apart, choice, ending, rng_const, trap

AFTER = [(op, shape, swapped) for op in ("Mul", "Add", "Sub", "Div") for shape in (
    [], [1], [4, 1, 1], [1, 4, 1, 1], [4], [1, 1, 4], [4, 4], [4, 4, 4], [1, 1, 4, 1, 1], [2, 4, 1, 1], [1, 1, 1, 1]
) for swapped in (False, True)]  # fmt: skip


@trap("layers", *AFTER)
def conv_then(g, op, shape, swapped):
    # 4 channels and 4 columns: only by its place can a constant be told to be one of channels.
    x = g.input("x", [1, 3, 4, 4])
    y = g.op("Conv", [x, rng_const(g, 4, 3, 1, 1), rng_const(g, 4, seed=1)])
    inputs = [y, rng_const(g, *shape, seed=2, scale=0.6)]
    y = g.op(op, inputs[::-1] if swapped else inputs)
    ending(g, y, list(np.broadcast_shapes((1, 4, 4, 4), shape)))


@trap("layers", *AFTER[::3])
def conv_transpose_then(g, op, shape, swapped):
    x = g.input("x", [1, 2, 3, 3])
    y = g.op("ConvTranspose", [x, rng_const(g, 2, 2, 2, 2)], group=2)  # 4 channels, 4 columns
    inputs = [y, rng_const(g, *shape, seed=2, scale=0.6)]
    y = g.op(op, inputs[::-1] if swapped else inputs)
    ending(g, y, list(np.broadcast_shapes((1, 4, 4, 4), shape)))


@trap("layers", *[(op, shape, swapped) for op in ("Mul", "Add", "Sub", "Div") for shape in (
    [], [1], [4], [1, 4], [4, 1], [4, 4], [1, 1, 4], [3, 4, 4], [1, 1, 1]) for swapped in (False, True)])  # fmt: skip
def mat_mul_then(g, op, shape, swapped):
    x = g.input("x", [4, 3])
    y = g.op("MatMul", [x, rng_const(g, 3, 4)])
    inputs = [y, rng_const(g, *shape, seed=2, scale=0.6)]
    ending(g, g.op(op, inputs[::-1] if swapped else inputs), list(np.broadcast_shapes((4, 4), shape)))


@trap("layers", *[(op, shape, beta) for op in ("Mul", "Add", "Div") for shape in ([], [4], [4, 1], [1, 1, 4])
                  for beta in (1.0, 2.0, 0.0)])  # fmt: skip
def gemm_then(g, op, shape, beta):
    x = g.input("x", [3, 4])
    y = g.op("Gemm", [x, rng_const(g, 4, 3), rng_const(g, 4, 1, seed=1)], transA=1, transB=1, alpha=0.5, beta=beta)
    ending(g, g.op(op, [y, rng_const(g, *shape, seed=2, scale=0.6)]), list(np.broadcast_shapes((4, 4), shape)))


@trap("layers", ([3], [3, 4]), ([3], [3]), ([2, 3], [3]), ([2, 2, 3], [3, 4]), ([2, 3], [2, 3, 4]), ([3], [2, 3, 4]))
def mat_mul_of_ranks(g, left, right):
    x = g.input("x", left)
    y = g.op("MatMul", [x, rng_const(g, *right)])
    shape = list((np.zeros(left) @ np.zeros(right)).shape)
    ending(g, g.op("Add", [y, rng_const(g, *(shape[-1:] or [1]), seed=1)]), shape or [1])


@trap("layers")
def mat_mul_add_that_is_no_bias(g):
    x, y, w = g.input("x", ["N", 3]), g.input("y", ["N", 4]), rng_const(g, 3, 4)
    product = g.op("MatMul", [x, w])
    ending(g, g.op("Add", [product, y]), ["N", 4])
    ending(g, g.op("Add", [product, product]), ["N", 4])
    ending(g, g.op("Add", [product, g.input("z", [1])]), ["N", 4])
    ending(g, g.op("Add", [g.op("MatMul", [x, g.op("Transpose", [g.input("v", [4, 3])])]), rng_const(g, 4)]), ["N", 4])
    # Whose rank grows by the bias.
    ending(g, g.op("Add", [g.op("MatMul", [x, w]), rng_const(g, 2, 1, 4)]), [2, "N", 4])


@trap("layers", (I32,), (I64,), (F64,), (F16,))
def mat_mul_add_of(g, dtype):
    x = g.input("x", ["N", 3], dtype)
    w, b = (g.const(np.arange(size).reshape(shape).astype(dtype)) for size, shape in ((12, (3, 4)), (4, (4,))))
    ending(g, g.op("Add", [g.op("MatMul", [x, w]), b]), ["N", 4], dtype)


@trap("layers", (0, 0.0), (1, 0.0), (0, 2.0), (1, 2.0))
def affine_before_conv(g, padding, bias):
    # Where the convolution pads, what is added does not reach the border.
    x = g.input("x", ["N", 3, 5, 5])
    size = 3 + 2 * padding
    for window, extent in (({"pads": [padding] * 4}, size), ({"auto_pad": "SAME_UPPER"}, 5), ({"auto_pad": "VALID"}, 3)):
        y = g.op("Mul", [apart(g, x), rng_const(g, 3, 1, 1, seed=4, scale=0.6)])
        y = g.op("Add", [y, g.const(np.full([1, 3, 1, 1], bias, F32))])
        ending(g, g.op("Conv", [y, rng_const(g, 4, 3, 3, 3)], **window), ["N", 4, extent, extent])


@trap("layers", ([3, 1, 1],), ([1, 5],), ([5, 1],), ([1],), ([],), ([2, 1, 1, 1],), ([5],))
def constant_before_conv(g, shape):
    x = g.input("x", [2, 3, 5, 5])
    for op in ("Mul", "Add", "Sub", "Div"):
        for kind, weight, attributes, result in (
            ("Conv", (4, 3, 3, 3), {}, [2, 4, 3, 3]), ("Conv", (6, 1, 3, 3), {"group": 3}, [2, 6, 3, 3]),
            ("ConvTranspose", (3, 2, 2, 2), {"strides": [2, 2]}, [2, 2, 10, 10]),
            ("MatMul", (5, 4), {}, [2, 3, 5, 4])):  # fmt: skip
            for swapped in (False, True):
                inputs = [apart(g, x), rng_const(g, *shape, seed=4, scale=0.6)]
                # A number near zero below the line makes any rounding large.
                if swapped and op == "Div":
                    inputs[0] = g.op("Exp", [g.op("Tanh", [inputs[0]])])
                y = g.op(op, inputs[::-1] if swapped else inputs)
                ending(g, g.op(kind, [y, rng_const(g, *weight)], **attributes), result)


@trap("layers")
def pools_of_one(g):
    x = g.input("x", ["N", 2, 5, 5])
    for kind in ("MaxPool", "AveragePool"):
        ending(g, g.op(kind, [x], kernel_shape=[1, 1]), ["N", 2, 5, 5])
        ending(g, g.op(kind, [x], kernel_shape=[1, 1], strides=[2, 2]), ["N", 2, 3, 3])
    ending(g, g.op("AveragePool", [x], kernel_shape=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1), ["N", 2, 6, 6])
    ending(g, g.op("LpPool", [g.op("Neg", [x])], kernel_shape=[1, 1]), ["N", 2, 5, 5])
    one = g.input("one", ["N", 2, 1, 1])
    for kind in ("GlobalAveragePool", "GlobalMaxPool"):
        ending(g, g.op(kind, [one]), ["N", 2, 1, 1])
    ending(g, g.op("MaxPool", [one], 2, kernel_shape=[1, 1])[1], ["N", 2, 1, 1], I64)


@trap("layers", (2,), (3,), (4,), (5,))
def batch_norm_alone(g, rank):
    shape = ["N", 3, 4, 2, 2][:rank]
    x = g.input("x", shape)
    parameters = [rng_const(g, 3, seed=i) for i in range(3)] + [g.const(np.array([0.5, 1, 2], F32))]
    ending(g, g.op("BatchNormalization", [x, *parameters], epsilon=0.01), shape)
    ending(g, g.op("BatchNormalization", [g.op("Relu", [x]), *parameters]), shape)


@trap("layers")
def batch_norm_in_training(g):
    x = g.input("x", ["N", 3, 4])
    parameters = [rng_const(g, 3, seed=i) for i in range(3)] + [g.const(np.array([0.5, 1, 2], F32))]
    names = g.op("BatchNormalization", [x, *parameters], 3, training_mode=1)
    for name, shape in zip(names, (["N", 3, 4], [3], [3])):
        g.output(name, shape)


@trap("layers")
def batch_norm_with_parameters_of_run_time(g):
    x = g.input("x", ["N", 3, 4])
    parameters = [g.input("scale", [3]), *(rng_const(g, 3, seed=i) for i in range(2)), g.const(np.array([0.5, 1, 2], F32))]
    y = g.op("Conv", [x, rng_const(g, 3, 3, 1)])
    ending(g, g.op("BatchNormalization", [y, *parameters]), ["N", 3, 4])


@trap("layers")
def results_that_are_needed(g):
    """What follows a layer may only go into it when nobody else reads the layer's result."""
    x = g.input("x", ["N", 3, 4, 4])
    scale = rng_const(g, 4, 1, 1, seed=5, scale=0.6)
    a = g.op("Conv", [x, rng_const(g, 4, 3, 1, 1)])
    g.output(g.op("Mul", [a, scale]), ["N", 4, 4, 4])
    g.output(g.op("Add", [a, scale]), ["N", 4, 4, 4])
    b = g.op("Conv", [x, rng_const(g, 4, 3, 1, 1, seed=2)], name="conv_is_output")
    g.output(b, ["N", 4, 4, 4])
    g.output(g.op("Mul", [b, scale]), ["N", 4, 4, 4])
    c = g.op("Conv", [x, rng_const(g, 4, 3, 1, 1, seed=3)])
    g.output(g.op("Mul", [c, c]), ["N", 4, 4, 4])
    # A body reads it as well.
    d = g.op("Conv", [x, rng_const(g, 4, 3, 1, 1, seed=4)])
    g.output(g.op("Mul", [d, scale]), ["N", 4, 4, 4])
    flag = g.input("flag", [], bool)
    g.output(choice(g, flag, lambda h: h.op("Neg", [d]), lambda h: h.op("Tanh", [d]), ["N", 4, 4, 4]), ["N", 4, 4, 4])


@trap("layers")
def weights_of_run_time(g):
    x, w = g.input("x", ["N", 3, 4, 4]), g.input("w", [4, 3, 1, 1])
    y = g.op("Mul", [g.op("Conv", [x, w]), rng_const(g, 4, 1, 1, scale=0.6)])
    ending(g, g.op("Add", [y, rng_const(g, 4, 1, 1)]), ["N", 4, 4, 4])
    z = g.op("Conv", [x, rng_const(g, 4, 3, 1, 1), g.input("b", [4])])
    ending(g, g.op("Mul", [z, rng_const(g, 4, 1, 1, scale=0.6)]), ["N", 4, 4, 4])


@trap("layers", (1,), (3,))
def conv_of_other_ranks(g, spatial):
    x = g.input("x", ["N", 3] + [4] * spatial)
    y = g.op("Conv", [x, rng_const(g, 6, 1, *[2] * spatial)], group=3)
    y = g.op("Mul", [y, rng_const(g, 6, *[1] * spatial, seed=3, scale=0.6)])
    y = g.op("BatchNormalization", [y, *(rng_const(g, 6, seed=i) for i in range(3)), g.const(np.full(6, 2, F32))])
    ending(g, y, ["N", 6] + [3] * spatial)


@trap("layers")
def half_precision(g):
    x = g.input("x", ["N", 3, 4, 4], F16)
    rng = np.random.default_rng(0)
    w, b, s = (g.const(rng.standard_normal(shape).astype(F16)) for shape in ((4, 3, 1, 1), (4,), (4, 1, 1)))
    y = g.op("Mul", [g.op("Conv", [x, w, b]), s])
    ending(g, g.op("Add", [y, s]), ["N", 4, 4, 4], F16)
    # 60000 times 2 is infinite in halves.
    large = g.op("Conv", [x, g.const(np.full((4, 3, 1, 1), 3e4, F16))])
    ending(g, g.op("Mul", [large, g.const(np.full((4, 1, 1), 2**-12, F16))]), ["N", 4, 4, 4], F16)
