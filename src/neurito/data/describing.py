"""What is in a file, in words, and what to say to load it."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data import stored
from neurito.data.recording import Recording, Series
from neurito.data.summary import values_of
from neurito.errors import NeuritoError


def describe_store(store: stored.Store, *, advise: bool = True) -> list[str]:
    """Arrays with shapes and types, single numbers, and how to load them."""
    lines = [line(name, str(array)) for name, array in store.arrays.items()]
    lines += [line(name, str(value)[:60]) for name, value in store.scalars.items()]
    return lines + (_advice(store) if advise else [])


def describe_recording(recording: Recording) -> list[str]:
    """Units with rates, series, tables of trials."""
    lines = []
    try:
        first, last = recording.extent()
        lines.append(line("time", f"{first:.6g} to {last:.6g} s ({last - first:.6g} s)"))
        if recording.names:
            rates = np.bincount(recording.unit, minlength=len(recording.names)) / max(last - first, 1e-12)
            lines.append(
                line(
                    "units",
                    f"{len(rates)} with {recording.times.size} spikes, "
                    f"{rates.mean():.3g} spikes/s ({rates.min():.3g} to {rates.max():.3g})",
                )
            )
    except NeuritoError:
        lines.append(line("time", "no spikes, no samples"))
    for name, column in recording.columns.items():
        lines.append(line(f"  {name}", values_of(column)))
    for name, series in recording.series.items():
        lines.append(line(name, _series(series)))
    for name, table in recording.intervals.items():
        lines.append(line(f"{name}", f"{len(table['start_time'])} intervals"))
        lines += [line(f"  {column}", values_of(content)) for column, content in table.items()]
    return lines


def suggest(path: str | Path, **options: Any) -> list[str]:
    """The call and the options of the command line; None = a number that only the user knows."""
    said = {name: value for name, value in options.items() if value != ""}
    call = ", ".join([repr(str(path)), *(f"{k}={_told(v)}" for k, v in said.items())])
    flags = " ".join(f"--{k.replace('_', '-')} {_flag(v)}" for k, v in said.items())
    return [
        "",
        line("Python", f"neurito.load({call})"),
        line("options", f"{shlex.quote(str(path))} {flags}".strip()),
    ]


def _advice(store: stored.Store) -> list[str]:
    """One call for each reading of the recording in the file."""
    width = "" if stored.bin_width_of(store) else None
    try:
        key = stored.choose(store, None)
        told: dict[str, Any] = {}
    except NeuritoError as error:
        names = stored.candidates(store)
        if not names:
            return ["", str(error)]
        key = names[0]
        told = {"key": key}
    if stored.times_of(store, store.arrays[key], None) is not None:
        width = ""
    try:
        stored.axes_of(store, key)
        return suggest(store.source, **told, bin_width=width)
    except NeuritoError as error:
        axes = "time channel" if len(store.arrays[key].shape) == 2 else "trial time channel"
        return ["", str(error), *suggest(store.source, **told, axes=axes, bin_width=width)]


def _series(series: Series) -> str:
    gaps = np.diff(series.times)
    rate = f", {1 / np.median(gaps):.4g} samples/s" if gaps.size and np.median(gaps) > 0 else ""
    return f"{series.values.shape} {series.unit}".rstrip() + rate


def line(name: str, text: str) -> str:
    """One fact."""
    return f"{name:<11} {text}"


def _told(value: Any) -> str:
    return "SECONDS" if value is None else repr(value)


def _flag(value: Any) -> str:
    return "SECONDS" if value is None else " ".join(map(shlex.quote, map(str, np.atleast_1d(value))))
