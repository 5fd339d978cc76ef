"""Rounding that lets gradients through (the reference's 7.2, 7.7, 7.8)."""
from __future__ import annotations

from typing import Any, Sequence

import torch

# Scales below are replaced by 1 (the reference's 7.1).
_SMALLEST_SCALE = torch.finfo(torch.float32).eps


def integer_range(bits: int) -> tuple[int, int]:
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def activation_factors(clip_max: torch.Tensor, clip_min: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and offset of what lies between the clips, to which 0 belongs always."""
    low, _ = integer_range(bits)
    top, bottom = clip_max.clamp(min=0), clip_min.clamp(max=0)
    scale = (top - bottom) / ((1 << bits) - 1)
    tiny = scale < _SMALLEST_SCALE
    offset = torch.where(tiny, torch.full_like(scale, low), (low - bottom / scale).round())
    return torch.where(tiny, torch.ones_like(scale), scale), offset


def arq_scales(weight: torch.Tensor, split: Sequence[int], bits: int) -> torch.Tensor:
    """One scale for each channel of a weight that is [groups, outer, local, inner], from its largest magnitude."""
    _, high = integer_range(bits)
    values = weight.reshape(tuple(split))
    top, bottom = values.amax((1, 3)).abs(), values.amin((1, 3)).abs()
    scale = torch.where(top < bottom, bottom / (high + 1), top / high).flatten()
    return torch.where(scale < _SMALLEST_SCALE, torch.ones_like(scale), scale)


class QuantizeActivation(torch.autograd.Function):
    """ULQ: the gradient passes inside the range, and teaches the clips everywhere."""

    @staticmethod
    def forward(
        ctx: Any,
        value: torch.Tensor,
        clip_max: torch.Tensor,
        clip_min: torch.Tensor,
        scale: torch.Tensor,
        offset: torch.Tensor,
        bits: int,
    ) -> torch.Tensor:
        """The clips are there for their gradients: a later pass may change them before backward."""
        low, high = integer_range(bits)
        result = torch.div(value, scale).add_(offset).round_().clamp_(low, high).sub_(offset).mul_(scale)
        ctx.save_for_backward(value, clip_max / scale, clip_min / scale, scale, offset)
        ctx.bits = bits
        return result

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        value, top, bottom, scale, offset = ctx.saved_tensors
        low, high = integer_range(ctx.bits)
        above, below = value > scale * (high - offset), value < scale * (low - offset)
        passed = gradient.masked_fill(above | below, 0)
        sum_above, sum_below = (gradient * above).sum(), (gradient * below).sum()
        # Of rounding, in steps: inside, the value's error; outside, that of the clip.
        steps = value / scale
        errors = steps.round().sub_(steps).mul_(passed).sum()
        errors = errors + (top.round() - top) * sum_above + (bottom.round() - bottom) * sum_below
        errors = errors / ((1 << ctx.bits) - 1)
        return passed, errors + sum_above, sum_below - errors, None, None, None


class RoundWeight(torch.autograd.Function):
    """ARQ: the gradient passes as it is."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, scales: torch.Tensor, split: Sequence[int], bits: int) -> torch.Tensor:
        return _rounded(weight, scales, split, bits)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return gradient, None, None, None


class QuantizeWeight(torch.autograd.Function):
    """ULQ of weights: the gradient passes as it is, and teaches the scales."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, scales: torch.Tensor, split: Sequence[int], bits: int) -> torch.Tensor:
        ctx.save_for_backward(weight, scales)
        ctx.split, ctx.bits = tuple(split), bits
        return _rounded(weight, scales, split, bits)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, scales = ctx.saved_tensors
        low, high = integer_range(ctx.bits)
        groups, outer, local, inner = ctx.split
        steps = weight.reshape(ctx.split) / scales.reshape(groups, 1, local, 1)
        # What a step more of the scale changes.
        slopes = torch.where((steps < low) | (steps > high), steps.clamp(low, high), steps.round() - steps)
        sums = (slopes * gradient.reshape(ctx.split)).sum((1, 3)).reshape(scales.shape)
        return gradient, sums / (outer * inner * high) ** 0.5, None, None


def _rounded(weight: torch.Tensor, scales: torch.Tensor, split: Sequence[int], bits: int) -> torch.Tensor:
    groups, _, local, _ = split
    low, high = integer_range(bits)
    factors = scales.reshape(groups, 1, local, 1)
    result = torch.div(weight.reshape(tuple(split)), factors).round_().clamp_(low, high).mul_(factors)
    return result.reshape(weight.shape)
