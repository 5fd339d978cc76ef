"""What the operators are told of their node."""
from __future__ import annotations

from typing import Any, Callable

import torch

from .. import _core
from .._errors import Error


class Node:
    """A node of the graph; `training` is that of the module that computes it."""

    def __init__(self, info: _core.NodeInfo, opset: int, path: str) -> None:
        self.name, self.op, self.inputs, self.outputs = info.name, info.op, info.inputs, info.outputs
        self.opset, self.path = opset, path
        self.training = False
        self._attributes = info.attributes

    def get(self, name: str, default: Any = None) -> Any:
        return self._attributes.get(name, default)

    def error(self, what: str) -> Error:
        message = f"operator {self.op} cannot be trained: {what}" if what else f"operator {self.op} cannot be trained"
        prefix = f"{self.path}: " if self.path else ""
        return Error(f"{prefix}node '{self.name}': {message}", message, file=self.path or None, node=self.name)


Operator = Callable[..., Any]


def integers(value: torch.Tensor) -> list[int]:
    return [int(each) for each in value.reshape(-1).tolist()]


def axes_of(node: Node, given: torch.Tensor | None) -> list[int] | None:
    """An input from some operator set on, an attribute before it."""
    return node.get("axes") if given is None else integers(given)
