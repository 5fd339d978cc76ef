"""Operators that move elements, and reductions."""
import numpy as np
from traps.trap import F32, I32, INT_MAX, apart, ending, ints, trap


@trap("layout", ([2, 3, 4], [0, 0, 0]), ([2, 3, 4], [0, -1]), ([2, 3, 4], [-1]), ([2, 3, 4], [4, 0, 2]), ([2, 3, 4], [2, 3, 4]),
      ([2, 0, 4], [0, 0, 4]), ([1, 3, 1], [3]), ([1], [1, 1]), ([], [1]), ([1], []))  # fmt: skip
def reshapes(g, shape, target):
    x = g.input("x", shape)
    ending(g, g.op("Reshape", [x, ints(g, *target)]), [None] * len(target))
    y = g.op("Relu", [x])
    if shape and shape[0] == 2 and 0 not in shape:
        # 0 means another size behind another reshape.
        z = g.op("Reshape", [g.op("Reshape", [y, ints(g, 4, 3, 2)]), ints(g, 0, -1)])
        ending(g, z, [4, 6])
        ending(g, g.op("Reshape", [g.op("Flatten", [y], axis=2), ints(g, 3, 0, -1)]), [3, 4, 2])


@trap("layout")
def reshape_to_nothing(g):
    x = g.input("x", [0, 3])
    ending(g, g.op("Reshape", [x, ints(g, 3, 0)], allowzero=1), [3, 0])
    ending(g, g.op("Reshape", [g.op("Reshape", [x, ints(g, 5, 0)], allowzero=1), ints(g, 0, 2, 0)], allowzero=1), [0, 2, 0])
    ending(g, g.op("Reshape", [x, ints(g, 0, 3)]), [0, 3])
    return [{"x": np.zeros((0, 3), F32)}]


@trap("layout")
def reshape_of_free_sizes(g):
    x = g.input("x", ["N", "M", 4])
    # The same twice is no reason to drop it: N and M may be exchanged.
    ending(g, g.op("Reshape", [x, ints(g, -1, 4)]), [None, 4])
    ending(g, g.op("Reshape", [x, ints(g, 0, 0, -1)]), ["N", "M", 4])
    shape = g.op("Shape", [x])
    swapped = g.op("Gather", [shape, ints(g, 1, 0, 2)], axis=0)
    ending(g, g.op("Reshape", [x, swapped]), ["M", "N", 4])
    ending(g, g.op("Reshape", [x, shape]), ["N", "M", 4])
    ending(g, g.op("Reshape", [g.op("Transpose", [x], perm=[1, 0, 2]), shape]), ["N", "M", 4])
    joined = g.op("Concat", [g.slice(shape, [0], [1]), ints(g, -1)], axis=0)
    ending(g, g.op("Reshape", [x, joined]), ["N", None])
    joined = g.op("Concat", [g.slice(shape, [1], [2]), ints(g, -1)], axis=0)
    ending(g, g.op("Reshape", [x, joined]), ["M", None])
    doubled = g.op("Concat", [g.op("Mul", [g.slice(shape, [0], [1]), ints(g, 2)]), ints(g, -1)], axis=0)
    ending(g, g.op("Reshape", [x, doubled]), [None, None])
    rng = np.random.default_rng(0)
    return [{"x": rng.standard_normal((n, m, 4)).astype(F32)} for n, m in ((1, 1), (2, 3), (3, 2), (4, 1))]


@trap("layout")
def sizes_of_one_name(g):
    # Nothing says that unnamed sizes are equal.
    x, y = g.input("x", [None, None]), g.input("y", [None, None])
    ending(g, g.op("Reshape", [x, g.op("Shape", [y])]), [None, None])
    ending(g, g.op("Expand", [g.slice(x, [0], [1], [0]), g.op("Shape", [y])]), [None, None])
    return [{"x": np.ones((2, 3), F32), "y": np.ones((3, 2) if k else (2, 3), F32)} for k in (0,)] + [
        {"x": np.arange(4, dtype=F32).reshape(4, 1), "y": np.ones((2, 2), F32)}
    ]


@trap("layout", ([0, 1, 2], [0, 1, 2]), ([1, 2, 0], [2, 0, 1]), ([1, 2, 0], [1, 2, 0]), ([0, 2, 1], [0, 2, 1]),
      ([2, 1, 0], None), (None, None), (None, [1, 0, 2]))  # fmt: skip
def transposes(g, first, second):
    x = g.input("x", ["N", 3, 4])
    y = g.op("Transpose", [g.op("Transpose", [x], perm=first)], perm=second)
    ending(g, y, [None] * 3)
    z = g.op("Transpose", [g.op("Relu", [g.op("Transpose", [x], perm=first)])], perm=second)
    ending(g, z, [None] * 3)


@trap("layout")
def transposes_of_small_ranks(g):
    for shape in ([], [3], [1, "N"], ["N", 1, 1]):
        x = g.input(f"x{len(shape)}", shape)
        ending(g, g.op("Transpose", [x]), shape[::-1])
    # Of size 1 everywhere but once: the order does not matter, the shape does.
    y = g.op("Transpose", [g.input("y", [1, 4, 1])], perm=[1, 0, 2])
    ending(g, y, [4, 1, 1])


SLICES = [([0], [INT_MAX], [0], None), ([0], [INT_MAX], [1], [1]), ([-INT_MAX], [INT_MAX], [1], None), ([0], [6], [1], None),
          ([0], [7], [1], None), ([0], [-1], [1], None), ([-1], [-INT_MAX], [1], [-1]), ([5], [0], [1], [-1]),
          ([1, 2], [3, 5], [0, 1], None), ([2, 0], [5, 2], [1, 0], [2, 1]), ([3], [3], [1], None), ([-3], [-1], [-1], None),
          ([0, 0], [INT_MAX, INT_MAX], None, None), ([1], [5], [1], [3])]  # fmt: skip


@trap("layout", *[(i,) for i in range(len(SLICES))])
def slices(g, number):
    x = g.input("x", [4, 6])
    for other in SLICES:
        once = g.slice(apart(g, x), *SLICES[number])
        ending(g, g.slice(once, *other), [None, None])
    ending(g, once, [None, None])


@trap("layout")
def slices_of_free_sizes(g):
    x = g.input("x", ["N", 5])
    for starts, ends in (([0], [INT_MAX]), ([0], [2]), ([-1], [INT_MAX]), ([0], [-1]), ([1], [3])):
        ending(g, g.slice(x, starts, ends, [0]), [None, 5])
        for second in (([0], [1]), ([-2], [INT_MAX]), ([1], [-1])):
            ending(g, g.slice(g.slice(apart(g, x), starts, ends, [0]), *second, [0]), [None, 5])
    ending(g, g.op("Slice", [x, ints(g, 0, 0), g.op("Shape", [x])]), ["N", 5])


@trap("layout")
def concats(g):
    x, y = g.input("x", ["N", 3]), g.input("y", ["N", 2])
    def inner():
        return g.op("Concat", [apart(g, x), y], axis=1)

    ending(g, g.op("Concat", [inner(), x], axis=-1), ["N", 8])
    ending(g, g.op("Concat", [x, inner(), inner(), y], axis=1), ["N", 15])
    ending(g, g.op("Concat", [inner(), inner()], axis=0), [None, 5])
    whole = inner()
    ending(g, g.op("Concat", [whole, whole], axis=1), ["N", 10])
    ending(g, g.op("Concat", [g.op("Concat", [x, x], axis=0), g.op("Concat", [x, x], axis=0)], axis=1), [None, 6])
    ending(g, g.op("Concat", [x], axis=1), ["N", 3])
    ending(g, g.op("Concat", [x, g.const(np.zeros((0, 3), F32))], axis=0), ["N", 3])
    # The parts of a split in their order are the whole, in another order they are not.
    a, b = g.split(whole, [3, 2], 1)
    ending(g, g.op("Concat", [a, b], axis=1), ["N", 5])
    ending(g, g.op("Concat", [b, a], axis=1), ["N", 5])


@trap("layout")
def splits(g):
    x = g.input("x", ["N", 6])
    ending(g, g.op("Split", [x], axis=1), ["N", 6])
    ending(g, g.op("Split", [x, ints(g, 6)], axis=1), ["N", 6])
    a, b, c = g.split(x, [0, 6, 0], 1)
    for name, size in ((a, 0), (b, 6), (c, 0)):
        ending(g, name, ["N", size])


@trap("layout")
def squeezes(g):
    x = g.input("x", ["N", 1, 3, 1])
    # The N may be 1: squeezing all is not squeezing these.
    def squeezed(axes):
        return g.squeeze(apart(g, x), axes)

    def unsqueezed(axes):
        return g.unsqueeze(apart(g, x), axes)

    for axes in ([0], [1], [-1]):
        ending(g, g.squeeze(unsqueezed([0]), [0]), ["N", 1, 3, 1])
        ending(g, g.unsqueeze(squeezed([1]), axes), [None] * 4)
        ending(g, g.unsqueeze(squeezed([1, 3]), axes), [None] * 3)
        ending(g, g.unsqueeze(unsqueezed([1]), axes), [None] * 6)
        ending(g, g.unsqueeze(unsqueezed([0, -1]), [1, *axes] if axes != [1] else [0, 1]), [None] * 8)
    ending(g, g.squeeze(unsqueezed([0, 2]), [0]), [None] * 5)
    ending(g, g.squeeze(unsqueezed([0, 2]), [2, -1]), [None] * 4)
    ending(g, g.squeeze(squeezed([1]), [2]), ["N", 3])
    ending(g, g.squeeze(squeezed([-1]), [-2]), ["N", 3])
    flat = g.op("Reshape", [x, ints(g, -1, 3)])
    ending(g, g.squeeze(g.unsqueeze(flat, [2]), [2]), [None, 3])
    ending(g, g.squeeze(g.input("one", [1, 1])), [])


@trap("layout")
def expands(g):
    x, one = g.input("x", ["N", 3]), g.input("one", [1, 3])
    for target in ([1], [3], [1, 1], [1, 3], [1, 1, 3], [2, 1, 1]):
        ending(g, g.op("Expand", [x, ints(g, *target)]), [None] * max(2, len(target)))
        ending(g, g.op("Expand", [one, ints(g, *target)]), [None] * max(2, len(target)))
    ending(g, g.op("Expand", [one, ints(g, 4, 1)]), [4, 3])
    ending(g, g.op("Expand", [one, g.op("Shape", [x])]), ["N", 3])
    ending(g, g.op("Expand", [x, g.op("Shape", [x])]), ["N", 3])
    ending(g, g.op("Expand", [g.op("Expand", [one, ints(g, 2, 3)]), ints(g, 2, 2, 1)]), [2, 2, 3])
    for repeats in ([1, 1], [1, 2], [2, 1]):
        ending(g, g.op("Tile", [x, ints(g, *repeats)]), [None, None])


@trap("layout", ("nearest", "asymmetric"), ("linear", "half_pixel"), ("linear", "align_corners"), ("cubic", "half_pixel"))
def resizes(g, mode, coordinates):
    x = g.input("x", [1, 2, 4, 4])
    for scales in ([1, 1, 1, 1], [1, 1, 2, 2], [1, 1, 1, 1.1]):
        y = g.op("Resize", [x, None, g.const(np.array(scales, F32))], mode=mode, coordinate_transformation_mode=coordinates)
        ending(g, y, [None] * 4)
    for sizes in ([1, 2, 4, 4], [1, 2, 5, 3]):
        y = g.op("Resize", [x, None, None, ints(g, *sizes)], mode=mode, coordinate_transformation_mode=coordinates)
        ending(g, y, [None] * 4)


@trap("layout")
def resize_that_crops(g):
    x = g.input("x", [1, 1, 4, 4])
    roi = g.const(np.array([0, 0, 0.2, 0.2, 1, 1, 0.8, 0.8], F32))
    y = g.op("Resize", [x, roi, g.const(np.ones(4, F32))], mode="linear", coordinate_transformation_mode="tf_crop_and_resize")
    ending(g, y, [1, 1, 4, 4])


REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
              "ReduceLogSum", "ReduceLogSumExp"]  # fmt: skip


@trap("layout", *[(kind,) for kind in REDUCTIONS], opset=18)
def reductions(g, kind):
    x = g.op("Abs", [g.input("x", ["N", 1, 4, 3])])
    # Over size 1: only some give what they get.
    ending(g, g.op(kind, [x, ints(g, 1)], keepdims=1), ["N", 1, 4, 3])
    ending(g, g.op(kind, [x, ints(g, 1)], keepdims=0), ["N", 4, 3])
    ending(g, g.op(kind, [x]), [1, 1, 1, 1])
    if kind in REDUCTIONS[:4]:
        ending(g, g.op(kind, [x], noop_with_empty_axes=1), ["N", 1, 4, 3])
        ending(g, g.op(kind, [x, ints(g)], noop_with_empty_axes=1, keepdims=0), ["N", 1, 4, 3])
    for keep in (0, 1):
        for other in (kind, "ReduceMax"):
            for axis in (0, 1, -1):
                inner = g.op(kind, [apart(g, x), ints(g, 2)], keepdims=keep)
                ending(g, g.op(other, [inner, ints(g, axis)], keepdims=1 - keep), None)


@trap("layout", ("ReduceSum",), ("ReduceMean",), ("ReduceMax",), opset=13)
def reductions_of_integers(g, kind):
    x = g.input("x", ["N", 2, 3], I32)
    y = g.op("Neg", [x])
    ending(g, g.reduce(kind, g.reduce(kind, x, [1], 1), [2], 1), ["N", 1, 1], I32)
    ending(g, g.reduce(kind, g.reduce(kind, y, [1], 1), [-1], 0), ["N", 1], I32)
