"""Post-training quantisation: create_quant_config, quantize_preprocess, quantize_model, save_model."""
from __future__ import annotations

from typing import Any, Callable

from torch import nn

from .. import _core
from .._errors import Error
from ._batches import Batches, free_axes, tensors_of
from ._checks import (
    LOGGER,
    check_dynamic_axes,
    check_input_data,
    check_input_file,
    check_model,
    check_names,
    check_output_file,
    check_type,
    write_empty,
)
from ._export import copy_of, export


class CollectingModel(nn.Module):
    """The model, which hands its first `wanted` batches on once it has seen them all."""

    def __init__(self, model: nn.Module, wanted: int, seen_all: Callable[[Batches], None]) -> None:
        super().__init__()
        self.model = copy_of(model)
        self._wanted = wanted
        self._seen_all = seen_all
        self._batches: Batches | None = Batches()

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        batches = self._batches
        if batches is not None:
            batches.add(arguments, keywords)
        result = self.model(*arguments, **keywords)
        if batches is not None and len(batches) == self._wanted:
            self._batches = None
            self._seen_all(batches)
        return result


class CalibrationModel(CollectingModel):
    """What quantize_model returns: after batch_num batches the record holds the factors of activations."""


class BalanceModel(CollectingModel):
    """What quantize_preprocess returns: after its first batch the record holds the balance factors."""


def create_quant_config(
    config_file: str,
    model: nn.Module,
    input_data: Any,
    skip_layers: list[str] | None = None,
    batch_num: int = 1,
    activation_offset: bool = True,
    config_defination: str | None = None,
) -> None:
    """Writes the configuration of the model: from a simplified one, or from the options."""
    function = "create_quant_config"
    check_type(function, "config_file", config_file, str)
    check_model(function, model)
    check_type(function, "skip_layers", skip_layers, list, optional=True)
    check_names(function, "skip_layers", skip_layers)
    check_type(function, "batch_num", batch_num, int)
    check_type(function, "activation_offset", activation_offset, bool)
    check_type(function, "config_defination", config_defination, str, optional=True)
    data = check_input_data(function, input_data)
    if config_defination is not None:
        check_input_file(function, "config_defination", config_defination)
        if skip_layers:
            LOGGER.warning("%s: skip_layers is not used: config_defination says what is skipped", function)
    check_output_file(function, "config_file", config_file)
    graph = export(model, data)
    if config_defination is not None:
        config = _core.create_config(graph, cfg=config_defination)
    else:
        config = _core.create_config(
            graph, batch_num=batch_num, skip_layers=skip_layers or [], activation_offset=activation_offset
        )
    config.save(config_file)


def quantize_preprocess(config_file: str, record_file: str, model: nn.Module, input_data: Any) -> nn.Module:
    """A model whose first forward pass writes the balance factors of layers with dmq_balancer_param."""
    function = "quantize_preprocess"
    check_input_file(function, "config_file", config_file)
    check_model(function, model)
    data = check_input_data(function, input_data)
    check_output_file(function, "record_file", record_file)
    graph = export(model, data)
    if _core._balanced_layer(graph, config_file) is None:
        what = "no enabled layer of the configuration has dmq_balancer_param"
        raise Error(f"{config_file}: {what}", what, file=config_file)
    write_empty(record_file)

    def measure(batches: Batches) -> None:
        fitting = _fitting(graph, batches, lambda axes: export(model, data, dynamic_axes=axes))
        _core.balance(fitting, batches, config_file, progress=False).save(record_file)

    return BalanceModel(model, 1, measure)


def quantize_model(
    config_file: str,
    modfied_onnx_file: str,
    record_file: str,
    model: nn.Module,
    input_data: Any,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    dynamic_axes: dict[str, Any] | None = None,
) -> nn.Module:
    """Quantises weights, and returns a model whose first batch_num forward passes calibrate the activations."""
    function = "quantize_model"
    check_input_file(function, "config_file", config_file)
    check_model(function, model)
    check_names(function, "input_names", input_names)
    check_names(function, "output_names", output_names)
    check_dynamic_axes(function, dynamic_axes)
    data = check_input_data(function, input_data)
    check_output_file(function, "modfied_onnx_file", modfied_onnx_file)
    check_type(function, "record_file", record_file, str)

    def graph_with(axes: dict[str, Any]) -> _core.Model:
        return export(model, data, input_names, output_names, axes)

    graph = graph_with(dynamic_axes or {})
    balance = None
    if _core._balanced_layer(graph, config_file) is not None:
        check_input_file(function, "record_file", record_file)
        balance = _core.Record.load(record_file)
    else:
        check_output_file(function, "record_file", record_file)
        write_empty(record_file)
    example = [tuple(tensor.detach().cpu().numpy() for tensor in tensors_of(data))]
    weights = _core._WeightCalibration(graph, example, config_file, balance)
    for each in weights.left_float:
        what = f"the weights cannot be quantised: {each.reason}"
        raise Error(f"{function}: layer '{each.layer}': {what}", what, node=each.layer)
    weights.modified().save(modfied_onnx_file)
    weights.record.save(record_file)

    def calibrate(batches: Batches) -> None:
        fitting = _fitting(graph, batches, lambda axes: graph_with(_joined(dynamic_axes, axes)))
        waiting = weights if fitting is graph else _core._WeightCalibration(fitting, example, config_file, balance)
        waiting.finish(batches, progress=False).save(record_file)

    return CalibrationModel(model, weights.batch_num, calibrate)


def save_model(modfied_onnx_file: str, record_file: str, save_path: str) -> None:
    """Writes the deploy and the fake-quant model."""
    function = "save_model"
    check_input_file(function, "modfied_onnx_file", modfied_onnx_file)
    check_input_file(function, "record_file", record_file)
    check_type(function, "save_path", save_path, str)
    _core.save(modfied_onnx_file, record_file, save_path)


def _joined(dynamic_axes: dict[str, Any] | None, axes: dict[str, dict[int, str]]) -> dict[str, Any]:
    joined = dict(dynamic_axes or {})
    for name, free in axes.items():
        given = joined.get(name, {})
        named = given if isinstance(given, dict) else {axis: f"{name}_{axis}" for axis in given}
        joined[name] = {**free, **named}
    return joined


def _fitting(graph: _core.Model, batches: Batches, export_with: Callable[[dict[str, Any]], _core.Model]) -> _core.Model:
    """The graph, or one in which the axes are free in which the batches differ from the example."""
    axes = free_axes(graph, batches)
    if not axes:
        return graph
    return export_with(axes)
