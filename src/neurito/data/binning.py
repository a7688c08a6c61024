"""From events and samples on a clock to bins: counts of spikes, means of behaviour."""

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from neurito.errors import NeuritoError

CLOSE = 1e-9
"""Seconds: a spike this close before an edge is on it, and so in the bin that begins there.

Edges carry rounding errors, and spike times on a clock of milliseconds fall exactly on them.
"""


def bin_spikes(
    times: Float[np.ndarray, " spike"],
    units: Int[np.ndarray, " spike"],
    edges: Float[np.ndarray, "window edge"],
    n_units: int,
) -> Float32[np.ndarray, "window time unit"]:
    """Counts of spikes per bin; windows may overlap, a bin holds its left edge and not its right one.

    Each edge is looked up once among the sorted times; what lies between two is the content of a bin.

    Args:
        times: seconds, in any order.
        units: whose spike it is, 0 to n_units - 1.
        edges: seconds, increasing in each window.
        n_units: how many units.
    """
    if times.size and (np.diff(times) < 0).any():
        order = np.argsort(times, kind="stable")
        times, units = times[order], units[order]
    windows, bins = edges.shape[0], edges.shape[1] - 1
    place = np.searchsorted(times, edges - CLOSE)
    per_bin, per_window = np.diff(place, axis=1).ravel(), place[:, -1] - place[:, 0]
    before = np.cumsum(per_window) - per_window  # spikes of earlier windows
    spike = np.arange(per_window.sum()) + np.repeat(place[:, 0] - before, per_window)
    counts = np.zeros(windows * bins * n_units, np.float32)
    np.add.at(counts, np.repeat(np.arange(per_bin.size) * n_units, per_bin) + units[spike], np.float32(1))
    return counts.reshape(windows, bins, n_units)


def resample(
    times: Float[np.ndarray, " sample"],
    values: Float[np.ndarray, "sample channel"],
    edges: Float[np.ndarray, "window edge"],
    max_gap: float,
) -> Float32[np.ndarray, "window time channel"]:
    """A sampled series in bins, by the mean of the samples in each.

    A bin without samples lies on the line between those before and after, at its centre; it is NaN where they
    are further apart than `max_gap`.

    Args:
        times: seconds, not decreasing.
        values: one row per sample; NaN = no sample of this channel.
        edges: seconds, increasing in each window.
        max_gap: seconds.
    """
    columns = []
    for channel in np.asarray(values, np.float64).T:
        there = np.isfinite(channel)
        columns.append(_resample(times[there], channel[there], edges, max_gap))
    return np.stack(columns, -1)


def _resample(
    times: Float64[np.ndarray, " sample"],
    values: Float64[np.ndarray, " sample"],
    edges: Float[np.ndarray, "window edge"],
    max_gap: float,
) -> Float32[np.ndarray, "window time"]:
    if not times.size:
        return np.full((edges.shape[0], edges.shape[1] - 1), np.nan, np.float32)
    offset = values.mean()  # sums of small numbers lose little
    total = np.concatenate([[0.0], np.cumsum(values - offset)])
    place = np.searchsorted(times, edges - CLOSE)
    count = np.diff(place, axis=1)
    mean = np.diff(total[place], axis=1) / np.maximum(count, 1) + offset
    centre = (edges[:, 1:] + edges[:, :-1]) / 2
    after = np.searchsorted(times, centre)
    left, right = np.maximum(after - 1, 0), np.minimum(after, times.size - 1)
    near = (after > 0) & (after < times.size) & (times[right] - times[left] <= max_gap)
    between = np.where(near, np.interp(centre, times, values), np.nan)
    return np.where(count > 0, mean, between).astype(np.float32)


def steps(times: Float[np.ndarray, " time"], what: str) -> tuple[float, np.ndarray]:
    """Start and widths of bins that begin at `times`, in seconds; a single width where they are regular.

    The last bin is as wide as the one before it. Times within 5 % of a bin of a regular clock are regular:
    stored times are often rounded.

    Raises:
        NeuritoError: times do not increase, or there are fewer than two.
    """
    if times.size < 2 or not np.isfinite(times).all():
        raise NeuritoError(
            f"{what} are {times.size} finite times; the bin width needs at least two, give bin_width"
        )
    gaps = np.diff(times)
    if (gaps <= 0).any():
        i = int(np.argmax(gaps <= 0))
        raise NeuritoError(
            f"{what} do not increase: {times[i]:g} s at {i}, then {times[i + 1]:g} s; sort or mend them"
        )
    width = (times[-1] - times[0]) / gaps.size
    if np.abs(times - times[0] - width * np.arange(times.size)).max() < 0.05 * width:
        round_width = float(f"{width:.6g}")
        harmless = abs(round_width - width) * gaps.size < 0.01 * width  # at the last bin
        return float(times[0]), np.array(round_width if harmless else width)
    return float(times[0]), np.append(gaps, gaps[-1])
