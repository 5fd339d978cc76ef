"""Operators that move values, reduce them, or ask for shapes."""
from __future__ import annotations

from typing import Any, Callable

import torch
from torch.nn import functional

from ._node import Node, Operator, axes_of, integers

_TYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip


def _cast(node: Node, value: torch.Tensor) -> torch.Tensor:
    wanted = _TYPES.get(node.get("to"))
    if wanted is None:
        raise node.error(f"element type {node.get('to')} is not known")
    return value.to(wanted)


def constant(node: Node) -> torch.Tensor:
    if node.get("value") is not None:
        return torch.from_numpy(node.get("value").copy())
    for name, kind in (("value_float", torch.float32), ("value_floats", torch.float32), ("value_int", torch.int64),
                       ("value_ints", torch.int64)):  # fmt: skip
        if node.get(name) is not None:
            return torch.tensor(node.get(name), dtype=kind)
    raise node.error("its value is no tensor and no number")


def _constant_of_shape(node: Node, shape: torch.Tensor) -> torch.Tensor:
    value = node.get("value")
    filled = torch.zeros(1) if value is None else torch.from_numpy(value.copy())
    return filled.reshape(()).expand(integers(shape)).clone()


def _expand(node: Node, value: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    return value.expand(torch.broadcast_shapes(value.shape, tuple(integers(shape))))


def _flatten(node: Node, value: torch.Tensor) -> torch.Tensor:
    axis = node.get("axis", 1)
    rows = 1
    for extent in value.shape[:axis]:
        rows *= extent
    return value.reshape(rows, -1)


def _gather(node: Node, value: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    axis = node.get("axis", 0) % value.dim()
    places = indices.to(value.device).long()
    places = torch.where(places < 0, places + value.shape[axis], places)
    shape = value.shape[:axis] + places.shape + value.shape[axis + 1 :]
    return value.index_select(axis, places.reshape(-1)).reshape(shape)


def _pad(
    node: Node, value: torch.Tensor, pads: torch.Tensor | None = None, fill: torch.Tensor | None = None,
    axes: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    if axes is not None:
        raise node.error("it has axes")
    counts = node.get("pads") if pads is None else integers(pads)
    rank, mode = len(counts) // 2, node.get("mode", "constant")
    order = [counts[side * rank + axis] for axis in reversed(range(rank)) for side in (0, 1)]
    if mode == "constant":
        return functional.pad(value, order, value=float(fill) if fill is not None else node.get("value", 0.0))
    while order and order[-2:] == [0, 0]:
        order = order[:-2]
    return functional.pad(value, order, mode="replicate" if mode == "edge" else mode)


def _reduction(compute: Callable[..., torch.Tensor]) -> Operator:
    def run(node: Node, value: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
        over = axes_of(node, axes) or list(range(value.dim()))
        if axes is not None and not axes.numel() and node.get("noop_with_empty_axes", 0):
            return value
        return compute(value, tuple(over), keepdim=bool(node.get("keepdims", 1)))

    return run


def _reshape(node: Node, value: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    wanted = integers(shape)
    if not node.get("allowzero", 0):
        wanted = [value.shape[i] if extent == 0 else extent for i, extent in enumerate(wanted)]
    return value.reshape(wanted)


def _resize(node: Node, value: torch.Tensor, *inputs: torch.Tensor | None) -> torch.Tensor:
    scales, sizes = (inputs[1:3] + (None, None))[:2] if len(inputs) > 1 else ((inputs or (None,))[0], None)
    mode, coordinates = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", "half_pixel")
    if value.dim() != 4 or mode not in ("nearest", "linear"):
        raise node.error(f"mode '{mode}' on {value.dim()} axes")
    if sizes is not None and sizes.numel():
        size = integers(sizes)[2:]
    else:
        size = [int(extent * float(scale)) for extent, scale in zip(value.shape, scales.reshape(-1))][2:]
    if mode == "linear":
        if coordinates not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
            raise node.error(f"coordinates '{coordinates}'")
        return functional.interpolate(value, size, mode="bilinear", align_corners=coordinates == "align_corners")
    if any(new % old for new, old in zip(size, value.shape[2:])):
        raise node.error("nearest values at a scale that is no whole number")
    return functional.interpolate(value, size, mode="nearest")


def _slice(node: Node, value: torch.Tensor, *inputs: torch.Tensor | None) -> torch.Tensor:
    if inputs:
        starts, ends, axes, steps = (each if each is None else integers(each) for each in (*inputs, None, None)[:4])
    else:
        starts, ends, axes, steps = node.get("starts"), node.get("ends"), node.get("axes"), None
    for i, (start, end) in enumerate(zip(starts, ends)):
        axis, step = axes[i] if axes else i, steps[i] if steps else 1
        extent = value.shape[axis]
        if step < 0:
            places = torch.tensor(_reversed(start, end, step, extent), dtype=torch.long, device=value.device)
            value = value.index_select(axis, places)
            continue
        index: list[Any] = [slice(None)] * value.dim()
        index[axis] = slice(start, end, step)
        value = value[tuple(index)]
    return value


def _reversed(start: int, end: int, step: int, extent: int) -> list[int]:
    start = min(start + extent if start < 0 else start, extent - 1)
    end = max(end + extent if end < 0 else end, -1)
    return list(range(start, end, step))


def _split(node: Node, value: torch.Tensor, sizes: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
    axis, parts = node.get("axis", 0), node.get("split") if sizes is None else integers(sizes)
    count = len(node.outputs)
    return torch.split(value, parts or -(-value.shape[axis] // count), axis)


def _squeeze(node: Node, value: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    gone = axes_of(node, axes)
    gone = [i for i, extent in enumerate(value.shape) if extent == 1] if gone is None else gone
    rank = value.dim()
    kept = [extent for i, extent in enumerate(value.shape) if i not in {axis % rank for axis in gone}]
    return value.reshape(kept)


def _transpose(node: Node, value: torch.Tensor) -> torch.Tensor:
    return value.permute(node.get("perm") or list(reversed(range(value.dim()))))


def _unsqueeze(node: Node, value: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    new = axes_of(node, axes) or []
    rank = value.dim() + len(new)
    for axis in sorted(each % rank for each in new):
        value = value.unsqueeze(axis)
    return value


OPERATORS: dict[str, Operator] = {
    "Cast": _cast,
    "Concat": lambda node, *values: torch.cat(values, node.get("axis")),
    "Constant": constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": lambda node, value: value,
    "Pad": _pad,
    "ReduceMax": _reduction(torch.amax),
    "ReduceMean": _reduction(torch.mean),
    "ReduceMin": _reduction(torch.amin),
    "ReduceSum": _reduction(torch.sum),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda node, value: torch.tensor(value.shape[node.get("start", 0) : node.get("end")]),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
