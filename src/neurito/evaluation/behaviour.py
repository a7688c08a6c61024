"""Linear decoding of behaviour (velocity, position, force) from rates or latents."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real, Shaped

from neurito.errors import NeuritoError
from neurito.evaluation.rates import r_squared

ALPHAS = np.logspace(-4, 0, 9)
FOLDS = 5

LAG_SECONDS: Mapping[str, float] = MappingProxyType(
    {
        "mc_maze": 0.100,
        "mc_maze_large": 0.120,
        "mc_maze_medium": 0.120,
        "mc_maze_small": 0.120,
        "mc_rtt": 0.140,
        "area2_bump": -0.020,
    }
)
"""Seconds by which behaviour follows the spikes in the sets of the Neural Latents Benchmark."""


@dataclass(frozen=True)
class Decoder:
    """A fitted ridge regression, behaviour = features @ weights + offset."""

    weights: Float[np.ndarray, "feature dimension"]
    offset: Float[np.ndarray, " dimension"]
    alpha: float

    def predict(self, features: Real[np.ndarray, "... feature"]) -> Float[np.ndarray, "... dimension"]:
        """Behaviour, in the unit that the decoder was fitted to."""
        predicted: np.ndarray = features @ self.weights + self.offset
        return predicted


def _rows(
    features: Real[np.ndarray, "... feature"], behaviour: Real[np.ndarray, "... dimension"]
) -> tuple[Float[np.ndarray, "row feature"], Float[np.ndarray, "row dimension"]]:
    """Bins in which the behaviour is known, one after the other."""
    if features.shape[:-1] != behaviour.shape[:-1]:
        raise NeuritoError(
            f"behaviour: {behaviour.shape[:-1]} trials and bins, but features have {features.shape[:-1]}; "
            "cut them alike"
        )
    X = features.reshape(-1, features.shape[-1]).astype(np.float64)
    Y = behaviour.reshape(-1, behaviour.shape[-1]).astype(np.float64)
    known = ~np.isnan(Y).any(1)
    X, Y = X[known], Y[known]
    if np.isnan(X).any():
        raise NeuritoError(
            "features: NaN in bins with known behaviour; predict those bins or set their behaviour to NaN"
        )
    return X, Y


def fit_decoder(
    features: Real[np.ndarray, "... feature"],
    behaviour: Real[np.ndarray, "... dimension"],
    alphas: Float[np.ndarray, " alpha"] = ALPHAS,
    folds: int = FOLDS,
) -> Decoder:
    r"""Ridge regression \(\min |Y - X w - b|^2 + \alpha |w|^2\), alpha chosen by cross-validated R2.

    The folds are contiguous, the winner is fitted again to all rows: scikit-learn's
    ``GridSearchCV(Ridge())``, from one Gram matrix per fold.

    Args:
        features: rates or latents.
        behaviour: what to decode; bins with a NaN are dropped.
        alphas: penalties to choose from.
        folds: number of folds.

    Raises:
        NeuritoError: shapes do not fit, a feature is NaN, or there are fewer known bins than folds.
    """
    X, Y = _rows(features, behaviour)
    if len(X) < 2 * folds:
        raise NeuritoError(
            f"behaviour: {len(X)} bins are known, too few for {folds} folds; give at least {2 * folds}"
        )
    x_mean, y_mean = X.mean(0), Y.mean(0)  # for precision; each fit has an offset of its own besides
    X -= x_mean
    Y -= y_mean
    ends = [part[-1] + 1 for part in np.array_split(np.arange(len(X)), folds)]
    parts = [slice(*edges) for edges in zip([0, *ends[:-1]], ends, strict=True)]
    moments = [_Moments.of(X[part], Y[part]) for part in parts]
    whole = _Moments.of(X, Y)
    scores = np.zeros((folds, len(alphas)))
    for k, part in enumerate(parts):
        for i, (weights, offset) in enumerate(whole.without(moments[k]).ridge(alphas)):
            scores[k, i] = r_squared(Y[part], X[part] @ weights + offset).mean()
    best = int(np.argmax(scores.mean(0)))
    ((weights, offset),) = whole.ridge(alphas[best : best + 1])
    return Decoder(weights, offset + y_mean - x_mean @ weights, float(alphas[best]))


class _Moments(NamedTuple):
    """Sums over rows from which a ridge regression follows."""

    n: int
    x: Float[np.ndarray, " feature"]
    y: Float[np.ndarray, " dimension"]
    xx: Float[np.ndarray, "feature feature"]
    xy: Float[np.ndarray, "feature dimension"]

    @classmethod
    def of(cls, X: Float[np.ndarray, "row feature"], Y: Float[np.ndarray, "row dimension"]) -> "_Moments":
        return cls(len(X), X.sum(0), Y.sum(0), X.T @ X, X.T @ Y)

    def without(self, other: "_Moments") -> "_Moments":
        return _Moments(
            self.n - other.n, self.x - other.x, self.y - other.y, self.xx - other.xx, self.xy - other.xy
        )

    def ridge(
        self, alphas: Float[np.ndarray, " alpha"]
    ) -> list[tuple[Float[np.ndarray, "feature dimension"], Float[np.ndarray, " dimension"]]]:
        """Weights and offset for every penalty, from one eigendecomposition."""
        x, y = self.x / self.n, self.y / self.n
        values, vectors = np.linalg.eigh(self.xx - self.n * np.outer(x, x))
        projected = vectors.T @ (self.xy - self.n * np.outer(x, y))
        fits = [vectors @ (projected / (np.maximum(values, 0) + alpha)[:, None]) for alpha in alphas]
        return [(weights, y - x @ weights) for weights in fits]


def shift(
    behaviour: Real[np.ndarray, "trial time dimension"], lag: int
) -> Float[np.ndarray, "trial time dimension"]:
    """Behaviour `lag` bins later (earlier if negative) beside each bin, NaN where the trial has none."""
    moved = np.full(behaviour.shape, np.nan)
    n = behaviour.shape[1]
    here, there = slice(max(0, -lag), max(0, n - max(0, lag))), slice(max(0, lag), max(0, n + min(0, lag)))
    moved[:, here] = behaviour[:, there]
    return moved


class Decoding(NamedTuple):
    """How well behaviour is decoded from the test trials."""

    r2: float
    """mean over dimensions, then over groups"""
    r2_per_dimension: Float[np.ndarray, " dimension"]
    """mean over groups"""
    median_error: float
    """median Euclidean distance between decoded and true, in the behaviour's unit"""
    predicted: Float[np.ndarray, "test_trial time dimension"]
    """decoded behaviour at its own bins, NaN where no feature is in reach"""
    alphas: tuple[float, ...]
    """chosen penalty of each group's decoder"""


def decode(
    features: Real[np.ndarray, "trial time feature"],
    behaviour: Real[np.ndarray, "trial time dimension"],
    train: Shaped[np.ndarray, " train"] | slice,
    test: Shaped[np.ndarray, " test"] | slice,
    lag: int = 0,
    groups: Int[np.ndarray, " trial"] | None = None,
) -> Decoding:
    """Decodes behaviour by ridge regression fitted to training trials and scored on test trials.

    Args:
        features: rates (of all neurons, for the benchmark) or latents.
        behaviour: velocity, position, ...; bins with a NaN are dropped.
        train: training trials: indices, slice or mask.
        test: test trials, likewise.
        lag: bins by which behaviour follows the features (`LAG_SECONDS` over the bin width).
        groups: label of each trial; every group has a decoder of its own and the scores are averaged (active
            and passive trials of Area2_Bump).

    Raises:
        NeuritoError: shapes do not fit, a needed feature is NaN, or a group has too few bins.
    """
    target = shift(behaviour, lag)
    label = np.zeros(len(features), int) if groups is None else groups
    n_test, n_bins, n_dimensions = behaviour[test].shape
    predicted, scores, alphas = np.full((n_test, n_bins, n_dimensions), np.nan), [], []
    for group in np.unique(label[test]):
        chosen = label[train] == group
        decoder = fit_decoder(features[train][chosen], target[train][chosen])
        chosen = label[test] == group
        X, Y = _rows(features[test][chosen], target[test][chosen])
        scores.append(r_squared(Y, decoder.predict(X)))
        alphas.append(decoder.alpha)
        predicted[chosen] = decoder.predict(features[test][chosen])
    predicted = shift(predicted, -lag)
    distance = np.linalg.norm(predicted - behaviour[test], axis=-1)
    r2 = np.mean(scores, axis=0)
    return Decoding(float(r2.mean()), r2, float(np.nanmedian(distance)), predicted, tuple(alphas))


def velocity_r2(
    rates: Real[np.ndarray, "trial time neuron"],
    velocity: Real[np.ndarray, "trial time dimension"],
    train: Shaped[np.ndarray, " train"] | slice,
    test: Shaped[np.ndarray, " test"] | slice,
    lag: int = 0,
    groups: Int[np.ndarray, " trial"] | None = None,
) -> float:
    """The benchmark's velocity R2; arguments as for `decode`."""
    return decode(rates, velocity, train, test, lag, groups).r2
