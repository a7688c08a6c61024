"""A recording on a clock, in events and samples, and how it is cut in trials and bins."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int

from neurito.data.binning import CLOSE, bin_spikes, resample, steps
from neurito.data.filters import choose
from neurito.data.head import Head, pick
from neurito.data.options import Options
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest, warn

LARGEST = 2**31
"""Numbers in the largest padded array that is made without a protest (8 GB)."""

Table = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Series:
    """Samples on the recording's clock.

    Attributes:
        times: seconds.
        values: (sample, channel); NaN = missing.
        names: one per channel.
        unit: of the values.
    """

    times: Float64[np.ndarray, " sample"]
    values: Float[np.ndarray, "sample channel"]
    names: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        if len(self.times) != len(self.values):
            raise NeuritoError(
                f"{len(self.times)} times for {len(self.values)} samples; give one time per sample"
            )
        backwards = (np.diff(self.times) < 0).sum()
        if backwards:
            warn(f"times of a series go backwards {backwards} times; its samples are sorted by time")
            order = np.argsort(self.times, kind="stable")
            object.__setattr__(self, "times", self.times[order])
            object.__setattr__(self, "values", self.values[order])


@dataclass(frozen=True, eq=False)
class Recording:
    """Spike times, series and tables of intervals on one clock.

    Attributes:
        source: what errors and sessions are named after.
        times: seconds, of all spikes of all units.
        unit: whose spike each is, 0 to len(names) - 1.
        names: of the units.
        columns: what is known of the units, (unit,) by name.
        series: sampled signals by name.
        intervals: tables of intervals by name; each has `start_time` and `stop_time`.
        observed: (interval, 2) for each unit: when it was observed; empty = always.
        epochs: (epoch, 2), when anything was recorded; None = from the first to the last spike or sample.
    """

    source: str
    times: Float64[np.ndarray, " spike"] = field(default_factory=lambda: np.zeros(0))
    unit: Int[np.ndarray, " spike"] = field(default_factory=lambda: np.zeros(0, int))
    names: tuple[str, ...] = ()
    columns: Table = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    intervals: Mapping[str, Table] = field(default_factory=dict)
    observed: Sequence[Float64[np.ndarray, "_ 2"]] = ()
    epochs: Float64[np.ndarray, "epoch 2"] | None = None

    def extent(self, key: str = "spikes") -> tuple[float, float]:
        """First and last time in seconds: of the epochs, or of the spikes or the series `key`, or of all."""
        if self.epochs is not None:
            return float(self.epochs.min()), float(self.epochs.max())
        clocks = [series.times for name, series in self.series.items() if key in ("spikes", name)]
        if key == "spikes" and self.times.size:
            clocks = [self.times]
        ends = [(float(clock.min()), float(clock.max())) for clock in clocks if clock.size]
        if not ends:
            raise NeuritoError("holds no spike and no sample; nothing can be binned")
        return min(low for low, _ in ends), max(high for _, high in ends)


def to_trials(recording: Recording, options: Options) -> Trials:
    """The recording in trials and bins, as the options say.

    Raises:
        NeuritoError: an option names what is not there, or no trial is left.

    Warns:
        NeuritoWarning: trials are left out or overlap, or a unit is silent.
    """
    if options.behaviour_file is not None:
        from neurito.data.load import series

        extra = series(options.behaviour_file)
        recording = replace(recording, series={**recording.series, **extra})
        options = replace(options, behaviour=options.behaviour or tuple(extra))
    rows = _units(recording, options.units)
    key = options.key or ("spikes" if recording.names else _only(recording))
    width, spans = options.bin_width, None
    if width is None and key != "spikes":
        width, spans = _sampling(recording, key)
    if width is None or not width > 0:
        raise NeuritoError(f"bin_width={width}; spike times need bins, give bin_width=SECONDS")
    start, lengths, metadata = _cuts(recording, options, key, width, spans)
    if not lengths.size or lengths.min() < 1:
        raise NeuritoError(f"no bin of {width:g} s fits; choose a smaller bin_width")
    size = lengths.size * int(lengths.max()) * max(len(rows), 1)
    if size > LARGEST:
        raise NeuritoError(
            f"{lengths.size} trials of up to {lengths.max()} bins are {size:.1e} numbers; "
            "choose a larger bin_width (in seconds), a window or a span"
        )
    _warn_overlap(recording.source, start, start + lengths * width)
    edges = start[:, None] + width * np.arange(int(lengths.max()) + 1)
    heads: dict[str, Head] = {}
    if key == "spikes":
        counts = _counts(recording, rows, edges)
        names = tuple(recording.names[i] for i in rows)
        heads[options.name or "spikes"] = Head.of(counts, "counts", names=names, missing="nan")
    else:
        heads[options.name or key] = _sampled(find(recording, key), edges, options.max_gap, read=True)
    for name, behaviour in _behaviour(recording, options).items():
        heads[name] = _sampled(behaviour, edges, options.max_gap, read=False)
    inputs = {n: _sampled(find(recording, n), edges, options.max_gap, read=True) for n in options.inputs}
    return Trials(
        heads=heads,
        dt=np.array(width),
        start=start,
        exists=np.arange(edges.shape[1] - 1) < lengths[:, None],
        inputs=np.concatenate([head.values for head in inputs.values()], -1) if inputs else None,
        input_names=tuple(
            name if head.n_channels == 1 else f"{name}_{label}"
            for name, head in inputs.items()
            for label in head.names
        ),
        session_names=(Path(recording.source).stem,),
        metadata=metadata,
    )


def find(recording: Recording, name: str) -> Series:
    """A series by name.

    Raises:
        NeuritoError: there is none of that name.
    """
    if name not in recording.series:
        raise NeuritoError(f"no series {name!r}; {nearest(name, recording.series)}")
    return recording.series[name]


def _sampling(recording: Recording, key: str) -> tuple[float, np.ndarray]:
    """The sampling interval of a regular series, and (span, 2) with its samples in the middle of bins."""
    times = find(recording, key).times
    epochs = np.array([[-np.inf, np.inf]]) if recording.epochs is None else recording.epochs
    first, end = np.searchsorted(times, epochs[:, 0]), np.searchsorted(times, epochs[:, 1], "right")
    first, end = first[end - first > 1], end[end - first > 1]
    with contextlib.suppress(NeuritoError):
        widths = [steps(times[a:b], key)[1] for a, b in zip(first, end, strict=True)]
        if widths and all(not w.ndim and np.isclose(w, widths[0]) for w in widths):
            width = float(widths[0])
            spare = 0.55 * width  # the last bin fits in spite of rounding
            return width, np.stack([times[first] - width / 2, times[end - 1] + spare], 1)
    raise NeuritoError(f"series {key!r} is sampled irregularly; give bin_width=SECONDS")


def _warn_overlap(source: str, start: np.ndarray, stop: np.ndarray) -> None:
    order = np.argsort(start, kind="stable")
    shared = (stop[order][:-1] - start[order][1:] > CLOSE).sum()
    if shared:
        warn(f"{source}: {shared} of {start.size} trials overlap in time; parts of a split may share spikes")


def _only(recording: Recording) -> str:
    if len(recording.series) != 1:
        names = ", ".join(recording.series) or "none"
        raise NeuritoError(f"holds no spikes; give key=NAME of a series, of: {names}")
    return next(iter(recording.series))


def _units(recording: Recording, wanted: str | Sequence[str] | None) -> np.ndarray:
    names = recording.names
    if wanted is None:
        return np.arange(len(names))
    if isinstance(wanted, str):
        return np.flatnonzero(choose(wanted, {"unit": np.array(names), **recording.columns}, len(names)))
    return pick(wanted, names, "unit")


def _spans(recording: Recording, options: Options, key: str, width: float) -> np.ndarray:
    """(span, 2): stretches of time to be binned where there are no trials, in seconds."""
    if options.span is not None:
        low, high = options.span
        first, last = recording.extent(key)
        if not low < high or high <= first or low >= last:
            raise NeuritoError(
                f"span=({low:g}, {high:g}) holds nothing; the recording is from {first:g} to {last:g} s"
            )
        return np.array([[low, high]])
    if recording.epochs is not None:
        return recording.epochs
    first, last = recording.extent(key)
    bins = np.floor((last - first) / width) + 1  # the last spike is inside
    return np.array([[first, first + bins * width]])


def _cuts(
    recording: Recording, options: Options, key: str, width: float, spans: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Start (trial,) in seconds, length (trial,) in bins, and the metadata of trials."""
    table = None if options.cut or options.span else _table(recording, options.intervals)
    if table is None:
        for option in ("align", "window"):
            if getattr(options, option) is not None:
                raise NeuritoError(f"{option} needs trials; give intervals=TABLE")
        if spans is None or options.span is not None:
            spans = _spans(recording, options, key, width)
        if options.cut is None:
            return spans[:, 0], _whole(spans[:, 1] - spans[:, 0], width), {}
        bins = int(_whole(np.array(options.cut), width))
        number = _whole(spans[:, 1] - spans[:, 0], max(bins, 1) * width)
        index = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        return np.repeat(spans[:, 0], number) + index * bins * width, np.full(index.shape, bins), {}
    align = options.align or "start_time"
    if align not in table:
        raise NeuritoError(f"no trials column {align!r}; {nearest(align, table)}")
    if table[align].dtype.kind not in "iuf":
        raise NeuritoError(f"trials column {align!r} holds no times; {nearest('time', table)}")
    if options.window is not None:
        low, high = options.window
        start = table[align].astype(float) + low
        lengths = np.full(start.shape, int(_whole(np.array(high - low), width)))
    elif options.align is not None:
        raise NeuritoError(
            f"align={align!r} needs a window; give window=(FROM, TO) in seconds, as in (-0.5, 1)"
        )
    else:
        start = table["start_time"].astype(float)
        lengths = _whole(table["stop_time"] - start, width)
    kept = np.isfinite(start) & (lengths > 0)
    metadata = {
        name: column[kept] for name, column in table.items() if name not in ("start_time", "stop_time")
    }
    if not kept.all():
        warn(f"{recording.source}: {(~kept).sum()} of {kept.size} trials have no time or no bin; left out")
    return start[kept], lengths[kept], metadata


def _whole(seconds: np.ndarray, width: float) -> np.ndarray:
    """Bins that fit in a stretch of time; none where it is not known."""
    return np.asarray(np.floor(np.nan_to_num(seconds, nan=0.0) / width + 1e-6).astype(int))


def _table(recording: Recording, wanted: Any) -> Table | None:
    if wanted is None:
        return recording.intervals.get("trials")
    if not isinstance(wanted, str):
        pairs = np.asarray(getattr(wanted, "values", wanted), float)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise NeuritoError(
                f"intervals have shape {pairs.shape}; give (trial, 2): start and end in seconds"
            )
        return {"start_time": pairs[:, 0], "stop_time": pairs[:, 1]}
    if wanted == "none":
        return None
    if wanted not in recording.intervals:
        raise NeuritoError(f"no intervals {wanted!r}; {nearest(wanted, [*recording.intervals, 'none'])}")
    return recording.intervals[wanted]


def _counts(recording: Recording, rows: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts of the chosen units; NaN where they were not observed."""
    column = np.full(len(recording.names), -1)
    column[rows] = np.arange(len(rows))
    unit = column[recording.unit]
    counts = bin_spikes(recording.times[unit >= 0], unit[unit >= 0], edges, len(rows))
    if recording.epochs is None:  # when it was on is not known: no silence of all units has chance exp(-20)
        first, last = recording.extent()
        silence = 20 * (last - first) / recording.times.size
        counts[(edges[:, 1:] < first - silence) | (edges[:, :-1] > last + silence)] = np.nan
    else:
        counts[~_covered(recording.epochs, edges)] = np.nan
    groups: dict[bytes, list[int]] = {}
    for i, row in enumerate(rows if recording.observed else ()):
        groups.setdefault(recording.observed[row].tobytes(), []).append(i)
    for members in groups.values():  # most units share their intervals
        trial, time = np.nonzero(~_covered(recording.observed[rows[members[0]]], edges))
        counts[trial[:, None], time[:, None], members] = np.nan
    return counts


def _covered(intervals: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Which bins (window, time) lie within the intervals (interval, 2)."""
    if not intervals.size:
        return np.ones((edges.shape[0], edges.shape[1] - 1), bool)
    ordered = intervals[np.argsort(intervals[:, 0], kind="stable")]
    known = np.cumsum(np.stack([np.zeros(len(ordered)), ordered[:, 1] - ordered[:, 0]], 1).ravel())
    seconds = np.diff(np.interp(edges, ordered.ravel(), known), axis=1)
    return np.asarray(seconds > np.diff(edges, axis=1) * (1 - 1e-3))


def as_series(thing: Any) -> Series:
    """A series from an object that has times `t` and `values`, as Tsd and TsdFrame of pynapple have."""
    if isinstance(thing, Series):
        return thing
    if not (hasattr(thing, "t") and hasattr(thing, "values")):
        raise NeuritoError(f"{type(thing).__name__} is no series; give a name, a Series, a Tsd or a TsdFrame")
    values = np.asarray(thing.values, float)
    return Series(
        np.asarray(thing.t, float),
        values if values.ndim == 2 else values[:, None],
        tuple(map(str, getattr(thing, "columns", ()))),
    )


def _behaviour(recording: Recording, options: Options) -> dict[str, Series]:
    if isinstance(options.behaviour, Mapping):
        return {
            name: find(recording, thing) if isinstance(thing, str) else as_series(thing)
            for name, thing in options.behaviour.items()
        }
    return {name.rpartition("/")[2]: find(recording, name) for name in options.behaviour}


def _sampled(series: Series, edges: np.ndarray, max_gap: float | None, *, read: bool) -> Head:
    if max_gap is None:
        gaps = np.diff(series.times)
        max_gap = 5 * max(float(np.median(gaps)) if gaps.size else 0.0, float(np.median(np.diff(edges))))
    values = resample(series.times, series.values, edges, max_gap)
    return Head.of(values, "continuous", read=read, names=series.names, unit=series.unit, missing="nan")
