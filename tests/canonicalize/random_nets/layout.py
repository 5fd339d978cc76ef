"""Operators that move elements."""
import numpy as np
from onnx import TensorProto
from random_nets.grower import Grower
from random_nets.values import INT_MAX, F32, I64, U8, ONE, Dim, Unsuitable, broadcast, fixed, numbers, product


class Layout(Grower):
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
        return graph.unsqueeze(self.same_number(number), [0])

    def same_number(self, number):
        """A size after arithmetic that leaves it as it is."""
        graph, way = self.graph, self.rng.choice(["plain", "plain", "one", "two", "minus", "cast", "max", "div"])
        one, two = (self.const(np.array(each, np.int64)) for each in (1, 2))
        if way == "one":
            return graph.op("Mul", [number, one])
        if way == "two":
            return graph.op("Div", [graph.op("Mul", [number, two]), two])
        if way == "minus":
            return graph.op("Add", [graph.op("Sub", [number, one]), one])
        if way == "cast":
            number = graph.op("Cast", [number], to=TensorProto.FLOAT)
            return graph.op("Cast", [graph.op("Floor", [number])], to=TensorProto.INT64)
        if way == "max" and graph.opset >= 12:
            return graph.op("Max", [number, one])
        if way == "div":
            return graph.op("Div", [number, one])
        return number

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
        joined = self.graph.op("Concat", parts, axis=0) if len(parts) > 1 or self.chance(0.3) else parts[0]
        if self.graph.opset >= 9 and self.chance(0.2):
            # How PyTorch's expand is exported: -1 stands for 1.
            ones = self.ints([1] * len(target))
            minus = self.graph.op("Mul", [ones, self.const(np.array(-1, np.int64))])
            joined = self.graph.op("Where", [self.graph.op("Equal", [joined, minus]), ones, joined])
        return joined

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
