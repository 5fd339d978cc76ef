"""Random nets, one function a family: family(rng, net) builds one and may say how many nodes should be left."""
import numpy as np

FAMILIES = {}


def family(passes, exact, opsets=(9, 11, 13, 18, 21)):
    def register(build):
        FAMILIES[build.__name__] = (build, passes, exact, opsets)
        return build

    return register


def values(rng, shape):
    return rng.standard_normal(shape).astype(np.float32)


def shape_of(rng, low, high, most=5):
    return [int(n) for n in rng.integers(1, most, rng.integers(low, high + 1))]


def some_axes(rng, rank, chance=0.3):
    return [i for i in range(rank) if rng.random() < chance]


def take(rng, options):
    return options[rng.integers(len(options))]


@family("merge-transposes", exact=True)
def transposes(rng, net):
    rank = int(rng.integers(1, 5))
    x = net.input(values(rng, shape_of(rng, rank, rank)))
    total = np.arange(rank)
    shared = 0
    steps = int(rng.integers(2, 5))
    for step in range(steps):
        perm = rng.permutation(rank)
        default = rng.random() < 0.2
        if default:
            perm = np.arange(rank)[::-1]
        x = net.op("Transpose", [x], perm=None if default else perm.tolist())
        total = total[perm]
        if step + 1 < steps and rng.random() < 0.2:
            net.output(net.op("Relu", [x]))
            shared += 1
    net.output(net.op("Neg", [x]))
    if not shared and total.tolist() != sorted(total):
        net.want = 2


def with_axes(net, op, x, axes, **attributes):
    if net.model.opset >= (13 if op in ("Squeeze", "Unsqueeze", "ReduceSum") else 18):
        return net.op(op, [x, net.ints(axes)], **attributes)
    return net.op(op, [x], axes=axes, **attributes)


@family("merge-squeezes", exact=True)
def squeezes(rng, net):
    array = values(rng, [int(rng.choice([1, 1, 3])) for _ in range(rng.integers(2, 5))])
    x = net.input(array, some_axes(rng, array.ndim) if rng.random() < 0.5 else ())
    for _ in range(rng.integers(2, 5)):
        ones = [i for i in range(array.ndim) if array.shape[i] == 1]
        negative = net.model.opset >= 11 and rng.random() < 0.3
        if ones and rng.random() < 0.5:
            axes = [int(a) for a in rng.choice(ones, rng.integers(1, len(ones) + 1), replace=False)]
            back = array.ndim
            array = np.squeeze(array, tuple(axes))
            op = "Squeeze"
        elif array.ndim < 6:
            rank = array.ndim + int(rng.integers(1, 3))
            axes = [int(a) for a in rng.choice(rank, rank - array.ndim, replace=False)]
            back = rank
            array = np.expand_dims(array, tuple(axes))
            op = "Unsqueeze"
        else:
            continue
        x = with_axes(net, op, x, [a - back for a in axes] if negative else axes)
    net.output(net.op("Neg", [x]))


def factors(rng, total, rank):
    shape = []
    for _ in range(rank - 1):
        divisors = [d for d in range(1, total + 1) if total % d == 0]
        shape.append(int(take(rng, divisors)))
        total //= shape[-1]
    shape.append(total)
    return [shape[i] for i in rng.permutation(rank)]


def reshape_to(rng, old, rank):
    """Extents for a Reshape of `old` with 0 and -1 among them, and what they come to."""
    shape = factors(rng, int(np.prod(old)), rank)
    text = list(shape)
    if rng.random() < 0.5:
        text[rng.integers(rank)] = -1
    for i in range(rank):
        if i < len(old) and old[i] == shape[i] and text[i] > 0 and rng.random() < 0.6:
            text[i] = 0
    return text, shape


@family("merge-reshapes", exact=True)
def reshapes(rng, net):
    shape = [int(take(rng, [1, 2, 3, 4])) for _ in range(rng.integers(1, 5))]
    x = net.input(values(rng, shape), [i for i in (0, 1) if i < len(shape) and rng.random() < 0.3])
    for _ in range(rng.integers(2, 5)):
        kind = take(rng, ["Reshape", "Reshape", "Flatten", "Unsqueeze", "Squeeze"])
        if kind == "Reshape":
            text, shape = reshape_to(rng, shape, int(rng.integers(1, 5)))
            if rng.random() < 0.3 and shape and net.model.opset >= 14:
                x = net.op("Reshape", [x, net.ints(shape)], allowzero=1)
            else:
                x = net.op("Reshape", [x, net.ints(text)])
        elif kind == "Flatten":
            axis = int(rng.integers(0, len(shape) + 1))
            x = net.op("Flatten", [x], axis=axis)
            shape = [int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))]
        elif kind == "Unsqueeze":
            axis = int(rng.integers(0, len(shape) + 1))
            x = with_axes(net, "Unsqueeze", x, [axis])
            shape.insert(axis, 1)
        elif 1 in shape:
            axis = shape.index(1)
            x = with_axes(net, "Squeeze", x, [axis])
            shape.pop(axis)
        if rng.random() < 0.15:
            net.output(net.op("Abs", [x]))
    net.output(net.op("Neg", [x]))


@family("merge-casts", exact=True)
def casts(rng, net):
    kinds = [np.bool_, np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16,
             np.float32, np.float64]
    if rng.random() < 0.4:
        # Every value, integers only: the low bits count.
        kinds = kinds[1:9]
        first = take(rng, kinds)
        limits = np.iinfo(first)
        array = rng.integers(limits.min, limits.max, 50, dtype=first, endpoint=True)
    else:
        # Values that every type holds or that only a float does.
        first = take(rng, kinds)
        array = rng.integers(0, 100, 50).astype(first)
        if first in (np.float16, np.float32, np.float64):
            array = (array + rng.random(50)).astype(first)
    x = net.input(array)
    for _ in range(rng.integers(2, 5)):
        x = net.op("Cast", [x], to=int(onnx_type(take(rng, kinds))))
    net.output(x)


def onnx_type(kind):
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(kind))


@family("merge-slices", exact=True)
def slices(rng, net):
    shape = shape_of(rng, 1, 3, 9)
    rank = len(shape)
    x = net.input(values(rng, shape), some_axes(rng, rank))
    for _ in range(rng.integers(2, 4)):
        count = int(rng.integers(1, rank + 1))
        axes = [int(a) for a in rng.choice(rank, count, replace=False)]
        steps = [int(take(rng, [1, 1, 2, 3, -1, -2])) for _ in axes]
        starts, ends = [], []
        for step in steps:
            start, end = int(rng.integers(-4, 5)), int(rng.integers(-9, 10))
            if rng.random() < 0.6:
                start, end = int(rng.integers(0, 3)), int(take(rng, [2, 4, 6, 2**63 - 1]))
            if step < 0:
                start, end = end if end != 2**63 - 1 else 2**31, int(take(rng, [0, 1, -9, -(2**31)]))
            starts.append(start)
            ends.append(end)
        if net.model.opset < 10:
            ends = [min(end, 2**31 - 1) for end in ends]
            x = net.op("Slice", [x], starts=starts, ends=ends, axes=axes)
        else:
            if rng.random() < 0.3:
                axes = [a - rank for a in axes]
            inputs = [x, net.ints(starts), net.ints(ends), net.ints(axes)]
            x = net.op("Slice", inputs + ([net.ints(steps)] if any(s != 1 for s in steps) else []))
            if any(s != 1 for s in steps):
                continue
    net.output(net.op("Neg", [x]))


def pad_op(rng, net, x, rank, amounts, mode="constant", value=0.0):
    if net.model.opset < 11:
        return net.op("Pad", [x], pads=amounts, mode=mode, value=value)
    inputs = [x, net.ints(amounts)]
    if mode == "constant" and (value != 0 or rng.random() < 0.5):
        inputs.append(net.constant(np.float32(value)))
    if net.model.opset >= 18 and rng.random() < 0.4:
        inputs += [""] * (3 - len(inputs)) + [net.ints([int(i) - rank for i in range(rank)])]
    return net.op("Pad", inputs, mode=mode)


@family("merge-pads", exact=True)
def pads(rng, net):
    shape = shape_of(rng, 1, 4)
    x = net.input(values(rng, shape), some_axes(rng, len(shape)))
    for _ in range(rng.integers(2, 4)):
        amounts = [int(n) for n in rng.integers(0, 3, 2 * len(shape))]
        if rng.random() < 0.1:
            amounts[0] = -1 if sum(amounts[:: len(shape)]) and shape[0] > 1 else 0
        mode = take(rng, ["constant", "constant", "constant", "edge"])
        x = pad_op(rng, net, x, len(shape), amounts, mode, take(rng, [0.0, 0.0, 1.5]))
    net.output(net.op("Neg", [x]))


@family("merge-concats", exact=True)
def concats(rng, net):
    rank = int(rng.integers(1, 4))

    def tree(depth, extents):
        if depth == 0 or rng.random() < 0.3:
            return net.input(values(rng, extents))
        axis = int(rng.integers(rank)) if rng.random() < 0.3 else rank - 1
        # Both halves need the same extents but along the axis.
        parts = [tree(depth - 1, extents) for _ in range(rng.integers(2, 4))] if axis == rank - 1 and depth < 2 else [
            net.input(values(rng, extents)) for _ in range(rng.integers(1, 4))]
        negative = rng.random() < 0.3
        return net.op("Concat", parts, axis=axis - rank if negative and net.model.opset >= 11 else axis)

    # Along the last axis, extents may differ.
    extents = [int(n) for n in rng.integers(1, 4, rank)]

    def along_last(depth):
        if depth == 0 or rng.random() < 0.3:
            return net.input(values(rng, extents[:-1] + [int(rng.integers(1, 4))]))
        parts = [along_last(depth - 1) for _ in range(rng.integers(1, 4))]
        if rng.random() < 0.1:
            parts.append(parts[0])
        x = net.op("Concat", parts, axis=rank - 1)
        if rng.random() < 0.1:
            net.output(net.op("Abs", [x]))
        return x

    net.output(net.op("Neg", [along_last(3)]))
    net.output(net.op("Neg", [tree(1, extents)]))


@family("merge-reduces", exact=False)
def reduces(rng, net):
    op = take(rng, ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                    "ReduceLogSumExp"])
    shape = shape_of(rng, 2, 4)
    integers = rng.random() < 0.2 and op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd")
    # Positive, lest a sum be small beside what was added.
    array = rng.integers(-9, 9, shape).astype(np.int32) if integers else np.abs(values(rng, shape)) + np.float32(0.5)
    x = net.input(array, some_axes(rng, len(shape)))
    rank = len(shape)
    keep = int(rng.integers(2))
    for _ in range(rng.integers(2, 4)):
        if rank == 0:
            break
        keep = keep if rng.random() < 0.7 else 1 - keep
        axes = [int(a) for a in rng.choice(rank, rng.integers(1, min(rank, 2) + 1), replace=False)]
        negative = net.model.opset >= 11 and rng.random() < 0.3
        x = with_axes(net, op, x, [a - rank for a in axes] if negative else axes, keepdims=keep)
        rank -= 0 if keep else len(axes)
    net.output(net.op("Neg", [x]))


@family("convert-batch-norm", exact=False)
def batch_norm(rng, net):
    rank = int(rng.integers(2, 6))
    shape = [2, int(rng.integers(1, 5))] + [3] * (rank - 2)
    x = net.op("Relu", [net.input(values(rng, shape), some_axes(rng, rank))])
    c = shape[1]
    parameters = [values(rng, [c]), values(rng, [c]), values(rng, [c]), rng.random(c).astype(np.float32) + 0.1]
    y = net.op("BatchNormalization", [x] + [net.constant(p) for p in parameters], epsilon=take(rng, [None, 1e-3]))
    net.output(y)
    net.want = 3


@family("convert-matmul-add", exact=False)
def matmul_add(rng, net):
    m, k, n = (int(v) for v in rng.integers(1, 5, 3))
    a = net.input(values(rng, [m, k]), [0] if rng.random() < 0.5 else ())
    b = net.input(values(rng, [k, n])) if rng.random() < 0.3 else net.constant(values(rng, [k, n]))
    shape = take(rng, [[n], [1, n], [1], [], [m, n], [m, 1], [2, m, n]])
    c = net.input(values(rng, shape)) if rng.random() < 0.3 else net.constant(values(rng, shape))
    product = net.op("MatMul", [a, b])
    net.output(net.op("Add", [product, c] if rng.random() < 0.5 else [c, product]))
    if rng.random() < 0.2:
        net.output(net.op("Neg", [product]))


def channel_constant(rng, net, channels, behind, rank):
    """Mostly one value a channel or one value; sometimes what does not fit."""
    shape = take(rng, [[], [1], [channels] + [1] * behind, [1, channels] + [1] * behind, [1] * rank])
    if rng.random() < 0.08:
        shape = [1] + [1, channels] + [1] * behind
    if rng.random() < 0.08:
        shape = [2, channels] + [1] * behind
    array = values(rng, shape)
    return net.constant(array + np.sign(array) * np.float32(0.3))


def affine(rng, net, x, channels, behind, rank):
    op = take(rng, ["Mul", "Add", "Sub", "Div"])
    c = channel_constant(rng, net, channels, behind, rank)
    reverse = rng.random() < 0.3 and op != "Div"
    return net.op(op, [c, x] if reverse else [x, c])


def layer(rng, net, x, cin, spatial, pads):
    """Any layer with constant weights on a value of `cin` channels; its result, channels, axes behind them, rank."""
    kind = take(rng, ["Conv", "ConvTranspose"]) if spatial else take(rng, ["Gemm", "MatMul"])
    if kind == "Gemm":
        n = int(rng.integers(1, 5))
        transposed = int(rng.integers(2))
        w = net.constant(values(rng, [n, cin] if transposed else [cin, n]))
        bias = values(rng, take(rng, [[n], [1, n], [1], [], [2, n]]))
        return net.op("Gemm", [x, w, net.constant(bias)], transB=transposed, alpha=take(rng, [None, 0.5]),
                      beta=take(rng, [None, 2.0])), n, 0, 2
    if kind == "MatMul":
        n = int(rng.integers(1, 5))
        return net.op("MatMul", [x, net.constant(values(rng, [cin, n]))]), n, 0, 2
    group = take(rng, [g for g in (1, 2, 3, cin) if cin % g == 0])
    cout = group * int(rng.integers(1, 4))
    first, second = (cout, cin // group) if kind == "Conv" else (cin, cout // group)
    inputs = [x, net.constant(values(rng, [first, second] + [int(rng.integers(1, 4)) for _ in range(spatial)]))]
    if rng.random() < 0.5:
        inputs.append(net.constant(values(rng, [cout])))
    attributes = {"group": group}
    if pads and rng.random() < 0.5:
        attributes["pads"] = [int(n) for n in rng.integers(0, 2, 2 * spatial)]
    elif kind == "Conv" and rng.random() < 0.4:
        attributes["auto_pad"] = take(rng, ["SAME_UPPER", "VALID"] if pads else ["VALID"])
    if rng.random() < 0.3:
        attributes["strides"] = [2] * spatial
    return net.op(kind, inputs, **attributes), cout, spatial, spatial + 2


@family("fuse-affine-after", exact=False)
def affine_after(rng, net):
    spatial = int(rng.integers(0, 4))
    cin = int(rng.integers(1, 7))
    shape = [2, cin] + [int(n) for n in rng.integers(4, 7, spatial)]
    x = net.input(values(rng, shape), some_axes(rng, len(shape)) if spatial == 0 else ())
    y, channels, behind, rank = layer(rng, net, x, cin, spatial, pads=True)
    for _ in range(rng.integers(1, 4)):
        y = affine(rng, net, y, channels, behind, rank)
        if rng.random() < 0.05:
            net.output(net.op("Neg", [y]))
    net.output(y)


@family("fuse-affine-before", exact=False)
def affine_before(rng, net):
    spatial = int(rng.integers(0, 4))
    cin = int(rng.integers(1, 7))
    shape = [2, cin] + [int(n) for n in rng.integers(4, 7, spatial)]
    x = net.input(values(rng, shape), [0] if rng.random() < 0.3 else ())
    for _ in range(rng.integers(1, 4)):
        x = affine(rng, net, x, cin, spatial, len(shape))
        if rng.random() < 0.05:
            net.output(net.op("Neg", [x]))
    net.output(layer(rng, net, x, cin, spatial, pads=True)[0])


@family("fuse-pad", exact=False)
def pad_into_layer(rng, net):
    spatial = int(rng.integers(1, 4))
    c = int(rng.integers(1, 4))
    kind = take(rng, ["Conv", "AveragePool", "MaxPool"])
    shape = [1, c] + [int(n) for n in rng.integers(4, 8, spatial)]
    x = net.input(values(rng, shape) - (5 if rng.random() < 0.5 else 0))
    amounts = [0, 0] + [int(n) for n in rng.integers(0, 3, spatial)] + [0, 0] + [int(n) for n in
                                                                               rng.integers(0, 3, spatial)]
    if rng.random() < 0.1:
        amounts[1] = 1
        c += 1
    mode = "constant" if rng.random() < 0.9 else "edge"
    value = take(rng, [0.0, 1.0, -np.inf] if kind == "MaxPool" else [0.0, 0.0, 0.0, 1.0])
    if net.model.opset < 11 and value == -np.inf:
        value = 0.0
    x = pad_op(rng, net, x, spatial + 2, amounts, mode, value)
    attributes = {"strides": [int(rng.integers(1, 3))] * spatial}
    kernel = [int(rng.integers(1, 4))] * spatial
    own = rng.random()
    if own < 0.3:
        attributes["pads"] = [min(k - 1, int(n)) for k, n in zip(kernel * 2, rng.integers(0, 2, 2 * spatial))]
    elif own < 0.5:
        attributes["auto_pad"] = take(rng, ["SAME_UPPER", "SAME_LOWER", "VALID"])
    if kind == "Conv":
        net.output(net.op("Conv", [x, net.constant(values(rng, [2, c] + kernel))], **attributes))
        return
    attributes["kernel_shape"] = kernel
    if kind == "AveragePool" and rng.random() < 0.5:
        attributes["count_include_pad"] = 1
    if net.model.opset >= 11 and rng.random() < 0.2:
        attributes["ceil_mode"] = 1
    net.output(net.op(kind, [x], **attributes))
