"""Explained variance, and how near predicted rates come to known ones."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Real

from neurito.errors import NeuritoError
from neurito.evaluation.masks import same_shape, scored


def r_squared(
    true: Real[np.ndarray, "... channel"],
    predicted: Real[np.ndarray, "... channel"],
    score: Bool[np.ndarray, "..."] | None = None,
) -> Float[np.ndarray, " channel"]:
    r"""Coefficient of determination \(1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2\) of each channel.

    A constant channel gets 1 if predicted exactly and 0 otherwise, as in scikit-learn; one without a value
    gets NaN.

    Args:
        true: the values to be explained, NaN where missing.
        predicted: the prediction, in the same unit.
        score: which entries to cover, all that are not missing by default.

    Raises:
        NeuritoError: shapes differ, or a prediction is NaN where a value is scored.
    """
    same_shape(predicted=predicted, true=true)
    covered = scored(true, score).reshape(-1, true.shape[-1])
    y = np.where(covered, true.reshape(covered.shape), 0).astype(np.float64)
    error = np.where(covered, y - predicted.reshape(covered.shape), 0)
    if np.isnan(error).any():
        raise NeuritoError("predicted: NaN found where a value is scored; predict every scored bin")
    n = covered.sum(0)
    total = np.where(covered, y - y.sum(0) / np.maximum(n, 1), 0)
    residual, variance = (error**2).sum(0), (total**2).sum(0)
    constant = np.where(residual == 0, 1.0, 0.0)
    r2 = np.where(variance > 0, 1 - residual / np.where(variance > 0, variance, 1), constant)
    return np.where(n > 0, r2, np.nan)


def pearson(a: Real[np.ndarray, " value"], b: Real[np.ndarray, " value"]) -> float:
    """Pearson correlation where neither is NaN; NaN if that leaves less than two unlike values."""
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < 2 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return float("nan")
    return float(np.corrcoef(a[both].astype(np.float64), b[both].astype(np.float64))[0, 1])


class RatesR2(NamedTuple):
    """R2 of predicted rates; at low rates one overshoot sinks the mean, so look at all three."""

    mean: float
    """over neurons"""
    median: float
    """over neurons"""
    pooled: float
    """all neurons as one variable"""


def rates_r2(
    true: Real[np.ndarray, "trial time neuron"],
    predicted: Real[np.ndarray, "trial time neuron"],
    score: Bool[np.ndarray, "..."] | None = None,
) -> RatesR2:
    """R2 of predicted against true rates, trials and bins flattened.

    Args:
        true: true rates, any unit (spikes/s).
        predicted: predicted rates, the same unit.
        score: which entries to cover.

    Raises:
        NeuritoError: as `r_squared`.
    """
    per_neuron = r_squared(true, predicted, score)
    covered = scored(true, score)
    (pooled,) = r_squared(true[covered][:, None], predicted[covered][:, None])
    return RatesR2(float(np.nanmean(per_neuron)), float(np.nanmedian(per_neuron)), float(pooled))
