"""The exact answer for linear Gaussian models: filter, smoother, likelihood, in plain numpy and double precision."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearGaussian:
    """z_1 ~ N(mu, S), z_t = A z_{t-1} + b_t + N(0, Q), y_t = H z_t + d_t + N(0, diag r)."""

    A: np.ndarray
    b: np.ndarray  # (latent,) or (time, latent), of the transition out of that bin
    Q: np.ndarray  # (latent, latent) or (time, latent, latent), likewise
    mu: np.ndarray
    S: np.ndarray
    H: np.ndarray  # (channel, latent)
    d: np.ndarray  # (channel,) or (time, channel)
    r: np.ndarray


@dataclass(frozen=True)
class Answer:
    """Everything (time, ...); `increments` sum to the log likelihood in nats."""

    increments: np.ndarray
    mean: np.ndarray
    cov: np.ndarray
    smooth_mean: np.ndarray
    smooth_cov: np.ndarray


def solve(model: LinearGaussian, y: np.ndarray, read: np.ndarray | None = None) -> Answer:
    """Filter and smooth one trial y (time, channel), of which `read` is seen."""
    bins, channels = y.shape
    y = np.asarray(y, float)
    read = np.ones(y.shape, bool) if read is None else read
    b = np.broadcast_to(model.b, (bins, len(model.mu)))
    d = np.broadcast_to(model.d, (bins, channels))
    Q = np.broadcast_to(model.Q, (bins, *model.Q.shape[-2:]))
    m, P = model.mu, model.S
    increments, means, covs, ahead = [], [], [], []
    for t in range(bins):
        if t:
            m, P = model.A @ m + b[t - 1], model.A @ P @ model.A.T + Q[t - 1]
        ahead.append((m, P))
        seen = read[t]
        H, R = model.H[seen], np.diag(np.broadcast_to(model.r, channels)[seen])
        error = y[t, seen] - H @ m - d[t, seen]
        F = H @ P @ H.T + R
        gain = P @ H.T @ np.linalg.inv(F)
        _, log_det = np.linalg.slogdet(2 * np.pi * F)
        increments.append(-0.5 * (log_det + error @ np.linalg.solve(F, error)) if seen.any() else 0.0)
        keep = np.eye(len(m)) - gain @ H
        m, P = m + gain @ error, keep @ P @ keep.T + gain @ R @ gain.T
        means.append(m)
        covs.append(P)
    smooth_means, smooth_covs = [m], [P]
    for t in range(bins - 2, -1, -1):
        m1, P1 = ahead[t + 1]
        G = covs[t] @ model.A.T @ np.linalg.inv(P1)
        smooth_means.append(means[t] + G @ (smooth_means[-1] - m1))
        smooth_covs.append(covs[t] + G @ (smooth_covs[-1] - P1) @ G.T)
    return Answer(*(np.array(x) for x in (increments, means, covs, smooth_means[::-1], smooth_covs[::-1])))
