"""If and Loop."""
import numpy as np
from onnx import TensorProto
from traps.trap import F32, I64, choice, ending, ints, trap


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


@trap("bodies")
def bodies_that_go(g):
    """Whoever holds a list of graphs while nodes go holds graphs that are no more."""
    x, flag = g.input("x", ["N", 3]), g.input("flag", [], bool)

    def nested(b):
        return choice(b, flag, lambda c: c.op("Tanh", [x]), lambda c: c.op("Neg", [x]), ["N", 3])

    def size_of_nested(b):
        return b.op("Shape", [nested(b)])

    g.output(g.op("Shape", [choice(g, flag, nested, lambda b: b.op("Abs", [x]), ["N", 3])]), [2], I64)
    g.output(g.op("Size", [loop(g, g.const(np.array(2, I64)), None, x, lambda b, i, s: nested(b), ["N", 3])]), [], I64)
    g.output(choice(g, flag, size_of_nested, lambda b: b.op("Constant", [], value_ints=[1, 2]), [2], I64), [2], I64)
    # What nobody reads: at the top, in a branch, in a branch that goes.
    nested(g)
    true = g.const(np.array(True))

    def with_dead_branch(b):
        nested(b)
        return b.op("Relu", [x])

    g.output(choice(g, true, with_dead_branch, with_dead_branch, ["N", 3]), ["N", 3])
    g.output(loop(g, g.const(np.array(0, I64)), None, x, lambda b, i, s: nested(b), ["N", 3]), ["N", 3])
    fixed = g.input("fixed", [2, 3])
    one = choice(g, flag, lambda b: b.op("Tanh", [fixed]), lambda b: b.op("Neg", [fixed]), [2, 3])
    g.output(g.op("Reshape", [x, g.op("Concat", [ints(g, -1), g.op("Slice", [g.op("Shape", [one]), ints(g, 1), ints(g, 2)])],
                                      axis=0)]), ["N", 3])  # fmt: skip


@trap("bodies")
def captures_that_go(g):
    """The last reader of a captured value goes, and another one comes."""
    x, flag = g.input("x", ["N"]), g.input("flag", [], bool)
    a, b = g.op("Tanh", [x]), g.op("Sigmoid", [x])

    def branch(body):
        first = body.op("Add", [a, b])
        again = body.op("Add", [b, a])
        same = body.op("Tanh", [x])
        inner = choice(body, flag, lambda c: c.op("Mul", [c.op("Tanh", [x]), c.op("Add", [a, b])]),
                       lambda c: c.op("Sub", [c.op("Sigmoid", [x]), first]), ["N"])  # fmt: skip
        return body.op("Sum", [first, again, same, inner, body.op("Mul", [a, body.op("Sigmoid", [x])])])

    g.output(choice(g, flag, branch, lambda c: c.op("Add", [c.op("Sigmoid", [x]), c.op("Tanh", [x])]), ["N"]), ["N"])
    g.output(choice(g, flag, branch, branch, ["N"]), ["N"])
    g.output(g.op("Add", [a, b]), ["N"])
