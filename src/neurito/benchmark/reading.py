"""The sets of the benchmark as `Trials`, from DANDI's NWB files or from HDF5 files.

Windows, bins and behaviour are cut as the benchmark's own evaluation data are, so that a prediction is scored on
the counts it was made for: bins lie on one grid that begins at the recording's time zero, a window begins with
the first bin edge at or after its start, and behaviour is taken from 1 ms samples through a low-pass filter at
the left edge of a bin, `Task.lag` later than the spikes beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from neurito.benchmark.tasks import PARTS, WIDTHS, Task, checked_width, find
from neurito.data.binning import CLOSE, bin_spikes
from neurito.data.head import Head
from neurito.data.load import PathLike, sniff
from neurito.data.recording import Recording, Series
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest, warn

SAMPLE = 0.001
"""Seconds between samples of behaviour in the published files."""

_SUFFIXES = (".nwb", ".h5", ".hdf5")


def read(
    path: PathLike,
    name: str,
    bin_width: float = 0.02,
    split: str = "all",
    *,
    behaviour: Sequence[str] | None = None,
    inputs: Sequence[str] = (),
) -> Trials:
    """A set of the benchmark, or some parts of it.

    Held-in neurons come first and are read within the window; held-out neurons, and all in the forward bins
    after the window, are scored and not read. Behaviour is a head that is not read, already moved by the lag
    of the set: decode it with lag 0. Metadata have the part of each trial (`split`: train, validation, test),
    its `condition` (-1 = none), the `group` of its decoder and the `jitter` of its window in bins.

    Args:
        path: the folder with the files of DANDI or with HDF5 files of the benchmark, or one file.
        name: of the set.
        bin_width: seconds, 0.005 or 0.02.
        split: ``"train"``, ``"val"``, ``"test"``, several as in ``"train+val"``, or ``"all"`` there are.
        behaviour: series instead of that of the set.
        inputs: series that drive the system (``force`` of Area2_Bump); no other is in the test file.

    Raises:
        NeuritoError: in one line, what is missing or does not fit.

    Warns:
        NeuritoWarning: trials have no time to align to.
    """
    task, width, parts = find(name), checked_width(bin_width), _parts(split)
    paths = files(path, task)
    formats = {sniff(file) for file in paths}
    if formats == {"nwb"}:
        own = () if task.behaviour is None else (task.behaviour,)
        asked = own if behaviour is None else tuple(behaviour)
        trials = cut(recordings(paths, asked + tuple(inputs)), task, width, parts, asked, tuple(inputs))
    elif behaviour is not None or inputs:
        raise NeuritoError(f"{path}: behaviour and inputs can be chosen from NWB files only")
    elif formats == {"neurito"} and len(paths) == 1:
        trials = Trials.load(paths[0])
    else:
        trials = _from_hdf5(paths, task, width)
    return _chosen(path, trials, task, width, split, parts)


def files(path: PathLike, task: Task) -> list[Path]:
    """The files of a set: the path itself, or those in the folder, or in the folder of its dandiset there.

    Raises:
        NeuritoError: there are none.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    folder = path / task.dandiset if (path / task.dandiset).is_dir() else path
    for suffix in (_SUFFIXES[:1], _SUFFIXES[1:]):
        found = sorted(file for file in folder.rglob("*") if file.suffix in suffix)
        named = [file for file in found if file.name.startswith(Path(task.files).name)]
        if chosen := named or [file for file in found if file.parent == folder]:
            return chosen
    raise NeuritoError(
        f"{path}: holds no NWB or HDF5 file of {task.name}; neurito data fetch {task.name} --to {path}"
    )


def recordings(paths: Sequence[Path], series: Sequence[str]) -> list[Recording]:
    """The recordings in NWB files, those with held-out neurons first.

    Raises:
        NeuritoError: a file is not of the benchmark, or none has held-out neurons.
    """
    from neurito.data.readers import nwb

    found = [nwb.recording(file, series) for file in paths]
    for one in found:
        if "split" not in one.intervals.get("trials", {}):
            raise NeuritoError(f"{one.source}: no trials column 'split'; give a file of the benchmark")
        if "heldout" not in one.columns:
            raise NeuritoError(f"{one.source}: no units column 'heldout'; give a file of the benchmark")
        if not one.observed:
            raise NeuritoError(
                f"{one.source}: no obs_intervals of units; when they were recorded is not known"
            )
    found.sort(key=lambda one: not one.columns["heldout"].any())
    if not found[0].columns["heldout"].any():
        raise NeuritoError(
            f"{found[0].source}: has no held-out neurons; give the folder that has the training file too"
        )
    return found


def cut(
    found: Sequence[Recording],
    task: Task,
    width: float,
    parts: Sequence[str],
    behaviour: Sequence[str] = (),
    inputs: Sequence[str] = (),
) -> Trials:
    """Trials of some parts of the set.

    Args:
        found: the recordings.
        task: the set.
        width: of a bin, seconds.
        parts: train, validation, test.
        behaviour: series to be decoded.
        inputs: series that drive the system.
    """
    held_in = int((~found[0].columns["heldout"].astype(bool)).sum())
    wanted = _Wanted(task, width, tuple(parts), neurons_of(found), held_in)
    pieces = [_cut_one(one, wanted, behaviour, inputs) for one in found]
    there = [piece for piece in pieces if piece is not None]
    if not there:
        raise NeuritoError(f"{found[0].source}: has no {' or '.join(parts)} trials; give the other file too")
    return there[0] if len(there) == 1 else Trials.concatenate(there)


def neurons_of(found: Sequence[Recording]) -> list[str]:
    """All neurons by name, held-in ones first."""
    held_out, names = found[0].columns["heldout"].astype(bool), np.array(found[0].names)
    return [*names[~held_out], *names[held_out]]


def part_of(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """The part of each trial: train, validation, test, or none."""
    return np.array([PARTS.get(str(one), "none") for one in table["split"]])


@dataclass(frozen=True)
class _Wanted:
    """What is cut out of a recording."""

    task: Task
    width: float
    parts: tuple[str, ...]
    neurons: list[str]
    held_in: int


def _cut_one(
    found: Recording, wanted: _Wanted, behaviour: Sequence[str], inputs: Sequence[str]
) -> Trials | None:
    task, width = wanted.task, wanted.width
    table = found.intervals["trials"]
    part = part_of(table)
    chosen = np.isin(part, wanted.parts)
    if not chosen.any():
        return None
    if task.align not in table:
        raise NeuritoError(f"{found.source}: no trials column {task.align!r}; {nearest(task.align, table)}")
    align = table[task.align].astype(float)
    if (chosen & ~np.isfinite(align)).any():
        warn(f"{found.source}: {(chosen & ~np.isfinite(align)).sum()} trials have no {task.align}; left out")
    rows = np.flatnonzero(chosen & np.isfinite(align))
    moved = _jitter(table, part, wanted)[rows]
    first = edge(align[rows] + task.window[0], width) + moved
    bins, ahead = task.bins(width), task.forward(width)
    left = first[:, None] + np.arange(bins + ahead)
    spikes = counts(found, wanted.neurons, left, width)
    window = np.arange(bins + ahead) < bins
    read = window[:, None] & (np.arange(len(wanted.neurons)) < wanted.held_in)
    score = np.ones((len(rows), *read.shape), bool)
    part, table = part[rows], {name: column[rows] for name, column in table.items()}
    if task.period is not None and all(name in table for name in task.period):
        low, high = (edge(table[name].astype(float), width)[:, None] for name in task.period)
        inside = ((left >= low) & (left < high)) | (part == "train")[:, None]
        score[:, :, wanted.held_in :] &= (inside | ~window)[..., None]
    heads = {"spikes": Head.of(spikes, "counts", read=read, score=score, names=wanted.neurons, missing="nan")}
    lag = round(task.lag / width)
    for name in (name for name in behaviour if name in found.series):
        values = _on_grid(found.series[name], width, left + lag)
        heads[name] = Head.of(
            values,
            "continuous",
            read=False,
            score=window[:, None],
            missing="nan",
            unit=found.series[name].unit,
        )
    _need(found, (*inputs, *(behaviour if (part != "test").any() else ())))
    driven = [_on_grid(found.series[name], width, left) for name in inputs]
    return Trials(
        heads=heads,
        dt=np.array(width),
        start=first * width,
        inputs=np.concatenate(driven, -1).astype(np.float32) if driven else None,
        input_names=tuple(
            f"{n}_{i}" for n, d in zip(inputs, driven, strict=True) for i in range(d.shape[-1])
        ),
        session_names=(task.name,),
        metadata={
            **{name: column for name, column in table.items() if name not in ("start_time", "stop_time")},
            **{name: table.get(name, np.full(rows.size, np.nan)).astype(float) for name in task.scored_by},
            "split": part,
            "condition": conditions(found.intervals["trials"], task, width)[rows],
            "group": table[task.groups].astype(int) if task.groups in table else np.zeros(rows.size, int),
            "jitter": moved,
        },
        ids=rows,
    )


def edge(times: Float[np.ndarray, " event"], width: float) -> Int[np.ndarray, " event"]:
    """The first bin of the grid whose left edge is not before each time; -1 where the time is not known."""
    return np.ceil(np.round(np.nan_to_num(times, nan=-width) / width, 6)).astype(int)


def _need(found: Recording, names: Sequence[str]) -> None:
    for name in names:
        if name not in found.series:
            raise NeuritoError(f"{found.source}: no series {name!r}; neurito info FILE lists what there is")


def _jitter(table: Mapping[str, np.ndarray], part: np.ndarray, wanted: _Wanted) -> Int[np.ndarray, " trial"]:
    """Bins by which windows begin later: at random up to the jitter, not beyond the time before the window.

    Every part has the numbers that the benchmark's generator gives from seed 0.
    """
    task, width = wanted.task, wanted.width
    moved = np.zeros(len(part), int)
    if task.jitter and "tp" in table:
        room = np.clip(-task.window[0] - table["tp"].astype(float) / 1000, 0, task.jitter)
        most = np.floor(np.round(np.nan_to_num(room) / width, 4))
        for one in ("train", "validation"):
            rows = np.flatnonzero(part == one)
            draws = np.random.RandomState(0).random_sample(rows.size)
            moved[rows] = np.round(draws * most[rows]).astype(int)
    return moved


def counts(
    found: Recording, neurons: Sequence[str], left: Int[np.ndarray, "trial time"], width: float
) -> Float32[np.ndarray, "trial time neuron"]:
    """Counts (trial, time, neuron); NaN where a neuron was not observed in the first sample of a bin."""
    lookup = {name: i for i, name in enumerate(neurons)}
    unknown = [name for name in found.names if name not in lookup]
    if unknown:
        raise NeuritoError(f"{found.source}: unit {unknown[0]!r} is not in the training file; give its own")
    column = np.array([lookup[name] for name in found.names], int)
    edges = np.append(left, left[:, -1:] + 1, 1) * width
    values = bin_spikes(found.times, column[found.unit], edges, len(neurons))
    seen = np.zeros(len(neurons), bool)
    seen[column] = True
    values[:, :, ~seen] = np.nan
    groups: dict[bytes, list[int]] = {}
    for i, spans in zip(column, found.observed, strict=True):
        groups.setdefault(spans.tobytes(), []).append(i)
    for key, members in groups.items():  # most units share their intervals
        trial, time = np.nonzero(~_observed(np.frombuffer(key).reshape(-1, 2), edges[:, :-1]))
        values[trial[:, None], time[:, None], members] = np.nan
    return values


def _observed(spans: Float[np.ndarray, "span 2"], times: np.ndarray) -> Bool[np.ndarray, "trial time"]:
    """Whether the sample that begins at each time lies in an interval; always, where there is none."""
    if not spans.size:
        return np.ones(times.shape, bool)
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    latest = np.maximum.accumulate(ordered[:, 1])
    at = np.searchsorted(ordered[:, 0], times + CLOSE, "right") - 1
    return np.asarray((at >= 0) & (times + SAMPLE <= latest[np.maximum(at, 0)] + CLOSE))


def _on_grid(series: Series, width: float, left: Int[np.ndarray, "trial time"]) -> np.ndarray:
    """A series (trial, time, channel) at left edges of bins, low-pass filtered; NaN where not recorded.

    The filter is SciPy's `decimate` with 500 taps; gaps are bridged by lines before and are gaps again after.
    """
    from scipy.signal import decimate

    step = round(width / SAMPLE)
    at = np.rint(series.times / SAMPLE).astype(int)
    kept = at >= 0
    dense = np.full((int(at.max(initial=0)) + 1, series.values.shape[1]), np.nan)
    dense[at[kept]] = series.values[kept]
    gaps = np.isnan(dense[::step])
    for channel in dense.T:
        known = np.flatnonzero(np.isfinite(channel))
        channel[:] = np.interp(np.arange(channel.size), known, channel[known]) if known.size else 0.0
    smooth = decimate(dense, step, n=500, ftype="fir", axis=0)
    smooth[gaps] = np.nan
    inside = (left >= 0) & (left < len(smooth))
    return np.where(inside[..., None], smooth[np.where(inside, left, 0)], np.nan)


def conditions(table: Mapping[str, np.ndarray], task: Task, width: float) -> Int[np.ndarray, " trial"]:
    """A number for every combination of what defines the conditions.

    It is -1 where that is not known, for outliers, and for trials much shorter than others of the condition.
    """
    condition, wanted = np.full(len(table["split"]), -1), (*task.conditions, *(task.period or ()))
    if not task.conditions or not all(name in table for name in wanted):
        return condition
    values = np.stack([table[name].astype(float) for name in task.conditions], 1)
    known = np.isfinite(values).all(1)
    condition[known] = np.unique(values[known], axis=0, return_inverse=True)[1].ravel()
    if task.outlier is not None and task.outlier in table:
        condition[table[task.outlier].astype(bool)] = -1
    if task.period is not None:
        length = period(table, task, width)
        trained = np.isin(part_of(table), ("train", "validation")) & (length > 0)
        for one in np.unique(condition[condition >= 0]):
            mine = condition == one
            shortest = 0.8 * length[mine & trained].mean() if (mine & trained).any() else 0
            condition[mine & (length < shortest)] = -1
    return condition


def period(table: Mapping[str, np.ndarray], task: Task, width: float) -> Int[np.ndarray, " trial"]:
    """Bins of each trial in which held-out neurons are scored."""
    if task.period is None:
        return np.full(len(table["split"]), task.bins(width))
    low, high = (edge(table[name].astype(float), width) for name in task.period)
    return high - low


def _from_hdf5(paths: Sequence[Path], task: Task, width: float) -> Trials:
    from neurito.data.readers import nlb

    arrays: dict[str, np.ndarray] = {}
    for file in paths:
        found, stated = nlb.contents(file, task.key(width))
        if stated is not None and not np.isclose(stated, width):
            raise NeuritoError(f"{file}: has bins of {stated:g} s, not {width:g}; give bin_width={stated:g}")
        arrays |= found
    source = paths[0] if len(paths) == 1 else paths[0].parent
    return nlb.to_trials(source, arrays, width, behaviour=task.behaviour or "behaviour", columns=task.columns)


def _parts(split: str) -> list[str]:
    if split == "all":
        return ["train", "validation", "test"]
    parts = [part.strip() for part in split.split("+")]
    for part in parts:
        if part not in PARTS:
            raise NeuritoError(f"split={split!r}: no part {part!r}; {nearest(part, [*PARTS, 'all'])}")
    return [PARTS[part] for part in parts]


def _chosen(
    path: PathLike, trials: Trials, task: Task, width: float, split: str, parts: Sequence[str]
) -> Trials:
    """The trials of the wanted parts, if their bins are those of the set."""
    if not (_bins_fit(trials, task, width) and np.isclose(trials.bin_width, width)):
        other = next((w for w in WIDTHS if _bins_fit(trials, task, w)), None)
        hint = f"{task.bins(width)} are needed" if other in (None, width) else f"give bin_width={other:g}"
        raise NeuritoError(f"{path}: has {trials.n_bins} bins for {task.name} at {width:g} s; {hint}")
    if "split" not in trials.metadata:
        raise NeuritoError(f"{path}: no metadata column 'split'; save what neurito.benchmark.read gave")
    rows = np.flatnonzero(np.isin(trials.metadata["split"], parts))
    if not rows.size:
        raise NeuritoError(
            f"{path}: has no {split} trials; it has {', '.join(np.unique(trials.metadata['split']))}"
        )
    return trials if rows.size == trials.n_trials else trials[rows]


def _bins_fit(trials: Trials, task: Task, width: float) -> bool:
    return trials.n_bins in (task.bins(width), task.bins(width) + task.forward(width))
