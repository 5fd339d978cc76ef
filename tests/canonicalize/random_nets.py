"""Small random networks, the same ones for the same seed: shapes are tracked, so that nearly all of them run.

Values know whether rounding touched them. Operators that turn a small difference into a large one (Floor, a
comparison, a cast to integers) are only put on values it did not touch, so that integers and booleans must be equal
after any rewrite that is allowed.
"""
import dataclasses
import random

import numpy as np
from builder import Graph, elem, feed_of, random_array
from onnx import AttributeProto, TensorProto, helper, numpy_helper

F16, F32, F64, I32, I64, U8, BOOL = map(np.dtype, (np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8, bool))
OPSETS = [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]
INT_MAX = 2**63 - 1
LARGEST = 4000  # elements of one value, where its free dimension is 3


@dataclasses.dataclass(frozen=True)
class Dim:
    """A size: `factor` times the free dimension N to the power `power`."""

    factor: int
    power: int = 0

    def at(self, n):
        return self.factor * n**self.power


ONE, N = Dim(1), Dim(1, 1)
UNKNOWN = Dim(0, 9)


def product(dims):
    factor, power = 1, 0
    for dim in dims:
        factor, power = factor * dim.factor, power + dim.power
    return Dim(factor, power)


def fixed(dims):
    return all(dim.power == 0 for dim in dims)


def numbers(dims):
    return [dim.factor for dim in dims]


def known(dims):
    """A shape as a file declares it."""
    return [dim.factor if dim.power == 0 else ("N" if dim == N else None) for dim in dims]


def broadcast(left, right):
    """The shape of both together, or None."""
    rank = max(len(left), len(right))
    left = (ONE,) * (rank - len(left)) + tuple(left)
    right = (ONE,) * (rank - len(right)) + tuple(right)
    shape = []
    for a, b in zip(left, right):
        if a != b and ONE not in (a, b):
            return None
        shape.append(b if a == ONE else a)
    return tuple(shape)


@dataclasses.dataclass(frozen=True)
class Value:
    name: str
    dtype: np.dtype
    shape: tuple
    # No arithmetic that rounds has made it.
    exact: bool = True

    @property
    def rank(self):
        return len(self.shape)

    @property
    def is_float(self):
        return self.dtype.kind == "f"

    def like(self, name, shape=None, dtype=None, exact=None):
        return Value(name, dtype or self.dtype, self.shape if shape is None else tuple(shape),
                     self.exact if exact is None else exact)  # fmt: skip


class Unsuitable(Exception):
    """No value at hand fits the operator that was drawn."""


class Grower:
    """Adds random nodes to a graph."""

    def __init__(self, graph, rng, values, depth=0):
        self.graph, self.rng, self.values, self.depth = graph, rng, list(values), depth
        self.constants = []

    # What operators are drawn from.

    def pick(self, test=lambda value: True):
        """A value that fits; recent ones are likelier, so that chains grow."""
        fitting = [value for value in self.values if test(value)]
        if not fitting:
            raise Unsuitable
        if self.rng.random() < 0.5:
            fitting = fitting[-4:]
        return self.rng.choice(fitting)

    def floating(self, test=lambda value: True):
        return self.pick(lambda value: value.dtype in (F32, F64, F16) and test(value))

    def single(self, test=lambda value: True):
        return self.pick(lambda value: value.dtype == F32 and test(value))

    def chance(self, probability):
        return self.rng.random() < probability

    def array(self, dtype, shape, scale=1.0):
        rng = np.random.default_rng(self.rng.getrandbits(32))
        array = random_array(rng, dtype, shape)
        return array * np.asarray(scale, dtype) if np.dtype(dtype).kind == "f" else array

    def const(self, array):
        """A constant in one of the ways a file can hold one; often one that is there already."""
        graph = self.graph
        array = np.asarray(array)
        if self.constants and self.chance(0.3):
            for name, other in self.constants:
                if other.dtype == array.dtype and other.shape == array.shape and np.array_equal(other, array):
                    return name
        way = self.rng.random()
        if way < 0.6:
            name = graph.const(array)
        elif way < 0.8:
            name = graph.constant_node(array)
        elif way < 0.85 and graph.opset >= 12 and array.ndim == 0 and array.dtype in (F32, I64):
            kind = "value_float" if array.dtype == F32 else "value_int"
            name = graph.op("Constant", [], **{kind: array.item()})
        elif way < 0.9 and graph.opset >= 12 and array.ndim == 1 and array.size and array.dtype in (F32, I64):
            kind = "value_floats" if array.dtype == F32 else "value_ints"
            name = graph.op("Constant", [], **{kind: array.tolist()})
        elif way < 0.95:
            name = graph.op("Identity", [graph.const(array)])
        elif graph.opset >= 9 and array.size and array.size == np.count_nonzero(array == array.flat[0]) and array.dtype in (F32, I64):
            shape = graph.const(np.array(array.shape, np.int64))
            fill = numpy_helper.from_array(array.reshape(-1)[:1].copy())
            name = graph.op("ConstantOfShape", [shape], value=fill)
        else:
            name = graph.op("Reshape", [graph.const(array.reshape(-1)), graph.const(np.array(array.shape, np.int64))])
        self.constants.append((name, array))
        return name

    def ints(self, values):
        return self.const(np.array(list(values), np.int64))

    def add(self, value):
        if product(value.shape).at(3) > LARGEST:
            raise Unsuitable
        self.values.append(value)
        return value

    def axis(self, value, test=lambda dim: True):
        axes = [axis for axis, dim in enumerate(value.shape) if test(dim)]
        if not axes:
            raise Unsuitable
        return self.rng.choice(axes)

    def signed(self, axis, rank):
        """The axis, counted from the other end now and then."""
        return axis - rank if self.graph.opset >= 13 and self.chance(0.3) else axis

    def grow(self, count):
        added = 0
        for _ in range(20 * count):
            if added == count:
                return
            step = self.rng.choices(STEPS, WEIGHTS)[0]
            marks = [len(each) for each in (self.graph.nodes, self.graph.initializers, self.graph.inputs,
                                            self.values, self.constants)]  # fmt: skip
            try:
                step(self)
                added += 1
            except Unsuitable:
                for each, mark in zip((self.graph.nodes, self.graph.initializers, self.graph.inputs, self.values,
                                       self.constants), marks):  # fmt: skip
                    del each[mark:]

    # No-ops, and what looks like one.

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
            other = x.like(self.const(np.array(self.chance(0.5)).reshape([1] * self.rng.choice([0, 1, x.rank]))), [])
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

    # Element-wise arithmetic.

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

    # Layout.

    def step_transpose(self):
        x = self.pick(lambda value: value.rank >= 1 and value.dtype != U8)
        order = list(range(x.rank))
        if self.chance(0.8):
            self.rng.shuffle(order)
        implicit = order == list(reversed(range(x.rank))) and self.chance(0.5)
        y = self.graph.op("Transpose", [x.name], perm=None if implicit else order)
        y = self.add(x.like(y, [x.shape[axis] for axis in order]))
        if self.chance(0.4):
            again = list(range(x.rank))
            self.rng.shuffle(again)
            if self.chance(0.4):
                again = [order.index(axis) for axis in range(x.rank)]
            z = self.graph.op("Transpose", [y.name], perm=again)
            self.add(y.like(z, [y.shape[axis] for axis in again]))

    def refactor(self, shape):
        """The shape of a reshape: neighbours joined, dimensions split, ones added and taken away."""
        shape = list(shape)
        for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
            action = self.rng.choice(["join", "split", "one", "drop"])
            if action == "join" and len(shape) >= 2:
                at = self.rng.randrange(len(shape) - 1)
                shape[at : at + 2] = [product(shape[at : at + 2])]
            elif action == "split" and shape:
                at = self.rng.randrange(len(shape))
                factors = [each for each in (2, 3, 4) if shape[at].factor % each == 0 and shape[at] != Dim(each)]
                if factors:
                    factor = self.rng.choice(factors)
                    shape[at : at + 1] = [Dim(shape[at].factor // factor, shape[at].power), Dim(factor)]
            elif action == "one" and len(shape) < 5:
                shape.insert(self.rng.randint(0, len(shape)), ONE)
            elif action == "drop" and ONE in shape:
                shape.remove(ONE)
        return tuple(shape)

    def dimension(self, values, dim):
        """A name of a [1] tensor with the size of `dim`, computed from some value's shape."""
        sources = [(value, axis) for value in values for axis, each in enumerate(value.shape) if each == dim]
        if not sources:
            raise Unsuitable
        value, axis = self.rng.choice(sources)
        graph = self.graph
        way = self.rng.random()
        if graph.opset >= 15 and way < 0.2:
            return graph.op("Shape", [value.name], start=axis, end=axis + 1 if axis + 1 < value.rank else None)
        shape = graph.op("Shape", [value.name])
        if way < 0.5:
            return graph.slice(shape, [axis], [axis + 1], [0] if self.chance(0.5) else None)
        if way < 0.7:
            return graph.op("Gather", [shape, self.ints([axis])], axis=0)
        number = graph.op("Gather", [shape, self.const(np.array(axis, np.int64))], axis=0)
        if way < 0.8:
            number = graph.op("Mul", [number, self.const(np.array(1, np.int64))])
        return graph.unsqueeze(number, [0])

    def shape_tensor(self, target, values):
        """A tensor with the shape `target`: constant where it can be, or joined from parts."""
        if fixed(target) and self.chance(0.6):
            return self.ints(numbers(target))
        parts = []
        for dim in target:
            if dim.power == 0 and self.chance(0.7):
                parts.append(self.ints([dim.factor]))
            else:
                parts.append(self.dimension(values, dim))
        if not parts:
            return self.ints([])
        return self.graph.op("Concat", parts, axis=0) if len(parts) > 1 or self.chance(0.3) else parts[0]

    def step_reshape(self):
        x = self.pick(lambda value: value.dtype != U8)
        target = self.refactor(x.shape)
        free = [dim for dim in target if dim.power]
        if self.chance(0.3):
            shape = self.shape_tensor(target, self.values)
        else:
            listed = [dim.factor if dim.power == 0 else -1 for dim in target]
            if not free and listed and self.chance(0.4):
                listed[self.rng.randrange(len(listed))] = -1
            for at, dim in enumerate(target):
                if at < x.rank and x.shape[at] == dim and self.chance(0.3 if listed.count(-1) < 2 else 1.0):
                    listed[at] = 0
            if listed.count(-1) > 1:
                raise Unsuitable
            shape = self.ints(listed)
        self.add(x.like(self.graph.op("Reshape", [x.name, shape]), target))

    def step_flatten(self):
        x = self.single(lambda value: value.rank >= 1)
        axis = self.rng.randint(0, x.rank)
        target = (product(x.shape[:axis]), product(x.shape[axis:]))
        self.add(x.like(self.graph.op("Flatten", [x.name], axis=axis), target))

    def step_squeeze(self):
        x = self.pick(lambda value: ONE in value.shape)
        axes = [axis for axis, dim in enumerate(x.shape) if dim == ONE]
        axes = sorted(self.rng.sample(axes, self.rng.randint(1, len(axes))))
        target = [dim for axis, dim in enumerate(x.shape) if axis not in axes]
        listed = [self.signed(axis, x.rank) for axis in axes]
        # Without axes all ones go, which a free dimension may be.
        everything = len(target) == x.rank - x.shape.count(ONE) and fixed(x.shape) and self.chance(0.4)
        self.add(x.like(self.graph.squeeze(x.name, None if everything else listed), target))

    def step_unsqueeze(self):
        x = self.pick(lambda value: value.rank <= 3)
        count = self.rng.choice([1, 1, 2])
        axes = sorted(self.rng.sample(range(x.rank + count), count))
        target, left = [], list(x.shape)
        for axis in range(x.rank + count):
            target.append(ONE if axis in axes else left.pop(0))
        listed = [self.signed(axis, x.rank + count) for axis in axes]
        self.add(x.like(self.graph.unsqueeze(x.name, listed), target))

    def step_expand(self):
        x = self.pick(lambda value: value.dtype in (F32, I64))
        target = list(x.shape)
        for axis, dim in enumerate(x.shape):
            if dim == ONE and self.chance(0.4):
                target[axis] = Dim(self.rng.choice([2, 3]))
        if len(target) < 4 and self.chance(0.3):
            target.insert(0, self.rng.choice([ONE, Dim(2)]))
        listed = [ONE if dim.power or self.chance(0.4) and dim in x.shape else dim for dim in target]
        extra = len(target) - x.rank
        for axis, dim in enumerate(listed):
            if dim == ONE and (axis < extra or x.shape[axis - extra] != target[axis]):
                listed[axis] = target[axis]
        if self.chance(0.5):
            while len(listed) > x.rank > 0 and listed[0] == ONE or listed and len(target) == x.rank and listed[0] == ONE:
                listed.pop(0)
            target = list(broadcast(x.shape, listed))
        self.add(x.like(self.graph.op("Expand", [x.name, self.shape_tensor(listed, self.values)]), target))

    def step_tile(self):
        x = self.single(lambda value: value.rank >= 1)
        repeats = [self.rng.choice([1, 1, 1, 2]) for _ in x.shape]
        target = [Dim(dim.factor * times, dim.power) for dim, times in zip(x.shape, repeats)]
        self.add(x.like(self.graph.op("Tile", [x.name, self.ints(repeats)]), target))

    def step_concat(self):
        x = self.pick(lambda value: value.rank >= 1 and value.dtype in (F32, I64))
        axis = self.axis(x, lambda dim: dim.power == 0)
        values = [x]
        for _ in range(self.rng.choice([0, 1, 1, 2])):
            values.append(self.pick(lambda value: value.dtype == x.dtype and value.rank == x.rank and
                          all(a == b or at == axis and a.power == 0
                              for at, (a, b) in enumerate(zip(value.shape, x.shape)))))  # fmt: skip
        target = list(x.shape)
        target[axis] = Dim(sum(value.shape[axis].factor for value in values))
        self.rng.shuffle(values)
        y = self.graph.op("Concat", [value.name for value in values], axis=self.signed(axis, x.rank))
        self.add(x.like(y, target, exact=all(value.exact for value in values)))

    def step_split(self):
        x = self.single(lambda value: value.rank >= 1)
        axis = self.axis(x, lambda dim: dim.power == 0 and dim.factor >= 1)
        size = x.shape[axis].factor
        first = self.rng.randint(1, size)
        sizes = [first, size - first] if first < size else [size]
        if len(sizes) == 2 and sizes[0] == sizes[1] and self.graph.opset < 18 and self.chance(0.5):
            names = self.graph.op("Split", [x.name], outputs=2, axis=axis)
        else:
            names = self.graph.split(x.name, sizes, axis)
        names = [names] if isinstance(names, str) else names
        for name, part in zip(names, sizes):
            target = list(x.shape)
            target[axis] = Dim(part)
            if part == sizes[0] or self.chance(0.6):
                self.add(x.like(name, target))

    def step_slice(self):
        x = self.pick(lambda value: value.rank >= 1 and value.dtype in (F32, I64))
        axes = sorted(self.rng.sample(range(x.rank), self.rng.randint(1, min(2, x.rank))))
        starts, ends, steps, target = [], [], [], list(x.shape)
        for axis in axes:
            dim = x.shape[axis]
            if dim.power or self.chance(0.4):
                backwards = self.graph.opset >= 10 and self.chance(0.3)
                starts.append(-1 if backwards else 0)
                ends.append(-INT_MAX if backwards else INT_MAX)
                steps.append(-1 if backwards else 1)
                continue
            size = dim.factor
            start = self.rng.randint(0, max(size - 1, 0))
            end = self.rng.randint(start + 1, size + 2)
            step = self.rng.choice([1, 1, 2]) if self.graph.opset >= 10 else 1
            target[axis] = Dim(len(range(size)[start:end:step]))
            starts.append(start - size if start and self.chance(0.3) else start)
            ends.append(end - size if end < size and self.chance(0.3) else end)
            steps.append(step)
        plain = all(step == 1 for step in steps)
        leading = axes == list(range(len(axes))) and self.chance(0.3)
        steps = None if plain and (self.graph.opset < 10 or self.chance(0.5)) else steps
        axes_given = None if leading and steps is None else axes
        self.add(x.like(self.graph.slice(x.name, starts, ends, axes_given, steps), target))

    def step_pad(self):
        x = self.single(lambda value: value.rank >= 1)
        before, after, target = [], [], []
        for dim in x.shape:
            # What pads a free dimension would have a size that is no product.
            low, high = (0, 0) if dim.power or self.chance(0.5) else (self.rng.randint(0, 2), self.rng.randint(0, 1))
            if dim.power == 0 and dim.factor > 2 and self.chance(0.1):
                low = -1
            before.append(low)
            after.append(high)
            target.append(dim if dim.power else Dim(dim.factor + low + high))
        negative = min(before) < 0
        mode = "constant" if negative else self.rng.choice(["constant", "constant", "edge"])
        number = self.rng.choice([0.0, 0.0, 1.5]) if mode == "constant" else 0.0
        y = self.add(x.like(self.graph.pad(x.name, before + after, number, mode), target))
        if self.chance(0.3):
            more = [0 if dim.power else 1 for dim in target]
            z = self.graph.pad(y.name, more + [0] * len(more), self.rng.choice([0.0, 1.5]))
            self.add(y.like(z, [dim if dim.power else Dim(dim.factor + 1) for dim in target]))

    def step_gather(self):
        x = self.pick(lambda value: value.rank >= 1 and value.dtype in (F32, I64))
        axis = self.axis(x, lambda dim: dim.power == 0 and dim.factor >= 1)
        size = x.shape[axis].factor
        shape = self.rng.choice([(), (1,), (2,), (2, 2)])
        lowest = -size if self.graph.opset >= 11 else 0
        indices = np.array([self.rng.randint(lowest, size - 1) for _ in range(int(np.prod(shape)))], np.int64)
        y = self.graph.op("Gather", [x.name, self.const(indices.reshape(shape))], axis=axis)
        self.add(x.like(y, x.shape[:axis] + tuple(map(Dim, shape)) + x.shape[axis + 1 :]))

    def step_resize(self):
        x = self.single(lambda value: value.rank == 4)
        if self.graph.opset < 11:
            raise Unsuitable
        factor = self.rng.choice([1, 1, 2])
        scales = self.const(np.array([1, 1, factor, factor], np.float32))
        roi = None if self.graph.opset >= 13 else self.const(np.zeros(0, np.float32))
        y = self.graph.op("Resize", [x.name, roi, scales], mode=self.rng.choice(["nearest", "linear"]),
                          coordinate_transformation_mode=self.rng.choice(["asymmetric", "half_pixel"]))  # fmt: skip
        target = x.shape[:2] + tuple(Dim(dim.factor * factor, dim.power) for dim in x.shape[2:])
        self.add(x.like(y, target, exact=False))

    def step_depth_to_space(self):
        x = self.single(lambda value: value.rank == 4 and value.shape[1].power == 0 and value.shape[1].factor % 4 == 0)
        target = [x.shape[0], Dim(x.shape[1].factor // 4)] + [Dim(dim.factor * 2, dim.power) for dim in x.shape[2:]]
        self.add(x.like(self.graph.op("DepthToSpace", [x.name], blocksize=2), target))

    # Shapes as values.

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

    # Layers.

    def image(self):
        return self.single(lambda value: value.rank == 4 and fixed(value.shape[1:])
                           and 1 <= value.shape[1].factor <= 12 and min(numbers(value.shape[2:])) >= 1)  # fmt: skip

    def follow(self, value, channel_axis=1):
        """What a layer may be merged with: arithmetic with constants, for each channel or not quite."""
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            channels = value.shape[channel_axis].factor
            kind = self.rng.choice(["Mul", "Add", "Sub", "Div", "BatchNormalization", "Relu", "Identity"])
            if kind == "BatchNormalization":
                value = self.norm(value)
            elif kind in ("Relu", "Identity"):
                value = self.add(value.like(self.graph.op(kind, [value.name])))
            else:
                way = self.rng.choice(["channel", "channel", "leading", "scalar", "last", "higher"])
                shape = [channels] + [1] * (value.rank - channel_axis - 1)
                if way == "leading":
                    shape = [1] * channel_axis + shape
                elif way == "scalar":
                    shape = [1] * self.rng.choice([0, 1])
                elif way == "last":
                    if value.shape[-1].power:
                        raise Unsuitable
                    shape = [value.shape[-1].factor]
                elif way == "higher":
                    if value.rank > 4:
                        raise Unsuitable
                    shape = [1] * (value.rank - len(shape) + 1) + shape
                array = self.array(F32, shape)
                array = np.where(array < 0, array - 0.5, array + 0.5).astype(np.float32)
                inputs = [value.name, self.const(array)]
                if self.chance(0.3):
                    inputs.reverse()
                    # A divisor near zero makes any rounding large.
                    kind = "Sub" if kind == "Div" else kind
                target = broadcast(value.shape, tuple(map(Dim, shape)))
                if target is None:
                    raise Unsuitable
                value = self.add(value.like(self.graph.op(kind, inputs), target, exact=False))
                if value.rank < 2 or value.rank > 4:
                    return
                channel_axis = min(channel_axis, value.rank - 1)
                if value.shape[channel_axis].power:
                    return

    def norm(self, value):
        if value.rank < 2 or value.shape[1].power:
            raise Unsuitable
        channels = value.shape[1].factor
        parameters = [self.array(F32, [channels]) for _ in range(3)] + [np.abs(self.array(F32, [channels])) + 0.5]
        inputs = [value.name] + [self.const(each.astype(np.float32)) for each in parameters]
        return self.add(value.like(self.graph.op("BatchNormalization", inputs, epsilon=1e-3), exact=False))

    def step_norm(self):
        self.norm(self.single(lambda value: value.rank >= 2 and value.shape[1].power == 0))

    def before_layer(self, x):
        """A Pad or affine arithmetic in front of a layer."""
        way = self.rng.random()
        if way < 0.25:
            pads = [0, 0, self.rng.randint(0, 1), 1, 0, 0, self.rng.randint(0, 1), 0]
            y = self.graph.pad(x.name, pads, self.rng.choice([0.0, 0.0, 0.0, 1.0]))
            target = x.shape[:2] + tuple(Dim(x.shape[2 + i].factor + pads[2 + i] + pads[6 + i]) for i in (0, 1))
            return self.add(x.like(y, target))
        if way < 0.4:
            shape = self.rng.choice([[x.shape[1].factor, 1, 1], [1], []])
            y = self.graph.op(self.rng.choice(["Mul", "Add"]), [x.name, self.const(self.array(F32, shape))])
            return self.add(x.like(y, exact=False))
        return x

    def window(self, x, kernel):
        """Padding and strides of a window, and the size of what it gives."""
        if self.chance(0.2):
            strides = [self.rng.choice([1, 2])] * 2
            attributes = {"auto_pad": self.rng.choice(["SAME_UPPER", "SAME_LOWER"]), "strides": strides}
            return attributes, [Dim(-(-x.shape[2 + i].factor // strides[i])) for i in (0, 1)]
        pads = [self.rng.choice([0, 0, 1]) if size > 1 else 0 for size in kernel * 2]
        strides = [self.rng.choice([1, 1, 2]) for _ in kernel]
        sizes = []
        for i, size in enumerate(kernel):
            room = x.shape[2 + i].factor + pads[i] + pads[2 + i] - size
            if room < 0:
                raise Unsuitable
            sizes.append(Dim(room // strides[i] + 1))
        return {"pads": pads, "strides": strides}, sizes

    def step_conv(self):
        x = self.before_layer(self.image())
        channels = x.shape[1].factor
        group = self.rng.choice([1, 1, channels])
        outputs = channels if group > 1 else self.rng.choice([1, 2, 4])
        kernel = self.rng.choice([[1, 1], [3, 3], [1, 2], [2, 1]])
        attributes, sizes = self.window(x, kernel)
        weight = self.array(F32, [outputs, channels // group, *kernel], 1 / np.sqrt(channels // group * np.prod(kernel)))
        inputs = [x.name, self.const(weight)]
        if self.chance(0.5):
            inputs.append(self.const(self.array(F32, [outputs])))
        y = self.graph.op("Conv", inputs, group=group, kernel_shape=kernel if self.chance(0.8) else None, **attributes)
        value = self.add(x.like(y, [x.shape[0], Dim(outputs), *sizes], exact=False))
        if self.chance(0.2):
            # The same weight once more, so that it must not be changed in place.
            z = self.graph.op("Conv", inputs, group=group, kernel_shape=kernel, **attributes)
            self.add(value.like(z))
        self.follow(value)

    def step_conv_transpose(self):
        x = self.image()
        channels = x.shape[1].factor
        group = 2 if channels % 2 == 0 and self.chance(0.4) else 1
        outputs = self.rng.choice([1, 2, 3])
        stride = self.rng.choice([1, 2])
        weight = self.array(F32, [channels, outputs, 2, 2], 0.4)
        inputs = [x.name, self.const(weight)]
        if self.chance(0.5):
            inputs.append(self.const(self.array(F32, [outputs * group])))
        y = self.graph.op("ConvTranspose", inputs, group=group, strides=[stride] * 2)
        sizes = [Dim((dim.factor - 1) * stride + 2) for dim in x.shape[2:]]
        self.follow(self.add(x.like(y, [x.shape[0], Dim(outputs * group), *sizes], exact=False)))

    def step_pool(self):
        x = self.before_layer(self.image())
        kind = self.rng.choice(["MaxPool", "AveragePool"])
        kernel = self.rng.choice([[1, 1], [1, 1], [2, 2], [3, 2]])
        attributes, sizes = self.window(x, kernel)
        if kind == "AveragePool":
            attributes["count_include_pad"] = self.rng.choice([0, 1])
        y = self.graph.op(kind, [x.name], kernel_shape=kernel, **attributes)
        self.add(x.like(y, [*x.shape[:2], *sizes], exact=x.exact and kind == "MaxPool"))

    def step_global_pool(self):
        x = self.image()
        y = self.graph.op("GlobalAveragePool", [x.name])
        self.add(x.like(y, [*x.shape[:2], ONE, ONE], exact=False))

    def step_mat_mul(self):
        x = self.single(lambda value: value.rank >= 2 and value.shape[-1].power == 0 and value.shape[-1].factor)
        inner, outputs = x.shape[-1].factor, self.rng.choice([1, 2, 4])
        weight = self.array(F32, [inner, outputs], 1 / np.sqrt(inner))
        y = self.graph.op("MatMul", [x.name, self.const(weight)])
        value = self.add(x.like(y, [*x.shape[:-1], Dim(outputs)], exact=False))
        if self.chance(0.5):
            shape = self.rng.choice([[outputs], [1, outputs], [1], [], [1, 1, outputs]])
            inputs = [value.name, self.const(self.array(F32, shape))]
            if self.chance(0.4):
                inputs.reverse()
            y = self.graph.op("Add", inputs)
            value = self.add(value.like(y, broadcast(value.shape, tuple(map(Dim, shape)))))
        if value.shape[-1].power == 0:
            self.follow(value, value.rank - 1)

    def step_mat_mul_of_two(self):
        x = self.single(lambda value: value.rank >= 2)
        y = self.single(lambda value: value.rank >= 2 and value.shape[-2] == x.shape[-1]
                        and broadcast(value.shape[:-2], x.shape[:-2]) is not None)  # fmt: skip
        name = self.graph.op("MatMul", [x.name, y.name])
        # Products grow with the inner dimension.
        name = self.graph.op("Tanh", [name])
        self.add(x.like(name, [*broadcast(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]], exact=False))

    def step_gemm(self):
        x = self.single(lambda value: value.rank == 2 and fixed(value.shape) and product(value.shape).factor)
        transposed = self.chance(0.3)
        rows, inner = numbers(x.shape)[:: -1 if transposed else 1]
        outputs, trans_b = self.rng.choice([1, 2, 4]), self.rng.choice([0, 1])
        weight = self.array(F32, [outputs, inner] if trans_b else [inner, outputs], 1 / np.sqrt(inner))
        inputs = [x.name, self.const(weight)]
        if self.graph.opset < 11 or self.chance(0.7):
            shape = self.rng.choice([[outputs], [1, outputs], [rows, 1], [rows, outputs], [1], []])
            inputs.append(self.const(self.array(F32, shape)))
        y = self.graph.op("Gemm", inputs, transA=int(transposed), transB=trans_b, alpha=self.rng.choice([1.0, 0.5]),
                          beta=self.rng.choice([1.0, 2.0]))  # fmt: skip
        self.follow(self.add(x.like(y, [Dim(rows), Dim(outputs)], exact=False)))

    # Quantisation, which nothing may be folded across.

    def step_quantize(self):
        x = self.single(lambda value: value.exact)
        if self.graph.opset < 10:
            raise Unsuitable
        scale, zero = self.const(np.float32(0.05)), self.const(np.array(self.rng.choice([0, 128]), np.uint8))
        q = self.graph.op("QuantizeLinear", [x.name, scale, zero])
        self.add(x.like(self.graph.op("DequantizeLinear", [q, scale, zero]), exact=False))

    # Bodies and functions.

    def branch(self, result, more=()):
        """A body with one output of the type of `result`; `more` is what it sees besides."""
        body = self.graph.body()
        grower = Grower(body, self.rng, [*self.values, *more], self.depth + 1)
        grower.grow(self.rng.randint(1, 4))
        found = [value for value in grower.values[len(self.values) + len(more) :]
                 if (value.dtype, value.shape) == (result.dtype, result.shape)]  # fmt: skip
        if found and self.chance(0.7):
            value = self.rng.choice(found)
        else:
            value = result
        # A body must make what it gives.
        return body, grower, value.like(body.op(self.rng.choice(["Identity", "Identity", "Neg", "Relu"])
                                                if value.dtype == F32 else "Identity", [value.name]))  # fmt: skip

    def step_if(self):
        if self.depth >= 2 or self.graph.opset < 11:
            raise Unsuitable
        result = self.pick(lambda value: value.dtype in (F32, I64))
        scalars = [value for value in self.values if value.dtype == BOOL and value.shape == ()]
        if scalars and self.chance(0.6):
            condition = self.rng.choice(scalars).name
        elif self.chance(0.5):
            number = self.graph.op("Size", [self.pick().name])
            condition = self.graph.op("Greater", [number, self.const(np.array(5, np.int64))])
        else:
            condition = self.const(np.array(self.chance(0.5)))
        bodies, exact = {}, True
        for name in ("then_branch", "else_branch"):
            body, _, value = self.branch(result)
            body.output(value.name, known(value.shape), value.dtype)
            bodies[name] = body.graph(name)
            exact = exact and value.exact
        self.add(result.like(self.graph.op("If", [condition], **bodies), exact=exact))

    def step_loop(self):
        if self.depth >= 2 or self.graph.opset < 11:
            raise Unsuitable
        carried = self.single()
        trips = self.rng.choice([0, 1, 1, 2, 3])
        body = self.graph.body()
        count = body.input(body.fresh("i"), [], I64)
        going = body.input(body.fresh("going"), [], BOOL)
        state = carried.like(body.fresh("state"), exact=False)
        body.input(state.name, known(state.shape))
        grower = Grower(body, self.rng, [*self.values, Value(count, I64, ()), state], self.depth + 1)
        grower.grow(self.rng.randint(1, 4))
        found = [value for value in grower.values[len(self.values) + 1 :]
                 if (value.dtype, value.shape) == (F32, carried.shape)]  # fmt: skip
        last = body.op("Tanh", [self.rng.choice(found).name])
        if self.chance(0.6):
            again = body.op("Identity", [going])
        else:
            again = body.op("Less", [count, self.const(np.array(1, np.int64))])
        body.output(again, [], BOOL)
        body.output(last, known(carried.shape))
        scanned = self.chance(0.5)
        if scanned:
            each = body.op("Identity", [last])
            body.output(each, known(carried.shape))
        limit = self.const(np.array(trips, np.int64))
        start = self.rng.choice([None, self.const(np.array(True)), self.const(np.array(self.chance(0.8)))])
        names = self.graph.op("Loop", [limit, start, carried.name], outputs=1 + scanned, body=body.graph("body"))
        self.add(carried.like(names[0] if scanned else names, exact=False))
        if scanned and self.depth == 0:
            # How many there are is not known here; it still is an output.
            self.stacked.append(carried.like(names[1], (UNKNOWN, *carried.shape), exact=False))

    def step_scan(self):
        if self.depth >= 1 or self.graph.opset < 11:
            raise Unsuitable
        rows = self.single(lambda value: value.rank == 2 and value.shape[1].power == 0)
        start = self.const(np.zeros([rows.shape[1].factor], np.float32))
        body = self.graph.body()
        state = Value(body.fresh("state"), F32, rows.shape[1:], False)
        row = Value(body.fresh("row"), F32, rows.shape[1:], False)
        for value in (state, row):
            body.input(value.name, numbers(value.shape))
        both = Value(body.op("Add", [state.name, row.name]), F32, rows.shape[1:], False)
        grower = Grower(body, self.rng, [*self.values, state, row, both], self.depth + 1)
        grower.grow(self.rng.randint(0, 3))
        found = [value for value in grower.values[len(self.values) + 2 :]
                 if (value.dtype, value.shape) == (F32, state.shape)]  # fmt: skip
        carried, each = body.op("Tanh", [both.name]), body.op("Identity", [self.rng.choice(found).name])
        for name in (carried, each):
            body.output(name, numbers(state.shape))
        names = self.graph.op("Scan", [start, rows.name], outputs=2, body=body.graph("body"), num_scan_inputs=1)
        self.add(state.like(names[0]))
        self.add(rows.like(names[1], exact=False))

    def step_function(self):
        """A call of a local function: element-wise arithmetic, so that any float shape fits."""
        if self.depth or self.graph.opset < 15:
            raise Unsuitable
        root = self.graph.root
        x = self.single()
        if not root.functions or self.chance(0.4):
            root.functions.append(self.function())
            root.domains["lathe.test"] = 1
        function = self.rng.choice(root.functions)
        inputs = [x.name] * len(function.input)
        attributes = {"slope": 0.3} if function.attribute and self.chance(0.5) else {}
        attributes = attributes or ({"slope": 0.1} if function.attribute else {})
        names = self.graph.op(function.name, inputs, len(function.output), domain="lathe.test", **attributes)
        for name in [names] if isinstance(names, str) else names:
            self.add(x.like(name, exact=False))

    def function(self):
        nodes, values = [], ["x", "y"][: self.rng.randint(1, 2)]
        inputs, attributes = list(values), []
        number = len(self.graph.root.functions)
        for i in range(self.rng.randint(1, 4)):
            name = f"v{i + 1}"  # also a name of the main graph
            kind = self.rng.choice(["Identity", "Tanh", "Add", "Mul", "Relu", "LeakyRelu", "Constant"])
            if kind == "Constant":
                nodes.append(helper.make_node("Constant", [], [f"k{i}"], value=numpy_helper.from_array(np.float32(1))))
                nodes.append(helper.make_node("Mul", [self.rng.choice(values), f"k{i}"], [name]))
            else:
                count = 2 if kind in ("Add", "Mul") else 1
                node = helper.make_node(kind, [self.rng.choice(values) for _ in range(count)], [name])
                if kind == "LeakyRelu":
                    attributes = ["slope"]
                    node.attribute.add(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT)
                nodes.append(node)
            values.append(name)
        outputs = values[-1:] if len(nodes) < 2 or self.chance(0.6) else values[-2:]
        outputs = [name for name in outputs if name not in inputs]
        opsets = [helper.make_opsetid("", self.graph.opset)]
        return helper.make_function("lathe.test", f"f{number}", inputs, outputs, nodes, opsets, attributes)


FREQUENCIES = {"neutral": 3, "reshape": 3, "binary": 2, "conv": 3, "same_twice": 2, "identity": 2, "transpose": 2,
               "mat_mul": 2, "if": 1.5, "loop": 1.5, "cast": 2, "slice": 2, "pad": 2, "fill": 0.5}  # fmt: skip
STEPS = [method for name, method in sorted(vars(Grower).items()) if name.startswith("step_")]
WEIGHTS = [FREQUENCIES.get(step.__name__.removeprefix("step_"), 1) for step in STEPS]


def make(seed):
    """(model, feeds) of a seed."""
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
    grower = Grower(graph, rng, values)
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
    return model, feeds, {value.name for value in grower.values if value.is_float and not value.exact}
