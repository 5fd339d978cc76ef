"""What golden_nets.py needs to know of a golden case's float model to build the module that it came from."""
import json

import numpy as np
import onnx
from onnx import helper, numpy_helper


def describe(model, kind):
    """Layers with what a module needs to be one: (description, constants)."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    constants |= {node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"}
    producers = {name: node for node in graph.node for name in node.output}
    rank = len(graph.input[0].type.tensor_type.shape.dim)
    layers, seen, residual = [], set(), []
    for node in graph.node:
        if node.op_type == "Add" and node.name.count("/") == 2 and "sub_module" not in node.name:
            residual.append(node.name.split("/")[1])
        if node.name.startswith("/") or node.op_type == "Pad":
            continue
        inputs = [name for name in node.input[1:] if name in constants and node.op_type != "Clip"]
        path = next((name.split(".sub_module.")[0] for name in inputs if ".sub_module." in name), node.name)
        if path in seen:
            continue
        seen.add(path)
        adds = [each for each in graph.node if each.name == f"/{path}/sub_module/Add"]
        inputs += [adds[0].input[0]] if adds else []
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute if each.type != each.STRING}
        pads = producers.get(node.input[0])
        padding = constants[pads.input[1]].tolist()[2:4] if pads is not None and pads.op_type == "Pad" else 0
        layers.append({"path": path, "op": node.op_type, "attributes": attributes, "constants": inputs,
                       "padding": padding, "rank": rank})  # fmt: skip
    used = {name: constants[name] for each in layers for name in each["constants"]}
    description = {
        "kind": kind,
        "layers": layers,
        "residual": residual if kind == "mobilenet" else [],
        "inputs": [each.name for each in graph.input],
        "outputs": [each.name for each in graph.output],
        "free": bool(graph.input[0].type.tensor_type.shape.dim[0].dim_param),
    }
    return description, used


def write(case, folder):
    """net.json and net.npz for golden_nets.load; the second word of a case's name is its kind of network."""
    folder.mkdir(parents=True)
    description, constants = describe(onnx.load(case / "original.onnx"), case.name.split("_")[1])
    (folder / "net.json").write_text(json.dumps(description))
    np.savez(folder / "net.npz", **constants)
