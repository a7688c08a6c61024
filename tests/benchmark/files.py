"""Small NWB files in the schema of the benchmark's dandisets: trials, units, behaviour, a training and a test file."""

import datetime
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neurito.benchmark import Task, find

HELD_IN, HELD_OUT = 5, 3


@dataclass
class Recorded:
    """What was put into the files of a set.

    Attributes:
        spikes: times of every unit, seconds.
        held_out: which units are held out.
        table: columns of the trials table of the training file.
        test: columns of that of the test file.
        time: of the samples of behaviour, seconds.
        behaviour: series by name.
        ends: of the recording in the training file, seconds.
    """

    spikes: list[np.ndarray]
    held_out: np.ndarray
    table: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    time: np.ndarray
    behaviour: dict[str, np.ndarray]
    ends: float
    ids: list[int] = field(default_factory=list)


def recorded(task: Task, trials: tuple[int, int, int] = (8, 4, 3), seed: int = 0) -> Recorded:
    """A recording of sums of slow waves, whose trials begin 2.5 s apart, off the grid of bins."""
    rng = np.random.default_rng(seed)
    n = sum(trials)
    start = 2.0 + 2.5 * np.arange(n) + np.round(rng.uniform(0, 0.05, n), 3)
    ends = float(start[-1] + 4)
    align = start if task.align == "start_time" else start + (1.7 if task.period else 0.3137)
    align = np.round(align, 3)
    clock = np.arange(0, ends, 0.001)
    phase = 2 * np.pi * 1.3 * clock
    rate = np.stack([20 + 15 * np.sin(phase + k) for k in range(HELD_IN + HELD_OUT)], 1)
    spikes = [clock[rng.random(clock.size) < r * 0.001] + 0.0004 for r in rate.T]
    held_out = np.zeros(HELD_IN + HELD_OUT, bool)
    held_out[[1, 4, 6]] = True
    split = np.repeat(["train", "val", "test"], trials)
    table = {"start_time": start, "stop_time": start + 2.2, "split": split}
    if task.align != "start_time":
        table[task.align] = align
    kind = np.arange(n) % 2
    if "trial_type" in task.conditions:
        table |= {"trial_type": kind, "trial_version": np.zeros(n, int)}
    if task.groups:
        table |= {"cond_dir": 90.0 * kind, "ctr_hold_bump": kind.astype(bool)}
    if task.period:
        tp = np.round(rng.uniform(600, 1100, n))
        table |= {
            "set_time": align - tp / 1000, "is_eye": kind.astype(bool), "is_outlier": np.arange(n) == 2,
            "is_short": np.zeros(n, bool), "theta": np.zeros(n), "ts": np.full(n, 800.0), "tp": tp,
        }  # fmt: skip
    series = {}
    if task.behaviour:
        series[task.behaviour] = 100 * np.stack([np.sin(phase), np.cos(phase)], 1)
    if task.groups:
        series |= {"force": np.tile(np.sin(phase)[:, None], 6), "hand_pos": np.stack([clock, -clock], 1)}
    last = split == "test"
    return Recorded(
        spikes, held_out, {k: v[~last] for k, v in table.items()},
        {k: table[k][last] for k in dict.fromkeys(("start_time", "stop_time", "split", task.align))},
        clock, series, ends, [1000 + i for i in range(HELD_IN + HELD_OUT)],
    )  # fmt: skip


def write(folder: Path, name: str, made: Recorded | None = None, **changes: object) -> Recorded:
    """The training and the test file of a set in a folder; `changes` are those of `training`."""
    task = find(name)
    made = made or recorded(task)
    place = folder / task.dandiset / Path(task.files).parent
    place.mkdir(parents=True)
    stem = Path(task.files).name
    training(place / f"{stem}desc-train_behavior+ecephys.nwb", made, **changes)
    testing(place / f"{stem}desc-test_ecephys.nwb", made, task)
    return made


def training(
    path: Path,
    made: Recorded,
    *,
    without: tuple[str, ...] = (),
    held_out: np.ndarray | None = None,
    observed: tuple[tuple[float, float], ...] | None = None,
) -> None:
    """A file like those called desc-train.

    Args:
        path: where.
        made: what is in it.
        without: columns of units and trials to leave out.
        held_out: another flag of the units.
        observed: other intervals in which they were observed.
    """
    flags = made.held_out if held_out is None else held_out
    file = _file()
    _units(file, made, range(len(made.spikes)), flags, observed or ((0.0, made.ends),), without)
    _trials(file, {k: v for k, v in made.table.items() if k not in without})
    if made.behaviour:
        import pynwb

        module = file.create_processing_module("behavior", "movement")
        for name, values in made.behaviour.items():
            known = np.isfinite(values).all(1)  # gaps are no samples, as between the published trials
            module.add(
                pynwb.TimeSeries(name=name, data=values[known], timestamps=made.time[known], unit="mm/s")
            )
    _write(file, path)


def testing(path: Path, made: Recorded, task: Task) -> None:
    """A file like those called desc-test: held-in units, each observed within the windows only."""
    file = _file()
    align = made.test[task.align]
    windows = tuple(zip(align + task.window[0], align + task.window[1], strict=True))
    _units(file, made, np.flatnonzero(~made.held_out), np.zeros(len(made.spikes), bool), windows, ())
    _trials(file, made.test)
    _write(file, path)


def _file():
    import pynwb

    return pynwb.NWBFile("benchmark", "id", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))


def _units(file, made, which, flags, observed, without):
    if "heldout" not in without:
        file.add_unit_column("heldout", "not in the test file")
    for i in which:
        times = made.spikes[i]
        inside = np.logical_or.reduce([(times >= a) & (times < b) for a, b in observed])
        more = {} if "heldout" in without else {"heldout": bool(flags[i])}
        if "obs_intervals" not in without:
            more["obs_intervals"] = np.array(observed)
        file.add_unit(spike_times=times[inside], id=made.ids[i], **more)


def _trials(file, table):
    for name in table:
        if name not in ("start_time", "stop_time"):
            file.add_trial_column(name, "of the task")
    for row in zip(*table.values(), strict=True):
        file.add_trial(**{k: v.item() for k, v in zip(table, row, strict=True)})


def _write(file, path: Path) -> None:
    import pynwb

    with warnings.catch_warnings(), pynwb.NWBHDF5IO(path, "w") as io:
        warnings.simplefilter("ignore")
        io.write(file)
