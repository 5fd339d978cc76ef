"""Operators on each value."""
from __future__ import annotations

import functools
from typing import Any, Callable

import torch
from torch.nn import functional

from ._node import Node, Operator


class _Round(torch.autograd.Function):
    """Half to even; the gradient passes as it is."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        return value.round()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


def _clip(
    node: Node, value: torch.Tensor, low: torch.Tensor | None = None, high: torch.Tensor | None = None
) -> torch.Tensor:
    for bound, name, limit in ((low, "min", torch.maximum), (high, "max", torch.minimum)):
        if bound is None and node.get(name) is not None:
            bound = torch.as_tensor(node.get(name), dtype=value.dtype, device=value.device)
        if bound is not None:
            value = limit(value, bound)
    return value


def _div(node: Node, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _p_relu(node: Node, value: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    return torch.where(value < 0, value * slope, value)


def _softmax(compute: Callable[..., torch.Tensor]) -> Operator:
    def run(node: Node, value: torch.Tensor) -> torch.Tensor:
        if node.opset >= 13:
            return compute(value, node.get("axis", -1))
        # Before: over all axes from the given one on.
        axis = node.get("axis", 1) % value.dim()
        return compute(value.flatten(axis), -1).reshape(value.shape)

    return run


def _one(compute: Callable[[torch.Tensor], torch.Tensor]) -> Operator:
    return lambda node, value: compute(value)


def _two(compute: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Operator:
    return lambda node, a, b: compute(a, b)


def _several(compute: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Operator:
    return lambda node, *values: functools.reduce(compute, values)


OPERATORS: dict[str, Operator] = {
    "Abs": _one(torch.abs),
    "Add": _two(torch.add),
    "And": _two(torch.logical_and),
    "Ceil": _one(torch.ceil),
    "Clip": _clip,
    "Cos": _one(torch.cos),
    "Div": _div,
    "Elu": lambda node, value: functional.elu(value, node.get("alpha", 1.0)),
    "Equal": _two(torch.eq),
    "Erf": _one(torch.erf),
    "Exp": _one(torch.exp),
    "Floor": _one(torch.floor),
    "Greater": _two(torch.gt),
    "GreaterOrEqual": _two(torch.ge),
    "HardSigmoid": lambda node, value: (value * node.get("alpha", 0.2) + node.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": _one(functional.hardswish),
    "LeakyRelu": lambda node, value: functional.leaky_relu(value, node.get("alpha", 0.01)),
    "Less": _two(torch.lt),
    "LessOrEqual": _two(torch.le),
    "Log": _one(torch.log),
    "LogSoftmax": _softmax(functional.log_softmax),
    "Max": _several(torch.maximum),
    "Min": _several(torch.minimum),
    "Mul": _two(torch.mul),
    "Neg": _one(torch.neg),
    "Not": _one(torch.logical_not),
    "Or": _two(torch.logical_or),
    "PRelu": _p_relu,
    "Pow": _two(torch.pow),
    "Reciprocal": _one(torch.reciprocal),
    "Relu": _one(functional.relu),
    "Round": _one(_Round.apply),
    "Selu": _one(functional.selu),
    "Sigmoid": _one(torch.sigmoid),
    "Sin": _one(torch.sin),
    "Softmax": _softmax(functional.softmax),
    "Softplus": _one(functional.softplus),
    "Sqrt": _one(torch.sqrt),
    "Sub": _two(torch.sub),
    "Sum": _several(torch.add),
    "Tanh": _one(torch.tanh),
    "Where": lambda node, condition, a, b: torch.where(condition, a, b),
}
