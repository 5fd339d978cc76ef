"""Quantisation-aware training: the four calls."""
from __future__ import annotations

import json
import os
from typing import Any

import torch
from torch import nn

from .. import _core
from .._errors import Error
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
from ._export import copy_of, duplicate, export, unwrapped
from ._retrain_session import RetrainSession
from ._retrain_swap import put_in, session_of, take_out, trainable_modules


def create_quant_retrain_config(
    config_file: str, model: nn.Module, input_data: Any, config_defination: str | None = None
) -> None:
    """Writes the configuration of training: from a simplified one, or with the defaults for every layer."""
    function = "create_quant_retrain_config"
    check_type(function, "config_file", config_file, str)
    check_model(function, model)
    data = check_input_data(function, input_data)
    check_type(function, "config_defination", config_defination, str, optional=True)
    if config_defination is not None:
        check_input_file(function, "config_defination", config_defination)
    check_output_file(function, "config_file", config_file)
    inner = unwrapped(model)
    text = _core._create_retrain_config(export(model, data), config_defination, trainable_modules(inner))
    _warn_of_few_channels(function, json.loads(text), inner)
    with open(config_file, "w", encoding="utf-8") as file:
        file.write(text)


def create_quant_retrain_model(config_file: str, model: nn.Module, record_file: str, input_data: Any) -> nn.Module:
    """A copy of the model that trains with quantisers in front of its layers.

    Its first evaluation after training writes the record.
    """
    return _create("create_quant_retrain_model", config_file, model, record_file, input_data)


def restore_quant_retrain_model(
    config_file: str,
    model: nn.Module,
    record_file: str,
    input_data: Any,
    pth_file: str,
    state_dict_name: str | None = None,
) -> nn.Module:
    """The same as training left it in a checkpoint; state_dict_name is its key there, None means all of it."""
    function = "restore_quant_retrain_model"
    check_input_file(function, "pth_file", pth_file)
    check_type(function, "state_dict_name", state_dict_name, str, optional=True)
    made = _create(function, config_file, model, record_file, input_data)
    state = made.state_dict()
    wanted = {name: _array(tensor) for name, tensor in state.items()}
    with torch.no_grad():
        for name, array in _core._read_state(pth_file, state_dict_name, wanted).items():
            state[name].copy_(torch.from_numpy(array.copy()).reshape(state[name].shape))
    return made


def save_quant_retrain_model(
    config_file: str,
    model: nn.Module,
    record_file: str,
    save_path: str,
    input_data: Any,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    dynamic_axes: dict[str, Any] | None = None,
) -> None:
    """Writes the deploy and the fake-quant model of a trained one, with the record of its last evaluation."""
    function = "save_quant_retrain_model"
    check_input_file(function, "config_file", config_file)
    check_type(function, "model", model, nn.Module)
    check_input_file(function, "record_file", record_file)
    check_type(function, "save_path", save_path, str)
    data = check_input_data(function, input_data)
    check_names(function, "input_names", input_names)
    check_names(function, "output_names", output_names)
    check_dynamic_axes(function, dynamic_axes)
    session = session_of(model)
    if session is None:
        what = "the model has no quantisers that were trained"
        hint = "give what create_quant_retrain_model or restore_quant_retrain_model returned"
        raise Error(f"{function}: {what} ({hint})", what, hint=hint)
    copy = copy_of(model)
    take_out(copy)
    graph = export(copy, data, input_names, output_names, dynamic_axes)
    _check_config(config_file, session, _core._retrain_plan(graph, config_file))
    _check_record(record_file, session)
    _core._save_retrained(graph, record_file, save_path, session.unfolded)


def _create(function: str, config_file: str, model: nn.Module, record_file: str, input_data: Any) -> nn.Module:
    check_input_file(function, "config_file", config_file)
    check_model(function, model)
    data = check_input_data(function, input_data)
    check_output_file(function, "record_file", record_file)
    graph = export(model, data)
    plan = _core._retrain_plan(graph, config_file)
    session = RetrainSession(plan, record_file)
    made = duplicate(model)
    put_in(unwrapped(made), graph, plan, session, config_file)
    write_empty(record_file)
    return made


def _warn_of_few_channels(function: str, config: dict[str, Any], model: nn.Module) -> None:
    """The reference advises against training layers with few input channels."""
    few = [
        f"'{path}'"
        for path, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
        and module.in_channels <= 16
        and config.get(path, {}).get("retrain_enable")
    ]
    if few:
        LOGGER.warning("%s: layers with 16 input channels or fewer can lose accuracy: %s", function, ", ".join(few))


def _array(tensor: torch.Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _check_config(config_file: str, session: RetrainSession, plan: _core._RetrainPlan) -> None:
    created, given = json.loads(session.config), json.loads(plan.config)
    differing = [name for name in {**created, **given} if created.get(name) != given.get(name)]
    if differing:
        what = f"the configuration is not the one that the model was created with: '{differing[0]}' differs"
        raise Error(f"{config_file}: {what}", what, file=config_file)


def _check_record(record_file: str, session: RetrainSession) -> None:
    if os.path.getsize(record_file) == 0:
        what = "the record is empty: no evaluation has reached all trained layers"
        hint = "run the model once in evaluation mode: model.eval(), then model(data)"
        raise Error(f"{record_file}: {what} ({hint})", what, file=record_file, hint=hint)
    if not session.is_recorded:
        LOGGER.warning("%s: the model was trained after the evaluation that wrote this record", record_file)
