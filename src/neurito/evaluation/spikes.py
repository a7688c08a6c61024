"""Statistics of spike trains, and how well generated ones reproduce those of held-out data."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Real

from neurito.errors import NeuritoError
from neurito.evaluation.masks import scored
from neurito.evaluation.rates import pearson


class SpikeStatistics(NamedTuple):
    """What a population's spike trains look like; NaN where a neuron has too few spikes."""

    rate: Float[np.ndarray, " neuron"]
    """spikes/s"""
    isi_mean: Float[np.ndarray, " neuron"]
    """mean inter-spike interval, seconds"""
    isi_cv: Float[np.ndarray, " neuron"]
    """coefficient of variation of the intervals"""
    correlation: Float[np.ndarray, "neuron neuron"]
    """Pearson correlation of counts per bin"""
    frequency: Float[np.ndarray, " frequency"]
    """Hz, without 0"""
    power: Float[np.ndarray, "frequency neuron"]
    """one-sided power spectral density of the rate, (spikes/s)^2 per Hz"""
    coherence: Float[np.ndarray, "frequency neuron neuron"]
    """magnitude-squared coherence, 0 to 1; independent trains have about 1 / number of segments"""


def spike_statistics(
    counts: Real[np.ndarray, "trial time neuron"],
    bin_width: float,
    score: Bool[np.ndarray, "..."] | None = None,
    segment: int | None = None,
) -> SpikeStatistics:
    """Rates, inter-spike intervals, correlations, spectra and coherence of binned spike trains.

    Args:
        counts: counts per bin; NaN is missing.
        bin_width: seconds.
        score: which entries to use, all that are not missing by default.
        segment: length in bins of the half-overlapping windows for spectra, 256 or the length of a trial by
            default.

    Raises:
        NeuritoError: a count is negative or no whole number, or a segment is longer than a trial.
    """
    there = scored(counts, score)
    y = np.where(there, counts, 0).astype(np.float64)
    if (y < 0).any() or (y != np.round(y)).any():
        raise NeuritoError("counts: negative or fractional values found; give counts of spikes per bin")
    mean, cv = _intervals(y, there, bin_width)
    seen = there.sum((0, 1))
    rate = np.where(seen > 0, y.sum((0, 1)) / np.maximum(seen * bin_width, bin_width), np.nan)
    frequency, power, coherence = _spectra(y / bin_width, there, bin_width, segment)
    return SpikeStatistics(rate, mean, cv, _correlation(y, there), frequency, power, coherence)


def _intervals(
    y: Float[np.ndarray, "trial time neuron"], there: Bool[np.ndarray, "trial time neuron"], bin_width: float
) -> tuple[Float[np.ndarray, " neuron"], Float[np.ndarray, " neuron"]]:
    """Mean and CV of intervals in trials, none across a gap; k spikes of a bin are spread evenly over it."""
    n_neurons = y.shape[2]
    gaps = np.cumsum(~there, axis=1)
    neuron, trial, time = np.nonzero(y.transpose(2, 0, 1))
    k = y[trial, time, neuron].astype(int)
    first = np.repeat(np.cumsum(k) - k, k)
    within = (np.arange(k.sum()) - first + 0.5) / np.repeat(k, k)
    when = (np.repeat(time, k) + within) * bin_width
    stretch = [np.repeat(x, k) for x in (neuron, trial, gaps[trial, time, neuron])]
    together = np.logical_and.reduce([x[1:] == x[:-1] for x in stretch])
    interval, of = np.diff(when)[together], stretch[0][1:][together]
    n = np.bincount(of, minlength=n_neurons)
    enough = n > 1
    mean = np.bincount(of, interval, n_neurons) / np.maximum(n, 1)
    sd = np.sqrt(np.bincount(of, (interval - mean[of]) ** 2, n_neurons) / np.maximum(n, 1))
    return np.where(enough, mean, np.nan), np.where(enough, sd / np.where(enough, mean, 1), np.nan)


def _correlation(
    y: Float[np.ndarray, "trial time neuron"], there: Bool[np.ndarray, "trial time neuron"]
) -> Float[np.ndarray, "neuron neuron"]:
    """Correlation over the bins in which both neurons of a pair were observed."""
    m = there.reshape(-1, y.shape[2]).astype(np.float64)
    x = y.reshape(m.shape)
    n = np.maximum(m.T @ m, 1)
    mean, square, product = x.T @ m / n, (x**2).T @ m / n, x.T @ x / n
    variance = square - mean**2
    scale = np.sqrt(np.maximum(variance * variance.T, 0))
    known = scale > 1e-12 * np.sqrt(np.maximum(square * square.T, 0))
    return np.where(known, (product - mean * mean.T) / np.where(known, scale, 1), np.nan)


def _spectra(
    rate: Float[np.ndarray, "trial time neuron"],
    there: Bool[np.ndarray, "trial time neuron"],
    bin_width: float,
    segment: int | None,
) -> tuple[
    Float[np.ndarray, " frequency"],
    Float[np.ndarray, "frequency neuron"],
    Float[np.ndarray, "frequency neuron neuron"],
]:
    """Welch's method (Hann window, means removed) over the segments without a gap."""
    from numpy.lib.stride_tricks import sliding_window_view
    from scipy.signal.windows import hann

    length = min(256, rate.shape[1]) if segment is None else segment
    if not 4 <= length <= rate.shape[1]:
        raise NeuritoError(
            f"segment: {length} bins for trials of {rate.shape[1]}; choose from 4 to the trial's length"
        )
    window = hann(length, sym=False)
    n_frequencies, n_neurons = length // 2, rate.shape[2]
    cross = np.zeros((n_frequencies, n_neurons, n_neurons), complex)
    used = np.zeros((n_neurons, n_neurons))
    step = length - length // 2
    for x, m in zip(
        sliding_window_view(rate, length, axis=1)[:, ::step].swapaxes(0, 1),
        sliding_window_view(there, length, axis=1)[:, ::step].swapaxes(0, 1),
        strict=True,
    ):  # each x: (trial, neuron, time)
        whole = m.all(-1).astype(np.float64)
        x = (x - x.mean(-1, keepdims=True)) * window * whole[:, :, None]
        f = np.fft.rfft(x)[:, :, 1:].transpose(2, 1, 0)
        cross += f @ f.conj().swapaxes(1, 2)
        used += whole.T @ whole
    cross *= 2 * bin_width / (window**2).sum()
    if length % 2 == 0:
        cross[-1] /= 2  # the Nyquist frequency has no negative twin
    cross = np.where(used > 0, cross / np.maximum(used, 1), np.nan)
    power = np.diagonal(cross, axis1=1, axis2=2).real
    scale = power[:, :, None] * power[:, None, :]
    silent = ~(scale > 0)
    coherence = np.where(silent, np.nan, np.abs(cross) ** 2 / np.where(silent, 1, scale))
    return np.arange(1, n_frequencies + 1) / (length * bin_width), power.copy(), coherence


def compare(data: SpikeStatistics, generated: SpikeStatistics) -> dict[str, float]:
    """Pearson correlation between data and model of each statistic; NaN values are left out.

    `rate`, `isi_mean`, `isi_cv` over neurons; `correlation` and `coherence` (mean over frequencies) over
    pairs of neurons; `power` (its logarithm) over neurons and frequencies.

    Args:
        data: statistics of held-out data.
        generated: statistics of simulations, with the same neurons and the same segment length.

    Raises:
        NeuritoError: neurons or frequencies differ.
    """
    if data.power.shape != generated.power.shape:
        raise NeuritoError(
            f"generated: {generated.power.shape} frequencies and neurons, but data have {data.power.shape}; "
            "give both the same segment length"
        )
    pairs = np.triu_indices(len(data.rate), 1)

    def of(s: SpikeStatistics) -> dict[str, Float[np.ndarray, " value"]]:
        return {
            "rate": s.rate,
            "isi_mean": s.isi_mean,
            "isi_cv": s.isi_cv,
            "correlation": s.correlation[pairs],
            "power": np.log(np.where(s.power > 0, s.power, np.nan)).ravel(),
            "coherence": s.coherence[:, *pairs].mean(0),
        }

    theirs = of(generated)
    return {name: pearson(values, theirs[name]) for name, values in of(data).items()}
