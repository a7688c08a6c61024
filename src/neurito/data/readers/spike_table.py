"""Spike-time tables: one row per spike, a column of units and a column of times in seconds."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from neurito.data.options import EVENTS, Options
from neurito.data.readers.csv import frame, numbers
from neurito.data.recording import Recording, to_trials
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest

TAKES = (*EVENTS, "clock", "columns")
UNITS = (
    "unit",
    "units",
    "unit_id",
    "neuron",
    "neuron_id",
    "cluster",
    "cluster_id",
    "cell",
    "cell_id",
    "spike_clusters",
)
TIMES = ("time", "times", "spike_time", "spike_times", "timestamp", "timestamps", "time_s", "t")


def is_spike_table(columns: Iterable[str]) -> bool:
    """Whether a table with these columns is one."""
    names = {name.strip().lower() for name in columns}
    return len(names) <= 4 and bool(names & set(UNITS)) and bool(names & set(TIMES))


def read(path: Path, options: Options) -> Trials:
    """Trials from spike times; see `recording.to_trials`."""
    return to_trials(recording(path, options), options)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_recording, suggest

    return [*describe_recording(recording(path, Options())), *suggest(path, bin_width=None)]


def recording(path: Path, options: Options) -> Recording:
    """The spikes; `clock` ticks are one second (None = times are seconds)."""
    table = frame(path)
    lower = {name.lower(): name for name in table.columns}
    unit, time = options.columns or (
        next((lower[name] for name in names if name in lower), "") for names in (UNITS, TIMES)
    )
    for name, what in ((unit, "units"), (time, "times")):
        if name not in table.columns:
            raise NeuritoError(
                f"{path}: no column of {what}{f' {name!r}' if name else ''}; {nearest(name, table.columns)} "
                "by columns=(UNITS, TIMES)"
            )
    times = numbers(table, [time], path)[:, 0] / (options.clock or 1.0)
    if not np.isfinite(times).all():
        raise NeuritoError(
            f"{path}: the time in row {int(np.argmax(~np.isfinite(times)))} is not finite; mend it"
        )
    names, index = np.unique(table[unit].to_numpy(), return_inverse=True)
    return Recording(str(path), times, index, tuple(map(str, names)))
