"""What all baselines share: options, a fit, and predictions from what is read."""

import abc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from jaxtyping import Float

from neurito.baselines.reading import Reading
from neurito.data.trials import Trials
from neurito.errors import NeuritoError
from neurito.evaluation.bits import poisson_nll

if TYPE_CHECKING:
    from neurito.baselines.fitted import FittedBaseline

Arrays: TypeAlias = dict[str, np.ndarray]

HIDDEN = 0.25  # of the channels, where nothing is held out that could choose


@dataclass(frozen=True)
class Prediction:
    """What a baseline says of a recording, given what is read of it.

    Attributes:
        expected: counts per bin (trial, time, channel).
        latents: (trial, time, latent), None where there are none.
        latent_sd: their posterior standard deviation, where the model has one.
        log_sd: posterior standard deviation of the log of `expected`, which is then the mean of a lognormal.
    """

    expected: Float[np.ndarray, "trial time channel"]
    latents: Float[np.ndarray, "trial time latent"] | None = None
    latent_sd: Float[np.ndarray, "trial time latent"] | None = None
    log_sd: Float[np.ndarray, "trial time channel"] | None = None

    def quantiles(self, levels: Sequence[float]) -> Float[np.ndarray, "trial time quantile channel"]:
        """Of the expected count; all alike where it has no uncertainty."""
        from scipy.special import ndtri

        sd = np.zeros((1, 1, 1, 1)) if self.log_sd is None else self.log_sd[:, :, None]
        quantiles: np.ndarray = self.expected[:, :, None] * np.exp(
            sd * ndtri(np.asarray(levels))[:, None] - sd**2 / 2
        )
        return quantiles


@dataclass(frozen=True, kw_only=True)
class Baseline(abc.ABC):
    """A baseline in words.

    It sees the main head, which holds counts, of one session in bins of one width.
    """

    name: ClassVar[str]
    recommended: ClassVar[Mapping[str, Any]] = MappingProxyType({})  # options of training: none has an effect
    __no_type_check__ = True  # at run time: __post_init__ says what is wrong

    def __post_init__(self) -> None:
        """Checks words and numbers."""
        from neurito.core import choices

        choices.check(self)
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float) and not value >= (one.type is int):
                least = "1 or more" if one.type is int else "0 or more"
                raise NeuritoError(f"{one.name}={value}: {least} is needed")

    @abc.abstractmethod
    def estimate(self, train: Trials) -> tuple[Arrays, list[float]]:
        """What the baseline learns, as arrays, and the log-likelihood after each step where there are steps.

        Raises:
            NeuritoError: the data are no counts, of several sessions, or in bins of different widths.
        """

    @abc.abstractmethod
    def predict(self, arrays: Mapping[str, np.ndarray], reading: Reading) -> Prediction:
        """Expected counts of every channel, from what was learnt and what is read."""

    def candidates(self, bin_width: float) -> Sequence["Baseline"]:
        """The options among which validation trials choose."""
        return [self]

    def observed(self, layout: Any) -> tuple[str, ...]:
        """The name of the head that is predicted, the first."""
        return (next(iter(layout.heads)),)

    def fit(self, train: Trials, validation: Trials | None = None) -> "FittedBaseline":
        """Fits the baseline.

        Options that are left to the data are chosen by the likelihood of the validation trials' unread counts
        (held-out neurons, forward bins); where everything is read, of a quarter of the channels, hidden for that.

        Args:
            train: training trials; what is read is seen, what is read or scored is fitted.
            validation: trials that choose, for options that are to be chosen.

        Raises:
            NeuritoError: the data are no counts, of several sessions, in bins of different widths, or there is no
                validation trial to choose by.
        """
        from neurito.baselines.fitted import FittedBaseline

        clock = time.monotonic()
        chosen, history = _chosen(self, train, validation, clock)
        arrays, course = chosen.estimate(train)
        seconds = time.monotonic() - clock
        bins = train.lengths.sum()
        history = history or [
            entry(step, seconds * step / len(course), bound=value / bins)
            for step, value in enumerate(course, 1)
        ]
        history = history or [entry(1, seconds)]
        history[-1]["seconds"] = seconds
        return FittedBaseline.of(chosen, train, arrays, history)


def entry(step: int, seconds: float, bound: float = np.nan, score: float = np.nan) -> dict[str, float]:
    """A line of a run's history, with all that such a line has."""
    none = dict.fromkeys(("learning_rate", "ess", "gradient"), float("nan"))
    return {"step": step, "seconds": seconds, "bound": float(bound), "score": float(score), **none}


def _chosen(
    options: Baseline, train: Trials, validation: Trials | None, clock: float
) -> tuple[Baseline, list[dict[str, float]]]:
    """The candidate that does best on validation trials, and how they all did, nats per bin."""
    candidates = options.candidates(train.bin_width)
    if len(candidates) == 1:
        return candidates[0], []
    if validation is None:
        raise NeuritoError(
            f"{options.name}: sd=0 is chosen on validation trials, and there are none; give them, or sd in seconds"
        )
    if not _unread(validation).any():
        train, validation = (part.hold_out(HIDDEN) for part in (train, validation))
    unread, history = _unread(validation), []
    for step, one in enumerate(candidates, 1):
        expected = one.predict(one.estimate(train)[0], Reading.of(validation)).expected
        score = -poisson_nll(expected, validation.main.values, unread) / validation.lengths.sum()
        history.append(entry(step, time.monotonic() - clock, score=score))
    best = int(np.argmax([line["score"] for line in history]))
    return candidates[best], history


def _unread(trials: Trials) -> np.ndarray:
    unread: np.ndarray = trials.main.score & ~trials.main.read & trials.exists[..., None]
    return unread
