"""Sizes, shapes and values of a net under construction."""
import dataclasses

import numpy as np

F16, F32, F64, I32, I64, U8, BOOL = map(np.dtype, (np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8, bool))


@dataclasses.dataclass(frozen=True)
class Dim:
    """A size: `factor` times the free dimension N to the power `power`."""

    factor: int
    power: int = 0

    def at(self, n):
        return self.factor * n**self.power


INT_MAX = 2**63 - 1
ONE, N = Dim(1), Dim(1, 1)
UNKNOWN = Dim(0, 9)


def product(dims):
    factor, power = 1, 0
    for dim in dims:
        factor, power = factor * dim.factor, power + dim.power
    return Dim(factor, power)


def fixed(dims):
    return all(dim.power == 0 for dim in dims)


def numbers(dims):
    return [dim.factor for dim in dims]


def known(dims):
    """A shape as a file declares it."""
    return [dim.factor if dim.power == 0 else ("N" if dim == N else None) for dim in dims]


def broadcast(left, right):
    """The shape of both together, or None."""
    rank = max(len(left), len(right))
    left = (ONE,) * (rank - len(left)) + tuple(left)
    right = (ONE,) * (rank - len(right)) + tuple(right)
    shape = []
    for a, b in zip(left, right):
        if a != b and ONE not in (a, b):
            return None
        shape.append(b if a == ONE else a)
    return tuple(shape)


@dataclasses.dataclass(frozen=True)
class Value:
    name: str
    dtype: np.dtype
    shape: tuple
    # No arithmetic that rounds has made it.
    exact: bool = True

    @property
    def rank(self):
        return len(self.shape)

    @property
    def is_float(self):
        return self.dtype.kind == "f"

    def like(self, name, shape=None, dtype=None, exact=None):
        return Value(name, dtype or self.dtype, self.shape if shape is None else tuple(shape),
                     self.exact if exact is None else exact)  # fmt: skip


class Unsuitable(Exception):
    """No value at hand fits the operator that was drawn."""
