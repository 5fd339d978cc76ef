"""Small networks for the tests of the Python package."""
import struct
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(model, path):
    onnx.save(model, str(path))


def small_net():
    """Conv, Relu, Conv, BatchNormalization, pool, Gemm."""
    random = np.random.default_rng(7)
    weights = {
        "conv1.weight": random.normal(0, 0.3, (6, 3, 3, 3)),
        "conv1.bias": random.normal(0, 0.1, 6),
        "conv2.weight": random.normal(0, 0.2, (4, 6, 3, 3)),
        "bn.scale": random.uniform(0.5, 1.5, 4),
        "bn.bias": random.normal(0, 0.1, 4),
        "bn.mean": random.normal(0, 0.1, 4),
        "bn.var": random.uniform(0.5, 1.5, 4),
        "fc.weight": random.normal(0, 0.3, (4, 5)),
        "fc.bias": random.normal(0, 0.1, 5),
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv1.weight", "conv1.bias"], ["a"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "conv2.weight"], ["c"], "conv2", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "bn.scale", "bn.bias", "bn.mean", "bn.var"], ["d"], "bn"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], "pool"),
        helper.make_node("Flatten", ["e"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], "fc"),
    ]
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def identity(dtype):
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"], "same")], "net",
        [helper.make_tensor_value_info("x", element, ["N", "M"])],
        [helper.make_tensor_value_info("y", element, ["N", "M"])],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def batches(count):
    random = np.random.default_rng(11)
    return [random.normal(0, 1, (4, 3, 8, 8)).astype(np.float32) for _ in range(count)]


def write_png(path, width, height, seed):
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width * 3), np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def reference(path, batch):
    import onnxruntime

    return onnxruntime.InferenceSession(str(path)).run(None, {"x": batch})[0]
