"""Whether uncertainties mean what they say.

If a model is right, the probability integral transform (PIT) of an observation, its predictive cumulative
probability, is uniform; for counts it is made so by randomisation within the jump. Coverage of intervals
follows from it.

Source: Czado, Gneiting, Held, Biometrics 65 (2009) 1254 (counts).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Real

from neurito.errors import NeuritoError
from neurito.evaluation.masks import scored

LEVELS = (0.5, 0.8, 0.9, 0.95)


def _weights(weights: Real[np.ndarray, "..."] | None, samples: int) -> Float[np.ndarray, "..."]:
    """Weights over samples (first axis) that sum to 1."""
    if weights is None:
        return np.full(samples, 1 / samples)
    if len(weights) != samples or not (weights >= 0).all() or not (weights.sum(0) > 0).all():
        raise NeuritoError(
            f"weights: one non-negative weight for each of {samples} samples is needed, found {weights.shape}"
        )
    normalised: np.ndarray = weights / weights.sum(0)
    return normalised


def poisson_pit(
    expected: Real[np.ndarray, "sample ..."],
    counts: Real[np.ndarray, "..."],
    seed: int = 0,
    weights: Real[np.ndarray, "sample *trial"] | None = None,
    score: Bool[np.ndarray, "..."] | None = None,
) -> Float[np.ndarray, " scored"]:
    r"""Randomised PIT \(F(y-1) + v\,[F(y) - F(y-1)]\), v uniform, of counts under a mixture of Poissons.

    Args:
        expected: expected counts per bin in each posterior sample (sample, trial, time, neuron).
        counts: counts per bin (trial, time, neuron), not read by the model; NaN is missing.
        seed: for the randomisation.
        weights: of the samples, equal by default; one column per trial where they differ between trials.
        score: which entries to use.

    Raises:
        NeuritoError: shapes do not fit, or an expected count is negative or NaN.
    """
    from scipy.special import pdtr

    if expected.shape[1:] != counts.shape:
        raise NeuritoError(
            f"expected: shape {expected.shape}, but counts have {counts.shape}; put samples first"
        )
    covered = scored(counts, score)
    y = counts[covered].astype(np.float64)
    w = _weights(weights, len(expected))
    w = np.broadcast_to(w.reshape(*w.shape, *[1] * (expected.ndim - w.ndim)), expected.shape)
    below, upto = np.zeros_like(y), np.zeros_like(y)
    for sample, weight in zip(expected, w, strict=True):  # one by one, for memory
        rate = sample[covered].astype(np.float64)
        if not (rate >= 0).all():
            raise NeuritoError(
                "expected: negative or NaN found where a count is scored; expected counts are 0 or more"
            )
        upto += weight[covered] * pdtr(y, rate)
        below += weight[covered] * np.where(y > 0, pdtr(np.maximum(y - 1, 0), rate), 0)
    pit: np.ndarray = below + np.random.default_rng(seed).uniform(size=y.shape) * (upto - below)
    return pit


def sample_pit(
    samples: Real[np.ndarray, "sample ..."],
    observed: Real[np.ndarray, "..."],
    seed: int = 0,
    score: Bool[np.ndarray, "..."] | None = None,
) -> Float[np.ndarray, " scored"]:
    """PIT from predictive draws: the observation's rank among them, randomised between ranks and in ties.

    Exactly uniform if observation and draws are exchangeable, for counts as for continuous values.

    Args:
        samples: draws from the predictive distribution, observation noise included.
        observed: what was observed, of the shape of one draw; NaN is missing.
        seed: for the randomisation.
        score: which entries to use.

    Raises:
        NeuritoError: shapes do not fit.
    """
    if samples.shape[1:] != observed.shape:
        raise NeuritoError(
            f"samples: shape {samples.shape}, but observed has {observed.shape}; put samples first"
        )
    covered = scored(observed, score)
    draws, y = samples[:, covered], observed[covered]
    below, equal = (draws < y).sum(0), (draws == y).sum(0)
    u = np.random.default_rng(seed).uniform(size=y.shape)
    pit: np.ndarray = (below + u * (equal + 1)) / (len(samples) + 1)
    return pit


def coverage(pit: Float[np.ndarray, "..."], levels: tuple[float, ...] = LEVELS) -> dict[float, float]:
    """Fraction of observations inside each central predictive interval; ideally the level itself.

    Args:
        pit: probability integral transforms (`poisson_pit`, `sample_pit`).
        levels: nominal coverages, between 0 and 1.
    """
    return {level: float((np.abs(pit - 0.5) <= level / 2).mean()) for level in levels}


class Interval(NamedTuple):
    """How an interval that can be drawn, ends included, does."""

    coverage: float
    """fraction of observations inside; of counts, usually more than the level: an end is in or out"""
    width: float
    """mean width, in the unit of the observations"""


def interval_coverage(
    samples: Real[np.ndarray, "sample ..."],
    observed: Real[np.ndarray, "..."],
    level: float = 0.9,
    score: Bool[np.ndarray, "..."] | None = None,
) -> Interval:
    """Coverage and width of the central interval between quantiles of predictive draws.

    Args:
        samples: draws from the predictive distribution, observation noise included.
        observed: what was observed, of the shape of one draw; NaN is missing.
        level: nominal coverage, between 0 and 1.
        score: which entries to use.

    Raises:
        NeuritoError: shapes do not fit, or the level is not between 0 and 1.
    """
    if samples.shape[1:] != observed.shape:
        raise NeuritoError(
            f"samples: shape {samples.shape}, but observed has {observed.shape}; put samples first"
        )
    if not 0 < level < 1:
        raise NeuritoError(f"level: {level} is not between 0 and 1; give 0.9 for 90 %")
    covered = scored(observed, score)
    # a quantile is a draw: for counts, no fractional ends
    low = np.quantile(samples[:, covered], (1 - level) / 2, axis=0, method="inverted_cdf")
    high = np.quantile(samples[:, covered], (1 + level) / 2, axis=0, method="inverted_cdf")
    y = observed[covered]
    return Interval(float(((low <= y) & (y <= high)).mean()), float((high - low).mean()))


class Uniformity(NamedTuple):
    """How far values are from uniform."""

    distance: float
    """largest distance of the empirical distribution function, or of the cumulated histogram of ranks"""
    p: float
    """probability of as much by chance, if the values are independent"""


def uniformity(pit: Float[np.ndarray, "..."]) -> Uniformity:
    """Kolmogorov-Smirnov test of PITs; bins of one trial share a latent, so p is only a guide.

    Args:
        pit: probability integral transforms.
    """
    from scipy.stats import kstest

    result = kstest(pit.ravel(), "uniform")
    return Uniformity(float(result.statistic), float(result.pvalue))


class Calibration(NamedTuple):
    """Whether predictive distributions of counts are as wide as they should be."""

    coverage: float
    """fraction of counts inside the central 90 % interval, ends randomised; 0.9 is right, less is overconfident"""
    distance: float
    """Kolmogorov-Smirnov distance of the randomised PITs from uniform; 0 is right"""


def calibration_of(
    rate_samples: Real[np.ndarray, "sample trial time neuron"],
    counts: Real[np.ndarray, "trial time neuron"],
    mask: Bool[np.ndarray, "trial time neuron"],
    seed: int = 0,
) -> Calibration:
    """Coverage and uniformity of counts under a mixture of Poissons, one for each sample of their rates.

    Args:
        rate_samples: expected counts per bin, equally weighted draws from the posterior or quantiles at evenly
            spaced levels.
        counts: counts per bin; NaN is missing.
        mask: which of them are covered; only what the model did not read says anything.
        seed: for the randomisation.

    Raises:
        NeuritoError: shapes do not fit, nothing is covered, or an expected count is negative or NaN.
    """
    pit = poisson_pit(rate_samples, counts, seed, score=mask)
    return Calibration(coverage(pit, (0.9,))[0.9], uniformity(pit).distance)
