"""Which axis of an array is which: said by the caller, or known from the file, never guessed."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from neurito.errors import NeuritoError, nearest

AXES = ("trial", "time", "channel")
_SYNONYMS = {
    "trial": "trial sweep",
    "time": "time bin timepoint",
    "channel": "channel neuron unit electrode cell",
}
WORDS = {f"{word}{s}": axis for axis, words in _SYNONYMS.items() for word in words.split() for s in ("", "s")}
"""Words for axes, as they are found in files."""

TIMES = ("time", "times", "timestamp", "timestamps", "bin_times", "t")
"""Names of arrays that hold the times of bins, in seconds."""

Shape = Sequence[int | None]
"""None = of different length in every trial."""


def parse(axes: str, n: int) -> tuple[str, ...]:
    """The words of an `axes` option for an array of `n` axes.

    Raises:
        NeuritoError: a word is unknown or missing.
    """
    words = tuple(axes.replace(",", " ").split())
    for word in words:
        if word not in AXES:
            raise NeuritoError(f"axes={axes!r}: {word!r} is no axis; {nearest(word, AXES)}")
    if len(set(words)) < len(words) or "time" not in words:
        raise NeuritoError(f"axes={axes!r} must name time, and each axis once, as in 'trial time channel'")
    if len(words) != n:
        raise NeuritoError(f"axes={axes!r} names {len(words)} axes of an array that has {n}; name every one")
    return words


def sizes(scalars: Mapping[str, Any]) -> dict[int, set[str]]:
    """What lengths mean, from numbers in the file called n_trials, n_neurons, max_n_time_bins and so on."""
    known: dict[int, set[str]] = {}
    for name, value in scalars.items():
        words = name.rpartition("/")[2].lower().replace("num_", "n_").removeprefix("max_").split("_")
        if words[0] == "n" and len(words) > 1 and words[1] in WORDS and np.ndim(value) == 0:
            known.setdefault(int(value), set()).add(WORDS[words[1]])
    return known


def deduce(shape: Shape, known: Mapping[int, set[str]]) -> tuple[str, ...] | None:
    """Axes of an array from what lengths are known to mean; None where that leaves a doubt.

    An axis of varying length is time. An axis is known where its length means one thing and no other axis
    has that length. The last axis is known when the others are; of two axes, none is trials unless known.
    """
    axes: list[str | None] = ["time" if length is None else None for length in shape]
    for i, length in enumerate(shape):
        meant = known.get(length, set()) if length is not None else set()
        if len(meant) == 1 and list(shape).count(length) == 1:
            axes[i] = next(iter(meant))
    possible = AXES if len(shape) > 2 or "trial" in axes else AXES[1:]
    left = [axis for axis in possible if axis not in axes]
    if len(left) > 1 or len(left) != axes.count(None):
        return None
    return tuple(axis or left[0] for axis in axes)


def doubt(what: str, shape: Shape) -> NeuritoError:
    """The error for an array whose layout is not known: both readings, and the option that says which."""
    lengths = ["different numbers" if length is None else str(length) for length in shape]
    readings = {2: ("time channel", "channel time"), 3: ("trial time channel", "trial channel time")}.get(
        len(shape)
    )
    if readings is None:
        return NeuritoError(
            f"{what} has {len(shape)} axes; choose an array of two or three: trial, time, channel"
        )
    told = []
    for axes in readings:
        count = dict(zip(axes.split(), lengths, strict=True))
        parts = [
            f"{count[axis]} {word}"
            for axis, word in zip(AXES, ("trials", "bins", "channels"), strict=True)
            if axis in count
        ]
        told.append(f"{' x '.join(parts)} (axes='{axes}')")
    others = ", or another order of these words" if len(shape) == 3 else ""
    return NeuritoError(f"{what} has shape {show(shape)}: {' or '.join(told)}{others}? give axes=")


def arrange(array: np.ndarray, axes: Sequence[str]) -> np.ndarray:
    """The array as (trial, time, channel)."""
    for missing in (axis for axis in AXES if axis not in axes):
        array, axes = array[..., None], (*axes, missing)
    return np.transpose(array, [axes.index(axis) for axis in AXES])


def follow(shape: Shape, main: Sequence[str], trials: int, bins: int) -> tuple[str, ...] | None:
    """Axes of an array that shares trials and bins with the main one; None where none or several fit.

    Where the order of the main array fits, it is meant.
    """
    wanted = {"trial": trials, "time": bins}

    def fits(axes: Sequence[str]) -> bool:
        lacks = [axis for axis in wanted if axis not in axes and not (axis == "trial" and trials == 1)]
        return (
            len(axes) == len(shape)
            and not lacks
            and all(wanted.get(axis, length) == length for axis, length in zip(axes, shape, strict=True))
        )

    for order in (tuple(main), tuple(axis for axis in main if axis != "channel")):
        if fits(order):
            return order
    others = [axes for axes in permutations(AXES, len(shape)) if fits(axes)]
    return others[0] if len(others) == 1 else None


def show(shape: Shape) -> str:
    """A shape, for people."""
    return "(" + ", ".join("*" if length is None else str(length) for length in shape) + ")"
