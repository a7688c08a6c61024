"""The scores of the benchmark, on this machine: validation trials for test trials, whose targets are not public."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurito.benchmark import reading
from neurito.benchmark.histograms import histograms
from neurito.benchmark.prediction import Part, Prediction, rows
from neurito.benchmark.tasks import Task, checked_width, find
from neurito.data.load import PathLike, sniff
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn
from neurito.evaluation import Psth, co_bps, fp_bps, psth_r2, tp_correlation, velocity_r2
from neurito.evaluation.psth import psth


class Meaning(NamedTuple):
    """What a score means."""

    unit: str
    meaning: str


SCORES = {
    "co_bps": Meaning("bits/spike", "co-smoothing: held-out neurons, above their mean rates"),
    "velocity_r2": Meaning("R2", "velocity decoded linearly from the rates of all neurons"),
    "tp_correlation": Meaning("r", "neural speed against the produced interval; strongly negative is good"),
    "psth_r2": Meaning("R2", "rates averaged over conditions against smoothed PSTHs"),
    "fp_bps": Meaning("bits/spike", "forward prediction: all neurons, 200 ms after the window"),
}
"""Every score that `score` may give."""


@dataclass(frozen=True, eq=False)
class Target:
    """What a prediction is scored against.

    Attributes:
        task: the set.
        train: trials to which decoders are fitted.
        evaluation: trials that are scored.
        psth: PSTHs of both, or None where the set has none.
    """

    task: Task
    train: Trials
    evaluation: Trials
    psth: Psth | None

    @classmethod
    def of(cls, trials: Trials, task: Task | str, part: Part = "validation") -> "Target":
        """From all trials that `read` gave; PSTHs (not of DMFC_RSG) are smoothed within windows and forward bins.

        Raises:
            NeuritoError: there are no such trials, or their held-out neurons are not known.
        """
        task = find(task) if isinstance(task, str) else task
        train, evaluation = rows(trials, part)
        both = trials[np.union1d(train, evaluation)]
        return cls(task, trials[train], _known(trials[evaluation]), _psth(both, task))


def target(path: PathLike, name: str, bin_width: float = 0.02, part: Part = "validation") -> Target:
    """What predictions of a set are scored against; from NWB files with PSTHs as the benchmark makes them.

    Args:
        path: as for `read`.
        name: of the set.
        bin_width: seconds, 0.005 or 0.02.
        part: what is scored; the targets of the test are not public.

    Raises:
        NeuritoError: as `read`.
    """
    task, width = find(name), checked_width(bin_width)
    made = Target.of(reading.read(path, name, bin_width), task, part)
    paths = reading.files(path, task)
    if task.psth_sd is None or {sniff(file) for file in paths} != {"nwb"}:
        return made
    made_of = reading.recordings(paths, ())
    return Target(task, made.train, made.evaluation, histograms(made_of, task, width))


def score(prediction: Prediction, target: Target) -> dict[str, float]:
    """The scores of a prediction, those that the set has; `SCORES` says what they mean.

    co-bps and fp-bps, velocity R2 (of Area2_Bump the mean of an active and a passive decoder), PSTH R2, or the
    correlation of neural speed with the produced interval of DMFC_RSG.

    Args:
        prediction: expected counts.
        target: the trials.

    Returns:
        Scores by name; NaN, with a warning, where one cannot be had (a single trial in a condition of dmfc_rsg, say).

    Raises:
        NeuritoError: the prediction is of other trials, bins or neurons.

    Warns:
        NeuritoWarning: a score cannot be had.
    """
    task, trials = target.task, target.evaluation
    width, bins = checked_width(trials.bin_width), task.bins(trials.bin_width)
    if prediction.task.name != task.name or prediction.width != width:
        raise NeuritoError(
            f"the prediction is for {prediction.task.key(prediction.width)}, the target {task.key(width)}"
        )
    for name, rates, wanted in (
        ("train", prediction.train, target.train),
        ("evaluation", prediction.evaluation, trials),
    ):
        want = (wanted.n_trials, wanted.main.n_channels)
        if (rates.shape[0], rates.shape[2]) != want:
            raise NeuritoError(
                f"{name} rates of {task.name} have shape {rates.shape}; the target has {want[0]} trials and "
                f"{want[1]} neurons"
            )
    rates, window = prediction.evaluation, _window(trials, bins)
    of, conditioned = trials.metadata, target.psth
    jitter = of["jitter"] if of.get("jitter", np.zeros(1)).any() else None
    scores: dict[str, Callable[[], float]] = {"co_bps": lambda: co_bps(rates[:, :bins], window)}
    if task.behaviour is not None:
        scores["velocity_r2"] = lambda: _velocity_r2(prediction, target, bins)
    elif task.columns:
        scores["tp_correlation"] = lambda: _tp_correlation(rates[:, :bins], window, task)
    if conditioned is not None:
        scores["psth_r2"] = lambda: psth_r2(conditioned, rates[:, :bins] / width, of["condition"], jitter)
    if rates.shape[1] > bins and trials.n_bins > bins and trials.main.score[:, bins:].any():
        scores["fp_bps"] = lambda: fp_bps(rates, trials)
    return {name: _attempt(name, scores[name]) for name in SCORES if name in scores}


def _attempt(name: str, made: Callable[[], float]) -> float:
    try:
        return made()
    except NeuritoError as error:
        warn(f"{name} cannot be had: {error}", stacklevel=4)
        return float("nan")


def _window(trials: Trials, bins: int) -> Trials:
    return trials if trials.n_bins == bins else trials.select(time=slice(0, bins))


def _known(trials: Trials) -> Trials:
    """The trials, if their held-out neurons are known."""
    head = trials.main
    if not head.score[:, :, ~head.read.any((0, 1))].any():
        raise NeuritoError("the held-out neurons of these trials are not public; score the validation part")
    return trials


def _velocity_r2(prediction: Prediction, target: Target, bins: int) -> float:
    behaved, groups = [], []
    for trials in (target.train, target.evaluation):
        name = target.task.behaviour if target.task.behaviour in trials.heads else "behaviour"
        head = _window(trials, bins).head(name)
        behaved.append(np.where(head.score, head.values, np.nan))
        groups.append(trials.metadata.get("group", np.zeros(trials.n_trials, int)))
    rates = np.concatenate([prediction.train[:, :bins], prediction.evaluation[:, :bins]])
    n = len(prediction.train)
    return velocity_r2(  # behaviour is moved by the lag already
        rates, np.concatenate(behaved), slice(n), slice(n, None), groups=np.concatenate(groups)
    )


def _tp_correlation(rates: np.ndarray, trials: Trials, task: Task) -> float:
    table = np.stack([trials.metadata[name].astype(float) for name in task.columns], 1)
    if task.outlier is not None and task.outlier in trials.metadata:
        table[trials.metadata[task.outlier].astype(bool)] = np.nan
    head = trials.main
    inside: np.ndarray = head.score[:, :, ~head.read.any((0, 1))].max(2)
    return tp_correlation(rates, table[:, -1], table[:, :3], inside)


def _psth(trials: Trials, task: Task) -> Psth | None:
    """PSTHs from windows and forward bins alone; None where the set has none, or its windows move."""
    of = trials.metadata
    used = np.flatnonzero(of.get("condition", np.full(trials.n_trials, -1)) >= 0)
    if task.psth_sd is None or task.jitter or not used.size:
        return None
    made = psth(trials.main.values[used], of["condition"][used], trials.bin_width, task.psth_sd)
    return Psth(made.conditions, made.rates[:, : task.bins(trials.bin_width)])
