"""A torch module as an ONNX file."""
from __future__ import annotations

import os
from typing import Any

from torch import nn

from ..amct_pytorch._checks import check_dynamic_axes, check_input_data, check_names, check_type
from ..amct_pytorch._export import export


def to_onnx(
    model: nn.Module,
    input_data: Any,
    path: str | os.PathLike[str],
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    dynamic_axes: dict[str, Any] | None = None,
) -> None:
    """Writes the model, as it is in evaluation mode, with its layers called by the paths of their modules.

    So its configurations and checkpoints fit in the driver as well as in lathe.amct_pytorch.
    """
    function = "to_onnx"
    check_type(function, "model", model, nn.Module)
    check_type(function, "path", path, str, os.PathLike)
    check_names(function, "input_names", input_names)
    check_names(function, "output_names", output_names)
    check_dynamic_axes(function, dynamic_axes)
    data = check_input_data(function, input_data)
    export(model, data, input_names, output_names, dynamic_axes).save(path)
