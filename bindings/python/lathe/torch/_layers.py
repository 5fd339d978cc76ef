"""Operators with weights or windows."""
from __future__ import annotations

import torch
from torch.nn import functional

from ._node import Node, Operator

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
_MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_MEANS = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


def _window(node: Node, value: torch.Tensor, kernel: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations and pads; pads are all that stand before, then all behind."""
    rank = len(kernel)
    strides, dilations = node.get("strides") or [1] * rank, node.get("dilations") or [1] * rank
    pads = node.get("pads") or [0] * 2 * rank
    auto = node.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        before, behind = [], []
        for axis in range(rank):
            size, reach = value.shape[2 + axis], (kernel[axis] - 1) * dilations[axis] + 1
            total = max((-(-size // strides[axis]) - 1) * strides[axis] + reach - size, 0)
            less, more = total // 2, total - total // 2
            before.append(less if auto == "SAME_UPPER" else more)
            behind.append(more if auto == "SAME_UPPER" else less)
        pads = before + behind
    return strides, dilations, pads


def _padded(value: torch.Tensor, pads: list[int], fill: float) -> tuple[torch.Tensor, list[int]]:
    """Padding that torch's windows do themselves stays; other is done here."""
    rank = len(pads) // 2
    if pads[:rank] == pads[rank:]:
        return value, pads[:rank]
    order = [pads[side * rank + axis] for axis in reversed(range(rank)) for side in (0, 1)]
    return functional.pad(value, order, value=fill), [0] * rank


def conv(node: Node, value: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    strides, dilations, pads = _window(node, value, list(weight.shape[2:]))
    value, pads = _padded(value, pads, 0.0)
    return _CONVOLUTIONS[weight.dim() - 2](value, weight, bias, strides, pads, dilations, node.get("group", 1))


def conv_transpose(
    node: Node, value: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    rank = weight.dim() - 2
    strides, dilations, pads = _window(node, value, list(weight.shape[2:]))
    if pads[:rank] != pads[rank:] or node.get("output_shape") or node.get("auto_pad", "NOTSET") != "NOTSET":
        raise node.error("its padding differs at both ends, or follows from the shape")
    extra = node.get("output_padding") or [0] * rank
    group = node.get("group", 1)
    return _TRANSPOSED[rank](value, weight, bias, strides, pads[:rank], extra, group, dilations)


def gemm(node: Node, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
    a, b = a.t() if node.get("transA", 0) else a, b.t() if node.get("transB", 0) else b
    result = a @ b
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if alpha != 1:
        result = result * alpha
    if c is None:
        return result
    return result + (c if beta == 1 else c * beta)


def batch_normalization(node: Node, value: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
    scale, bias, mean, variance = parameters
    momentum = 1 - node.get("momentum", 0.9)
    return functional.batch_norm(
        value, mean, variance, scale, bias, node.training, momentum, node.get("epsilon", 1e-5)
    )


def instance_normalization(node: Node, value: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.instance_norm(value, weight=scale, bias=bias, eps=node.get("epsilon", 1e-5))


def layer_normalization(
    node: Node, value: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    axis = node.get("axis", -1) % value.dim()
    return functional.layer_norm(value, value.shape[axis:], scale, bias, node.get("epsilon", 1e-5))


def dropout(
    node: Node, value: torch.Tensor, ratio: torch.Tensor | None = None, mode: torch.Tensor | None = None
) -> torch.Tensor:
    rate = float(ratio) if ratio is not None else node.get("ratio", 0.5)
    return functional.dropout(value, rate, node.training)


def max_pool(node: Node, value: torch.Tensor) -> torch.Tensor:
    kernel = node.get("kernel_shape")
    strides, dilations, pads = _window(node, value, kernel)
    value, pads = _padded(value, pads, float("-inf"))
    return _MAXIMA[len(kernel)](value, kernel, strides, pads, dilations, ceil_mode=bool(node.get("ceil_mode", 0)))


def average_pool(node: Node, value: torch.Tensor) -> torch.Tensor:
    kernel = node.get("kernel_shape")
    strides, dilations, pads = _window(node, value, kernel)
    included = bool(node.get("count_include_pad", 0))
    if any(each != 1 for each in dilations) or (pads[: len(kernel)] != pads[len(kernel) :] and not included):
        raise node.error("it has dilations, or padding that differs at both ends and does not count")
    value, pads = _padded(value, pads, 0.0)
    ceil = bool(node.get("ceil_mode", 0))
    return _MEANS[len(kernel)](value, kernel, strides, pads, ceil_mode=ceil, count_include_pad=included)


def _over_space(value: torch.Tensor) -> tuple[int, ...]:
    return tuple(range(2, value.dim()))


OPERATORS: dict[str, Operator] = {
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Dropout": dropout,
    "Gemm": gemm,
    "GlobalAveragePool": lambda node, value: value.mean(_over_space(value), keepdim=True),
    "GlobalMaxPool": lambda node, value: value.amax(_over_space(value), keepdim=True),
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "MatMul": lambda node, a, b: torch.matmul(a, b),
    "MaxPool": max_pool,
}
# The operands, beside the value, that are weights and biases.
TRAINED_INPUTS: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "MatMul": (1,),
    "PRelu": (1,),
}
# And those that are statistics of the data.
STATISTICS: dict[str, tuple[int, ...]] = {"BatchNormalization": (3, 4)}
