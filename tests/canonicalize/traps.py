"""Small nets, each with something that a careless rewrite gets wrong: families of functions, each makes (model, feeds).

What a net's name says is what is in it; where the trap is not plain from that, a comment says it.
"""
import functools

import numpy as np
import onnx
from builder import Graph, feed_of
from onnx import TensorProto, helper, numpy_helper

INT_MAX = 2**63 - 1
F16, F32, F64, I8, I32, I64 = np.float16, np.float32, np.float64, np.int8, np.int32, np.int64
FAMILIES = {}


def trap(family, *cases, **options):
    """Registers a net. With `cases`, one net for each, whose arguments they are."""

    def register(make):
        nets = FAMILIES.setdefault(family, {})
        for case in cases or [()]:
            name = "_".join([make.__name__, *(str(each).replace(" ", "") for each in case)])
            nets[name] = functools.partial(run, make, case, options)
        return make

    return register


def run(make, case, options):
    """`make(graph, *case)` adds nodes; it may give the feeds, or a model of its own."""
    graph = Graph(options.get("opset", 17))
    made = make(graph, *case)
    if isinstance(made, onnx.ModelProto):
        return made, [feed_of(made, n, N=n) for n in (1, 2, 3)]
    model = graph.model()
    return model, made or [feed_of(model, n, N=n) for n in (1, 2, 3)]


def out(graph, name, shape=None, dtype=F32):
    """An output of what may be an input or a constant, too."""
    graph.output(name, shape if shape is not None else [], dtype)


def ending(graph, x, shape, dtype=F32):
    graph.output(graph.op("Identity", [x]), shape, dtype)


def ints(graph, *numbers):
    return graph.const(np.array(numbers, I64))


def tensor(*numbers, dtype=F32):
    return numpy_helper.from_array(np.array(numbers, dtype))


# Arithmetic with special numbers.


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


# The same twice, and almost the same.


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


# Bodies.


def choice(g, condition, then, other, shape, dtype=F32):
    bodies = {}
    for name, fill in (("then_branch", then), ("else_branch", other)):
        body = g.body()
        body.output(fill(body), shape, dtype)
        bodies[name] = body.graph(name)
    return g.op("If", [condition], **bodies)


@trap("bodies")
def branch_gives_what_it_sees(g):
    # A body must make its result: without the Identity no runtime takes it.
    x, flag = g.input("x", ["N"]), g.input("flag", [], bool)
    constant = g.const(F32(3))
    g.output(choice(g, flag, lambda b: b.op("Identity", [x]), lambda b: b.op("Neg", [x]), ["N"]), ["N"])
    g.output(choice(g, flag, lambda b: b.op("Identity", [constant]), lambda b: b.op("Mul", [constant, constant]), []), [])


@trap("bodies")
def branches_that_are_equal(g):
    x, flag = g.input("x", ["N"]), g.input("flag", [], bool)
    # What one branch computes is not there in the other, nor outside.
    same = [lambda b: b.op("Neg", [b.op("Tanh", [x])])] * 2
    g.output(choice(g, flag, *same, ["N"]), ["N"])
    g.output(choice(g, flag, *same, ["N"]), ["N"])
    g.output(g.op("Tanh", [x]), ["N"])


@trap("bodies")
def branch_repeats_what_is_outside(g):
    x, flag = g.input("x", ["N"]), g.input("flag", [], bool)
    outside = g.op("Tanh", [x])
    g.output(choice(g, flag, lambda b: b.op("Tanh", [x]), lambda b: b.op("Relu", [outside]), ["N"]), ["N"])
    g.output(outside, ["N"])


@trap("bodies", (True,), (False,))
def constant_condition(g, condition):
    x = g.input("x", ["N"])
    constant = g.op("Not", [g.const(np.array(not condition))])
    y = choice(g, constant, lambda b: b.op("Tanh", [x]), lambda b: b.op("Concat", [x, x], axis=0), ["M"])
    g.output(y, ["M"])
    g.output(choice(g, constant, lambda b: b.op("Identity", [y]), lambda b: b.op("Constant", [], value_float=1.0), ["M"]),
             ["M"])  # fmt: skip


@trap("bodies", (True,), (False,))
def one_element_condition(g, condition):
    x = g.input("x", ["N"])
    g.output(choice(g, g.const(np.array([condition])), lambda b: b.op("Tanh", [x]), lambda b: b.op("Neg", [x]), ["N"]), ["N"])


@trap("bodies")
def names_that_meet(g):
    # Both branches call their values alike, and like what is made outside afterwards.
    x = g.input("x", ["N"])
    for number, condition in enumerate((True, False, True)):
        bodies = {}
        for name, kind in (("then_branch", "Tanh"), ("else_branch", "Neg")):
            body = g.body(prefix="")
            body.op(kind, [x], name=f"inner{number % 2}")
            body.op("Abs", [f"inner{number % 2}"], name=f"result{number % 2}")
            body.output(f"result{number % 2}", ["N"])
            bodies[name] = body.graph(name)
        g.output(g.op("If", [g.const(np.array(condition))], name=f"end{number}", **bodies), ["N"])


@trap("bodies")
def nested_constant_conditions(g):
    x, flag = g.input("x", ["N"]), g.input("flag", [], bool)
    true = g.const(np.array(True))

    def inner(b):
        return choice(b, true, lambda c: c.op("Tanh", [x]), lambda c: c.op("Neg", [x]), ["N"])

    g.output(choice(g, flag, inner, lambda b: b.op("Identity", [x]), ["N"]), ["N"])
    g.output(choice(g, true, lambda b: choice(b, flag, lambda c: c.op("Relu", [x]), lambda c: c.op("Identity", [x]), ["N"]),
                    lambda b: b.op("Identity", [x]), ["N"]), ["N"])  # fmt: skip


def loop(g, trips, going, start, fill, shape, scans=0, dtype=F32, keep=lambda b, i, c: b.op("Identity", [c])):
    """`fill(body, count, state)` gives the new state and what is stacked."""
    body = g.body()
    count, condition = body.input(body.fresh("i"), [], I64), body.input(body.fresh("c"), [], bool)
    state = body.input(body.fresh("s"), shape, dtype)
    made = fill(body, count, state)
    made = [made] if isinstance(made, str) else made
    body.output(keep(body, count, condition), [], bool)
    for name in made:
        body.output(name, shape, dtype)
    return g.op("Loop", [trips, going, start], 1 + scans, body=body.graph("body"))


@trap("bodies", *[(trips, going) for trips in (0, 1, 2, -1, None) for going in (True, False, None)])
def trip_counts(g, trips, going):
    x = g.input("x", ["N"])
    limit = None if trips is None else g.const(np.array(trips, I64))
    start = None if going is None else g.const(np.array(going))
    if trips is None and going is None:
        limit = g.const(np.array(3, I64))

    def until_three(b, i, c):
        return b.op("Less", [i, b.const(np.array(2, I64))])

    def step(b, i, s):
        new = b.op("Add", [b.op("Tanh", [s]), b.op("Cast", [i], to=TensorProto.FLOAT)])
        return new, b.op("Neg", [s])

    state, stacked = loop(g, limit, start, x, step, ["N"], scans=1, keep=until_three)
    g.output(state, ["N"])
    g.output(stacked, [None, "N"])


@trap("bodies", (0,), (1,), (3,))
def invariant_state(g, trips):
    x = g.input("x", ["N"])
    name = loop(g, g.const(np.array([trips], I64)), None, x, lambda b, i, s: b.op("Identity", [s]), ["N"])
    ending(g, name, ["N"])


@trap("bodies")
def condition_from_the_first_round(g):
    # Once round: the condition that the body gives is false.
    x = g.input("x", ["N"])
    false = g.const(np.array(False))
    name = loop(g, g.const(np.array(5, I64)), None, x, lambda b, i, s: b.op("Tanh", [s]), ["N"],
                keep=lambda b, i, c: b.op("Identity", [false]))  # fmt: skip
    ending(g, name, ["N"])


@trap("bodies")
def state_that_changes_its_shape(g):
    # Types of the first round are not those of the next.
    x = g.input("x", [2])
    body = g.body()
    count, condition = body.input("i", [], I64), body.input("c", [], bool)
    state = body.input("s", [None])
    new = body.op("Concat", [state, x], axis=0)
    body.output(body.op("Identity", [condition]), [], bool)
    body.output(new, [None])
    name = g.op("Loop", [g.const(np.array(3, I64)), None, x], body=body.graph("body"))
    g.output(g.op("Shape", [name]), [1], I64)
    ending(g, name, [None])


@trap("bodies")
def captured_overridable(g):
    x, flag = g.input("x", ["N"]), g.input("flag", [], bool)
    scale = g.default(np.array(1, F32), "scale")
    g.output(choice(g, flag, lambda b: b.op("Mul", [x, scale]), lambda b: b.op("Add", [x, scale]), ["N"]), ["N"])
    g.output(g.op("Mul", [x, scale]), ["N"])
    feed = {"x": np.array([1, 2], F32), "flag": np.array(True)}
    return [feed, {**feed, "scale": np.array(3, F32)}, {**feed, "flag": np.array(False), "scale": np.array(3, F32)}]


@trap("bodies")
def overridable_everywhere(g):
    """The default of an input is no constant."""
    x = g.input("x", ["N", 4])
    shape = g.default(np.array([4, -1], I64), "shape")
    flag = g.default(np.array(True), "flag")
    one = g.default(np.ones([4], F32), "one")
    trips = g.default(np.array(1, I64), "trips")
    g.output(g.op("Reshape", [x, shape]), [None, None])
    g.output(g.op("Mul", [x, one]), ["N", 4])
    g.output(choice(g, flag, lambda b: b.op("Tanh", [x]), lambda b: b.op("Neg", [x]), ["N", 4]), ["N", 4])
    g.output(loop(g, trips, None, x, lambda b, i, s: b.op("Tanh", [s]), ["N", 4]), ["N", 4])
    g.output(g.op("Add", [one, g.const(F32(1))]), [4])
    feed = {"x": np.arange(8, dtype=F32).reshape(2, 4) / 8}
    other = {"shape": np.array([2, 2, 2], I64)[:2], "flag": np.array(False), "one": np.full([4], 2, F32),
             "trips": np.array(0, I64)}  # fmt: skip
    other["shape"] = np.array([1, 8], I64)
    return [feed, {**feed, **other}]


# Layers.


def rng_const(g, *shape, seed=0, scale=0.5):
    return g.const((np.random.default_rng(seed).standard_normal(shape) * scale + (0.7 if scale > 0.5 else 0)).astype(F32))


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
    y = g.op("Mul", [x, rng_const(g, 3, 1, 1, seed=4, scale=0.6)])
    y = g.op("Add", [y, g.const(np.full([1, 3, 1, 1], bias, F32))])
    size = 3 + 2 * padding
    ending(g, g.op("Conv", [y, rng_const(g, 4, 3, 3, 3)], pads=[padding] * 4), ["N", 4, size, size])
    z = g.op("Conv", [y, rng_const(g, 4, 3, 3, 3, seed=7)], auto_pad="SAME_UPPER")
    ending(g, z, ["N", 4, 5, 5])


@trap("layers", ([3, 1, 1],), ([1, 5],), ([5, 1],), ([1],), ([],), ([2, 1, 1, 1],), ([5],))
def constant_before_conv(g, shape):
    x = g.input("x", [2, 3, 5, 5])
    for op in ("Mul", "Add", "Sub", "Div"):
        y = g.op(op, [x, rng_const(g, *shape, seed=4, scale=0.6)])
        ending(g, g.op("Conv", [y, rng_const(g, 6, 1, 3, 3)], group=3), [2, 6, 3, 3])
        ending(g, g.op("ConvTranspose", [y, rng_const(g, 3, 2, 2, 2)], strides=[2, 2]), [2, 2, 10, 10])


PADS = [([0, 0, 1, 1, 0, 0, 1, 1], 0.0, "constant"), ([0, 0, 1, 0, 0, 0, 0, 2], 0.0, "constant"),
        ([0, 0, 1, 1, 0, 0, 1, 1], 1.0, "constant"), ([0, 1, 0, 0, 0, 0, 0, 0], 0.0, "constant"),
        ([1, 0, 1, 1, 0, 0, 1, 1], 0.0, "constant"), ([0, 0, -1, 0, 0, 0, 0, 0], 0.0, "constant"),
        ([0, 0, -1, 1, 0, 0, 1, -1], 0.0, "constant"), ([0, 0, 1, 1, 0, 0, 1, 1], 0.0, "edge"),
        ([0, 0, 1, 1, 0, 0, 1, 1], 0.0, "reflect"), ([0] * 8, 0.0, "constant"), ([0] * 8, 3.0, "reflect"),
        ([0, 0, 1, 1, 0, 0, 1, 1], -np.inf, "constant"), ([0, 0, 1, 1, 0, 0, 1, 1], -0.0, "constant")]  # fmt: skip
WINDOWS = [{}, {"pads": [1, 1, 1, 1]}, {"pads": [0, 1, 1, 0]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"},
           {"auto_pad": "VALID"}, {"strides": [2, 2]}, {"dilations": [2, 1]}]  # fmt: skip


@trap("pads", *[(i, j) for i in range(len(PADS)) for j in range(len(WINDOWS))])
def pad_before(g, pad, window):
    # All numbers are negative: a zero that a pool sees would be its maximum.
    pads, number, mode = PADS[pad]
    x = g.input("x", [1, 2, 6, 6])
    y = g.op("Sub", [g.clip(x, -1, 1), g.const(F32(2))])
    y = g.pad(y, pads, number, mode)
    channels = 2 + pads[1] + pads[5]
    if np.isfinite(number):
        z = g.op("Conv", [y, rng_const(g, 4, channels, 3, 3)], **WINDOWS[window])
        ending(g, z, [None] * 4)
    for kind in ("MaxPool", "AveragePool"):
        for include in (0, 1):
            count = {"count_include_pad": include} if kind == "AveragePool" else {}
            if kind == "MaxPool" and include or "dilations" in WINDOWS[window] and kind == "AveragePool":
                continue
            if kind == "AveragePool" and not np.isfinite(number):
                continue
            ending(g, g.op(kind, [y], kernel_shape=[3, 3], **count, **WINDOWS[window]), [None] * 4)


@trap("pads")
def pad_of_pad(g):
    x = g.input("x", ["N", 4])
    for first, second, a, b in (([0, 1, 0, 1], [0, 2, 0, 0], 0.0, 0.0), ([0, 1, 0, 1], [0, 2, 0, 0], 0.0, 1.0),
                                ([0, 1, 0, 1], [0, -2, 0, 0], 1.0, 1.0), ([0, -1, 0, 0], [0, 1, 0, 0], 0.0, 0.0),
                                ([0, -2, 0, 0], [0, 1, 0, 1], 5.0, 5.0), ([0, 1, 0, 0], [0, -1, 0, 0], 7.0, 7.0)):  # fmt: skip
        ending(g, g.pad(g.pad(x, first, a), second, b), ["N", 4 + sum(first) + sum(second)])
    for mode in ("edge", "reflect"):
        ending(g, g.pad(g.pad(x, [0, 1, 0, 1], mode=mode), [0, 1, 0, 1], mode=mode), ["N", 8])
        ending(g, g.pad(g.pad(x, [0, 1, 0, 1]), [0, 1, 0, 1], mode=mode), ["N", 8])


@trap("pads")
def pad_with_axes(g):
    g.opset = 18
    x = g.input("x", ["N", 2, 4, 4])
    y = g.op("Pad", [x, ints(g, 1, 1), None, ints(g, -1)])
    ending(g, g.op("Conv", [y, rng_const(g, 3, 2, 3, 3)]), ["N", 3, 2, 4])
    y = g.op("Pad", [x, ints(g, 1, 0, 0, 1), None, ints(g, 3, 2)])
    ending(g, g.op("Conv", [y, rng_const(g, 3, 2, 3, 3)]), ["N", 3, 3, 3])
    ending(g, g.op("Pad", [g.op("Pad", [x, ints(g, 1, 1), None, ints(g, 1)]), ints(g, 0, 2), None, ints(g, 3)]), [None] * 4)


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


# Layout.


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
    once = g.slice(x, *SLICES[number])
    ending(g, once, [None, None])
    for other in SLICES:
        ending(g, g.slice(once, *other), [None, None])


@trap("layout")
def slices_of_free_sizes(g):
    x = g.input("x", ["N", 5])
    for starts, ends in (([0], [INT_MAX]), ([0], [2]), ([-1], [INT_MAX]), ([0], [-1]), ([1], [3])):
        y = g.slice(x, starts, ends, [0])
        ending(g, y, [None, 5])
        ending(g, g.slice(y, [0], [1], [0]), [None, 5])
        ending(g, g.slice(y, [-2], [INT_MAX], [0]), [None, 5])
    ending(g, g.op("Slice", [x, ints(g, 0, 0), g.op("Shape", [x])]), ["N", 5])


@trap("layout")
def concats(g):
    x, y = g.input("x", ["N", 3]), g.input("y", ["N", 2])
    inner = g.op("Concat", [x, y], axis=1)
    ending(g, g.op("Concat", [inner, x], axis=-1), ["N", 8])
    ending(g, g.op("Concat", [inner, inner], axis=0), [None, 5])
    ending(g, g.op("Concat", [g.op("Concat", [x, x], axis=0), g.op("Concat", [x, x], axis=0)], axis=1), [None, 6])
    ending(g, g.op("Concat", [x], axis=1), ["N", 3])
    ending(g, g.op("Concat", [x, g.const(np.zeros((0, 3), F32))], axis=0), ["N", 3])
    # The parts of a split in their order are the whole, in another order they are not.
    a, b = g.split(inner, [3, 2], 1)
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
    ending(g, g.squeeze(g.unsqueeze(x, [0]), [0]), ["N", 1, 3, 1])
    ending(g, g.squeeze(g.unsqueeze(x, [0, 2]), [0]), [None] * 5)
    ending(g, g.unsqueeze(g.squeeze(x, [1]), [1]), ["N", 1, 3, 1])
    ending(g, g.unsqueeze(g.squeeze(x, [1]), [0]), [1, "N", 3, 1])
    ending(g, g.squeeze(g.squeeze(x, [1]), [2]), ["N", 3])
    ending(g, g.squeeze(g.squeeze(x, [-1]), [-2]), ["N", 3])
    ending(g, g.unsqueeze(g.unsqueeze(x, [1]), [0]), [None] * 6)
    ending(g, g.unsqueeze(g.unsqueeze(x, [-1]), [-1]), [None] * 6)
    flat = g.op("Reshape", [x, ints(g, -1, 3)])
    ending(g, g.squeeze(g.unsqueeze(flat, [2])), None)
    ending(g, g.op("Identity", [g.squeeze(g.input("one", [1, 1]))]), [])


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
        inner = g.op(kind, [x, ints(g, 2)], keepdims=keep)
        for other in {kind, "ReduceMax"}:
            for axis in (0, 1, -1):
                ending(g, g.op(other, [inner, ints(g, axis)], keepdims=1 - keep), None)


@trap("layout", ("ReduceSum",), ("ReduceMean",), ("ReduceMax",), opset=13)
def reductions_of_integers(g, kind):
    x = g.input("x", ["N", 2, 3], I32)
    inner = g.reduce(kind, x, [1], 1)
    ending(g, g.reduce(kind, inner, [2], 1), ["N", 1, 1], I32)
    ending(g, g.reduce(kind, inner, [-1], 0), ["N", 1], I32)


# Files.


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
