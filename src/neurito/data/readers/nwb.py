"""NWB files: spike times of the units table, time series, and tables of intervals.

The flat vector of all spike times is read at once, and series only where they are asked for.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data.options import EVENTS, Options
from neurito.data.recording import Recording, Series, to_trials
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest

TAKES = EVENTS


def read(path: Path, options: Options) -> Trials:
    """Trials from spike times and series; see `recording.to_trials`."""
    behaviour = options.behaviour
    named = behaviour.values() if isinstance(behaviour, Mapping) else behaviour
    asked = [name for name in (*named, *options.inputs, options.key) if isinstance(name, str)]
    with opened(path) as file:
        series = _series(file)
        for name in asked:
            if name not in (*series, "spikes") and options.behaviour_file is None:
                raise NeuritoError(f"no series {name!r}; {nearest(name, series or ['none'])}")
        recording = _recording(path, file, [name for name in asked if name in series])
    return to_trials(recording, options)


def recording(path: Path, wanted: Sequence[str] = ()) -> Recording:
    """Units, intervals, and those of the wanted series that the file has."""
    with opened(path) as file:
        there = _series(file)
        return _recording(path, file, [name for name in wanted if name in there])


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_recording, line, suggest

    with opened(path) as file:
        recording = _recording(path, file, [])
        series = [line(name, f"{s.data.shape} {s.unit}, {_rate(s)}") for name, s in _series(file).items()]
    table = (
        {}
        if "trials" in recording.intervals or not recording.intervals
        else {"intervals": next(iter(recording.intervals))}
    )
    return [*describe_recording(recording), *series, *suggest(path, bin_width=None, **table)]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, open for reading, with the reader's own warnings kept quiet."""
    from pynwb import NWBHDF5IO

    def damaged(error: Exception) -> NeuritoError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return NeuritoError(f"{path}: is damaged, or no NWB file ({reason}); download it again")

    with ExitStack() as stack:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                file = stack.enter_context(NWBHDF5IO(str(path), "r", load_namespaces=True)).read()
        except Exception as error:  # hdmf raises nearly anything on damaged files
            raise damaged(error) from error
        try:
            yield file
        except OSError as error:  # of h5py, where data are cut short
            raise damaged(error) from error


def _recording(path: Path, file: Any, wanted: Sequence[str]) -> Recording:
    """Units, intervals and the wanted series."""
    series = _series(file)
    intervals = {} if file.intervals is None else {name: _columns(t) for name, t in file.intervals.items()}
    for name in ("trials", "epochs"):
        if (table := getattr(file, name)) is not None:
            intervals[name] = _columns(table)
    return Recording(
        str(path), **_units(file), series={n: _samples(series[n]) for n in wanted}, intervals=intervals
    )


def _units(file: Any) -> dict[str, Any]:
    table = file.units
    if table is None or "spike_times" not in table.colnames:
        return {}
    n = len(table)
    times, ends = _ragged(table["spike_times"])
    units = {
        "times": times.astype(float),
        "unit": np.repeat(np.arange(n), np.diff(ends, prepend=0)),
        "names": tuple(map(str, table.id[:])),
        "columns": {**_electrodes(table), **_columns(table)},
    }
    if "obs_intervals" in table.colnames:
        spans, last = _ragged(table["obs_intervals"])
        units["observed"] = np.split(spans.reshape(-1, 2).astype(float), last[:-1])
    return units


def _ragged(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """The flat values of a ragged column and where each row ends."""
    return np.asarray(column.target.data[:]), np.asarray(column.data[:]).astype(int)


def _columns(table: Any) -> dict[str, np.ndarray]:
    """Columns of single numbers or words."""
    columns = {}
    for name in table.colnames:
        column = table[name]
        if hasattr(column, "target") or hasattr(column, "table"):  # ragged, or rows of another table
            continue
        values = np.asarray(column.data[:])
        if values.dtype == object and all(isinstance(value, str | bytes) for value in values):
            values = np.array([v.decode() if isinstance(v, bytes) else v for v in values], str)
        if values.ndim == 1 and values.dtype.kind in "biufU":
            columns[name] = values
    return columns


def _electrodes(units: Any) -> dict[str, np.ndarray]:
    """Columns of the electrodes table, of each unit's first electrode."""
    if "electrodes" not in units.colnames:
        return {}
    column = units["electrodes"]
    if hasattr(column, "target"):
        rows, ends = _ragged(column)
        first = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        if (ends <= first).any():  # a unit without electrode
            return {}
        rows, table = rows[first], column.target.table
    else:
        rows, table = np.asarray(column.data[:]), column.table
    return {name: values[rows] for name, values in _columns(table).items()}


def _series(file: Any) -> dict[str, Any]:
    """Time series of numbers, by name; by ``parent/name`` where names repeat."""
    from pynwb import TimeSeries
    from pynwb.image import ImageSeries

    found = [
        thing
        for thing in file.objects.values()
        if isinstance(thing, TimeSeries) and not isinstance(thing, ImageSeries) and _usable(thing)
    ]
    names = [thing.name for thing in found]
    return {
        thing.name if names.count(thing.name) == 1 else f"{thing.parent.name}/{thing.name}": thing
        for thing in found
    }


def _usable(series: Any) -> bool:
    data = series.data
    return getattr(data, "ndim", 0) in (1, 2) and data.dtype.kind in "biuf"


def _samples(series: Any) -> Series:
    values = np.asarray(series.data[:], float)
    values = values[:, None] if values.ndim == 1 else values
    if series.timestamps is not None:
        times = np.asarray(series.timestamps[:], float)
    else:
        times = float(series.starting_time) + np.arange(len(values)) / float(series.rate)
    values = values * float(series.conversion) + float(getattr(series, "offset", 0.0) or 0.0)
    return Series(times, values, unit=series.unit or "")


def _rate(series: Any) -> str:
    return f"{series.rate:g} samples/s" if series.rate else f"{len(series.timestamps)} timestamps"
