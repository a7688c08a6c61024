r"""The statistics by which data sets are compared with draws from a model, for many draws at once.

* Fano factor: variance over mean of the counts in windows, over the trials of a condition; 1 for Poisson counts.
* synchrony: \(\mathrm{Var}(\sum_n y_n) / \sum_n \mathrm{Var}(y_n)\); 1 for independent channels, N for N equal ones.
* autocorrelation: mean over channels of \(\overline{x_t x_{t+l}} / \overline{x_t^2}\), x less the channel's mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real, Shaped

from neurito.errors import NeuritoError
from neurito.evaluation.psth import psth
from neurito.evaluation.spikes import intervals, moments, power_spectrum

Values = Float[np.ndarray, "draw trial time channel"]

WINDOW = 0.1
"""Seconds: width of the windows in which spikes are counted for Fano factors and PSTHs."""
LAG = 0.25
"""Seconds: the longest lag of autocorrelations."""
_LAGS = 25  # the most of them
_PAIRED = 200  # channels whose pairs are compared
_ENTRIES = 1 << 15  # of a PSTH, by condition, window and channel


class Statistic(NamedTuple):
    """One statistic of one or several data sets."""

    name: str
    unit: str
    entries: tuple[str, ...]
    """what each value belongs to: a channel, a pair, a lag, a frequency"""
    values: Float[np.ndarray, "draw entry"]
    """NaN where it cannot be had"""


@dataclass(frozen=True, eq=False)
class Battery:
    """All statistics of data sets of one shape.

    Attributes:
        there: the entries that are looked at, of the data and of draws alike.
        bin_width: seconds.
        counts: whether the values are spike counts.
        names: of the channels.
        unit: of values that are no counts.
        condition: label of each trial, for PSTHs; None = there are no conditions.
        window: seconds, of Fano factors and PSTHs.
    """

    there: Bool[np.ndarray, "trial time channel"]
    bin_width: float
    counts: bool
    names: tuple[str, ...]
    unit: str = ""
    condition: Shaped[np.ndarray, " trial"] | None = None
    window: float = WINDOW

    def __post_init__(self) -> None:
        """Checks the window and that something is left."""
        if not self.window > 0:
            raise NeuritoError(f"window: {self.window:g} s; give a width above 0")
        if not self.there.any():
            raise NeuritoError("no value is left to be compared; check the mask and the missing values")

    @cached_property
    def channels(self) -> Int[np.ndarray, " channel"]:
        """Those that are looked at anywhere."""
        return np.flatnonzero(self.there.any((0, 1)))

    def of(self, values: Real[np.ndarray, "draw trial time every_channel"]) -> Iterator[Statistic]:
        """The statistics of data sets, draws from a model or the data themselves as one of them.

        Args:
            values: counts per bin, or the signal; what is not looked at may be anything.

        Raises:
            NeuritoError: the shape is another one, or a value that is looked at is missing.
        """
        if values.shape[1:] != self.there.shape:
            raise NeuritoError(f"values: shape {values.shape[1:]}, but the mask has {self.there.shape}")
        there = self.there[..., self.channels]
        y = np.where(there, values[..., self.channels], 0).astype(np.float64)
        if not np.isfinite(y).all():
            raise NeuritoError("values: NaN or infinity found where a value is compared")
        names = tuple(self.names[c] for c in self.channels)
        # Draws beside each other, as channels: what is worked out per channel then needs no loop.
        flat = np.moveaxis(y, 0, 2).reshape(*there.shape[:2], -1)
        whole = np.tile(there, (1, 1, len(y)))

        def own(x: Float[np.ndarray, " draws_and_channels"]) -> Float[np.ndarray, "draw channel"]:
            return x.reshape(len(y), len(names))

        bins = self._bins(there.shape[1])
        mean = own(np.asarray(flat.sum((0, 1)) / np.maximum(whole.sum((0, 1)), 1)))
        if self.counts:
            yield Statistic("rate", "spikes/s", names, mean / self.bin_width)
            yield Statistic("Fano factor", "", names, own(fano_factor(flat, whole, bins, self.condition)))
            isi, cv = intervals(flat, whole, self.bin_width)
            yield Statistic("interval", "s", names, own(isi))
            yield Statistic("CV of intervals", "", names, own(cv))
        else:
            square = own(np.asarray((flat**2).sum((0, 1)) / np.maximum(whole.sum((0, 1)), 1)))
            yield Statistic("mean", self.unit, names, mean)
            yield Statistic("sd", self.unit, names, np.sqrt(np.maximum(square - mean**2, 0)))
        lags = np.arange(1, min(there.shape[1] - 1, max(round(LAG / self.bin_width), 1), _LAGS) + 1)
        if len(lags):
            seconds = tuple(f"{lag * self.bin_width:.4g} s" for lag in lags)
            found = [_mean(own(autocorrelation(flat, whole, lag))) for lag in lags]
            yield Statistic("autocorrelation", "", seconds, np.stack(found, 1))
        if len(names) > 1:
            yield from self._pairs(y, there, names)
        yield from self._power(flat, whole, len(y))
        if self.condition is not None:
            yield from self._psth(y, there, bins)

    def _bins(self, longest: int) -> int:
        """Bins of a window."""
        return min(max(round(self.window / self.bin_width), 1), longest)

    def _pairs(
        self, y: Values, there: Bool[np.ndarray, "trial time channel"], names: tuple[str, ...]
    ) -> Iterator[Statistic]:
        """Correlations of pairs, and what they come to in the population."""
        some = _spread(len(names), _PAIRED)
        found = moments(y[..., some], there[..., some])
        first, second = np.triu_indices(len(some), 1)
        pairs = tuple(f"{names[some[i]]}, {names[some[j]]}" for i, j in zip(first, second, strict=True))
        yield Statistic("correlation", "", pairs, found.correlation[:, first, second])
        single = np.trace(found.covariance, axis1=1, axis2=2)
        whole = found.covariance.sum((1, 2))
        ratio = np.where(single > 0, whole / np.where(single > 0, single, 1), np.nan)
        yield Statistic("synchrony", "", ("all channels",), ratio[:, None])

    def _power(
        self,
        flat: Float[np.ndarray, "trial time draws_and_channels"],
        whole: Bool[np.ndarray, "trial time draws_and_channels"],
        draws: int,
    ) -> Iterator[Statistic]:
        """Spectra, mean over channels, of segments as long as the shortest trial or 256 bins."""
        segment = min(256, int(whole.any(2).sum(1).min()))
        if segment < 8:
            return
        signal = flat / self.bin_width if self.counts else flat
        frequency, power = power_spectrum(signal, whole, self.bin_width, segment)
        unit = "(spikes/s)²/Hz" if self.counts else f"{self.unit}²/Hz" if self.unit else "per Hz"
        mean = _mean(power.reshape(len(frequency), draws, -1)).T
        yield Statistic("power", unit, tuple(f"{f:.4g} Hz" for f in frequency), mean)

    def _psth(
        self, y: Values, there: Bool[np.ndarray, "trial time channel"], bins: int
    ) -> Iterator[Statistic]:
        """Mean of every condition, window and channel."""
        assert self.condition is not None
        windows = -(-there.shape[1] // bins)
        most = max(_ENTRIES // (len(np.unique(self.condition)) * windows), 1)
        some = _spread(len(self.channels), most)
        value = np.where(there[..., some], y[..., some], np.nan)
        value = np.moveaxis(value, 0, 2).reshape(*there.shape[:2], -1)
        found = psth(value, self.condition, self.bin_width if self.counts else 1.0, 0.0)
        known = ~np.isnan(found.rates)
        starts = np.arange(0, there.shape[1], bins)
        total = np.add.reduceat(np.where(known, found.rates, 0), starts, axis=1)
        n = np.add.reduceat(known, starts, axis=1, dtype=np.int64)
        mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
        mean = np.moveaxis(mean.reshape(*mean.shape[:2], len(y), len(some)), 2, 0)
        entries = tuple(
            f"{condition}, {start * self.bin_width:.4g} s, {self.names[self.channels[c]]}"
            for condition in found.conditions
            for start in starts
            for c in some
        )
        yield Statistic(
            "PSTH" if self.counts else "condition mean",
            "spikes/s" if self.counts else self.unit,
            entries,
            mean.reshape(len(y), -1),
        )


def fano_factor(
    y: Float[np.ndarray, "trial time channel"],
    there: Bool[np.ndarray, "trial time channel"],
    bins: int,
    condition: Shaped[np.ndarray, " trial"] | None = None,
) -> Float[np.ndarray, " channel"]:
    """Variance over mean of the counts in windows, over trials: at one place in the trial, and of one condition.

    Where no two trials share place and condition, as in one continuous recording, all windows are taken together. NaN
    of a channel without spikes.

    Args:
        y: counts per bin, 0 where missing.
        there: where they are not missing; windows with a gap do not count.
        bins: of a window.
        condition: label of each trial.
    """
    trials, time, _ = y.shape
    windows = time // bins
    cut = (trials, windows, bins, y.shape[2])
    count = y[:, : windows * bins].reshape(cut).sum(2).reshape(trials * windows, -1)
    whole = there[:, : windows * bins].reshape(cut).all(2).reshape(trials * windows, -1)
    group = np.zeros(trials, int) if condition is None else np.unique(condition, return_inverse=True)[1]
    label = (group[:, None] * windows + np.arange(windows)).ravel()
    if np.bincount(label[whole.any(1)], minlength=1).max() < 2:
        label = np.zeros_like(label)
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    count, whole = np.where(whole, count, 0)[order], whole[order]
    n = np.add.reduceat(whole, starts, dtype=np.int64)
    total, square = np.add.reduceat(count, starts), np.add.reduceat(count**2, starts)
    enough = n > 1
    variance = np.where(enough, (square - total**2 / np.maximum(n, 1)) / np.maximum(n - 1, 1), 0)
    mean = np.where(enough, total, 0).sum(0)
    return np.where(mean > 0, (n * variance).sum(0) / np.where(mean > 0, mean, 1), np.nan)


def autocorrelation(
    y: Float[np.ndarray, "trial time channel"], there: Bool[np.ndarray, "trial time channel"], lag: int
) -> Float[np.ndarray, " channel"]:
    """Correlation of every channel with itself so many bins later in the trial; NaN of a constant channel.

    Args:
        y: values, 0 where missing.
        there: where they are not missing.
        lag: bins, less than a trial has.
    """
    n = np.maximum(there.sum((0, 1)), 1)
    x = np.where(there, y - y.sum((0, 1)) / n, 0)
    variance = np.einsum("ijk,ijk->k", x, x) / n
    product = np.einsum("ijk,ijk->k", x[:, lag:], x[:, :-lag])
    pairs = (there[:, lag:] & there[:, :-lag]).sum((0, 1))
    known = (variance > 1e-12 * (y**2).sum((0, 1)) / n) & (pairs > 0)
    return np.where(known, product / np.maximum(pairs, 1) / np.where(known, variance, 1), np.nan)


def _spread(count: int, most: int) -> Int[np.ndarray, " some"]:
    """At most so many of the indices below count, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def _mean(x: Float[np.ndarray, "... channel"]) -> Float[np.ndarray, "..."]:
    """Over channels, without those that have no value; NaN where none has."""
    known = ~np.isnan(x)
    n = known.sum(-1)
    return np.where(n > 0, np.where(known, x, 0).sum(-1) / np.maximum(n, 1), np.nan)
