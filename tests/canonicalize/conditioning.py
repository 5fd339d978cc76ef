"""What rounding alone does to a net: how well another correct order of its arithmetic can be expected to agree."""
import numpy as np
import onnx
from harness import compare, session
from onnx import numpy_helper

ROUNDINGS = 4
# A rewrite may round more than once where the net rounded once.
MARGIN = 12.0


def perturbed(model, rounded, seed):
    """The model with each value in `rounded` off by some units in the last place."""
    rng = np.random.default_rng(seed)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    nodes = list(copy.graph.node)
    del copy.graph.node[:]
    floats = onnx.shape_inference.infer_shapes(model).graph
    types = {each.name: each.type.tensor_type.elem_type for each in [*floats.value_info, *floats.output]}
    for node in nodes:
        copy.graph.node.append(node)
        for i, name in enumerate(node.output):
            dtype = types.get(name)
            if name not in rounded or dtype not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
                continue
            kind = onnx.helper.tensor_dtype_to_np_dtype(dtype)
            factor = kind.type(1) + kind.type(np.finfo(kind).eps) * kind.type(rng.choice([-2, -1, 1, 2]))
            copy.graph.initializer.append(numpy_helper.from_array(np.asarray(factor, kind), f"{name}.factor"))
            copy.graph.node[-1].output[i] = f"{name}.exact"
            copy.graph.node.append(
                onnx.helper.make_node("Mul", [f"{name}.exact", f"{name}.factor"], [name], f"{name}.perturbed"))  # fmt: skip
    return copy


def reachable(model, rounded, feeds):
    """Decibels that perturbed runs of the model reach against itself, less a margin; at worst of all its outputs."""
    wanted = [session(model.SerializeToString()).run(None, feed) for feed in feeds]
    lowest = np.inf
    for seed in range(ROUNDINGS):
        other = session(perturbed(model, rounded, seed).SerializeToString())
        for feed, want in zip(feeds, wanted):
            results = [compare(*pair, -np.inf) for pair in zip(want, other.run(None, feed))]
            lowest = min([lowest, *(found for found, _ in results)])
    return lowest - MARGIN
