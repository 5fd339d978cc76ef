"""Element-wise arithmetic."""
import numpy as np
from random_nets.grower import Grower
from random_nets.values import BOOL, F32, I32, I64, U8, Unsuitable, Value, broadcast


class Elementwise(Grower):
    def step_unary(self):
        x = self.floating()
        kind = self.rng.choice(["Tanh", "Sigmoid", "Sin", "Softplus", "Erf", "LeakyRelu", "HardSigmoid", "Elu", "Sqrt"])
        if x.dtype != F32 and kind not in ("Tanh", "Sigmoid") or kind == "Erf" and self.graph.opset < 9:
            raise Unsuitable
        source = self.graph.op("Abs", [x.name]) if kind == "Sqrt" else x.name
        self.add(x.like(self.graph.op(kind, [source]), exact=False))

    def step_binary(self):
        x = self.pick(lambda value: value.dtype != BOOL)
        y = self.pick(lambda value: value.dtype == x.dtype and broadcast(value.shape, x.shape) is not None)
        kind = self.rng.choice(["Add", "Sub", "Mul"])
        if x.dtype == U8 and self.graph.opset < 14:
            raise Unsuitable
        exact = not x.is_float
        self.add(x.like(self.graph.op(kind, [x.name, y.name]), broadcast(x.shape, y.shape), exact=exact))

    def step_same_twice(self):
        """A node again: the same, or with another attribute."""
        candidates = [node for node in self.graph.nodes if len(node.output) == 1 and node.op_type not in
                      ("Constant", "If", "Loop", "Scan") and node.output[0] in {value.name for value in self.values}]
        if not candidates:
            raise Unsuitable
        node = self.rng.choice(candidates)
        copy = type(node)()
        copy.CopyFrom(node)
        copy.output[0], copy.name = self.graph.fresh(), self.graph.fresh("node_")
        self.graph.nodes.append(copy)
        original = next(value for value in self.values if value.name == node.output[0])
        self.add(original.like(copy.output[0]))

    def step_compare(self):
        x = self.pick(lambda value: value.exact and value.dtype in (F32, I64, I32))
        y = self.pick(lambda value: value.exact and value.dtype == x.dtype and broadcast(value.shape, x.shape))
        kind = self.rng.choice(["Greater", "Less", "Equal"])
        if kind == "Equal" and x.is_float and self.graph.opset < 11 or self.graph.opset < 9:
            raise Unsuitable
        self.add(x.like(self.graph.op(kind, [x.name, y.name]), broadcast(x.shape, y.shape), dtype=BOOL))

    def step_where(self):
        if self.graph.opset < 9:
            raise Unsuitable
        x = self.pick(lambda value: value.dtype in (F32, I64))
        y = self.pick(lambda value: value.dtype == x.dtype and broadcast(value.shape, x.shape) is not None)
        shape = broadcast(x.shape, y.shape)
        if self.chance(0.3):
            condition = Value(self.const(np.array(self.chance(0.5))), BOOL, ())
        else:
            condition = self.pick(lambda value: value.dtype == BOOL and broadcast(value.shape, shape) is not None)
        self.add(x.like(self.graph.op("Where", [condition.name, x.name, y.name]), broadcast(shape, condition.shape),
                        exact=x.exact and y.exact))  # fmt: skip
