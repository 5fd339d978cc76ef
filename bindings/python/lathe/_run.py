"""A model run once."""
from __future__ import annotations

import numpy

from . import _types
from ._core import Session


def run(
    model: _types.ModelLike, inputs: _types.Batch, *, threads: int = 0, shapes: _types.Shapes | None = None
) -> dict[str, numpy.ndarray]:
    """Runs a model once. For several runs, lathe.Session compiles it once."""
    return Session(model, threads=threads, shapes=shapes).run(inputs)
