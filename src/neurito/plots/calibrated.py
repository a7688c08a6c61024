"""Whether predictive distributions are as wide as they should be."""

from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from neurito.core.observations import NegativeBinomial
from neurito.data.trials import Trials
from neurito.errors import NeuritoError
from neurito.evaluation import calibration as evaluation
from neurito.models.fitted import Fitted, HasFitted
from neurito.plots.style import DATA, MODEL, STYLE, caption, panels

LEVELS = tuple((2 * i + 1) / 32 for i in range(16))
"""Quantiles of rates that together stand for draws: ``infer(run, trials, quantiles=LEVELS)``."""


def predictive_pit(
    posterior: Any,
    trials: Trials,
    model: Fitted | HasFitted | None = None,
    *,
    head: str | None = None,
    mask: Bool[np.ndarray, "trial time channel"] | None = None,
    seed: int = 0,
) -> Float[np.ndarray, " scored"]:
    """Randomised PITs of counts given the posterior of their rates.

    Args:
        posterior: what `infer` gave for these trials with ``quantiles=LEVELS``, or more of them.
        trials: the recording.
        model: whose observations are counts; None = Poisson.
        head: the signal; None = the main one.
        mask: which counts; None = those that were scored and not read, which alone say something.
        seed: of the randomisation.

    Raises:
        NeuritoError: no counts, none of them unread, or other quantiles.
    """
    signal = trials.head(head)
    if signal.kind != "counts":
        raise NeuritoError(f"head {head or trials.name!r} is {signal.kind}: calibration is of counts")
    known = posterior["quantile"].values
    if not np.isclose(known[:, None], LEVELS).any(0).all():
        raise NeuritoError("posterior has too few quantiles: infer(..., quantiles=neurito.plots.LEVELS)")
    covered = np.asarray(signal.score & ~signal.read & trials.exists[..., None]) if mask is None else mask
    if not covered.any():
        raise NeuritoError(
            "no count is scored and unread, so calibration would say nothing: hold out neurons or bins"
        )
    levels = posterior.rate_quantile.sel(quantile=list(LEVELS), method="nearest").values
    expected = np.moveaxis(levels, 2, 0) * trials.dt[..., None]
    found = getattr(model, "fitted", model)
    observation = found.model.heads[head or trials.name] if isinstance(found, Fitted) else None
    if isinstance(observation, NegativeBinomial):  # Poisson counts of a gamma rate
        r = np.asarray(observation.concentration.value, np.float64)
        expected = np.repeat(expected, 4, 0)
        expected *= np.random.default_rng(seed).gamma(r, 1 / r, expected.shape)
    return evaluation.poisson_pit(expected, signal.values, seed, score=covered)


def calibration(pit: Float[np.ndarray, " scored"]) -> Figure:
    """Histogram of PITs, and coverage of central intervals against their level.

    Args:
        pit: from `predictive_pit`, `neurito.evaluation.poisson_pit` or `sample_pit`.
    """
    levels = tuple(np.linspace(0.05, 0.95, 19))
    covered = evaluation.coverage(pit, levels)
    with mpl.rc_context(STYLE):
        figure, axes = panels(6.0, 2.6, 1, 2)
        axes[0].hist(pit, 20, range=(0, 1), density=True, color=MODEL, alpha=0.7, label="found")
        axes[0].axhline(1, color=DATA, lw=0.8, label="calibrated")
        axes[0].set(
            title="probability integral transform", xlabel="PIT (0 to 1)", ylabel="density", xlim=(0, 1)
        )
        axes[1].plot([0, 1], [0, 1], color=DATA, lw=0.8, label="calibrated")
        axes[1].plot(levels, list(covered.values()), ".-", color=MODEL, label="found")
        axes[1].set(
            title="coverage", xlabel="level of the interval", ylabel="share inside", xlim=(0, 1), ylim=(0, 1)
        )
        axes[1].legend(loc="upper left")
        distance = evaluation.uniformity(pit).distance
        ninety = evaluation.coverage(pit, (0.9,))[0.9]
        caption(
            figure,
            f"Calibration of {len(pit)} values. A flat histogram and the grey diagonal are right; a hump in the middle "
            f"means intervals too wide, a valley too narrow. 90 % intervals cover {ninety:.1%}; distance from uniform "
            f"(KS) {distance:.3f}.",
        )
        return figure
