"""Trials from named arrays: NumPy, MATLAB and HDF5 files differ only in how arrays are found in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurito.data import layout
from neurito.data.binning import steps
from neurito.data.construct import from_array
from neurito.data.options import Options
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest

WIDTHS = {
    **dict.fromkeys(
        ("bin_width", "bin_width_s", "bin_width_seconds", "bin_size_s", "bin_size_seconds", "dt"), 1.0
    ),
    **dict.fromkeys(("bin_width_ms", "bin_size_ms", "dt_ms"), 1e-3),
}
"""Names of numbers that say the bin width, and their unit in seconds."""


@dataclass(frozen=True)
class Array:
    """An array in a file, not yet read; or a list of arrays, one per trial.

    Attributes:
        shape: of the array, or what the arrays of a list share; None = of different length.
        dtype: its type.
        load: reads it.
        lengths: of a list, the length of the differing axis in each array (of the last, if none differs).
        axes: trial, time and channel in order, where the file says so.
    """

    shape: layout.Shape
    dtype: np.dtype[Any]
    load: Callable[[], Any]
    lengths: tuple[int, ...] = ()
    axes: tuple[str, ...] | None = None

    @property
    def numeric(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype.kind in "biuf"

    @property
    def vector(self) -> bool:
        """Whether only one of its axes is longer than one."""
        return not self.lengths and sum(length != 1 for length in self.shape) == 1

    def __str__(self) -> str:
        shape = layout.show(self.shape)
        return f"{len(self.lengths)} arrays {shape} {self.dtype}" if self.lengths else f"{shape} {self.dtype}"


@dataclass(frozen=True)
class Store:
    """What is in a file: arrays and single numbers or words, by name.

    Attributes:
        source: the file.
        arrays: by name.
        scalars: by name.
    """

    source: str
    arrays: Mapping[str, Array]
    scalars: Mapping[str, Any] = field(default_factory=dict)

    def find(self, name: str) -> Array:
        """An array by name.

        Raises:
            NeuritoError: there is none of that name.
        """
        if name not in self.arrays:
            raise NeuritoError(f"no array {name!r}; {nearest(name, self.arrays)}")
        return self.arrays[name]


def array_list(pieces: Sequence[tuple[layout.Shape, np.dtype[Any]]], load: Callable[[], Any]) -> Array:
    """A list of arrays of one trial each."""
    shapes = [shape for shape, _ in pieces]
    differ = [axis for axis in range(len(shapes[0])) if len({shape[axis] for shape in shapes}) > 1]
    axis = differ[0] if differ else -1
    shape = tuple(None if i in differ else length for i, length in enumerate(shapes[0]))
    return Array(
        shape, np.result_type(*{d for _, d in pieces}), load, tuple(int(s[axis] or 0) for s in shapes)
    )


def candidates(store: Store) -> list[str]:
    """Arrays that may be the recording: of two or three axes, and no padded copy of a list of arrays."""
    return [
        name
        for name, array in store.arrays.items()
        if array.numeric and len(array.shape) in (2, 3) and 1 not in array.shape and not _padded(store, array)
    ]


def choose(store: Store, key: str | None) -> str:
    """The name of the array that is the recording.

    The one asked for; or the only one; or the only one called ``spikes`` or ``counts``.

    Raises:
        NeuritoError: there is none of that name, or none, or several.
    """
    if key is not None:
        store.find(key)
        return key
    names = candidates(store)
    likely = names if len(names) == 1 else [n for n in names if n.rpartition("/")[2] in ("spikes", "counts")]
    if len(likely) != 1:
        listed = ", ".join(f"{name} {layout.show(store.arrays[name].shape)}" for name in names[:8])
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        raise NeuritoError(
            f"holds several arrays, {listed}{more}; give key=NAME"
            if names
            else "holds no array of two or three axes; choose another file"
        )
    return likely[0]


def axes_of(store: Store, key: str, axes: str | None = None) -> tuple[str, ...]:
    """Axes of an array: as told, as labelled in the file, or as its lengths tell (see `layout.deduce`).

    Lengths are known from numbers called n_trials, n_channels and the like, and from an array of times.

    Raises:
        NeuritoError: the axes are not known; both readings are shown.
    """
    array = store.find(key)
    if axes is not None:
        words = [w for w in axes.replace(",", " ").split() if not (array.lengths and w == "trial")]
        return layout.parse(" ".join(words), len(array.shape))
    if array.axes is not None:
        return array.axes
    known = layout.sizes(store.scalars)
    if (times := times_of(store, array, None)) is not None:
        known.setdefault(times.size, set()).add("time")
    found = layout.deduce(array.shape, known)
    if found is None:
        raise layout.doubt(f"{key!r}", array.shape)
    return found


def bin_width_of(store: Store) -> tuple[float, str] | None:
    """The bin width in seconds that the file states, and where.

    Raises:
        NeuritoError: it states two that differ.
    """
    found = {
        name: float(value) * WIDTHS[last]
        for name, value in store.scalars.items()
        if (last := name.rpartition("/")[2].lower()) in WIDTHS and np.ndim(value) == 0
    }
    if not found:
        return None
    (name, width), *others = found.items()
    for other, value in others:
        if not np.isclose(value, width):
            raise NeuritoError(f"{name} says {width:g} s and {other} {value:g} s; give bin_width=")
    return width, name


def to_trials(store: Store, options: Options) -> Trials:
    """Trials from a file of arrays, as the options say."""
    key = choose(store, options.key)
    array = store.arrays[key]
    axes = axes_of(store, key, options.axes)
    values = _arranged(array, axes)
    if array.lengths:
        trials, bins = len(values), max(map(len, values))
    else:
        trials, bins = values.shape[:2]
    times = times_of(store, array, options.times)
    if options.times is not None and (times is None or times.size != bins):
        raise NeuritoError(f"times={options.times!r} is no vector of {bins} times, one per bin")
    start, width = 0.0, np.asarray(np.nan)
    if times is not None and times.size == bins:
        start, width = steps(times, repr(options.times or "times"))
        if options.bin_width is not None and not np.allclose(width, options.bin_width, rtol=1e-3):
            raise NeuritoError(
                f"times are {np.median(width):g} s apart, not {options.bin_width:g}; leave bin_width out, "
                "rebin=N joins N bins"
            )
    elif options.bin_width is not None:
        width = np.asarray(options.bin_width)
    elif (stated := bin_width_of(store)) is not None:
        width = np.asarray(stated[0])
    else:
        raise NeuritoError("does not say how wide its bins are; give bin_width=SECONDS")

    def beside(name: str) -> Any:
        return _beside(store, name, axes, values)

    return from_array(
        values,
        bin_width=width,
        kind=options.kind,
        name=options.name,
        unit=options.unit,
        missing=options.missing,
        lengths=_lengths(store, array, options.lengths),
        start=start,
        behaviour={name.rpartition("/")[2]: beside(name) for name in options.behaviour},
        inputs={name.rpartition("/")[2]: beside(name) for name in options.inputs} or None,
        metadata={name.rpartition("/")[2]: _vector(store, name, trials) for name in options.metadata},
    )


def _arranged(array: Array, axes: tuple[str, ...]) -> Any:
    """(trial, time, channel), or a list of (time, channel)."""
    if not array.lengths:
        return layout.arrange(array.load(), axes)
    return [layout.arrange(piece, axes)[0] for piece in array.load()]


def times_of(store: Store, array: Array, key: str | None) -> np.ndarray | None:
    """The times of bins: the vector asked for, or one of a telling name and as long as just one axis."""
    names = [key] if key else [n for n in store.arrays if n.rpartition("/")[2].lower() in layout.TIMES]
    for name in names:
        found = store.find(name)
        if not (found.numeric and found.vector):
            continue
        times = np.asarray(found.load(), float).ravel()
        if key:
            return times
        increase = times.size > 1 and bool((np.diff(times) > 0).all())
        if not increase or list(array.shape).count(times.size) != 1:
            continue
        if len(array.shape) == 2 or not steps(times, name)[1].ndim:  # times of trials are hardly regular
            return times
    return None


def _padded(store: Store, array: Array) -> Array | None:
    """The list of arrays of which this array is a padded copy."""
    for other in store.arrays.values():
        if other.lengths and other.dtype == array.dtype and not array.lengths:
            longest = tuple(max(other.lengths) if length is None else length for length in other.shape)
            if tuple(array.shape) == (len(other.lengths), *longest):
                return other
    return None


def _lengths(
    store: Store, array: Array, wanted: str | Sequence[int] | None
) -> Sequence[int] | np.ndarray | None:
    """Bins of each trial: as told, or those of a list of arrays of which this one is a padded copy."""
    if wanted is None:
        source = _padded(store, array)
        return source.lengths if source else None
    if isinstance(wanted, str):
        found = store.find(wanted)
        return found.lengths or np.asarray(found.load()).ravel().astype(int)
    return wanted


def _beside(store: Store, name: str, axes: tuple[str, ...], values: Any) -> Any:
    """An array with the trials and bins of the main one, in its layout or the only other that fits."""
    array = store.find(name)
    if isinstance(values, list):
        if len(array.lengths) != len(values):
            raise NeuritoError(f"{name!r} is no list of {len(values)} arrays, one per trial")
        pieces = array.load()
        orders = [layout.follow(p.shape, axes, 1, len(v)) for p, v in zip(pieces, values, strict=True)]
        own = next((order for order in orders if order), None)
        if own is None:
            raise layout.doubt(f"{name!r}", array.shape)
        return [layout.arrange(piece, own)[0] for piece in pieces]
    trials, bins = values.shape[:2]
    found = layout.follow(array.shape, axes, trials, bins)
    if found is None:
        raise NeuritoError(
            f"{name!r} has shape {layout.show(array.shape)}, which does not fit "
            f"{trials} trials of {bins} bins in one way"
        )
    return layout.arrange(array.load(), found)


def _vector(store: Store, name: str, n: int) -> np.ndarray:
    column = np.asarray(store.find(name).load()).ravel()
    if column.size != n:
        raise NeuritoError(f"{name!r} has {column.size} values; metadata are one for each of {n} trials")
    return column.astype(str) if column.dtype.kind in "SO" else column
