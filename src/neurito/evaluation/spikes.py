"""Statistics of spike trains, and how well generated ones reproduce those of held-out data."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Complex, Float, Real

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
    mean, cv = intervals(y, there, bin_width)
    seen = there.sum((0, 1))
    rate = np.where(seen > 0, y.sum((0, 1)) / np.maximum(seen * bin_width, bin_width), np.nan)
    frequency, power, coherence = _spectra(y / bin_width, there, bin_width, segment)
    return SpikeStatistics(rate, mean, cv, moments(y, there).correlation, frequency, power, coherence)


def intervals(
    y: Float[np.ndarray, "trial time neuron"], there: Bool[np.ndarray, "trial time neuron"], bin_width: float
) -> tuple[Float[np.ndarray, " neuron"], Float[np.ndarray, " neuron"]]:
    """Mean and CV of intervals in trials, none across a gap; k spikes of a bin are spread evenly over it.

    Args:
        y: counts per bin, 0 where missing.
        there: where they are not missing.
        bin_width: seconds.
    """
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


class Moments(NamedTuple):
    """Second moments of pairs of channels, over the bins in which both were observed."""

    square: Float[np.ndarray, "*draw channel channel"]
    """mean square of the first of a pair"""
    variance: Float[np.ndarray, "*draw channel channel"]
    """of the first of a pair"""
    covariance: Float[np.ndarray, "*draw channel channel"]

    @property
    def correlation(self) -> Float[np.ndarray, "*draw channel channel"]:
        """Pearson correlation; NaN where one of a pair is constant."""
        scale = np.sqrt(np.maximum(self.variance * np.swapaxes(self.variance, -1, -2), 0))
        known = scale > 1e-12 * np.sqrt(np.maximum(self.square * np.swapaxes(self.square, -1, -2), 0))
        return np.where(known, self.covariance / np.where(known, scale, 1), np.nan)


def moments(
    y: Float[np.ndarray, "*draw trial time channel"], there: Bool[np.ndarray, "trial time channel"]
) -> Moments:
    """Second moments of one recording, or of several draws of it at once.

    Args:
        y: values, 0 where missing.
        there: where they are not missing.
    """
    m = there.reshape(-1, y.shape[-1]).astype(np.float64)
    x = y.reshape(*y.shape[:-3], *m.shape)
    across = np.swapaxes(x, -1, -2)
    product = across @ x
    if m.all():  # of all bins together, and with one product of matrices, not three
        n: Any = len(m)
        mean, square = (np.broadcast_to(z.mean(-2)[..., None], product.shape) for z in (x, x**2))
    else:
        n = np.maximum(m.T @ m, 1)
        mean, square = across @ m / n, across**2 @ m / n
    return Moments(square, square - mean**2, product / n - mean * np.swapaxes(mean, -1, -2))


class _Segments:
    """Tapered transforms of the segments without a gap, half overlapping (Welch's method, Hann window, means removed).

    Raises:
        NeuritoError: a segment is longer than a trial, or has fewer than 4 bins.
    """

    def __init__(self, bins: int, bin_width: float, segment: int | None) -> None:
        from scipy.signal.windows import hann

        self.length = min(256, bins) if segment is None else segment
        if not 4 <= self.length <= bins:
            raise NeuritoError(
                f"segment: {self.length} bins for trials of {bins}; choose from 4 to the trial's length"
            )
        self.window = hann(self.length, sym=False)
        self.count = self.length // 2
        self.frequency = np.arange(1, self.count + 1) / (self.length * bin_width)
        self.scale = np.full(self.count, 2 * bin_width / (self.window**2).sum())
        if self.length % 2 == 0:
            self.scale[-1] /= 2  # the Nyquist frequency has no negative twin

    def of(
        self, rate: Float[np.ndarray, "trial time neuron"], there: Bool[np.ndarray, "trial time neuron"]
    ) -> Iterator[tuple[Complex[np.ndarray, "frequency neuron trial"], Float[np.ndarray, "trial neuron"]]]:
        """Transforms, 0 where there is a gap, and where there is none."""
        from numpy.lib.stride_tricks import sliding_window_view

        step = self.length - self.length // 2
        for x, m in zip(
            sliding_window_view(rate, self.length, axis=1)[:, ::step].swapaxes(0, 1),
            sliding_window_view(there, self.length, axis=1)[:, ::step].swapaxes(0, 1),
            strict=True,
        ):  # each x: (trial, neuron, time)
            whole = m.all(-1).astype(np.float64)
            x = (x - x.mean(-1, keepdims=True)) * self.window * whole[:, :, None]
            yield np.fft.rfft(x)[:, :, 1:].transpose(2, 1, 0), whole


def power_spectrum(
    rate: Float[np.ndarray, "trial time neuron"],
    there: Bool[np.ndarray, "trial time neuron"],
    bin_width: float,
    segment: int | None = None,
) -> tuple[Float[np.ndarray, " frequency"], Float[np.ndarray, "frequency neuron"]]:
    """Frequencies (Hz, without 0) and one-sided power spectral density, unit^2 per Hz; NaN without a whole segment.

    Args:
        rate: spikes/s or any signal, 0 where missing.
        there: where it is not missing.
        bin_width: seconds.
        segment: length in bins of the half-overlapping windows, 256 or the length of a trial by default.

    Raises:
        NeuritoError: a segment is longer than a trial, or has fewer than 4 bins.
    """
    segments = _Segments(rate.shape[1], bin_width, segment)
    power, used = np.zeros((segments.count, rate.shape[2])), np.zeros(rate.shape[2])
    for f, whole in segments.of(rate, there):
        power += (f.real**2 + f.imag**2).sum(2)
        used += whole.sum(0)
    power *= segments.scale[:, None]
    return segments.frequency, np.where(used > 0, power / np.maximum(used, 1), np.nan)


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
    """Frequencies, power and coherence."""
    segments = _Segments(rate.shape[1], bin_width, segment)
    n_neurons = rate.shape[2]
    cross, used = np.zeros((segments.count, n_neurons, n_neurons), complex), np.zeros((n_neurons, n_neurons))
    for f, whole in segments.of(rate, there):
        cross += f @ f.conj().swapaxes(1, 2)
        used += whole.T @ whole
    cross *= segments.scale[:, None, None]
    cross = np.where(used > 0, cross / np.maximum(used, 1), np.nan)
    power = np.diagonal(cross, axis1=1, axis2=2).real
    scale = power[:, :, None] * power[:, None, :]
    silent = ~(scale > 0)
    coherence = np.where(silent, np.nan, np.abs(cross) ** 2 / np.where(silent, 1, scale))
    return segments.frequency, power.copy(), coherence


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
