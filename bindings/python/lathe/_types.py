"""What the functions of this package take, by name."""
from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Union

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from ._core import Config, Images, Model, Record

PathLike = Union[str, "os.PathLike[str]"]
#: An ONNX file, or a model in memory, which stays as it is.
ModelLike = Union[PathLike, "Model"]
#: A file, or the factors themselves.
RecordLike = Union[PathLike, "Record"]
#: A JSON file, what such a file holds, or a configuration.
ConfigLike = Union[PathLike, Mapping[str, Any], "Config"]
#: Shapes of inputs with free dimensions, by name.
Shapes = Mapping[str, Sequence[int]]
#: What one run is fed: arrays by input, arrays in the order of the inputs, or the array of the only input.
Batch = Union[Mapping[str, ArrayLike], Sequence[ArrayLike], ArrayLike]


class Batches(Protocol):
    """A sequence of batches; a list is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Batch: ...


#: Files as the driver's -d takes them, a folder of images, one array, or a sequence of batches.
Data = Union[PathLike, Sequence[PathLike], "Images", Batches, ArrayLike]
#: None: bars of tqdm where it is installed. Else whether to show any, or who is told of stage, done and total.
Progress = Union[None, bool, Callable[[str, int, int], None]]
