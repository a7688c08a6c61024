r"""Gaussian smoothing of the read counts, and Poisson regression from them to every other neuron.

The smoothed count is a weighted mean of what was read near a bin, drawn to the neuron's mean \(\bar y_n\) where
there is little of it (a gap, forward bins):

\[ s_{tn} = \frac{\sum_u k_{t-u} r_{un} y_{un} + \epsilon \bar y_n}{\sum_u k_{t-u} r_{un} + \epsilon}, \quad
   k_u \propto e^{-u^2 / 2\sigma^2},\ \sum_u k_u = 1,\ \epsilon = 0.1 \]

with r = 1 where y was read. Neurons that are read are predicted by s, all others by
\(\exp(b_n + \sum_m W_{nm} \log(s_{tm} + c))\), c = `SMALL`. The first baseline of the Neural Latents Benchmark
(Pei et al., NeurIPS Datasets and Benchmarks 2021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from neurito.baselines.base import Arrays, Baseline, Prediction
from neurito.baselines.reading import Reading, targets
from neurito.baselines.regression import log_linear, regressed
from neurito.data.trials import Trials

GRID = (0.01, 0.02, 0.03, 0.05, 0.08, 0.13, 0.2)
SMALL = 1e-2
PULL = 0.1
REACH = 4.0  # standard deviations


def smoothed(
    reading: Reading, sd: float, mean: Float[np.ndarray, " channel"]
) -> Float[np.ndarray, "trial time channel"]:
    """The equation above.

    Args:
        reading: what is read.
        sd: of the kernel, seconds.
        mean: what a channel is drawn to, counts per bin.
    """
    from scipy.ndimage import gaussian_filter1d

    def blurred(values: Float[np.ndarray, "trial time channel"]) -> Float[np.ndarray, "trial time channel"]:
        found: np.ndarray = gaussian_filter1d(
            values, sd / reading.bin_width, axis=1, mode="constant", truncate=REACH
        )
        return np.maximum(found, 0)

    counts, weight = blurred(reading.counts), blurred(reading.read.astype(np.float64))
    result: np.ndarray = (counts + PULL * mean) / (weight + PULL)
    return result


@dataclass(frozen=True, kw_only=True)
class Smoothing(Baseline):
    """Smoothed counts, and Poisson regression from them to the neurons that are not read.

    Attributes:
        sd: of the Gaussian kernel, seconds; 0 = the width from 0.01 to 0.2 s that does best on validation trials.
        ridge: penalty of the regression, on weights of standardised features.
    """

    name: ClassVar[str] = "smoothing"

    sd: float = 0.0
    ridge: float = 1e-2

    def candidates(self, bin_width: float) -> Sequence["Smoothing"]:
        """One per width."""
        return [self] if self.sd else [replace(self, sd=sd) for sd in widths(bin_width)]

    def estimate(self, train: Trials) -> tuple[Arrays, list[float]]:
        """Means of the read neurons, and the regression."""
        reading = Reading.of(train)
        held_in, bins = reading.held_in, reading.bins
        counts, known = targets(train)
        features = np.log(smoothed(reading, self.sd, reading.mean) + SMALL)[bins][:, held_in]
        found = regressed(features, counts[bins][:, ~held_in], known[bins][:, ~held_in], self.ridge)
        return {"held_in": held_in, "mean": reading.mean, **found}, []

    def predict(self, arrays: Mapping[str, np.ndarray], reading: Reading) -> Prediction:
        """Smoothed counts where neurons are read, the regression's where they are not."""
        held_in = arrays["held_in"]
        expected = smoothed(reading, self.sd, arrays["mean"])
        features = np.log(expected[..., held_in] + SMALL)
        expected[..., ~held_in] = log_linear(features, arrays)
        return Prediction(expected)


def widths(bin_width: float) -> list[float]:
    """The kernels to choose from: those of `GRID` that are not much narrower than a bin."""
    return [sd for sd in GRID if sd >= bin_width / 2] or [bin_width]
