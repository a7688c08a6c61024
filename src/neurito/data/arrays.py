"""Masks and bin widths are often one value repeated: broadcast views, which these helpers keep small."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike as ArrayLike
else:  # checkers of types at run time take it too strictly: True is no complex number
    ArrayLike = Any


Ragged = ArrayLike | Sequence[ArrayLike]
"""An array, or a list of arrays of unequal length."""


def frozen(array: np.ndarray) -> np.ndarray:
    """A read-only view; the array itself keeps its flags."""
    view = array.view()
    view.flags.writeable = False
    return view


def spread(array: ArrayLike, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """`array` as `dtype`, repeated without memory to `shape` (raises ValueError where it cannot be)."""
    return np.broadcast_to(np.asarray(array, dtype), shape)


def compact(array: np.ndarray) -> np.ndarray:
    """The array with every merely repeated axis cut to length one: what is worth storing."""
    if array.size == 0:
        return array
    return array[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in array.strides)]


def once(array: np.ndarray) -> np.ndarray:
    """The same array as a broadcast view where it is one value throughout."""
    small = compact(array)
    if small.size and (small == small.flat[0]).all():
        return np.broadcast_to(small.flat[0], array.shape)
    return array


def gather(array: np.ndarray, trial: np.ndarray, bins: np.ndarray | None = None) -> np.ndarray:
    """Rows `trial` (piece,), then bins (piece, width) of (trial, time, ...); repeated axes stay so."""
    small = compact(array)
    if bins is None:
        picked = small if len(small) == 1 else small[trial]
        return np.broadcast_to(picked, (len(trial), *array.shape[1:]))
    picked = small
    if small.shape[:2] != (1, 1):
        picked = small[trial[:, None] if len(small) > 1 else 0, bins if small.shape[1] > 1 else 0]
    return np.broadcast_to(picked, (*bins.shape, *array.shape[2:]))


def place(index: np.ndarray) -> tuple[int, ...]:
    """Where a boolean array is first true."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(index)), index.shape))
