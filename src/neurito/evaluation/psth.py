"""Peri-stimulus time histograms, and the scores that need them or the trials' conditions."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real, Shaped

from neurito.errors import NeuritoError
from neurito.evaluation.masks import scored
from neurito.evaluation.rates import pearson, r_squared

SMOOTHING_SECONDS: Mapping[str, float] = MappingProxyType(
    {
        "mc_maze": 0.070,
        "mc_maze_large": 0.050,
        "mc_maze_medium": 0.050,
        "mc_maze_small": 0.050,
        "area2_bump": 0.040,
        "dmfc_rsg": 0.070,
    }
)
"""Standard deviation of the Gaussian that smooths the PSTHs of the Neural Latents Benchmark."""


class Psth(NamedTuple):
    """Mean rate of every neuron in every condition."""

    conditions: Shaped[np.ndarray, " condition"]
    rates: Float[np.ndarray, "condition time neuron"]
    """spikes/s, NaN in bins without data"""


def smooth(
    values: Real[np.ndarray, "trial time channel"],
    sd: float,
    score: Bool[np.ndarray, "..."] | None = None,
) -> Float[np.ndarray, "trial time channel"]:
    """Gaussian smoothing along time within trials; at edges and gaps weights are rescaled to what is there.

    Args:
        values: counts or anything else, NaN where missing.
        sd: standard deviation in bins, 0 for none; the kernel ends at 3 sd.
        score: which entries to use. The others are NaN in the result.
    """
    from scipy.ndimage import gaussian_filter1d

    there = scored(values, score)
    total = np.where(there, values, 0).astype(np.float64)
    if sd == 0:
        return np.where(there, total, np.nan)
    total, weight = (
        gaussian_filter1d(x, sd, axis=1, mode="constant", truncate=3)
        for x in (total, there.astype(np.float64))
    )
    return np.where(there, total / np.where(there, weight, 1), np.nan)


def psth(
    counts: Real[np.ndarray, "trial time neuron"],
    condition: Shaped[np.ndarray, " trial"],
    bin_width: float,
    sd: float,
    score: Bool[np.ndarray, "..."] | None = None,
) -> Psth:
    """Smoothed counts averaged over the trials of each condition.

    Args:
        counts: counts per bin, NaN where missing.
        condition: label of each trial.
        bin_width: seconds.
        sd: standard deviation of the Gaussian in seconds (`SMOOTHING_SECONDS`), 0 for none.
        score: which entries to use.
    """
    smoothed = smooth(counts, sd / bin_width, score) / bin_width
    there = ~np.isnan(smoothed)
    conditions = np.unique(condition)
    rates = np.full((len(conditions), *counts.shape[1:]), np.nan)
    for i, one in enumerate(conditions):
        mine = condition == one
        n = there[mine].sum(0)
        rates[i] = np.where(n > 0, np.nansum(smoothed[mine], axis=0) / np.maximum(n, 1), np.nan)
    return Psth(conditions, rates)


def psth_r2(
    target: Psth,
    rates: Real[np.ndarray, "trial time neuron"],
    condition: Shaped[np.ndarray, " trial"],
    jitter: Int[np.ndarray, " trial"] | None = None,
) -> float:
    """R2 of condition-averaged predicted rates against PSTHs, over conditions and bins, mean over neurons.

    Args:
        target: the PSTHs; bins with NaN are left out.
        rates: predicted rates in the unit of the PSTHs, spikes/s.
        condition: label of each trial. Conditions without a trial, and trials without a PSTH, do not count.
        jitter: bins by which each trial is to be moved later before averaging.

    Raises:
        NeuritoError: no condition in common, shapes that do not fit, or a rate is NaN where a PSTH is known.
    """
    if rates.shape[1:] != target.rates.shape[1:]:
        raise NeuritoError(
            f"rates: {rates.shape[1:]} bins and neurons, but the PSTHs have {target.rates.shape[1:]}"
        )
    if jitter is not None:
        rates = _moved(rates, jitter)
    common = [i for i, one in enumerate(target.conditions) if (condition == one).any()]
    if not common:
        raise NeuritoError("condition: no trial has a condition with a PSTH; check the labels")
    predicted = np.stack([rates[condition == target.conditions[i]].mean(0) for i in common])
    return float(np.nanmean(r_squared(target.rates[common], predicted)))


def _moved(
    rates: Real[np.ndarray, "trial time neuron"], jitter: Int[np.ndarray, " trial"]
) -> Float[np.ndarray, "trial time neuron"]:
    source = np.arange(rates.shape[1]) - jitter[:, None]
    inside = (source >= 0) & (source < rates.shape[1])
    taken = np.take_along_axis(rates, np.where(inside, source, 0)[:, :, None], axis=1)
    return np.where(inside[:, :, None], taken, np.nan)


def tp_correlation(
    rates: Real[np.ndarray, "trial time neuron"],
    produced: Real[np.ndarray, " trial"],
    condition: Real[np.ndarray, "trial label"],
    inside: Bool[np.ndarray, "trial time"],
    average: Literal["mean", "median"] = "mean",
) -> float:
    """Correlation of neural speed with the produced interval (DMFC_RSG); a good model's is strongly negative.

    Speed is the mean over time of the Euclidean norm, over all neurons, of the difference between successive
    rates.

    Args:
        rates: predicted rates of all neurons.
        produced: produced interval t_p of each trial, seconds or any unit.
        condition: prior, response modality and direction of each trial (or other columns); rows with NaN do
            not count.
        inside: bins between set and go (those in which the held-out spikes are not NaN).
        average: over conditions, `mean` in nlb_tools 0.0.4, `median` in a later version of it.

    Raises:
        NeuritoError: a condition has fewer than two trials.
    """
    distance = np.full(inside.shape, np.nan)
    for trial, bins in enumerate(inside):
        steps = np.linalg.norm(np.diff(rates[trial, bins].astype(np.float64), axis=0), axis=1)
        distance[trial, : len(steps)] = steps
    measured = ~np.isnan(distance)
    speed = np.where(measured, distance, 0).sum(1) / np.maximum(measured.sum(1), 1)
    known = ~np.isnan(condition).any(1)
    r = []
    for one in np.unique(condition[known], axis=0):
        mine = (condition == one).all(1)
        if mine.sum() < 2:
            raise NeuritoError(
                f"condition: {one.tolist()} has {mine.sum()} trial; a correlation needs two or more"
            )
        r.append(pearson(speed[mine], produced[mine]))
    return float(np.mean(r) if average == "mean" else np.median(r))
