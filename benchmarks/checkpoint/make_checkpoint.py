"""Makes a network of large matrices and what training it would leave behind: checkpoints of a wanted size.

    python make_checkpoint.py FOLDER [--gigabytes 1.0]

Writes net.onnx (weights in an external file), trained.safetensors and trained.pth (torch.save's zip form, stored; written
here, without torch). Weights repeat one block of random numbers.
"""
import argparse
import io
import json
import pathlib
import pickle
import struct
import sys
import types
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper

WIDTH = 4096


class Tensor:
    """Pickles as torch's tensors do: a call of _rebuild_tensor_v2 on a storage that is named."""

    def __init__(self, key, array):
        self.key, self.array = key, array

    def __reduce__(self):
        strides = [stride // self.array.itemsize for stride in self.array.strides]
        arguments = (Storage(self), 0, self.array.shape, tuple(strides), False, {})
        return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments


class Storage:
    def __init__(self, tensor):
        self.tensor = tensor


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        if not isinstance(item, Storage):
            return None
        return "storage", sys.modules["torch"].FloatStorage, item.tensor.key, "cpu", item.tensor.array.size


def pretend_torch():
    """Modules under torch's names, so that names can be pickled."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    sys.modules |= {"torch": torch, "torch._utils": utils}


def write_pth(path, state):
    pretend_torch()
    tensors = {name: Tensor(str(i), array) for i, (name, array) in enumerate(state.items())}
    description = io.BytesIO()
    Pickler(description, protocol=2).dump(tensors)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("trained/data.pkl", description.getvalue())
        for tensor in tensors.values():
            with file.open(f"trained/data/{tensor.key}", "w", force_zip64=True) as entry:
                entry.write(np.ascontiguousarray(tensor.array).data)
        file.writestr("trained/version", "3\n")


def write_safetensors(path, state):
    header, at = {}, 0
    for name, array in state.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in state.values():
            file.write(np.ascontiguousarray(array).data)


def write_net(path, layers, weight):
    nodes, tensors, x = [], [], "x"
    data = path.with_suffix(".data")
    with open(data, "wb") as file:
        for i in range(layers):
            name = f"fc{i}"
            tensor = TensorProto(name=f"{name}.weight", data_type=TensorProto.FLOAT, dims=weight.shape)
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", data.name), ("offset", file.tell()), ("length", weight.nbytes)):
                tensor.external_data.add(key=key, value=str(value))
            file.write(weight.data)
            tensors.append(tensor)
            nodes.append(helper.make_node("Gemm", [x, tensor.name], [f"{name}.out"], name, transB=1))
            x = f"{name}.out"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in ("x", x)]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def make(folder, gigabytes):
    folder.mkdir(parents=True, exist_ok=True)
    weight = np.random.default_rng(0).standard_normal((WIDTH, WIDTH), np.float32)
    layers = max(1, round(gigabytes * 1e9 / weight.nbytes))
    write_net(folder / "net.onnx", layers, weight)
    state = {}
    for i in range(layers):
        quantiser = f"fc{i}.quant_module"
        state[f"{quantiser}.replaced_module.weight"] = weight
        state[f"{quantiser}.acts_clip_max"] = np.array(3, "f4")
        state[f"{quantiser}.acts_clip_min"] = np.array(-3, "f4")
    write_safetensors(folder / "trained.safetensors", state)
    write_pth(folder / "trained.pth", state)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    arguments = parser.parse_args()
    make(arguments.folder, arguments.gigabytes)


if __name__ == "__main__":
    main()
