"""What the steps that add nodes share: values to read, constants, axes."""
import numpy as np
from builder import random_array
from onnx import TensorProto, numpy_helper
from random_nets.values import F16, F32, F64, I64, Unsuitable, product

LARGEST = 4000  # elements of one value, where its free dimension is 3


class Grower:
    """Adds random nodes to a graph. The classes that make it whole hold a `step_...` a kind of node; `steps` of the whole
    is the list of these steps and the list of how likely they are."""

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
        if way < 0.5:
            name = graph.const(array)
        elif way < 0.6:
            name = self.computed(array)
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

    def computed(self, array):
        """A constant as the result of nodes that compute it."""
        graph = self.graph
        way = self.rng.choice(["transpose", "concat", "slice", "unsqueeze", "squeeze", "cast", "gather", "neg", "where"])
        if way == "transpose" and array.ndim:
            return graph.op("Transpose", [graph.const(np.ascontiguousarray(array.T))])
        if way == "concat" and array.ndim and array.shape[0] > 1:
            return graph.op("Concat", [graph.const(array[:1]), graph.const(array[1:])], axis=0)
        if way == "slice" and array.ndim:
            return graph.slice(graph.const(np.concatenate([array, array])), [0], [array.shape[0]], [0])
        if way == "unsqueeze" and array.ndim and array.shape[0] == 1:
            return graph.unsqueeze(graph.const(array[0]), [0])
        if way == "squeeze":
            return graph.squeeze(graph.const(array[None]), [0])
        if way == "cast" and array.dtype == F32:
            return graph.op("Cast", [graph.const(array.astype(F64))], to=TensorProto.FLOAT)
        if way == "gather" and array.ndim:
            order = np.argsort(np.arange(array.shape[0])[::-1])
            return graph.op("Gather", [graph.const(array[::-1].copy()), graph.const(order)], axis=0)
        if way == "neg" and array.dtype == F32:
            return graph.op("Neg", [graph.const(-array)])
        if way == "where" and graph.opset >= 9 and array.dtype in (F32, I64):
            return graph.op("Where", [graph.const(np.array(True)), graph.const(array), graph.const(array + array)])
        return graph.const(array)

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
            step = self.rng.choices(*self.steps)[0]
            marks = [len(each) for each in (self.graph.nodes, self.graph.initializers, self.graph.inputs,
                                            self.values, self.constants)]  # fmt: skip
            try:
                step(self)
                added += 1
            except Unsuitable:
                for each, mark in zip((self.graph.nodes, self.graph.initializers, self.graph.inputs, self.values,
                                       self.constants), marks):  # fmt: skip
                    del each[mark:]
