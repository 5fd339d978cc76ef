"""No-ops, and what looks like one."""
import numpy as np
from builder import elem
from random_nets.grower import Grower
from random_nets.values import BOOL, F32, F64, I32, I64, Dim, Unsuitable, broadcast


class Neutral(Grower):
    def step_identity(self):
        x = self.pick()
        self.add(x.like(self.graph.op("Identity", [x.name])))

    def step_dropout(self):
        x = self.single()
        if self.graph.opset < 12:
            y = self.graph.op("Dropout", [x.name], ratio=0.3)
        else:
            inputs = [x.name, self.const(np.float32(0.3))][: self.rng.randint(1, 2)]
            if len(inputs) == 2 and self.chance(0.5):
                inputs.append(self.const(np.array(False)))
            y = self.graph.op("Dropout", inputs)
        self.add(x.like(y))

    def step_cast(self):
        x = self.pick()
        targets = [x.dtype, F32, F64]
        if x.exact:
            targets += [I64, I32, BOOL] if x.dtype != BOOL else [I64, I32]
        target = self.rng.choice(targets)
        y = self.graph.op("Cast", [x.name], to=elem(target))
        rounds = (x.dtype, target) in ((F64, F32), (I64, F32), (I32, F32)) and x.dtype == F64
        self.add(x.like(y, dtype=target, exact=x.exact and not rounds))

    def step_neutral(self):
        """An element-wise operator with a constant that may be neutral, and may broadcast."""
        x = self.pick(lambda value: value.dtype in (F32, F64, I64, I32))
        kind = self.rng.choice(["Add", "Sub", "Mul", "Div", "Pow"])
        neutral = 0 if kind in ("Add", "Sub") else 1
        number = self.rng.choice([neutral, neutral, neutral, 2, -1 if kind != "Pow" else 2, 0 if kind == "Mul" else 1])
        if kind == "Pow" and (not x.is_float or x.dtype == F64):
            raise Unsuitable
        rank = self.rng.choice([0, 1, x.rank, x.rank + 1 if x.rank < 4 else 0])
        shape = [1] * rank
        if rank == x.rank and self.chance(0.4):
            axis = self.axis(x, lambda dim: dim.power == 0)
            shape[axis] = x.shape[axis].factor
        constant = self.const(np.full(shape, number, x.dtype))
        swapped = kind in ("Add", "Mul") and self.chance(0.4)
        y = self.graph.op(kind, [constant, x.name] if swapped else [x.name, constant])
        self.add(x.like(y, broadcast(x.shape, [Dim(each) for each in shape]),
                        exact=x.exact and (not x.is_float or number in (neutral, -1, 2) and kind != "Pow")))  # fmt: skip

    def step_idempotent(self):
        x = self.floating(lambda value: value.dtype == F32)
        kind = self.rng.choice(["Relu", "Abs", "Neg", "Neg", "Sign", "Floor", "Ceil"])
        if kind in ("Sign", "Floor", "Ceil") and not x.exact:
            raise Unsuitable
        if kind == "Sign" and self.graph.opset < 9:
            raise Unsuitable
        y = x.like(self.graph.op(kind, [x.name]))
        self.add(y)
        if self.chance(0.5):
            self.add(y.like(self.graph.op(kind, [y.name])))

    def step_not(self):
        x = self.pick(lambda value: value.dtype == BOOL)
        y = self.add(x.like(self.graph.op("Not", [x.name])))
        if self.chance(0.5):
            self.add(x.like(self.graph.op("Not", [y.name])))

    def step_logic(self):
        x = self.pick(lambda value: value.dtype == BOOL)
        kind = self.rng.choice(["And", "Or", "Xor"])
        if self.chance(0.5):
            ones = [1] * self.rng.choice([0, 1, x.rank])
            other = x.like(self.const(np.array(self.chance(0.5)).reshape(ones)), map(Dim, ones))
        else:
            other = self.pick(lambda value: value.dtype == BOOL and broadcast(value.shape, x.shape) is not None)
        self.add(x.like(self.graph.op(kind, [x.name, other.name]), broadcast(x.shape, other.shape)))

    def step_variadic(self):
        """Sum, Max, Min, Mean of one to three."""
        x = self.single()
        kind = self.rng.choice(["Sum", "Max", "Min", "Mean"])
        values, shape = [x], x.shape
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            other = self.single(lambda value: broadcast(value.shape, shape) is not None)
            values.append(other)
            shape = broadcast(other.shape, shape)
        exact = all(value.exact for value in values) and (kind in ("Max", "Min") or len(values) == 1)
        self.add(x.like(self.graph.op(kind, [value.name for value in values]), shape, exact=exact))

    def step_clip(self):
        x = self.single()
        low, high = self.rng.choice([(None, None), (0.0, None), (0.0, 6.0), (None, 1.0), (-1.0, 1.0)])
        y = self.add(x.like(self.graph.clip(x.name, low, high)))
        if self.chance(0.3):
            self.add(y.like(self.graph.clip(y.name, *self.rng.choice([(0.0, None), (-0.5, 0.5), (None, 2.0)]))))
