r"""How well simulations reproduce the geometry and the spectra of a recording.

* D_stsp, distance in state space: KL divergence between two Gaussian mixtures, one with a component of sd 1
  on each data point and one with a component on each generated point, by Monte Carlo from the first.
* D_H, distance in frequency: Hellinger distance \(\frac{1}{\sqrt 2}|\sqrt p - \sqrt q|\) of normalised,
  smoothed power spectra, mean over channels; 0 for equal, 1 for disjoint ones.

Sources: Koppe et al., PLoS Computational Biology 15 (2019) e1007263; Brenner et al., ICML 2022 (arXiv
2207.02542); Hess et al., ICML 2023 (arXiv 2306.04406); settings as in Pals et al., NeurIPS 2024 (arXiv
2406.16749).
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real

from neurito.errors import NeuritoError

SINGLE_PRECISION = -150 * math.log(2)
"""Log of what rounds to zero in single precision, in which the published figures were computed."""

_BLOCK = 1 << 20  # entries of a block of squared distances: 8 MB


def _log_density(
    at: Float[np.ndarray, "sample channel"], centres: Float[np.ndarray, "point channel"]
) -> Float[np.ndarray, " sample"]:
    """Log of the mean over centres of exp(-|x - c|^2 / 2): a mixture's density but for its constant."""
    square = 0.5 * (centres**2).sum(1)
    rows = max(1, _BLOCK // len(centres))
    blocks = (at[i : i + rows] for i in range(0, len(at), rows))
    log_mean = np.concatenate([_log_mean_exp(x @ centres.T - square) for x in blocks])
    log_density: np.ndarray = log_mean - 0.5 * (at**2).sum(1)
    return log_density


def _log_mean_exp(rows: Float[np.ndarray, "row term"]) -> Float[np.ndarray, " row"]:
    """Log of the mean exponential of each row, which is overwritten."""
    largest = rows.max(1, keepdims=True)
    rows -= largest
    np.exp(rows, out=rows)
    log_mean: np.ndarray = np.log(rows.mean(1)) + largest[:, 0]
    return log_mean


class DStsp(NamedTuple):
    """Distance in state space, nats."""

    mean: float
    """over simulations"""
    sd: float
    """over simulations, 0 for a single one"""
    dropped: float
    """fraction of samples without density; where it is not near 0, the distance is far too small"""


def d_stsp(
    data: Real[np.ndarray, "point channel"],
    generated: Real[np.ndarray, "simulation generated_point generated_channel"],
    seed: int = 0,
    samples: int = 1000,
    max_points: int = 10_000,
    log_floor: float = SINGLE_PRECISION,
) -> DStsp:
    r"""KL divergence of the generated points' mixture from the data's, in nats.

    Samples at which either mean kernel \(\frac1T \sum_t e^{-|x - x_t|^2/2}\) is zero are dropped, as
    published.

    Args:
        data: the recording, in units of the kernel's sd (z-scored); rows with NaN are left out.
        generated: simulations of it.
        seed: for the Monte Carlo samples.
        samples: how many, per simulation.
        max_points: the first so many points of each are used.
        log_floor: log of the mean kernel below which it counts as zero: of single precision by default, for
            comparison with published figures; ``-inf`` to drop nothing.

    Raises:
        NeuritoError: channels differ, no data point is complete, a generated value is not finite, or every
            sample is dropped.
    """
    if data.shape[-1] != generated.shape[-1]:
        raise NeuritoError(f"generated: {generated.shape[-1]} channels, but the data have {data.shape[-1]}")
    if not np.isfinite(generated).all():
        raise NeuritoError("generated: NaN or infinity found; the simulation has diverged")
    points = data[np.isfinite(data).all(1)][:max_points].astype(np.float64)
    if not len(points):
        raise NeuritoError("data: no bin in which every channel is known; leave out channels with gaps")
    rng = np.random.default_rng(seed)
    distances, lost = [], 0.0
    for simulation in generated:
        x = points[rng.integers(len(points), size=samples)] + rng.standard_normal((samples, points.shape[1]))
        p, q = _log_density(x, points), _log_density(x, simulation[:max_points].astype(np.float64))
        kept = (p > log_floor) & (q > log_floor)
        if not kept.any():
            raise NeuritoError(
                "generated: no sample of the data has density under it; z-score both, or set log_floor=-inf"
            )
        distances.append((p - q)[kept].mean())
        lost += 1 - kept.mean()
    return DStsp(float(np.mean(distances)), float(np.std(distances)), float(lost / len(distances)))


def _spectrum(
    values: Real[np.ndarray, "trial time channel"], sd: float
) -> Float[np.ndarray, "frequency channel"]:
    """Normalised smoothed power, mean over trials; zero for a constant channel."""
    from scipy.ndimage import gaussian_filter1d

    x = values[:, : values.shape[1] // 2 * 2].astype(np.float64)
    spread = x.std(1, keepdims=True)
    x = (x - x.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1)
    power = gaussian_filter1d(np.abs(np.fft.rfft(x, axis=1, norm="ortho")) ** 2, sd, axis=1)
    power = np.maximum(power, 0)
    total = power.sum(1, keepdims=True)
    mean = (power / np.where(total > 0, total, 1)).mean(0)
    spectrum: np.ndarray = mean / np.maximum(mean.sum(0), np.finfo(float).tiny)
    return spectrum


def d_h(
    data: Real[np.ndarray, "trial time channel"],
    generated: Real[np.ndarray, "simulation generated_time generated_channel"],
    sd: float = 20.0,
) -> float:
    """Hellinger distance of power spectra, mean over channels; spectra are averaged over trials first.

    A channel that is constant in one of the two and not in the other is at distance 1.

    Args:
        data: the recording, without gaps.
        generated: simulations of the same length.
        sd: of the Gaussian that smooths the spectra, in frequency bins.

    Raises:
        NeuritoError: lengths or channels differ, or a value is not finite.
    """
    if data.shape[1:] != generated.shape[1:]:
        raise NeuritoError(
            f"generated: {generated.shape[1:]} bins and channels, but data {data.shape[1:]}; cut them alike"
        )
    for name, values in (("data", data), ("generated", generated)):
        if not np.isfinite(values).all():
            raise NeuritoError(f"{name}: NaN or infinity found; spectra need every bin")
    p, q = _spectrum(data, sd), _spectrum(generated, sd)
    distance = np.sqrt(0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(0))
    one_is_constant = (p.sum(0) > 0) != (q.sum(0) > 0)
    return float(np.where(one_is_constant, 1.0, distance).mean())


def hann_smooth(
    values: Real[np.ndarray, "... time channel"], width: int = 15
) -> Float[np.ndarray, "... time channel"]:
    """Smooths along time with a Hann window of `width` points (edges mirrored) and z-scores each channel."""
    from scipy.ndimage import convolve1d
    from scipy.signal.windows import hann

    smoothed = convolve1d(values.astype(np.float64), hann(width), axis=-2)
    spread = smoothed.std(-2, keepdims=True)
    scored: np.ndarray = smoothed - smoothed.mean(-2, keepdims=True)
    return scored / np.where(spread > 0, spread, 1)


class Reproduction(NamedTuple):
    """Distances of simulations from a recording."""

    d_stsp: DStsp
    """in state space, nats"""
    d_h: float
    """in frequency, 0 to 1, mean over simulations"""


def reproduction(
    data: Real[np.ndarray, "time channel"],
    generated: Real[np.ndarray, "simulation generated_time channel"],
    burn_in: int = 2400,
    hann: int = 15,
    seed: int = 0,
) -> Reproduction:
    """Both distances of long simulations from one continuous, z-scored recording, by default as for EEG.

    Args:
        data: the recording, smoothed with the same window if `hann` is not 0.
        generated: simulations of at least `burn_in` more bins than the recording; the rest is cut off.
        burn_in: bins dropped from the start of each simulation.
        hann: width of the Hann window with which the simulations are smoothed before they are z-scored; 0 for
            neither.
        seed: for the Monte Carlo samples of D_stsp.

    Raises:
        NeuritoError: the simulations are too short; otherwise as `d_stsp` and `d_h`.
    """
    if generated.shape[1] < burn_in + len(data):
        raise NeuritoError(
            f"generated: {generated.shape[1]} bins found, {burn_in} + {len(data)} needed; simulate for longer"
        )
    kept = generated[:, burn_in : burn_in + len(data)]
    if hann:
        kept = hann_smooth(kept, hann)
    return Reproduction(
        d_stsp(data, kept, seed), float(np.mean([d_h(data[None], simulation[None]) for simulation in kept]))
    )
