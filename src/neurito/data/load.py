"""One call for every file: the reader is chosen by what is inside."""

import contextlib
import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurito.data.construct import warn_silent
from neurito.data.describing import line
from neurito.data.head import Kind, Missing
from neurito.data.options import Options
from neurito.data.recording import Series
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest

FORMATS = {
    "npy": "NumPy's npy and npz",
    "matlab": "MATLAB's mat, of any version",
    "hdf5": "HDF5 of any layout",
    "lfads": "HDF5 in the layouts of LFADS",
    "nlb": "HDF5 of the Neural Latents Benchmark",
    "nwb": "Neurodata Without Borders",
    "steinmetz": "sessions of Steinmetz et al. 2019 (NWB or npz)",
    "csv": "a table of text: rows are bins, columns are channels",
    "spike_table": "a table of text: unit and time of each spike",
    "matclust": "spikes sorted with MatClust (mat)",
    "tracking": "video tracking of position",
    "neurito": "saved by Trials.save",
}
"""Formats that are read, by the name of their reader."""

PathLike = str | os.PathLike[str]


def load(
    path: Any,
    *,
    format: str | None = None,
    key: str | None = None,
    axes: str | None = None,
    bin_width: float | None = None,
    rebin: int | None = None,
    kind: Kind | None = None,
    name: str | None = None,
    unit: str | None = None,
    missing: Missing | None = None,
    lengths: str | Sequence[int] | None = None,
    times: str | None = None,
    inputs: Sequence[str] | None = None,
    behaviour: Sequence[str] | Mapping[str, Any] | None = None,
    metadata: Sequence[str] | None = None,
    units: str | Sequence[str] | None = None,
    intervals: Any = None,
    align: str | None = None,
    window: tuple[float, float] | None = None,
    cut: float | None = None,
    span: tuple[float, float] | None = None,
    behaviour_file: PathLike | None = None,
    max_gap: float | None = None,
    clock: float | None = None,
    columns: tuple[str, str] | None = None,
) -> Trials:
    """Trials from a file of any known format, chosen by its content, or from an object of pynapple.

    `neurito.describe(path)` (or ``neurito info FILE``) says what is inside and which options to give. An
    option that a format has no use for is an error.

    Args:
        path: the file; or several, which become sessions of one `Trials` (files of one session are joined);
            or a TsGroup, Ts, Tsd or TsdFrame of pynapple.
        format: reads the file as this format (see `FORMATS`) whatever is inside.
        rebin: joins so many bins to one: counts are added, continuous values averaged.
        bin_width: seconds. Of spike times: any width. Of arrays: the width that their bins have.
        key: which array, which series (``spikes`` for the spike times), or which columns of a table, as in
            ``unit_*``. None = the only one there is.
        name: of the main head; None = ``spikes`` for counts, ``signal`` or the series' own name otherwise.
        behaviour: arrays, series or columns that become heads which are not read. A mapping names them, and
            may hold objects of pynapple.
        inputs: arrays, series or columns that drive the system.
        axes: of an array, ``'trial time channel'`` in the order they have; leave out trial for one continuous
            recording. None = as the file tells by labels, by numbers called n_trials, n_neurons and the
            like, or by a vector of times; an error where it does not.
        kind: ``counts`` or ``continuous``; None = counts if all values are integers of at least zero.
        unit: of the values.
        missing: ``nan`` = NaN means missing; ``error`` (the default) = NaN is an error.
        lengths: bins of each trial in a padded array: numbers, or the name of an array.
        times: the array, or the column, that holds the times of bins, in seconds.
        metadata: arrays with one value per trial.
        units: an expression over the units' columns, as in ``"quality == 'good' and depth > 2"``; or names.
        intervals: the table of trials by name, ``none`` for a continuous recording, or an array (trial, 2) or
            IntervalSet in seconds. None = the table called trials, if there is one.
        align: the column of that table that is time zero of `window`; None = ``start_time``.
        window: seconds before (negative) and after; None = each trial from ``start_time`` to ``stop_time``.
        cut: seconds; cuts a continuous recording in windows of this length, which become trials.
        span: seconds on the recording's clock; only this is read, as a continuous recording.
        behaviour_file: another file with series on the same clock (csv, tracking), for `behaviour`.
        max_gap: seconds; where samples of a series are further apart, bins between them are missing. None =
            five sampling intervals or bins, whichever is longer.
        clock: ticks per second of spike times that are not in seconds.
        columns: of a spike-time table, the column of units and the column of times.

    Raises:
        NeuritoError: in one line, what is wrong with the file or an option, and what to do.

    Warns:
        NeuritoWarning: a neuron is silent, trials overlap or are left out.
    """
    given = {k: v for k, v in locals().items() if k not in ("path", "format", "rebin") and v is not None}
    several = isinstance(path, list | tuple)
    parts = [_load(one, format, given) for one in (path if several else [path])]
    if not parts:
        raise NeuritoError("load got an empty list of files; give at least one")
    sessions = {name for part in parts for name in part.session_names}
    trials = parts[0]
    if several:
        trials = Trials.concatenate(parts, channels="pad" if len(sessions) > 1 else "name")
    if rebin is not None:
        trials = trials.rebin(rebin)
    warn_silent(trials)
    return trials


def describe(path: PathLike) -> str:
    """What is in a file, in words, and the options to load it.

    Raises:
        NeuritoError: the file is missing, damaged, or of no known format.
    """
    path = Path(path)
    format = sniff(path)
    with _named(path):
        found: list[str] = _reader(format).describe(path)
    head = [line("file", f"{path}, {_bytes(path.stat().st_size)}"), line("format", FORMATS[format])]
    return "\n".join([*head, *found])


def series(path: PathLike) -> dict[str, Series]:
    """The sampled series in a file that has a clock.

    Raises:
        NeuritoError: the format has none.
    """
    path = Path(path)
    reader = _reader(sniff(path))
    if not hasattr(reader, "series"):
        raise NeuritoError(
            f"{path}: no series on a clock can be taken from this format; give csv or tracking"
        )
    found: dict[str, Series] = reader.series(path)
    return found


def sniff(path: Path) -> str:
    """The format of a file by its content.

    Raises:
        NeuritoError: the file is missing, a folder, empty, or of no known format.
    """
    if path.is_dir():
        raise NeuritoError(f"{path}: is a folder; give a file in it")
    if not path.exists():
        there = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = nearest(path.name, there[:20]) if there else "check the folder"
        raise NeuritoError(f"{path}: no such file; {hint}")
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise NeuritoError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not head:
        raise NeuritoError(f"{path}: is empty; download or save it again")
    return _format(path, head)


def _format(path: Path, head: bytes) -> str:
    from neurito.data.readers import steinmetz
    from neurito.data.readers.tracking import MAGIC

    if head.startswith((b"\x93NUMPY", b"PK\x03\x04")):
        return "steinmetz" if steinmetz.is_release(path) else "npy"
    if head.startswith(b"MATLAB 7.3 MAT-file"):
        return "matlab"
    if head.startswith(b"MATLAB 5.0 MAT-file") or path.suffix.lower() == ".mat":
        return _matlab(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _hdf5(path)
    if head.startswith(MAGIC):
        return "tracking"
    if head.startswith(b"\x80"):
        raise NeuritoError(
            f"{path}: is a Python pickle, which can run programs; save arrays with np.savez instead"
        )
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < 4096 else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise NeuritoError(f"{path}: is of no known format ({head[:8]!r}); known are {', '.join(FORMATS)}")
    from neurito.data.readers.spike_table import is_spike_table

    first = text.splitlines()[0]
    return "spike_table" if is_spike_table(first.replace("\t", ",").replace(";", ",").split(",")) else "csv"


def _hdf5(path: Path) -> str:
    from neurito.data.readers import nlb, steinmetz
    from neurito.data.readers.hdf5 import opened
    from neurito.data.readers.lfads import is_lfads
    from neurito.data.store import FORMAT

    with opened(path) as file:
        if file.attrs.get("format") == FORMAT:
            return "neurito"
        if "nwb_version" in file.attrs:
            return "steinmetz" if steinmetz.is_session(file) else "nwb"
        if nlb.is_nlb(file):
            return "nlb"
        return "lfads" if is_lfads(file) else "hdf5"


def _matlab(path: Path) -> str:
    from neurito.data.readers import matclust, matlab

    if matlab.is_hdf5(path):
        return "matlab"
    try:
        return "matclust" if matclust.is_matclust(path) else "matlab"
    except Exception:  # damaged: its reader says how
        return "matlab"


def _load(path: Any, format: str | None, given: dict[str, Any]) -> Trials:
    from neurito.data.readers import pynapple

    if pynapple.is_pynapple(path):
        return _read(pynapple, path, "an object of pynapple", given)
    if not isinstance(path, str | os.PathLike):
        raise NeuritoError(f"load got {type(path).__name__}; give a path, or Trials.from_array for arrays")
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise NeuritoError(f"format={format!r} is unknown; {nearest(format, FORMATS)}")
    found = sniff(path)  # also says what is wrong with the file
    return _read(_reader(format or found), path, FORMATS[format or found], given)


def _read(reader: Any, source: Any, what: str, given: dict[str, Any]) -> Trials:
    for option in given:
        if option not in reader.TAKES:
            raise NeuritoError(
                f"{source}: {option} does not apply to {what}; that takes {', '.join(reader.TAKES) or 'none'}"
            )
    with _named(source if isinstance(source, Path) else what):
        trials: Trials = reader.read(source, Options(**given))
    return trials


@contextlib.contextmanager
def _named(source: Path | str) -> Iterator[None]:
    """Errors begin with the file's name."""
    try:
        yield
    except NeuritoError as error:
        if str(error).startswith(str(source)):
            raise
        raise NeuritoError(f"{source}: {error}") from error


def _reader(format: str) -> Any:
    return importlib.import_module(f"neurito.data.readers.{format}")


def _bytes(size: int) -> str:
    units = ("bytes", "kB", "MB", "GB")
    power = min((len(str(size)) - 1) // 3, 3)
    return f"{size / 1000**power:.3g} {units[power]}"
