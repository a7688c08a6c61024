"""Predicted rates of a set, as the benchmark takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from neurito.benchmark.tasks import Task, checked_width, find
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

Part = Literal["validation", "test"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Expected counts per bin of every neuron, held-in neurons first.

    Attributes:
        task: the set.
        width: of a bin, seconds.
        held_in: how many neurons are read.
        train: (trial, time, neuron) for the training trials; time may go on over the forward bins.
        evaluation: likewise for the trials that are scored.

    Raises:
        NeuritoError: shapes are not those of the set, or a rate is negative or NaN.
    """

    __no_type_check__ = True  # at run time: __post_init__ says what is wrong

    task: Task
    width: float
    held_in: int
    train: Float[np.ndarray, "train_trial train_time neuron"]
    evaluation: Float[np.ndarray, "trial time neuron"]

    def __post_init__(self) -> None:
        bins, ahead = self.task.bins(self.width), self.task.forward(self.width)
        for name in ("train", "evaluation"):
            rates = getattr(self, name)
            if rates.ndim != 3 or rates.shape[1] not in (bins, bins + ahead):
                raise NeuritoError(
                    f"{name} rates of {self.task.name} have shape {rates.shape}; give (trial, time, neuron) with "
                    f"{bins} bins of {self.width:g} s, or {bins + ahead} with those of forward prediction"
                )
            if not 0 < self.held_in < rates.shape[2] or rates.shape[2] != self.train.shape[2]:
                raise NeuritoError(
                    f"{name} rates of {self.task.name} are of {rates.shape[2]} neurons, {self.held_in} held in; "
                    "give held-in and held-out ones, the same for train and evaluation"
                )
            if not (rates >= 0).all() or np.isinf(rates).any():
                trial, time, neuron = np.argwhere(~((rates >= 0) & np.isfinite(rates)))[0].tolist()
                raise NeuritoError(
                    f"{name} rates of {self.task.name}: {rates[trial, time, neuron]:g} at trial {trial}, bin "
                    f"{time}, neuron {neuron}; expected counts are 0 or more"
                )

    @classmethod
    def of(
        cls, expected: np.ndarray, trials: Trials, task: Task | str, part: Part = "validation"
    ) -> "Prediction":
        """From the expected counts of all trials that `read` gave.

        Args:
            expected: counts per bin (trial, time, neuron).
            trials: those trials; trained are those of the training part, and of validation if test is scored.
            task: the set.
            part: what is scored.

        Raises:
            NeuritoError: there are no such trials, or the prediction does not fit.
        """
        task = find(task) if isinstance(task, str) else task
        train, evaluation = rows(trials, part)
        held_in = int(trials.main.read.any((0, 1)).sum())
        return cls(task, checked_width(trials.bin_width), held_in, expected[train], expected[evaluation])

    @property
    def rates(self) -> Mapping[str, Float[np.ndarray, "trial time neuron"]]:
        """The arrays of a submission by name."""
        bins, found = self.task.bins(self.width), {}
        for part, rates in (("train", self.train), ("eval", self.evaluation)):
            for kind, neurons in (("heldin", slice(self.held_in)), ("heldout", slice(self.held_in, None))):
                found[f"{part}_rates_{kind}"] = rates[:, :bins, neurons]
                if rates.shape[1] > bins:
                    found[f"{part}_rates_{kind}_forward"] = rates[:, bins:, neurons]
        return found


def rows(trials: Trials, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Trials that train and trials that are scored; for the test, validation trials train as well.

    Raises:
        NeuritoError: there are none.
    """
    split = trials.metadata.get("split", np.full(trials.n_trials, ""))
    train = np.flatnonzero(np.isin(split, ("train", "validation") if part == "test" else ("train",)))
    evaluation = np.flatnonzero(split == part)
    for name, found in (("train", train), (part, evaluation)):
        if not found.size:
            raise NeuritoError(f"no {name} trials; read them too, split='all' gives every part there is")
    return train, evaluation


def predict(
    model: Any, trials: Trials, task: Task | str, part: Part = "validation", **options: Any
) -> Prediction:
    """The prediction of a fitted model.

    Args:
        model: a run or its fitted model.
        trials: what `read` gave, all parts.
        task: the set.
        part: what is scored: validation, or test for a submission.
        **options: of `neurito.infer`: samples, particles, seed, mesh.

    Raises:
        NeuritoError: the trials do not fit the model.
    """
    return Prediction.of(expected(model, trials, **options), trials, task, part)


def expected(model: Any, trials: Trials, **options: Any) -> Float[np.ndarray, "trial time neuron"]:
    """Expected counts per bin of all trials given what is read; options as in `neurito.infer`."""
    from neurito.inference import infer

    found = infer(model, trials, quantiles=(), **options)
    return np.asarray(found.rate_mean.values * trials.dt[..., None])
