"""Networks of the kinds that people export, with random weights: each function makes (model, feeds)."""
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from builder import Graph, feed_of

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks" / "ptq"))
import make_model  # noqa: E402

INT_MAX = 2**63 - 1


class Weights:
    """Seeded weights that keep the size of activations."""

    def __init__(self, graph, seed=0):
        self.graph, self.rng = graph, np.random.default_rng(seed)

    def __call__(self, *shape, fan_in=None):
        fan_in = fan_in or int(np.prod(shape[1:]))
        return self.graph.const(self.rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(fan_in)))

    def bias(self, *shape):
        return self.graph.const(self.rng.standard_normal(shape, np.float32) * np.float32(0.1))


def classifier(network):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "net.onnx"
        make_model.make(network, path)
        model = onnx.load(path)
    return model, [{"image": make_model.images(count, seed=count)} for count in (1, 2)]


def resnet50():
    return classifier("resnet50")


def mobilenetv2():
    return classifier("mobilenetv2")


def dimension(graph, x, axis):
    """The size of an axis as a [1] tensor, the way tracing exporters write it."""
    number = graph.op("Gather", [graph.op("Shape", [x]), graph.constant_node(np.array(axis, np.int64))], axis=0)
    return graph.unsqueeze(number, [0])


def ints(graph, *numbers):
    return graph.constant_node(np.array(numbers, np.int64))


def layer_norm(graph, weights, x, width):
    centred = graph.op("Sub", [x, graph.reduce("ReduceMean", x, [-1])])
    squared = graph.op("Pow", [centred, graph.constant_node(np.float32(2))])
    variance = graph.op("Add", [graph.reduce("ReduceMean", squared, [-1]), graph.constant_node(np.float32(1e-5))])
    normed = graph.op("Div", [centred, graph.op("Sqrt", [variance])])
    scaled = graph.op("Mul", [normed, graph.const(1 + 0.1 * weights.rng.standard_normal(width).astype(np.float32))])
    return graph.op("Add", [scaled, weights.bias(width)])


def linear(graph, weights, x, inputs, outputs):
    return graph.op("Add", [weights.bias(outputs), graph.op("MatMul", [x, weights(inputs, outputs, fan_in=inputs)])])


def vit_block():
    """Patches, one attention block with its layers written out, a GELU, and the class token's head; any batch."""
    width, heads, tokens = 48, 4, 16
    graph = Graph(17)
    weights = Weights(graph)
    image = graph.input("image", ["batch", 3, 32, 32])
    x = graph.op("Conv", [image, weights(width, 3, 8, 8), weights.bias(width)], kernel_shape=[8, 8], strides=[8, 8])
    shape = graph.op("Concat", [dimension(graph, x, 0), dimension(graph, x, 1), ints(graph, -1)], axis=0)
    x = graph.op("Transpose", [graph.op("Reshape", [x, shape])], perm=[0, 2, 1])
    token = graph.const(weights.rng.standard_normal((1, 1, width)).astype(np.float32))
    shape = graph.op("Concat", [dimension(graph, x, 0), ints(graph, -1), ints(graph, -1)], axis=0)
    # -1 keeps a size: PyTorch's expand, as its exporter writes it.
    minus = graph.op("Mul", [graph.op("ConstantOfShape", [ints(graph, 3)], value=onnx.numpy_helper.from_array(
        np.array([1], np.int64))), graph.constant_node(np.array(-1, np.int64))])  # fmt: skip
    ones = graph.op("ConstantOfShape", [ints(graph, 3)], value=onnx.numpy_helper.from_array(np.array([1], np.int64)))
    shape = graph.op("Where", [graph.op("Equal", [shape, minus]), ones, shape])
    x = graph.op("Concat", [graph.op("Expand", [token, shape]), x], axis=1)
    x = graph.op("Add", [x, graph.const(weights.rng.standard_normal((1, tokens + 1, width)).astype(np.float32))])
    x = graph.op("Dropout", [x])

    y = layer_norm(graph, weights, x, width)
    qkv = linear(graph, weights, y, width, 3 * width)
    shape = graph.op("Concat", [dimension(graph, y, 0), dimension(graph, y, 1), ints(graph, 3), ints(graph, heads),
                                ints(graph, width // heads)], axis=0)  # fmt: skip
    qkv = graph.op("Transpose", [graph.op("Reshape", [qkv, shape])], perm=[2, 0, 3, 1, 4])
    parts = [graph.op("Gather", [qkv, graph.constant_node(np.array(i, np.int64))], axis=0) for i in range(3)]
    query = graph.op("Mul", [parts[0], graph.constant_node(np.float32((width // heads) ** -0.5))])
    scores = graph.op("MatMul", [query, graph.op("Transpose", [parts[1]], perm=[0, 1, 3, 2])])
    attention = graph.op("Dropout", [graph.op("Softmax", [scores], axis=-1)])
    mixed = graph.op("Transpose", [graph.op("MatMul", [attention, parts[2]])], perm=[0, 2, 1, 3])
    shape = graph.op("Concat", [dimension(graph, y, 0), dimension(graph, y, 1), ints(graph, width)], axis=0)
    x = graph.op("Add", [x, linear(graph, weights, graph.op("Reshape", [mixed, shape]), width, width)])

    y = linear(graph, weights, layer_norm(graph, weights, x, width), width, 4 * width)
    half = graph.op("Div", [y, graph.constant_node(np.float32(np.sqrt(2)))])
    bell = graph.op("Add", [graph.op("Erf", [half]), graph.constant_node(np.float32(1))])
    y = graph.op("Mul", [graph.op("Mul", [y, bell]), graph.constant_node(np.float32(0.5))])
    x = graph.op("Add", [x, linear(graph, weights, y, 4 * width, width)])
    first = graph.op("Gather", [layer_norm(graph, weights, x, width), graph.constant_node(np.array(0, np.int64))], axis=1)
    scores = graph.op("Gemm", [first, weights(10, width), weights.bias(10)], transB=1, name="scores")
    graph.output(scores, ["batch", 10])
    model = graph.model()
    return model, [feed_of(model, seed, batch=batch) for seed, batch in ((1, 1), (2, 3))]


def lstm():
    """Two layers, the second in both directions, states from the size of the batch; any batch and length."""
    width = 16
    graph = Graph(14)
    weights = Weights(graph)
    words = graph.input("words", ["batch", "length"], np.int64)
    table = graph.const(weights.rng.standard_normal((9, width)).astype(np.float32))
    # Word -4 to 4, row 0 to 8.
    x = graph.op("Gather", [table, graph.op("Add", [words, graph.constant_node(np.array(4, np.int64))])], axis=0)
    x = graph.op("Transpose", [x], perm=[1, 0, 2])
    for layer, directions in enumerate((1, 2)):
        batch = graph.op("Gather", [graph.op("Shape", [x]), graph.constant_node(np.array(1, np.int64))], axis=0)
        batch = graph.unsqueeze(batch, [0])
        shape = graph.op("Concat", [ints(graph, directions), batch, ints(graph, width)], axis=0)
        state = graph.op("ConstantOfShape", [shape])
        cell = graph.op("Expand", [graph.const(np.zeros((directions, 1, width), np.float32)), shape])
        inputs = [x, weights(directions, 4 * width, width, fan_in=width), weights(directions, 4 * width, width, fan_in=width),
                  weights.bias(directions, 8 * width), None, state, cell]  # fmt: skip
        y, last, _ = graph.op("LSTM", inputs, 3, hidden_size=width, direction="bidirectional" if layer else "forward")
        if layer == 0:
            x = graph.squeeze(y, [1])
        else:
            y = graph.op("Transpose", [y], perm=[0, 2, 1, 3])
            x = graph.op("Reshape", [y, ints(graph, 0, 0, -1)])
    scores = graph.op("Add", [graph.op("MatMul", [x, weights(2 * width, 5, fan_in=2 * width)]), weights.bias(5)])
    graph.output(graph.op("Transpose", [scores], perm=[1, 0, 2], name="tags"), ["batch", "length", 5])
    last = graph.op("Slice", [last, ints(graph, -1), ints(graph, INT_MAX), ints(graph, 0)])
    graph.output(graph.op("Squeeze", [last, ints(graph, 0)], name="state"), ["batch", width])
    model = graph.model()
    return model, [feed_of(model, 1, batch=1, length=4), feed_of(model, 2, batch=3, length=7)]


def detector():
    """Two levels of features, the smaller resized to the larger by computed sizes, anchors from grids that are made
    of Range and Expand, boxes decoded and joined; any batch, any height and width that 8 divides."""
    classes = 3
    graph = Graph(13)
    weights = Weights(graph)
    image = graph.input("image", ["batch", 3, "height", "width"])

    def block(x, inputs, outputs, stride):
        x = graph.op("Conv", [x, weights(outputs, inputs, 3, 3)], pads=[1, 1, 1, 1], strides=[stride, stride])
        parameters = [graph.const(each.astype(np.float32)) for each in (
            weights.rng.uniform(0.8, 1.2, outputs), weights.rng.normal(0, 0.1, outputs),
            weights.rng.normal(0, 0.1, outputs), weights.rng.uniform(0.8, 1.2, outputs))]  # fmt: skip
        x = graph.op("BatchNormalization", [x, *parameters])
        return graph.op("Mul", [x, graph.op("Sigmoid", [x])])

    fine = block(block(image, 3, 8, 2), 8, 16, 2)
    coarse = block(fine, 16, 24, 2)
    sizes = graph.op("Slice", [graph.op("Shape", [fine]), ints(graph, 2), ints(graph, 4), ints(graph, 0)])
    kept = graph.op("Slice", [graph.op("Shape", [coarse]), ints(graph, 0), ints(graph, 2), ints(graph, 0)])
    sizes = graph.op("Concat", [kept, graph.op("Cast", [sizes], to=onnx.TensorProto.INT64)], axis=0)
    larger = graph.op("Resize", [coarse, None, None, sizes], mode="nearest", coordinate_transformation_mode="asymmetric",
                      nearest_mode="floor")  # fmt: skip
    fine = block(graph.op("Concat", [fine, larger], axis=1), 40, 16, 1)

    found = []
    for x, channels, stride in ((fine, 16, 4), (coarse, 24, 8)):
        y = graph.op("Conv", [x, weights(5 + classes, channels, 1, 1), weights.bias(5 + classes)])
        rows = graph.op("Gather", [graph.op("Shape", [y]), graph.constant_node(np.array(2, np.int64))], axis=0)
        columns = graph.op("Gather", [graph.op("Shape", [y]), graph.constant_node(np.array(3, np.int64))], axis=0)
        zero, one = (graph.constant_node(np.array(each, np.int64)) for each in (0, 1))
        vertical = graph.unsqueeze(graph.op("Range", [zero, rows, one]), [1])
        horizontal = graph.unsqueeze(graph.op("Range", [zero, columns, one]), [0])
        shape = graph.op("Concat", [graph.unsqueeze(rows, [0]), graph.unsqueeze(columns, [0])], axis=0)
        grid = [graph.unsqueeze(graph.op("Expand", [each, shape]), [-1]) for each in (horizontal, vertical)]
        grid = graph.op("Reshape", [graph.op("Concat", grid, axis=-1), ints(graph, 1, -1, 2)])
        grid = graph.op("Cast", [grid], to=onnx.TensorProto.FLOAT)
        shape = graph.op("Concat", [dimension(graph, y, 0), ints(graph, 5 + classes), ints(graph, -1)], axis=0)
        y = graph.op("Transpose", [graph.op("Reshape", [y, shape])], perm=[0, 2, 1])
        centre = graph.slice(y, [0], [2], [2])
        size = graph.slice(y, [2], [4], [-1])
        rest = graph.slice(y, [4], [INT_MAX], [2])
        step = graph.constant_node(np.float32(stride))
        centre = graph.op("Mul", [graph.op("Add", [centre, grid]), step])
        size = graph.op("Mul", [graph.op("Exp", [graph.op("Tanh", [size])]), step])
        found.append(graph.op("Concat", [graph.op("Concat", [centre, size], axis=2), graph.op("Sigmoid", [rest])], axis=2))
    boxes = graph.op("Identity", [graph.op("Concat", found, axis=1)], name="boxes")
    graph.output(boxes, ["batch", "anchors", 5 + classes])
    model = graph.model()
    return model, [feed_of(model, 1, batch=1, height=32, width=48), feed_of(model, 2, batch=2, height=64, width=32)]


def control_flow():
    """A Loop whose body holds an If that holds what both share, a Scan beside it, conditions constant and not."""
    graph = Graph(16)
    weights = Weights(graph)
    x = graph.input("x", ["rows", 6])
    flag = graph.input("flag", [], np.bool_)
    table = weights(6, 6)
    y = graph.op("Identity", [graph.op("MatMul", [x, table])])

    def branch(parent, value, kind):
        body = parent.body()
        inner = body.op("MatMul", [value, table])
        body.output(body.op(kind, [inner]), ["rows", 6])
        return body.graph(kind)

    def choose(parent, condition, value):
        return parent.op("If", [condition], then_branch=branch(parent, value, "Tanh"), else_branch=branch(parent, value, "Relu"))

    loop = graph.body()
    count, going = loop.input("count", [], np.int64), loop.input("going", [], np.bool_)
    state = loop.input("state", ["rows", 6])
    odd = loop.op("Equal", [loop.op("Mod", [count, graph.const(np.array(2, np.int64))]), graph.const(np.array(1, np.int64))])
    new = loop.op("Add", [choose(loop, odd, state), y])
    new = loop.op("Tanh", [new])
    loop.output(loop.op("Identity", [going]), [], np.bool_)
    loop.output(loop.op("Identity", [new]), ["rows", 6])
    loop.output(loop.op("ReduceSum", [new], keepdims=0), [])
    names = graph.op("Loop", [graph.const(np.array(3, np.int64)), None, y], 2, body=loop.graph("loop"))
    always = graph.op("Not", [graph.const(np.array(False))])
    settled = choose(graph, always, names[0])
    chosen = choose(graph, flag, settled)

    scan = graph.body()
    total, row = scan.input("total", [6]), scan.input("row", [6])
    new = scan.op("Add", [total, scan.op("Mul", [row, graph.const(np.float32(0.5))])])
    scan.output(scan.op("Identity", [new]), [6])
    scan.output(scan.op("Relu", [new]), [6])
    start = graph.op("Expand", [graph.const(np.zeros(1, np.float32)), graph.const(np.array([6], np.int64))])
    totals = graph.op("Scan", [start, chosen], 2, body=scan.graph("scan"), num_scan_inputs=1)
    for name, shape in ((chosen, ["rows", 6]), (names[1], [3]), (totals[0], [6]), (totals[1], ["rows", 6])):
        graph.output(name, shape)
    model = graph.model()
    return model, [{**feed_of(model, rows, rows=rows), "flag": np.array(rows == 2)} for rows in (1, 2)]


def functions():
    """Local functions that call each other, with attributes that are handed down, and a body with an If."""
    text = """
    <ir_version: 8, opset_import: ["" : 17, "our" : 1]>
    net (float[N,4] x, bool flag) => (float[N,4] y, float[N,4] z)
    <float[4] b = {0.5, -1.0, 0.0, 2.0}>
    {
        a = our.outer <slope: float = 0.25> (x, b)
        c = our.outer <slope: float = 0.5> (x, b)
        y, unused = our.pair (a, c)
        z = our.choose (flag, y)
    }
    <domain: "our", opset_import: ["" : 17, "our" : 1]>
    outer <slope> (x, b) => (y)
    {
        a = our.inner <alpha: float = @slope> (x)
        y = Add (a, b)
    }
    <domain: "our", opset_import: ["" : 17]>
    inner <alpha> (x) => (y)
    {
        a = LeakyRelu <alpha: float = @alpha> (x)
        b = Identity (a)
        y = Mul (b, b)
    }
    <domain: "our", opset_import: ["" : 17]>
    pair (x, y) => (a, b)
    {
        a = Sub (x, y)
        c = Constant <value_float: float = 2.0> ()
        b = Mul (x, c)
    }
    <domain: "our", opset_import: ["" : 17]>
    choose (flag, x) => (y)
    {
        a = Neg (x)
        y = If (flag) <then_branch = yes () => (t) { t = Abs (a) }, else_branch = no () => (t) { t = Exp (a) }>
    }
    """
    model = onnx.parser.parse_model(text)
    return model, [{**feed_of(model, n, N=n), "flag": np.array(n == 1)} for n in (1, 3)]


def shared_initializers():
    """One weight for several layers, twins of it, and initializers that who runs the model may replace."""
    graph = Graph(17)
    weights = Weights(graph)
    x = graph.input("x", ["N", 4, 5, 5])
    kernel, twin = weights(4, 4, 1, 1), np.random.default_rng(5).standard_normal((4, 4, 1, 1)).astype(np.float32)
    first, second = graph.const(twin), graph.const(twin)
    scale = graph.default(np.full((4, 1, 1), 2, np.float32), "scale")
    bias = graph.const(np.arange(4, dtype=np.float32))
    a = graph.op("Add", [graph.op("Conv", [x, kernel]), graph.const(np.ones((4, 1, 1), np.float32))])
    b = graph.op("Mul", [graph.op("Conv", [a, kernel, bias]), scale])
    c = graph.op("Mul", [graph.op("Conv", [b, first, bias]), graph.const(np.full((1, 4, 1, 1), 0.5, np.float32))])
    d = graph.op("Conv", [b, second, bias])
    e = graph.op("Conv", [graph.op("Conv", [c, kernel]), kernel])
    for name in (e, d):
        graph.output(name, ["N", 4, 5, 5])
    # The weight itself is an output too.
    graph.output(graph.op("Identity", [kernel]), [4, 4, 1, 1])
    model = graph.model()
    feeds = [feed_of(model, n, N=n) for n in (1, 2)]
    return model, [*feeds, {**feeds[0], "scale": np.array([3, 0, -1, 0.5], np.float32).reshape(4, 1, 1)}]


def float16():
    """A small half-precision classifier, with casts at its ends as converters put them."""
    graph = Graph(13)
    rng = np.random.default_rng(3)

    def half(*shape, fan_in=1):
        return graph.const((rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float16))

    x = graph.input("x", ["N", 3, 8, 8])
    y = graph.op("Cast", [x], to=onnx.TensorProto.FLOAT16)
    y = graph.op("Conv", [y, half(8, 3, 3, 3, fan_in=27), half(8)], pads=[1, 1, 1, 1])
    y = graph.op("Mul", [y, half(8, 1, 1)])
    y = graph.op("Relu", [graph.op("Add", [y, half(1, 8, 1, 1)])])
    y = graph.op("Cast", [graph.op("Cast", [y], to=onnx.TensorProto.FLOAT)], to=onnx.TensorProto.FLOAT16)
    y = graph.op("Flatten", [graph.op("GlobalAveragePool", [y])])
    y = graph.op("Add", [graph.op("MatMul", [y, half(8, 5, fan_in=8)]), half(5)])
    graph.output(graph.op("Cast", [y], to=onnx.TensorProto.FLOAT, name="scores"), ["N", 5])
    model = graph.model()
    return model, [feed_of(model, n, N=n) for n in (1, 4)]


def integers():
    """Arithmetic on integers, with what wraps, and casts that lose something."""
    graph = Graph(17)
    x = graph.input("x", ["N", 3], np.int64)
    small = graph.op("Cast", [x], to=onnx.TensorProto.INT8)
    wide = graph.op("Cast", [small], to=onnx.TensorProto.INT64)
    large = graph.op("Mul", [wide, graph.const(np.array(2**40 + 7, np.int64))])
    cut = graph.op("Cast", [graph.op("Cast", [large], to=onnx.TensorProto.INT32)], to=onnx.TensorProto.INT64)
    wrapped = graph.op("Mul", [large, large])
    divided = graph.op("Div", [cut, graph.const(np.array([3, -2, 1], np.int64))])
    rest = graph.op("Mod", [cut, graph.const(np.array([3, -2, 1], np.int64))])
    tiny = graph.op("Cast", [graph.op("Abs", [x])], to=onnx.TensorProto.UINT8)
    tiny = graph.op("Add", [graph.op("Sub", [tiny, graph.const(np.array(9, np.uint8))]), graph.const(np.array(0, np.uint8))])
    product = graph.op("MatMulInteger", [tiny, graph.const(np.arange(6, dtype=np.uint8).reshape(3, 2))])
    rows = graph.op("MatMul", [wide, graph.const(np.arange(6, dtype=np.int64).reshape(3, 2))])
    rows = graph.op("Add", [rows, graph.const(np.array([1, 2], np.int64))])
    for name, dtype, width in ((cut, np.int64, 3), (wrapped, np.int64, 3), (divided, np.int64, 3), (rest, np.int64, 3),
                               (tiny, np.uint8, 3), (product, np.int32, 2), (rows, np.int64, 2)):  # fmt: skip
        graph.output(name, ["N", width], dtype)
    model = graph.model()
    return model, [feed_of(model, n, N=n) for n in (1, 3)]


NETS = {net.__name__: net for net in (
    resnet50, mobilenetv2, vit_block, lstm, detector, control_flow, functions, shared_initializers, float16, integers
)}  # fmt: skip
