"""Tables of text: one row per bin, one column per channel, a row of names on top.

A column called time or timestamp (seconds, start of the bin) gives the bins; one called trial tells trials
apart, which may then be of unequal length.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data.binning import steps
from neurito.data.construct import from_array
from neurito.data.layout import TIMES
from neurito.data.options import Options
from neurito.data.recording import Series
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest

TAKES = ("key", "bin_width", "kind", "name", "unit", "missing", "times", "inputs", "behaviour")
_TRIALS = ("trial", "trial_id")
_UNITS = ("unit*", "neuron*")


def read(path: Path, options: Options) -> Trials:
    """Trials from a table. `key`, `inputs` and `behaviour` are columns or patterns, as in ``hand_vel_*``.

    Without a key, the columns called unit... or neuron... are the recording, or else all that are left.
    """
    table = frame(path)
    time, trial = _named(table, TIMES, options.times, path), _named(table, _TRIALS, None, path)
    behaviour = {_label(pattern): _columns(table, pattern, path) for pattern in options.behaviour}
    inputs = {_label(pattern): _columns(table, pattern, path) for pattern in options.inputs}
    taken = {time, trial, *(c for columns in (*behaviour.values(), *inputs.values()) for c in columns)}
    main = _columns(table, options.key, path) if options.key else _default(table, taken)
    rows = _rows(table[trial]) if trial else [np.arange(len(table))]

    def pieces(columns: list[str]) -> list[np.ndarray]:
        values = numbers(table, columns, path)
        return [values[own] for own in rows]

    start, width = _bins(table, time, rows, options, path)
    return from_array(
        pieces(main),
        bin_width=width,
        start=start,
        kind=options.kind,
        name=options.name,
        names=main,
        unit=options.unit,
        missing=options.missing,
        behaviour={name: pieces(columns) for name, columns in behaviour.items()},
        inputs={name: pieces(columns) for name, columns in inputs.items()} or None,
        metadata={trial: table[trial].to_numpy()[[own[0] for own in rows]]} if trial else {},
    )


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import line, suggest
    from neurito.data.summary import values_of

    table = frame(path)
    time = _named(table, TIMES, None, path)
    lines = [line("table", f"{len(table)} rows, {len(table.columns)} columns")]
    shown = list(table.columns[:12])
    lines += [line(name, f"{table[name].dtype}, {values_of(table[name].to_numpy())}") for name in shown]
    if len(table.columns) > len(shown):
        lines.append(line("...", f"{len(table.columns) - len(shown)} more, to {table.columns[-1]}"))
    return [*lines, *suggest(path, bin_width="" if time else None)]


def series(path: Path) -> dict[str, Series]:
    """The table as sampled series: columns called ``hand_x``, ``hand_y`` are one series, ``hand``.

    Raises:
        NeuritoError: it has no column of times.
    """
    table = frame(path)
    time = _named(table, TIMES, None, path)
    if time is None:
        raise NeuritoError(f"has no column of times; name one of them {nearest('', TIMES)}")
    groups: dict[str, list[str]] = {}
    for name in table.columns:
        if name != time and table[name].dtype.kind in "biuf":
            stem, _, end = name.rpartition("_")
            groups.setdefault(stem if stem and len(end) == 1 else name, []).append(name)
    clock = numbers(table, [time], path)[:, 0]
    return {
        name: Series(clock, numbers(table, columns, path), tuple(columns)) for name, columns in groups.items()
    }


def frame(path: Path) -> Any:
    """The table, with the separator that its first line shows.

    Raises:
        NeuritoError: it is no table, or has no rows.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline()
        separator = max(",\t;", key=first.count)
        table = pd.read_csv(path, sep=separator if separator in first else r"\s+", encoding="utf-8-sig")
    except (OSError, ValueError, pd.errors.ParserError) as error:  # no text is a ValueError
        reason = str(error).strip().splitlines()[0]
        raise NeuritoError(f"is no table of text ({reason}); give one row per bin, names on top") from error
    if not len(table):
        raise NeuritoError("has no rows below its names; give one row per bin")
    table.columns = [str(name).strip() for name in table.columns]
    return table


def numbers(table: Any, columns: Iterable[str], path: Path) -> np.ndarray:
    """Columns as numbers.

    Raises:
        NeuritoError: there is a word among them.
    """
    chosen = list(columns)
    for name in chosen:
        if table[name].dtype.kind not in "biuf":
            raise NeuritoError(f"column {name!r} holds words, such as {table[name].iloc[0]!r}; choose others")
    return np.asarray(table[chosen].to_numpy(), float)


def _named(table: Any, names: Iterable[str], asked: str | None, path: Path) -> str | None:
    """The column asked for, or one called like this."""
    if asked is not None:
        if asked not in table.columns:
            raise NeuritoError(f"no column {asked!r}; {nearest(asked, table.columns)}")
        return asked
    return next((name for name in table.columns if name.lower() in names), None)


def _columns(table: Any, pattern: str, path: Path) -> list[str]:
    found = [name for name in table.columns if fnmatchcase(name, pattern)]
    if not found:
        raise NeuritoError(f"no column {pattern!r}; {nearest(pattern, table.columns)}")
    return found


def _default(table: Any, taken: set[str | None]) -> list[str]:
    free = [name for name in table.columns if name not in taken]
    return [name for name in free if any(fnmatchcase(name.lower(), p) for p in _UNITS)] or free


def _label(pattern: str) -> str:
    return pattern.strip("*?_-. ") or pattern


def _rows(trial: Any) -> list[np.ndarray]:
    """Rows of each trial, trials in order of appearance."""
    codes = trial.factorize()[0]
    return [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]


def _bins(
    table: Any, time: str | None, rows: list[np.ndarray], options: Options, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Start of each trial and widths of bins, from the times or as told."""
    if time is None:
        if options.bin_width is None:
            raise NeuritoError("does not say how wide its bins are; give bin_width=SECONDS")
        return np.zeros(len(rows)), np.array(options.bin_width)
    clock = numbers(table, [time], path)[:, 0]
    start, widths = zip(*(steps(clock[own], f"column {time!r}") for own in rows), strict=True)
    if options.bin_width is not None and not all(
        np.allclose(w, options.bin_width, rtol=1e-3) for w in widths
    ):
        raise NeuritoError(
            f"rows are {np.median(widths[0]):g} s apart, not {options.bin_width:g}; leave bin_width out, "
            "rebin=N joins N bins"
        )
    longest = max(map(len, rows))
    whole = [
        np.pad(np.broadcast_to(w, len(own)), (0, longest - len(own)), "edge")
        for w, own in zip(widths, rows, strict=True)
    ]
    regular = all(not w.ndim and w == widths[0] for w in widths)
    return np.array(start), widths[0] if regular else np.stack(whole)
