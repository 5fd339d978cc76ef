"""Small nets, each with something that a careless rewrite gets wrong: what the families share.

What a net's name says is what is in it; where the trap is not plain from that, a comment says it.
"""
import functools

import numpy as np
import onnx
from builder import Graph, feed_of
from onnx import numpy_helper

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


def ending(graph, x, shape, dtype=F32):
    graph.output(graph.op("Identity", [x]), shape, dtype)


def ints(graph, *numbers):
    return graph.const(np.array(numbers, I64))


def apart(g, x):
    """The same, near enough, as a value of its own: rewrites that need a value with one reader get one."""
    return g.op("LeakyRelu", [x], alpha=1 + 2.0 ** -g.root.count)


def tensor(*numbers, dtype=F32):
    return numpy_helper.from_array(np.array(numbers, dtype))


def choice(g, condition, then, other, shape, dtype=F32):
    bodies = {}
    for name, fill in (("then_branch", then), ("else_branch", other)):
        body = g.body()
        body.output(fill(body), shape, dtype)
        bodies[name] = body.graph(name)
    return g.op("If", [condition], **bodies)


def rng_const(g, *shape, seed=0, scale=0.5):
    return g.const((np.random.default_rng(seed).standard_normal(shape) * scale + (0.7 if scale > 0.5 else 0)).astype(F32))
