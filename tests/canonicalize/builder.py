"""Writes a graph node by node. Where an operator took an attribute in one operator set and an input in another, the
methods here know which."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

ELEM = {
    np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.float16): TensorProto.FLOAT16, np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32, np.dtype(np.int16): TensorProto.INT16, np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.uint64): TensorProto.UINT64, np.dtype(bool): TensorProto.BOOL,
    np.dtype(object): TensorProto.STRING,
}  # fmt: skip

# The IR version that came with an operator set; before 4 every initializer has to be an input as well.
IR_VERSIONS = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10}


def elem(dtype):
    return ELEM[np.dtype(dtype)]


def value(name, dtype, shape):
    """A typed input or output; `shape` holds numbers and names, None is no shape at all."""
    return helper.make_tensor_value_info(name, elem(dtype), shape)


class Graph:
    """A graph under construction: the main one, or a body, which sees the names of the graph around it."""

    def __init__(self, opset=17, parent=None, prefix=""):
        self.opset = parent.opset if parent else opset
        self.root = parent.root if parent else self
        self.prefix = prefix
        self.nodes, self.inputs, self.outputs, self.initializers = [], [], [], []
        if parent is None:
            self.count = 0
            self.functions = []
            self.domains = {}

    def fresh(self, stem="v"):
        self.root.count += 1
        return f"{self.prefix}{stem}{self.root.count}"

    def input(self, name, shape, dtype=np.float32):
        self.inputs.append(value(name, dtype, shape))
        return name

    def output(self, name, shape=None, dtype=np.float32):
        self.outputs.append(value(name, dtype, shape))
        return name

    def const(self, array, name=None, dtype=None):
        """An initializer."""
        array = np.asarray(array, dtype)
        name = name or self.fresh("c")
        self.initializers.append(numpy_helper.from_array(array, name))
        if self.root is self and IR_VERSIONS[self.opset] < 4:
            self.inputs.append(value(name, array.dtype, array.shape))
        return name

    def default(self, array, name):
        """An initializer that who runs the model may replace: it is an input too."""
        array = np.asarray(array)
        self.initializers.append(numpy_helper.from_array(array, name))
        self.inputs.append(value(name, array.dtype, array.shape))
        return name

    def constant_node(self, array, name=None):
        return self.op("Constant", [], name=name, value=numpy_helper.from_array(np.asarray(array)))

    def op(self, kind, inputs, outputs=1, name=None, domain="", **attributes):
        """Adds a node; its output's name, or the list of names where `outputs` is not 1. None is an omitted input."""
        names = [name] if name else [self.fresh() for _ in range(outputs)]
        attributes = {key: item for key, item in attributes.items() if item is not None}
        inputs = ["" if each is None else each for each in ([inputs] if isinstance(inputs, str) else inputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, self.fresh("node_"), domain=domain, **attributes))
        return names[0] if len(names) == 1 and outputs == 1 else names

    def body(self, prefix=None):
        return Graph(parent=self, prefix=self.fresh("b") + "_" if prefix is None else prefix)

    def graph(self, name="net"):
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.initializers)

    def model(self, ir_version=None, producer="lathe-tests"):
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, version) for domain, version in sorted(self.domains.items())]
        return helper.make_model(self.graph(), opset_imports=opsets, functions=self.functions, producer_name=producer,
                                 ir_version=ir_version or max(IR_VERSIONS[self.opset], 8 if self.functions else 3))

    # Operators whose attributes became inputs.

    def moved(self, kind, since, inputs, name, numbers, outputs=1, **attributes):
        """`numbers` is the attribute `name` before operator set `since`, an input from then on; None is neither."""
        if numbers is None:
            return self.op(kind, inputs, outputs, **attributes)
        if self.opset < since:
            return self.op(kind, inputs, outputs, **attributes, **{name: [int(each) for each in numbers]})
        return self.op(kind, [*inputs, self.const(np.array(numbers, np.int64))], outputs, **attributes)

    def squeeze(self, x, axes=None):
        return self.moved("Squeeze", 13, [x], "axes", axes)

    def unsqueeze(self, x, axes):
        return self.moved("Unsqueeze", 13, [x], "axes", axes)

    def reduce(self, kind, x, axes, keepdims=1):
        return self.moved(kind, 13 if kind == "ReduceSum" else 18, [x], "axes", axes, keepdims=keepdims)

    def split(self, x, sizes, axis=0):
        return self.moved("Split", 13, [x], "split", sizes, outputs=len(sizes), axis=axis)

    def slice(self, x, starts, ends, axes=None, steps=None):
        if self.opset < 10:
            assert steps is None or all(step == 1 for step in steps)
            return self.op("Slice", [x], starts=starts, ends=ends, axes=axes)
        numbers = [starts, ends, axes, steps]
        while numbers[-1] is None:
            numbers.pop()
        given = [None if each is None else self.const(np.array(each, np.int64)) for each in numbers]
        return self.op("Slice", [x, *given])

    def pad(self, x, pads, number=0.0, mode="constant", dtype=np.float32):
        if self.opset < 11:
            return self.op("Pad", [x], mode=mode, pads=pads, value=float(number))
        inputs = [x, self.const(np.array(pads, np.int64))]
        return self.op("Pad", [*inputs, self.const(np.array(number, dtype))] if number else inputs, mode=mode)

    def clip(self, x, low, high, dtype=np.float32):
        if self.opset < 11:
            limits = {"min": low, "max": high}
            return self.op("Clip", [x], **{key: each for key, each in limits.items() if each is not None})
        limits = [None if each is None else self.const(np.array(each, dtype)) for each in (low, high)]
        while limits and limits[-1] is None:
            limits.pop()
        return self.op("Clip", [x, *limits])


def feed_of(model, seed, **dims):
    """An input of every kind for `model`: names of dimensions are looked up in `dims`, 2 where not named.

    Floats are normal, integers from -4 to 4, unsigned ones from 0 to 4; initializers keep their defaults.
    """
    rng = np.random.default_rng(seed)
    defaults = {each.name for each in model.graph.initializer}
    feed = {}
    for each in model.graph.input:
        if each.name in defaults:
            continue
        tensor = each.type.tensor_type
        shape = [dim.dim_value if dim.HasField("dim_value") else dims.get(dim.dim_param, 2) for dim in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        feed[each.name] = random_array(rng, dtype, shape)
    return feed


def random_array(rng, dtype, shape):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    if dtype.kind == "O":
        return np.asarray(rng.choice(np.array(["a", "b", "ab", ""], object), shape), object)
    return np.asarray(rng.integers(0 if dtype.kind == "u" else -4, 5, shape)).astype(dtype)
