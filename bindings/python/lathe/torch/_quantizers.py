"""The quantisers of a retrain model: each is one step, with the gradients of training (the reference's 7.7, 7.8)."""
from __future__ import annotations

from typing import Any, Callable

import torch

from ..amct_pytorch._fake_quant import (
    QuantizeActivation,
    QuantizeWeight,
    RoundWeight,
    activation_factors,
    arq_scales,
)
from ._node import Node, integers

ACTIVATION, WEIGHT = ".acts_quant", ".wts_quant"
CLIP_MAX, CLIP_MIN, SCALES = ".quant_module.acts_clip_max", ".quant_module.acts_clip_min", ".quant_module.wts_scales"
LEARNED = (CLIP_MAX, CLIP_MIN, SCALES)

Constants = dict[str, torch.Tensor]
Compute = Callable[..., torch.Tensor]


class Quantizer:
    """One in the graph: what it reads, and how it computes."""

    def __init__(self, last: Node, inputs: list[str], compute: Compute) -> None:
        self.outputs, self.inputs, self.compute = last.outputs, inputs, compute


def find_quantizers(nodes: list[Node], constants: Constants) -> tuple[dict[str, Quantizer], set[str]]:
    """By the names of their last nodes, and the names of all nodes that belong to them."""
    by_name = {node.name: node for node in nodes}
    found: dict[str, Quantizer] = {}
    for node in nodes:
        for ending, make in ((ACTIVATION, _activation), (WEIGHT, _weight)):
            if node.name.endswith(ending) and f"{node.name}.high" in constants:
                found[node.name] = make(node, by_name, constants)
    parts = {node.name for node in nodes if any(node.name.startswith(f"{name}.") for name in _owners(node.name, found))}
    return found, parts | set(found)


def _owners(name: str, found: dict[str, Quantizer]) -> list[str]:
    ends = [name.rfind(ending + ".") + len(ending) for ending in (ACTIVATION, WEIGHT) if ending + "." in name]
    return [name[:end] for end in ends if name[:end] in found]


def _bits(node: Node, constants: Constants) -> int:
    return (int(constants[f"{node.name}.high"]) + 1).bit_length()


def _activation(last: Node, nodes: dict[str, Node], constants: Constants) -> Quantizer:
    layer, bits = last.name[: -len(ACTIVATION)], _bits(last, constants)
    clips = [name for name in (layer + CLIP_MAX, layer + CLIP_MIN) if name in constants]

    def compute(value: torch.Tensor, clip_max: torch.Tensor, clip_min: torch.Tensor | None = None) -> torch.Tensor:
        low = torch.zeros_like(clip_max) if clip_min is None else clip_min
        with torch.no_grad():
            scale, offset = activation_factors(clip_max, low, bits)
        return QuantizeActivation.apply(value, clip_max, low, scale, offset, bits)

    return Quantizer(last, [nodes[f"{last.name}.scaled"].inputs[0], *clips], compute)


def _weight(last: Node, nodes: dict[str, Node], constants: Constants) -> Quantizer:
    layer, bits = last.name[: -len(WEIGHT)], _bits(last, constants)
    split = integers(constants[f"{last.name}.split_shape"])
    weight = nodes[f"{last.name}.split"].inputs[0]
    if layer + SCALES in constants:
        learned: Any = QuantizeWeight.apply
        return Quantizer(last, [weight, layer + SCALES], lambda value, scales: learned(value, scales, split, bits))

    def compute(value: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            scales = arq_scales(value, split, bits)
        return RoundWeight.apply(value, scales, split, bits)

    return Quantizer(last, [weight], compute)
