"""Reductions, and shapes as values."""
import numpy as np
from onnx import TensorProto, numpy_helper
from random_nets.grower import Grower
from random_nets.values import F32, I64, ONE, Dim, Unsuitable, Value, product


class Reductions(Grower):
    def step_shape(self):
        x = self.pick(lambda value: value.rank >= 1)
        kind = self.rng.choice(["Shape", "Shape", "Size"])
        y = self.graph.op(kind, [x.name])
        self.add(Value(y, I64, (Dim(x.rank),) if kind == "Shape" else ()))

    def step_fill(self):
        """A tensor of a shape that is computed."""
        if self.graph.opset < 9:
            raise Unsuitable
        x = self.pick(lambda value: 1 <= value.rank <= 3)
        shape = self.shape_tensor(x.shape, [x])
        number = numpy_helper.from_array(self.rng.choice([np.array([2], np.int64), np.array([0.5], np.float32)]))
        y = self.graph.op("ConstantOfShape", [shape], value=number)
        dtype = I64 if number.data_type == TensorProto.INT64 else F32
        self.add(Value(y, dtype, x.shape))

    # Reductions.

    def step_reduce(self):
        x = self.single(lambda value: value.rank >= 1)
        kind = self.rng.choice(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
                                "ReduceSumSquare", "ReduceProd", "ReduceLogSumExp"])  # fmt: skip
        if kind in ("ReduceProd",) and product(x.shape).factor > 24:
            raise Unsuitable
        value = self.reduced(kind, x)
        if self.chance(0.4) and value.rank >= 1:
            self.reduced(kind if self.chance(0.7) else "ReduceMax", value)

    def reduced(self, kind, x):
        axes = sorted(self.rng.sample(range(x.rank), self.rng.randint(1, x.rank)))
        keep = self.rng.choice([0, 1])
        exact = x.exact and kind in ("ReduceMax", "ReduceMin")
        nothing = self.graph.opset >= (13 if kind == "ReduceSum" else 18) and self.chance(0.15)
        if nothing:
            y = self.graph.op(kind, [x.name], noop_with_empty_axes=1, keepdims=keep)
            # Of each element alone: the square, the absolute value... are still taken, or not; runtimes differ.
            if kind not in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"):
                raise Unsuitable
            return self.add(x.like(y, exact=exact))
        everything = len(axes) == x.rank and self.chance(0.4)
        listed = None if everything else [self.signed(axis, x.rank) for axis in axes]
        y = self.graph.reduce(kind, x.name, listed, keep)
        target = [ONE if axis in axes else dim for axis, dim in enumerate(x.shape) if keep or axis not in axes]
        return self.add(x.like(y, target, exact=exact))

    def step_softmax(self):
        x = self.single(lambda value: value.rank >= 1)
        axis = x.rank - 1
        self.add(x.like(self.graph.op("Softmax", [x.name], axis=axis), exact=False))

    def step_arg_max(self):
        x = self.single(lambda value: value.rank >= 1 and value.exact)
        axis = self.axis(x)
        y = self.graph.op("ArgMax", [x.name], axis=axis, keepdims=0)
        self.add(x.like(y, x.shape[:axis] + x.shape[axis + 1 :], dtype=I64))
