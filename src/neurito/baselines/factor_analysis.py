r"""Factor analysis of smoothed log counts, and Poisson regression from the factors.

\(x_t = \log(s_t + c) = \mu + \Lambda z_t + \epsilon_t\) with \(z_t \sim N(0, I)\), \(\epsilon_t \sim N(0, \Psi)\), Psi
diagonal and s as in `smoothing`; the factors' posterior mean is \(\beta (x_t - \mu)\),
\(\beta = (I + \Lambda^\top \Psi^{-1} \Lambda)^{-1} \Lambda^\top \Psi^{-1}\), and every neuron has the expected count
\(\exp(b_n + w_n \cdot z_t)\). As in Yu et al. (J Neurophysiol 2009), section "two-stage methods", with a regression
in place of the linear readout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from neurito.baselines.base import Arrays, Baseline, Prediction
from neurito.baselines.reading import Reading, targets
from neurito.baselines.regression import log_linear, regressed
from neurito.baselines.smoothing import SMALL, smoothed, widths
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

LEAST = 1e-6  # noise variance, absolute and as a share of a channel's variance
MOST = 1000  # iterations
TOLERANCE = 1e-9  # of -2 log-likelihood per bin


@dataclass(frozen=True, kw_only=True)
class FactorAnalysis(Baseline):
    """Factors of smoothed log counts, and Poisson regression from them to every neuron.

    Attributes:
        factors: how many.
        sd: of the Gaussian kernel, seconds; 0 = the width from 0.01 to 0.2 s that does best on validation trials.
        ridge: penalty of the regression, on weights of standardised factors.
    """

    name: ClassVar[str] = "factor-analysis"

    factors: int = 5
    sd: float = 0.0
    ridge: float = 1e-3

    def candidates(self, bin_width: float) -> Sequence["FactorAnalysis"]:
        """One per width."""
        return [self] if self.sd else [replace(self, sd=sd) for sd in widths(bin_width)]

    def estimate(self, train: Trials) -> tuple[Arrays, list[float]]:
        """The factors by maximum likelihood, and the regression."""
        reading = Reading.of(train)
        bins, held_in = reading.bins, reading.held_in
        loading, recognition, centre = factors(reading, self.sd, self.factors)
        arrays = {
            "held_in": held_in, "mean": reading.mean, "loading": loading, "recognition": recognition, "centre": centre,
        }  # fmt: skip
        counts, known = targets(train)
        found = regressed(self._factors(arrays, reading)[bins], counts[bins], known[bins], self.ridge)
        return {**arrays, **found}, []

    def predict(self, arrays: Mapping[str, np.ndarray], reading: Reading) -> Prediction:
        """The factors' posterior means, and the regression's expected counts."""
        z = self._factors(arrays, reading)
        return Prediction(log_linear(z, arrays), z)

    def _factors(self, arrays: Mapping[str, np.ndarray], reading: Reading) -> np.ndarray:
        x = np.log(smoothed(reading, self.sd, arrays["mean"])[..., arrays["held_in"]] + SMALL)
        z: np.ndarray = (x - arrays["centre"]) @ arrays["recognition"]
        return z


def factors(reading: Reading, sd: float, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loadings (channel, factor), recognition weights (channel, factor) and centre of the held-in channels.

    Raises:
        NeuritoError: there are not more channels than factors.
    """
    held_in, bins = reading.held_in, reading.bins
    if not 0 < count < held_in.sum():
        raise NeuritoError(
            f"factors={count}: choose from 1 to {held_in.sum() - 1}, one less than the read channels"
        )
    x = np.log(smoothed(reading, sd, reading.mean)[bins][:, held_in] + SMALL)
    loading, noise = maximum_likelihood(np.cov(x.T, bias=True), count)
    scaled = loading / noise[:, None]
    recognition = np.linalg.solve(np.eye(count) + loading.T @ scaled, scaled.T).T
    return loading, recognition, x.mean(0)


def maximum_likelihood(
    covariance: Float[np.ndarray, "channel channel"], count: int
) -> tuple[Float[np.ndarray, "channel factor"], Float[np.ndarray, " channel"]]:
    """Loadings and noise variances: alternately the best loadings given the noise, and the noise given these."""
    variance = np.maximum(np.diag(covariance), LEAST)  # of a channel that never fires
    noise, before = variance, np.inf
    for _ in range(MOST):
        root = np.sqrt(noise)
        values, vectors = np.linalg.eigh(covariance / np.outer(root, root))
        values, vectors = values[-count:], vectors[:, -count:]
        kept = np.maximum(values, 1)
        loading = root[:, None] * vectors * np.sqrt(kept - 1)
        cost = (np.log(noise) + variance / noise).sum() + (np.log(kept) - kept + 1).sum()  # -2 log-likelihood
        noise = np.maximum(variance - (loading**2).sum(1), LEAST * variance)
        if before - cost < TOLERANCE:
            break
        before = cost
    return loading, noise
