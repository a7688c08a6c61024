r"""Gaussian-process factor analysis.

Transformed counts are a linear readout of independent Gaussian processes,

\[ x_t = d + C z_t + \epsilon_t, \quad \epsilon_t \sim N(0, R),\ R \text{ diagonal}, \quad
   \mathrm{cov}(z_{ti}, z_{si}) = (1 - \sigma^2)\, e^{-(t - s)^2 / 2\tau_i^2} + \sigma^2 \delta_{ts} \]

with \(\sigma^2 = 10^{-3}\). EM: the E step is the exact posterior of a trial's latents, the M step has C, d and R in
closed form and every \(\tau_i\) by a line search. Expected counts follow by Poisson regression from the posterior
means; their uncertainty is that of \(w_n \cdot z_t\).

What is not read enters nowhere: with \(A_t = \sum_n C_n C_n^\top / R_n\) over the channels read in bin t and roots
\(B_t B_t^\top = A_t\), the posterior covariance is \(K - K B (I + B^\top K B)^{-1} B^\top K\). Trials in which the same
entries are read share it; a shorter trial is one whose last bins are not read.

Source: Yu, Cunningham, Santhanam, Ryu, Shenoy, Sahani, J Neurophysiol 102 (2009) 614.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from neurito.baselines.base import Arrays, Baseline, Prediction
from neurito.baselines.factor_analysis import factors
from neurito.baselines.reading import Reading, targets
from neurito.baselines.regression import log_linear, regressed
from neurito.baselines.smoothing import SMALL, smoothed
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

JITTER = 1e-3  # the share of white noise in the latents, as published
FLOOR = 0.01  # smallest R, as a share of a channel's variance, as published
SMALLEST = 1500  # bins x latents of a trial for which several threads pay
LARGEST = 10_000  # bins x latents of a trial: its covariance takes 0.8 GB


class Posterior(NamedTuple):
    """Of the latents of every trial.

    Attributes:
        mean: (trial, time, latent).
        covariance: of the latents of one bin, (trial, time, latent, latent).
        second: E[z_i z_i'] summed over trials, (latent, time, time).
        log_likelihood: of everything read, nats.
    """

    mean: Float[np.ndarray, "trial time latent"]
    covariance: Float[np.ndarray, "trial time latent latent"]
    second: Float[np.ndarray, "latent time time"]
    log_likelihood: float


@dataclass(frozen=True)
class Process:
    """The parameters of the Gaussian model.

    Attributes:
        C: loadings.
        d: offsets.
        R: variances of the noise.
        tau: timescales in bins.
    """

    C: Float[np.ndarray, "channel latent"]
    d: Float[np.ndarray, " channel"]
    R: Float[np.ndarray, " channel"]
    tau: Float[np.ndarray, " latent"]

    def posterior(
        self, x: Float[np.ndarray, "trial time channel"], read: Bool[np.ndarray, "trial time channel"]
    ) -> Posterior:
        """The E step: the latents given what is read of x."""
        from scipy.linalg import cholesky, solve_triangular

        (trials, bins, _), latents = x.shape, len(self.tau)
        K = kernel(self.tau, bins)
        residual = np.where(read, x - self.d, 0)
        evidence = (residual / self.R) @ self.C
        mean = np.zeros((trials, bins, latents))
        covariance = np.zeros((trials, bins, latents, latents))
        second = np.zeros((latents, bins, bins))
        noise = np.log(2 * np.pi * self.R)
        likelihood = -0.5 * float((read * noise + residual**2 / self.R).sum())
        for rows, pattern in _patterns(read):
            A = np.einsum("tn,ni,nj->tij", pattern / self.R, self.C, self.C, optimize=True)
            root = _root(A)
            BK = np.einsum("tja,jts->tasj", root, K)  # B'K, rows (time, root), columns (time, latent)
            M = np.einsum("tasj,sjb->tasb", BK, root, optimize=True).reshape(bins * latents, -1)
            M[np.diag_indices_from(M)] += 1
            L = cholesky(M, lower=True, overwrite_a=True, check_finite=False)
            W = solve_triangular(L, BK.reshape(bins * latents, -1), lower=True, check_finite=False)
            b = evidence[rows]
            Kb = np.einsum("its,nsi->nti", K, b, optimize=True).reshape(len(rows), -1)
            m = Kb - (b.reshape(len(rows), -1) @ W.T) @ W
            likelihood += 0.5 * float((m * b.reshape(len(rows), -1)).sum())
            likelihood -= len(rows) * float(np.log(np.diag(L)).sum())
            mean[rows] = m = m.reshape(len(rows), bins, latents)
            W = W.reshape(-1, bins, latents)
            at_once = np.eye(latents) - np.einsum("kti,ktj->tij", W, W, optimize=True)
            covariance[rows] = at_once
            for i in range(latents):
                second[i] += len(rows) * (K[i] - W[:, :, i].T @ W[:, :, i]) + m[:, :, i].T @ m[:, :, i]
        return Posterior(mean, covariance, second, likelihood)

    def maximised(
        self,
        x: Float[np.ndarray, "trial time channel"],
        read: Bool[np.ndarray, "trial time channel"],
        found: Posterior,
    ) -> "Process":
        """The M step."""
        trials, bins, channels = x.shape
        latents = len(self.tau)
        rows = trials * bins
        seen = read.reshape(rows, channels).astype(np.float64)
        y = np.where(read, x, 0).reshape(rows, channels)
        z = np.concatenate([found.mean.reshape(rows, latents), np.ones((rows, 1))], 1)
        zz = z[:, :, None] * z[:, None]
        zz[:, :latents, :latents] += found.covariance.reshape(rows, latents, latents)
        G = (seen.T @ zz.reshape(rows, -1)).reshape(channels, latents + 1, latents + 1)
        h = y.T @ z
        w = np.linalg.solve(G + 1e-9 * np.eye(latents + 1), h[..., None])[..., 0]
        n = np.maximum(seen.sum(0), 1)
        square = (y**2).sum(0)
        R = (square - 2 * (w * h).sum(1) + np.einsum("ni,nij,nj->n", w, G, w)) / n
        least = FLOOR * (square / n - (y.sum(0) / n) ** 2) + 1e-8
        tau = np.array([_timescale(t, s, trials) for t, s in zip(self.tau, found.second, strict=True)])
        return Process(w[:, :latents], w[:, latents], np.maximum(R, least), tau)


def kernel(tau: Float[np.ndarray, " latent"], bins: int) -> Float[np.ndarray, "latent bins bins"]:
    """Prior covariances of the latents; tau in bins."""
    apart = np.subtract.outer(np.arange(bins), np.arange(bins)).astype(np.float64)
    K = (1 - JITTER) * np.exp(-((apart / tau[:, None, None]) ** 2) / 2)
    return np.asarray(K + JITTER * np.eye(bins))


def _timescale(tau: float, second: Float[np.ndarray, "time time"], trials: int) -> float:
    """The timescale that makes latents of these second moments likeliest, within a factor of e of the last."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import minimize_scalar

    def cost(log_tau: float) -> float:
        factor = cho_factor(kernel(np.exp([log_tau]), len(second))[0], lower=True, check_finite=False)
        log_det = 2 * np.log(np.diag(factor[0])).sum()
        return float(trials * log_det + np.trace(cho_solve(factor, second, check_finite=False)))

    here = np.log(tau)
    found = minimize_scalar(cost, bounds=(here - 1, here + 1), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x if found.fun < cost(here) else here))


def _patterns(read: Bool[np.ndarray, "trial time channel"]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Trials of which the same entries are read, and these entries."""
    packed = np.packbits(read.reshape(len(read), -1), axis=1)
    _, first, inverse = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    for pattern, one in enumerate(first):
        yield np.flatnonzero(inverse.ravel() == pattern), read[one]


def _root(A: Float[np.ndarray, "time latent latent"]) -> Float[np.ndarray, "time latent latent"]:
    """B with B B' = A, which may be singular."""
    values, vectors = np.linalg.eigh(A)
    root: np.ndarray = vectors * np.sqrt(np.maximum(values, 0))[:, None]
    return root


@dataclass(frozen=True, kw_only=True)
class GPFA(Baseline):
    """Gaussian-process factor analysis, and Poisson regression from its latents to every neuron.

    Attributes:
        latents: how many.
        timescale: of all latents at the start, seconds.
        transform: of the counts: sqrt, or log of counts plus 0.01.
        iterations: of EM, at most.
        tolerance: EM stops when an iteration gains less than this share of what has been gained so far.
        ridge: penalty of the regression, on weights of standardised latents.
    """

    name: ClassVar[str] = "gpfa"

    latents: int = 5
    timescale: float = 0.1
    transform: Literal["sqrt", "log"] = "sqrt"
    iterations: int = 100
    tolerance: float = 1e-4
    ridge: float = 1e-3

    def estimate(self, train: Trials) -> tuple[Arrays, list[float]]:
        """EM from factor analysis, and the regression."""
        reading = Reading.of(train)
        bins, held_in = reading.bins, reading.held_in
        self._check(reading)
        x, read = self._transformed(reading.counts[..., held_in]), reading.read[..., held_in]
        process, course = self._start(reading), []
        with self._threads(reading):
            while True:
                found = process.posterior(x, read)
                course.append(found.log_likelihood)
                if len(course) > self.iterations or self._settled(course):
                    break
                process = process.maximised(x, read, found)
        counts, known = targets(train)
        regression = regressed(found.mean[bins], counts[bins], known[bins], self.ridge)
        return {"held_in": held_in, **vars(process), **regression}, course

    def predict(self, arrays: Mapping[str, np.ndarray], reading: Reading) -> Prediction:
        """Posterior means and standard deviations, and the regression's expected counts."""
        self._check(reading)
        held_in = arrays["held_in"]
        process = Process(*(arrays[name] for name in ("C", "d", "R", "tau")))
        x = self._transformed(reading.counts[..., held_in])
        with self._threads(reading):
            found = process.posterior(x, reading.read[..., held_in])
        w = arrays["weights"]
        log_sd = np.sqrt(np.maximum(np.einsum("in,btij,jn->btn", w, found.covariance, w, optimize=True), 0))
        sd = np.sqrt(np.maximum(np.einsum("btii->bti", found.covariance), 0))
        return Prediction(log_linear(found.mean, arrays), found.mean, sd, log_sd)

    def _transformed(self, counts: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return np.asarray(np.sqrt(counts) if self.transform == "sqrt" else np.log(counts + SMALL))

    def _settled(self, course: list[float]) -> bool:
        return len(course) > 2 and course[-1] - course[-2] < self.tolerance * (course[-1] - course[0])

    def _threads(self, reading: Reading) -> AbstractContextManager[Any]:
        """One thread where matrices are so small that several would wait for each other."""
        from threadpoolctl import threadpool_limits

        return threadpool_limits(1 if reading.read.shape[1] * self.latents < SMALLEST else None)

    def _check(self, reading: Reading) -> None:
        size = reading.read.shape[1] * self.latents
        if size > LARGEST:
            raise NeuritoError(
                f"gpfa: {reading.read.shape[1]} bins x {self.latents} latents make a covariance of {size} rows, and "
                f"{LARGEST} is the most: cut shorter trials (Trials.windows, --pieces) or choose fewer latents"
            )

    def _start(self, reading: Reading) -> Process:
        """Loadings by least squares from the factors of smoothed counts, scaled to variance 1."""
        held_in, bins = reading.held_in, reading.bins
        sd = self.timescale / 2
        _, recognition, centre = factors(reading, sd, self.latents)
        z = (np.log(smoothed(reading, sd, reading.mean)[bins][:, held_in] + SMALL) - centre) @ recognition
        z = (z - z.mean(0)) / z.std(0)
        read = reading.read[bins][:, held_in]
        x = np.where(read, self._transformed(reading.counts[bins][:, held_in]), 0)
        n = np.maximum(read.sum(0), 1)
        d = x.sum(0) / n
        centred = np.where(read, x - d, 0)
        C = np.linalg.lstsq(z, centred, rcond=None)[0].T
        variance = (centred**2).sum(0) / n
        R = np.maximum(variance - (C**2).sum(1), 0.1 * variance) + 1e-8
        return Process(C, d, R, np.full(self.latents, self.timescale / reading.bin_width))
