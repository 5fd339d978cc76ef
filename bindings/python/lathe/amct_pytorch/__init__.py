"""The reference's interface for PyTorch: a script written for it changes one import.

    import lathe.amct_pytorch as amct

Names, parameters and files are the reference's; layers are called by the paths of their modules. The decisions are
Lathe's own, made on the graph that torch.onnx.export writes. docs/python.md shows a run.
"""
try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("lathe.amct_pytorch needs PyTorch: install the package torch (Debian: python3-torch)") from error

from ._auto_calibration import accuracy_based_auto_calibration
from ._ptq import create_quant_config, quantize_model, quantize_preprocess, save_model
from ._retrain import (
    create_quant_retrain_config,
    create_quant_retrain_model,
    restore_quant_retrain_model,
    save_quant_retrain_model,
)

__all__ = [
    "accuracy_based_auto_calibration",
    "create_quant_config",
    "create_quant_retrain_config",
    "create_quant_retrain_model",
    "quantize_model",
    "quantize_preprocess",
    "restore_quant_retrain_model",
    "save_model",
    "save_quant_retrain_model",
]
