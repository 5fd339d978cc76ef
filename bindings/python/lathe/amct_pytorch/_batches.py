"""What a calibrating model was fed, kept in files."""
from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy
import torch

from .. import _core


def tensors_of(value: Any) -> list[torch.Tensor]:
    """The tensors in arguments of a module, in the order in which the exporter makes inputs of them."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [tensor for item in value for tensor in tensors_of(item)]


class Batches:
    """Batches on disk: a sequence of arrays that are mapped when they are wanted."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lathe-")
        self.shapes: list[list[tuple[int, ...]]] = []

    def add(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        tensors = tensors_of((arguments, keywords))
        for i, tensor in enumerate(tensors):
            numpy.save(self._path(len(self.shapes), i), tensor.detach().cpu().numpy())
        self.shapes.append([tuple(tensor.shape) for tensor in tensors])

    def _path(self, batch: int, tensor: int) -> str:
        return os.path.join(self._folder.name, f"{batch}_{tensor}.npy")

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, batch: int) -> tuple[numpy.ndarray, ...]:
        if batch >= len(self.shapes):
            raise IndexError(batch)
        return tuple(numpy.load(self._path(batch, i), mmap_mode="r") for i in range(len(self.shapes[batch])))


def free_axes(graph: _core.Model, batches: Batches) -> dict[str, dict[int, str]]:
    """The axes of the graph's inputs in which a batch differs from what the graph was exported for."""
    axes: dict[str, dict[int, str]] = {}
    for shapes in batches.shapes:
        for value, shape in zip(graph.inputs, shapes):
            if value.shape is None or len(value.shape) != len(shape):
                continue
            for axis, (wanted, got) in enumerate(zip(value.shape, shape)):
                if isinstance(wanted, int) and wanted != got:
                    axes.setdefault(value.name, {})[axis] = f"{value.name}_{axis}"
    return axes
