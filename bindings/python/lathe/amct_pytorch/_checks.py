"""Checks of arguments: what is wrong is said before anything is done."""
from __future__ import annotations

import logging
import os
from typing import Any

import torch

from .. import _core
from .._errors import Error

LOGGER = logging.getLogger("lathe")

# Modules that the reference's own steps put into a model, and ours.
_QUANTISED = {
    "IFMR",
    "HFMG",
    "Recorder",
    "RetrainQuant",
    "RNNRetrainQuant",
    "MarkedQuantizableModule",
    "QuantIdentity",
    "SelectiveMaskGen",
    "DMQBalancer",
    "Conv2dQAT",
    "LinearQAT",
    "LSTMQAT",
    "GRUQAT",
    "OFMRQuant",
    "ConvTranspose1dQAT",
    "CalibrationModel",
    "BalanceModel",
    "FakeQuantModel",
}


def check_type(function: str, name: str, value: Any, *types: type, optional: bool = False) -> None:
    if optional and value is None:
        return
    if isinstance(value, types) and not (isinstance(value, bool) and bool not in types):
        return
    wanted = " or ".join(each.__name__ for each in types)
    raise TypeError(f"{function}: {name} must be {wanted}{' or None' if optional else ''}, not {type(value).__name__}")


def check_output_file(function: str, name: str, path: str) -> None:
    """A file that will be written: its name must be one, its folder is made, what stands there is overwritten."""
    check_type(function, name, path, str)
    _core._check_output_name(path)
    os.makedirs(os.path.dirname(os.path.realpath(path)), mode=0o750, exist_ok=True)
    if os.path.exists(path):
        LOGGER.warning("%s: %s %s exists and is overwritten", function, name, path)


def check_input_file(function: str, name: str, path: str) -> None:
    check_type(function, name, path, str)
    if not os.path.isfile(path):
        raise Error(f"{path}: {function}: {name} does not exist", f"{function}: {name} does not exist", file=path)


def check_model(function: str, model: Any) -> None:
    check_type(function, "model", model, torch.nn.Module)
    for path, module in model.named_modules():
        if type(module).__name__ in _QUANTISED:
            what = f"the model is quantised already: '{path}' is {type(module).__name__}"
            raise Error(what, node=path, hint="start from the float model")


def write_empty(path: str) -> None:
    with open(path, "w", encoding="utf-8"):
        pass


def check_names(function: str, name: str, names: Any) -> None:
    check_type(function, name, names, list, optional=True)
    for each in names or []:
        check_type(function, f"an item of {name}", each, str)


def check_dynamic_axes(function: str, axes: Any) -> None:
    check_type(function, "dynamic_axes", axes, dict, optional=True)
    for value, dims in (axes or {}).items():
        check_type(function, "a key of dynamic_axes", value, str)
        check_type(function, f"dynamic_axes['{value}']", dims, dict, list)
        for dim in dims:
            check_type(function, f"an axis of '{value}' in dynamic_axes", dim, int)
            if dim < 0:
                raise ValueError(f"{function}: axis {dim} of '{value}' in dynamic_axes is negative")
            if isinstance(dims, dict):
                check_type(function, f"the name of axis {dim} of '{value}' in dynamic_axes", dims[dim], str)


def check_input_data(function: str, data: Any) -> tuple[Any, ...]:
    """One tensor is a tuple of one."""
    check_type(function, "input_data", data, torch.Tensor, tuple)
    return data if isinstance(data, tuple) else (data,)
