"""Spikes sorted with MatClust: cells of tetrodes, in them cells of units, in these structures with times."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data.options import EVENTS, Options
from neurito.data.readers.matlab import load
from neurito.data.recording import Recording, to_trials
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

TAKES = (*EVENTS, "clock")
FIELDS = {"time", "timerange", "meanrate"}


def is_matclust(path: Path) -> bool:
    """Whether a MATLAB file of version 5 is one; cells are looked into, matrices are not read."""
    import scipy.io

    cells = [name for name, _, kind in scipy.io.whosmat(path) if kind == "cell"]
    return (
        any(next(_units(value), None) for value in scipy.io.loadmat(path, variable_names=cells).values())
        if cells
        else False
    )


def read(path: Path, options: Options) -> Trials:
    """Trials from spike times; see `recording.to_trials`."""
    return to_trials(recording(path, options), options)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_recording, suggest

    return [*describe_recording(recording(path, Options())), *suggest(path, bin_width=None)]


def recording(path: Path, options: Options) -> Recording:
    """All units with spikes, named ``tetrode.unit``; `clock` ticks are one second (None = times are seconds).

    Raises:
        NeuritoError: there are no spikes, or times and mean rates disagree on the unit of time.
    """
    units = [unit for value in load(path).values() for unit in _units(value)]
    found = [
        (where, np.ravel(unit["time"]).astype(float), unit) for where, unit in units if np.size(unit["time"])
    ]
    if not found:
        raise NeuritoError(f"{path}: has no units with spikes; choose another file")
    clock = options.clock or 1.0
    ranges = np.array([np.ravel(unit["timerange"])[:2] for *_, unit in found], float) / clock
    seconds = [times.size / float(np.ravel(unit["meanrate"])[0]) for _, times, unit in found]
    ratio = float(np.median(np.diff(ranges, axis=1)[:, 0] / seconds))
    if not 0.9 < ratio < 1.1:
        raise NeuritoError(
            f"{path}: times are {ratio:.4g} times longer than mean rates say; give clock={ratio * clock:.5g}"
        )
    return Recording(
        str(path),
        np.concatenate([times for _, times, _ in found]) / clock,
        np.repeat(np.arange(len(found)), [times.size for _, times, _ in found]),
        tuple(f"{tetrode}.{unit}" for (tetrode, unit), *_ in found),
        {"tetrode": np.array([where[0] for where, *_ in found])},
        epochs=np.array([[ranges[:, 0].min(), ranges[:, 1].max()]]),
    )


def _units(value: Any, where: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """Structures of units in nested cells, with the numbers of tetrode and unit, counted from 1."""
    if not isinstance(value, np.ndarray):
        return
    if value.dtype.names:
        if set(value.dtype.names) >= FIELDS and value.size == 1:
            tetrode, unit = (1, 1, *where)[-2:]
            yield (tetrode, unit), {name: value[name].reshape(-1)[0] for name in value.dtype.names}
    elif value.dtype == object:
        for i, inner in enumerate(value.ravel()):
            yield from _units(inner, (*where, i + 1))
