"""A torch module as a graph of Lathe, its layers called by the paths of their modules."""
from __future__ import annotations

import copy
import inspect
import os
import tempfile
import warnings
from typing import Any

import torch
from torch import nn

from .. import _core
from ._checks import LOGGER

# Modules whose nodes are called by their path. A subclass may compute something else.
_MARKED = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.Linear,
    nn.AvgPool2d,
    nn.LSTM,
    nn.GRU,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softmax,
)

# As bindings/python/src/name_layers.h has it.
_MARK = "lathe.torch::Layer"


class _Mark(torch.autograd.Function):
    """Says in the exported graph which module comes next."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, path: str, kind: str) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def symbolic(graph: Any, value: Any, path: str, kind: str) -> Any:
        return graph.op(_MARK, value, name_s=path, type_s=kind).setType(value.type())


class _Layer(nn.Module):
    """A module with a mark before it. What is asked of it beyond calling it, the module answers."""

    def __init__(self, sub_module: nn.Module, path: str) -> None:
        super().__init__()
        self.sub_module = sub_module
        self.layer_path = path

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("sub_module"), name)

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        if arguments and isinstance(arguments[0], torch.Tensor):
            marked = _Mark.apply(arguments[0], self.layer_path, type(self.sub_module).__name__)
            arguments = (marked, *arguments[1:])
        return self.sub_module(*arguments, **keywords)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside of a wrapper for data-parallel training."""
    return model.module if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)) else model


def duplicate(model: nn.Module) -> nn.Module:
    """A copy; the model itself where it cannot be copied."""
    try:
        return copy.deepcopy(model)
    except Exception as error:  # noqa: BLE001 (a module may raise anything)
        LOGGER.warning("the model cannot be copied (%s): it is worked on itself", error)
        return model


def copy_of(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode, as `duplicate` makes it, without what is around it for training."""
    return duplicate(unwrapped(model)).eval()


def _mark_layers(model: nn.Module) -> None:
    layers = {module: _Layer(module, path) for path, module in model.named_modules() if path and type(module) in _MARKED}
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if child in layers and not isinstance(module, _Layer):
                module._modules[name] = layers[child]


def _plain_norm(norm: nn.SyncBatchNorm) -> nn.BatchNorm2d:
    """The same for one process; runs where there is no GPU."""
    plain = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    plain.weight, plain.bias = norm.weight, norm.bias
    plain.running_mean, plain.running_var = norm.running_mean, norm.running_var
    return plain.eval()


def _part_from_others(model: nn.Module) -> None:
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if isinstance(child, nn.SyncBatchNorm):
                module._modules[name] = _plain_norm(child)


def _opset() -> int:
    return 16 if torch.__version__.split("+")[0] == "2.1.0" else 11


def export(
    model: nn.Module,
    input_data: tuple[Any, ...],
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    dynamic_axes: dict[str, Any] | None = None,
) -> _core.Model:
    """The graph of a copy of the model, as it is in evaluation mode."""
    model = copy_of(model)
    _part_from_others(model)
    _mark_layers(model)
    options: dict[str, Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    with tempfile.TemporaryDirectory(prefix="lathe-") as folder:
        path = os.path.join(folder, "exported.onnx")
        with torch.no_grad(), warnings.catch_warnings():
            # Of the marks, which are gone before anybody could miss their shapes.
            warnings.filterwarnings("ignore", message=f"The shape inference of {_MARK}")
            warnings.filterwarnings("ignore", message=".*_graph_op")
            torch.onnx.export(
                model,
                input_data,
                path,
                input_names=input_names,
                output_names=output_names,
                dynamic_axes=dynamic_axes,
                opset_version=_opset(),
                custom_opsets={_MARK.split("::")[0]: 1},
                **options,
            )
        graph = _core.load(path)
        # The file stays readable for as long as the graph needs it.
        _core._name_layers(graph)
    return graph
