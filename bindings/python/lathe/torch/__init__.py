"""torch modules from ONNX files, which can be trained, and ONNX files from torch modules.

    net = lathe.torch.from_onnx("retrain.onnx")      # as `lathe retrain create` wrote it
    lathe.torch.to_onnx(module, data, "net.onnx")    # as `lathe retrain create` and `save` like it

docs/python.md shows a run.
"""
try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("lathe.torch needs PyTorch: install the package torch (Debian: python3-torch)") from error

from ._module import OnnxModule, from_onnx
from ._to_onnx import to_onnx

__all__ = ["OnnxModule", "from_onnx", "to_onnx"]
