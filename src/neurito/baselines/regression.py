r"""Poisson regression with a log link, \(y_{tn} \sim \mathrm{Poisson}(\exp(b_n + w_n \cdot x_t))\).

The mean negative log-likelihood per bin plus \(\tfrac{\rho}{2} |w_n|^2\) (features standardised) is minimised by
L-BFGS, several channels at a time: what scikit-learn's ``PoissonRegressor`` minimises for one. Along the principal
axes of the features, of variances \(e_f\), the curvature at the start is \(\bar y_n e_f + \rho\); in units of its
root all directions of all channels are alike, and a few steps suffice.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

_BLOCK = 16  # channels at a time, for memory
_MOST = 50.0  # log of an expected count, beyond which a line search need not look


def poisson_regression(
    features: Float[np.ndarray, "row feature"],
    counts: Float[np.ndarray, "row channel"],
    known: Bool[np.ndarray, "row channel"],
    ridge: float,
) -> tuple[Float[np.ndarray, "feature channel"], Float[np.ndarray, " channel"]]:
    """Weights and offsets of every channel; one never known gets the offset of almost no spikes.

    Args:
        features: x, one row per bin.
        counts: y.
        known: which counts there are; the others do not count.
        ridge: penalty on the weights of standardised features.
    """
    if not counts.shape[1]:
        return np.zeros((features.shape[1], 0)), np.zeros(0)
    mean, sd = features.mean(0), features.std(0)
    sd = np.where(sd > 0, sd, 1)
    x = (features - mean) / sd
    variances, axes = np.linalg.eigh(x.T @ x / len(x))
    x = x @ axes
    blocks = np.array_split(np.arange(counts.shape[1]), -(-counts.shape[1] // _BLOCK))
    fits = [_fit(x, variances, counts[:, block], known[:, block], ridge) for block in blocks]
    weights, offsets = (np.concatenate(part, -1) for part in zip(*fits, strict=True))
    weights = axes @ weights / sd[:, None]
    return weights, offsets - mean @ weights


def log_linear(
    features: Float[np.ndarray, "... feature"], arrays: Mapping[str, np.ndarray]
) -> Float[np.ndarray, "... channel"]:
    """Expected counts of a regression, at most what it expects in its own data: beyond them nothing is known."""
    most = arrays.get("most", _MOST)  # fits saved before have none
    expected: np.ndarray = np.exp(np.minimum(features @ arrays["weights"] + arrays["offset"], most))
    return expected


def regressed(
    features: Float[np.ndarray, "row feature"],
    counts: Float[np.ndarray, "row channel"],
    known: Bool[np.ndarray, "row channel"],
    ridge: float,
) -> dict[str, np.ndarray]:
    """What `log_linear` needs: weights, offset, and the logarithm of the largest expected count."""
    weights, offset = poisson_regression(features, counts, known, ridge)
    return {"weights": weights, "offset": offset, "most": (features @ weights + offset).max(0)}


def _fit(
    x: Float[np.ndarray, "row feature"],
    variances: Float[np.ndarray, " feature"],
    y: Float[np.ndarray, "row channel"],
    known: Bool[np.ndarray, "row channel"],
    ridge: float,
) -> tuple[Float[np.ndarray, "feature channel"], Float[np.ndarray, " channel"]]:
    from scipy.optimize import minimize

    features, channels = x.shape[1], y.shape[1]
    rows = np.maximum(known.sum(0), 1)
    share = known / rows
    spikes = (y * share).sum(0)
    moments = x.T @ (y * share)
    least = np.maximum(spikes, 0.1 / rows)  # a silent channel: a tenth of a spike
    start = np.log(least)
    unit = np.concatenate([variances[:, None] * least + ridge, least[None]]) ** -0.5

    def objective(packed: Float[np.ndarray, " value"]) -> tuple[float, Float[np.ndarray, " value"]]:
        w, b = np.split(packed.reshape(unit.shape) * unit, [features])
        expected = np.exp(np.minimum(x @ w + (b + start), _MOST)) * share
        loss = expected.sum() - (w * moments).sum() - ((b + start) * spikes).sum() + ridge / 2 * (w**2).sum()
        slope = np.concatenate([x.T @ expected - moments + ridge * w, expected.sum(0)[None] - spikes])
        return loss, (slope * unit).ravel()

    found = minimize(
        objective, np.zeros(unit.size), jac=True, method="L-BFGS-B", options={"maxiter": 300, "ftol": 1e-8}
    )
    w, b = np.split(found.x.reshape(features + 1, channels) * unit, [features])
    return w, b[0] + start
