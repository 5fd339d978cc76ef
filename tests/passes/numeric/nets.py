"""A model of many small independent nets: each has inputs, constants, nodes and one output or more of its own."""
import numpy as np
import onnx
from onnx import helper, numpy_helper


class Net:
    """One small net of a model; names are unique through its prefix."""

    def __init__(self, model, number):
        self.model, self.prefix, self.count = model, f"n{number}_", 0
        self.want = None  # nodes that should be left; None: any number

    def name(self, what):
        self.count += 1
        return f"{self.prefix}{what}{self.count}"

    def input(self, array, symbolic=()):
        """`symbolic`: axes whose extents the model does not say, by symbols of this net."""
        name = self.name("x")
        dims = [f"{self.prefix}d{array.shape[i]}" if i in symbolic else n for i, n in enumerate(array.shape)]
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.model.inputs.append(helper.make_tensor_value_info(name, kind, dims))
        self.model.feeds[name] = array
        return name

    def constant(self, array):
        name = self.name("k")
        self.model.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def ints(self, values):
        return self.constant(np.array(values, np.int64))

    def op(self, op, inputs, **attributes):
        name = self.name(op.lower())
        attributes = {key: value for key, value in attributes.items() if value is not None}
        self.model.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def output(self, name):
        self.model.outputs.append(name)


class Model:
    def __init__(self, opset):
        self.opset = opset
        self.inputs, self.initializers, self.nodes, self.outputs, self.feeds, self.nets = [], [], [], [], {}, []

    def net(self):
        self.nets.append(Net(self, len(self.nets)))
        return self.nets[-1]

    def build(self):
        outputs = [helper.make_empty_tensor_value_info(name) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "nets", self.inputs, outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8 if self.opset < 19 else 10
        inferred = onnx.shape_inference.infer_shapes(model)
        kinds = {value.name: value for value in inferred.graph.value_info}
        kinds |= {value.name: value for value in inferred.graph.output if value.type.WhichOneof("value")}
        # The output's extents are left open: only its type and rank are declared.
        for value in model.graph.output:
            kind = kinds[value.name].type.tensor_type
            value.type.tensor_type.elem_type = kind.elem_type
            if kind.HasField("shape"):
                value.type.tensor_type.shape.SetInParent()
                for dim in kind.shape.dim:
                    value.type.tensor_type.shape.dim.add()
        return model


def nodes_by_net(model, nets):
    """Number of nodes of each net in a model that passes have changed, but for Identity."""
    counts = {net.prefix: 0 for net in nets}
    for node in model.graph.node:
        if node.op_type != "Identity":
            counts[node.output[0].split("_")[0] + "_"] += 1
    return counts


