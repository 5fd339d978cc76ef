"""A graph as a torch module."""
from __future__ import annotations

from typing import Any

import numpy
import torch
from torch import nn

from .. import _core, _types
from .._errors import Error
from . import _layers, _shapes, _values
from ._node import Node, Operator
from ._quantizers import LEARNED, find_quantizers

_OPERATORS: dict[str, Operator] = {**_layers.OPERATORS, **_values.OPERATORS, **_shapes.OPERATORS}


class _Step:
    """Inputs to outputs; `done` are values that nobody reads afterwards."""

    def __init__(self, inputs: list[str], outputs: list[str], compute: Operator, node: Node | None) -> None:
        self.inputs, self.outputs, self.compute, self.node = inputs, outputs, compute, node
        self.done: list[str] = []


class OnnxModule(nn.Module):
    """Computes an ONNX graph. Parameters and statistics are called as the initializers are."""

    def __init__(self, model: _core.Model) -> None:
        super().__init__()
        opset = model.opsets.get("ai.onnx", 1)
        nodes = [_known(Node(info, opset, model.path), info.domain) for info in model.nodes]
        initializers = {name: _tensor(model.initializer(name)) for name in model.initializers}
        for constant in [node for node in nodes if node.op == "Constant"]:
            initializers[constant.outputs[0]] = _shapes.constant(constant)
        nodes = _without_aliases([node for node in nodes if node.op != "Constant"], initializers)
        self.inputs = [each.name for each in model.inputs]
        self.outputs = [each.name for each in model.outputs]
        quantizers, parts = find_quantizers(nodes, initializers)
        self._steps: list[_Step] = []
        for node in nodes:
            quantizer = quantizers.get(node.name)
            if quantizer is not None:
                self._steps.append(_Step(quantizer.inputs, quantizer.outputs, quantizer.compute, None))
            elif node.name not in parts:
                self._steps.append(_Step(node.inputs, node.outputs, _OPERATORS[node.op], node))
        self._release_early()
        self._constants: dict[str, torch.Tensor] = {}
        self._register(initializers, model.path)

    def _release_early(self) -> None:
        last = {name: step for step in self._steps for name in step.inputs}
        for name, step in last.items():
            if name and name not in self.outputs:
                step.done.append(name)

    def _register(self, initializers: dict[str, torch.Tensor], path: str) -> None:
        trained, statistics = _roles(self._steps, initializers)
        for name in sorted(trained & statistics):
            what = f"initializer '{name}' is a weight of one node and a statistic of another"
            hint = "give the file that 'lathe retrain create' makes of this one"
            raise Error(f"{path}: {what} ({hint})" if path else what, what, file=path or None, hint=hint)
        used = {name for step in self._steps for name in step.inputs} | set(self.outputs)
        for name, tensor in initializers.items():
            if name not in used:
                continue
            if name not in trained and name not in statistics:
                self._constants[name] = tensor
                continue
            *scopes, last = name.split(".")
            owner: nn.Module = self
            try:
                for scope in scopes:
                    if scope not in owner._modules:
                        owner.add_module(scope, nn.Module())
                    owner = owner._modules[scope]
                if name in trained:
                    owner.register_parameter(last, nn.Parameter(tensor))
                else:
                    owner.register_buffer(last, tensor)
            except KeyError:
                what = f"initializer '{name}' cannot be a parameter: another one has the beginning of its name"
                raise Error(f"{path}: {what}" if path else what, what, file=path or None) from None

    def forward(self, *arguments: torch.Tensor, **keywords: torch.Tensor) -> Any:
        """Inputs in the order of the graph's, or by name. One output, or a tuple of them."""
        values = {**self._constants, **dict(self.named_parameters()), **dict(self.named_buffers())}
        values.update(self._fed(arguments, keywords))
        kept = set(self._constants) | {name for name, _ in self.named_parameters()}
        for step in self._steps:
            inputs = [values[name] if name else None for name in step.inputs]
            while inputs and inputs[-1] is None:
                inputs.pop()
            if step.node is None:
                results = step.compute(*inputs)
            else:
                step.node.training = self.training
                results = step.compute(step.node, *_beside(inputs))
            for name, result in zip(step.outputs, results if isinstance(results, (tuple, list)) else (results,)):
                values[name] = result
            for name in step.done:
                if name not in kept:
                    values.pop(name, None)
        outputs = tuple(values[name] for name in self.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _fed(self, arguments: tuple[torch.Tensor, ...], keywords: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        fed = dict(zip(self.inputs, arguments))
        fed.update(keywords)
        if len(arguments) > len(self.inputs) or set(fed) != set(self.inputs):
            raise TypeError(f"the inputs are {', '.join(self.inputs)}; given were {len(arguments)} in order and "
                            f"{', '.join(keywords) or 'none'} by name")  # fmt: skip
        return fed


def from_onnx(model: _types.ModelLike) -> OnnxModule:
    """A module that computes the ONNX model, and can be trained.

    Weights, biases and what quantisers learn are its parameters; its state_dict has the names of the initializers,
    which `lathe retrain restore` and `save` take as a checkpoint. Rounding lets gradients through. Raises lathe.Error at an
    operator that is not known.
    """
    return OnnxModule(model if isinstance(model, _core.Model) else _core.load(model))


def _known(node: Node, domain: str) -> Node:
    if domain not in ("", "ai.onnx") or node.op not in _OPERATORS:
        raise node.error("" if not domain else f"it is of domain '{domain}'")
    return node


def _without_aliases(nodes: list[Node], initializers: dict[str, torch.Tensor]) -> list[Node]:
    """Reads initializers directly that are read through Identity."""
    aliases: dict[str, str] = {}
    for node in nodes:
        node.inputs = [aliases.get(name, name) for name in node.inputs]
        if node.op == "Identity" and node.inputs[0] in initializers:
            aliases[node.outputs[0]] = node.inputs[0]
    return [node for node in nodes if not node.outputs or node.outputs[0] not in aliases]


def _tensor(array: numpy.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())


def _beside(inputs: list[torch.Tensor | None]) -> list[torch.Tensor | None]:
    """Constants come to where the values are; those that say shapes stay, for they are read by the CPU."""
    devices = {each.device for each in inputs if each is not None and each.device.type != "cpu"}
    if not devices:
        return inputs
    device = devices.pop()
    return [each.to(device) if each is not None and each.is_floating_point() else each for each in inputs]


def _roles(steps: list[_Step], initializers: dict[str, torch.Tensor]) -> tuple[set[str], set[str]]:
    """The initializers that are trained, and those that are statistics."""
    trained: set[str] = set()
    statistics: set[str] = set()
    products: set[str] = set()
    for step in steps:
        if step.node is None:
            trained.update(step.inputs)
            continue
        op = step.node.op
        for table, found in ((_layers.TRAINED_INPUTS, trained), (_layers.STATISTICS, statistics)):
            found.update(step.inputs[i] for i in table.get(op, ()) if i < len(step.inputs))
        if op == "MatMul":
            products.update(step.outputs)
        if op == "Add" and any(name in products for name in step.inputs):
            trained.update(name for name in step.inputs if name in initializers and initializers[name].dim() == 1)
    trained.update(name for name in initializers if name.endswith(LEARNED))
    floats = {name for name, tensor in initializers.items() if tensor.is_floating_point()}
    return trained & floats, statistics & floats
