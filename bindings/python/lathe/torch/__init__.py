"""ONNX files as torch modules that can be trained: for people who have only the file.

    net = lathe.torch.from_onnx("retrain.onnx")      # as `lathe retrain create` wrote it

docs/python.md shows a run.
"""
try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("lathe.torch needs PyTorch: install the package torch (Debian: python3-torch)") from error

from ._module import OnnxModule, from_onnx

__all__ = ["OnnxModule", "from_onnx"]
