"""Small random networks, the same ones for the same seed: shapes are tracked, so that nearly all of them run.

Values know whether rounding touched them. Operators that turn a small difference into a large one (Floor, a
comparison, a cast to integers) are only put on values it did not touch, so that integers and booleans must be equal
after any rewrite that is allowed.
"""
import random

import numpy as np
from builder import Graph, feed_of
from random_nets.bodies import Bodies
from random_nets.elementwise import Elementwise
from random_nets.layers import Layers
from random_nets.layout import Layout
from random_nets.neutral import Neutral
from random_nets.reductions import Reductions
from random_nets.values import BOOL, F32, I64, N, ONE, Dim, Value, known

OPSETS = [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]


class Net(Neutral, Elementwise, Layout, Reductions, Layers, Bodies):
    """All steps."""


FREQUENCIES = {"neutral": 3, "reshape": 3, "binary": 2, "conv": 3, "same_twice": 2, "identity": 2, "transpose": 2,
               "mat_mul": 2, "if": 1.5, "loop": 1.5, "cast": 2, "slice": 2, "pad": 2, "fill": 0.5}  # fmt: skip
STEPS = [getattr(Net, name) for name in sorted(dir(Net)) if name.startswith("step_")]
Net.steps = STEPS, [FREQUENCIES.get(step.__name__.removeprefix("step_"), 1) for step in STEPS]


def make(seed):
    """(model, feeds, names of the values that rounding touched) of a seed."""
    rng = random.Random(seed)
    graph = Graph(rng.choice(OPSETS))
    free = rng.random() < 0.5
    first = N if free else Dim(2)
    shapes = [(first, Dim(4), Dim(6), Dim(6)), (first, Dim(6)), (Dim(4), Dim(6)), (Dim(2), Dim(3), Dim(4)), ()]
    values = []
    for i, (dtype, shape) in enumerate(
        [(F32, rng.choice(shapes[:2])), (F32, rng.choice(shapes[:4])), (rng.choice([F32, I64]), rng.choice(shapes[1:])),
         (BOOL, ())][: rng.randint(2, 4)]):  # fmt: skip
        listed = ["N" if dim.power else dim.factor for dim in shape]
        values.append(Value(graph.input(f"in{i}", listed, dtype), dtype, shape))
    if rng.random() < 0.3 and graph.opset >= 9:
        values.append(Value(graph.default(np.array([1.0], np.float32), "overridable"), F32, (ONE,)))
    grower = Net(graph, rng, values)
    grower.stacked = []
    given = len(values)
    grower.grow(rng.randint(3, 25))
    made = grower.values[given:]
    used = {name for node in graph.nodes for name in node.input}
    ends = [value for value in made if value.name not in used]
    outputs = rng.sample(ends, min(len(ends), rng.randint(1, 4))) if ends else []
    if made and (not outputs or rng.random() < 0.4):
        # One that others read, too.
        value = rng.choice(made)
        if value not in outputs:
            outputs.append(value)
    for value in outputs:
        # As free as exporters leave it, or all that is known.
        shape = known(value.shape)
        if rng.random() < 0.2:
            shape = [None] * value.rank if rng.random() < 0.8 else None
        graph.output(value.name, shape, value.dtype)
    for value in grower.stacked[:1]:
        graph.output(value.name, known(value.shape))
    if not graph.outputs:
        value = values[0]
        graph.output(graph.op("Identity", [value.name]), known(value.shape), value.dtype)
    model = graph.model()
    feeds = [feed_of(model, seed, N=n) for n in ((2, 3, 1) if free else (2,))]
    if "overridable" in {each.name for each in model.graph.input}:
        feeds.append({**feeds[0], "overridable": np.array([-2.5], np.float32)})
    rounded = {value.name for value in grower.values if value.is_float and not value.exact}
    return model, feeds, rounded
