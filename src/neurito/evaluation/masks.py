"""Which entries a score covers."""

import numpy as np
from jaxtyping import Bool, Real

from neurito.errors import NeuritoError


def scored(
    values: Real[np.ndarray, "..."], score: Bool[np.ndarray, "..."] | None = None
) -> Bool[np.ndarray, "..."]:
    """Entries that exist and are wanted: not NaN, and `score` where it is given.

    Args:
        values: observed values of any shape; NaN is missing.
        score: what is to be scored, of a shape that broadcasts to that of `values` (``Head.score``).

    Raises:
        NeuritoError: `score` does not fit `values`, or leaves nothing.
    """
    covered: np.ndarray = ~np.isnan(values)
    if score is not None:
        try:
            covered &= score
        except ValueError:
            raise NeuritoError(
                f"score: shape {score.shape} does not fit values of shape {values.shape}; "
                "give one entry per trial, bin and channel"
            ) from None
    if not covered.any():
        raise NeuritoError("score: no value is left to be scored; check the mask and the missing values")
    return covered


def same_shape(**arrays: Real[np.ndarray, "..."]) -> None:
    """Refuses arrays of unlike shapes, by the names under which they are given.

    Raises:
        NeuritoError: two shapes differ.
    """
    (first, reference), *others = arrays.items()
    for name, array in others:
        if array.shape != reference.shape:
            raise NeuritoError(
                f"{name}: shape {array.shape}, but {first} has {reference.shape}; make them alike"
            )
