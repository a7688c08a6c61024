"""Predictive checks: statistics of a recording among those of draws, coverage, PIT."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurito.errors import NeuritoError, nearest
from neurito.evaluation.predictive import Compared, Group, PredictiveCheck
from neurito.plots.style import DATA, MODEL, STYLE, TRUTH, caption, panels

_CURVES = ("autocorrelation", "power")
_DOTS = 3000  # the most entries drawn as dots


def check(found: PredictiveCheck, group: str = "") -> Figure:
    """A panel for each statistic: the recording against the predictive mean with its 90 % interval; coverage and PIT.

    Dots (a neuron, a pair, a window of a PSTH) are orange outside their interval; autocorrelation and power are curves,
    single numbers histograms of the draws.

    Args:
        found: what `neurito.inference.check` gave.
        group: held out, read or simulated; empty = the first that there is.

    Raises:
        NeuritoError: there is no such group.
    """
    name = group or next(iter(found.groups))
    if name not in found.groups:
        raise NeuritoError(f"group={name!r}: {nearest(name, found.groups)}")
    chosen = found.groups[name]
    with mpl.rc_context(STYLE):
        columns = 4
        rows = -(-(len(chosen.statistics) + 2) // columns)
        figure, axes = panels(8.4, 0.9 + 2.0 * rows, rows, columns)
        flat = np.ravel(axes)
        for axis, one in zip(flat, chosen.statistics, strict=False):
            if len(one.entries) == 1:
                _number(axis, one)
            elif one.name in _CURVES:
                _curve(axis, one)
            else:
                _entries(axis, one)
        _coverage(flat[len(chosen.statistics)], chosen)
        _pit(flat[len(chosen.statistics) + 1], chosen)
        for axis in flat[len(chosen.statistics) + 2 :]:
            axis.set_axis_off()
        caption(
            figure,
            f"{found.model}, {name}: {chosen.meaning}; {found.draws} draws. Bars and bands: 90 % predictive intervals; "
            "orange: the recording is outside, as a tenth is if the model is right. p: two-sided, of the mean over "
            "neurons, pairs, lags or frequencies. Grey in the last two panels: 5 to 95 % of draws taken for data.",
        )
        return figure


def _label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _title(axis: Axes, one: Compared) -> None:
    p = "p < .001" if one.mean_p < 1e-3 else f"p = {one.mean_p:.3f}".replace("0.", ".", 1)
    axis.set_title(f"{one.name}, {p}")


def _entries(axis: Axes, one: Compared) -> None:
    """Observed against predicted, a dot each."""
    some = np.unique(np.linspace(0, len(one.entries) - 1, min(len(one.entries), _DOTS)).astype(int))
    (low, high), x = one.interval()[:, some], one.observed[some]
    y = one.draws.mean(0)[some]
    outside = (one.p < 0.1)[some]
    alpha = float(np.clip(60 / len(some), 0.1, 1))
    for mine, colour in ((~outside, MODEL), (outside, TRUTH)):
        axis.vlines(x[mine], low[mine], high[mine], color=colour, lw=0.5, alpha=0.6 * alpha)
        axis.scatter(x[mine], y[mine], s=5, color=colour, alpha=alpha, lw=0)
    ends = [min(x.min(), low.min()), max(x.max(), high.max())]
    axis.plot(ends, ends, color=DATA, lw=0.6)
    _title(axis, one)
    axis.set(xlabel=_label("data", one.unit), ylabel=_label("draws", one.unit))
    axis.locator_params(nbins=4)


def _curve(axis: Axes, one: Compared) -> None:
    """The recording on the band of the draws."""
    shown = slice(None, -1 if one.name == "power" else None)  # the Nyquist frequency has half the power
    x = np.array([float(entry.split()[0]) for entry in one.entries])[shown]
    (low, high), mean, data = one.interval()[:, shown], one.draws.mean(0)[shown], one.observed[shown]
    axis.fill_between(x, low, high, color=MODEL, alpha=0.25, lw=0, label="draws, 90 %")
    axis.plot(x, mean, color=MODEL, lw=0.8)
    axis.plot(x, data, color="black", lw=1, label="data")
    _title(axis, one)
    axis.set(xlabel="lag (s)", ylabel="correlation")
    if one.name == "power":
        wide = high.max() > 20 * max(low.min(), 1e-12 * high.max())
        axis.set(xlabel="frequency (Hz)", ylabel=one.unit, yscale="log" if wide else "linear")
    axis.legend()


def _number(axis: Axes, one: Compared) -> None:
    """A histogram of the draws, and where the recording is."""
    axis.hist(one.draws[:, 0], 20, color=MODEL, alpha=0.6, label="draws")
    axis.axvline(float(one.observed[0]), color=TRUTH if one.p[0] < 0.1 else "black", label="data")
    _title(axis, one)
    axis.set(xlabel=_label(one.name, one.unit), ylabel="draws")
    axis.locator_params(nbins=4)
    axis.legend()


def _coverage(axis: Axes, group: Group) -> None:
    """Less the level, with the range that draws have."""
    levels = tuple(np.linspace(0.05, 0.95, 19))
    found = np.array([group.ranks.coverage((level,))[level] for level in levels]) - np.array(levels)[:, None]
    axis.fill_between(levels, found[:, 1], found[:, 2], color=DATA, alpha=0.35, lw=0, label="right")
    axis.axhline(0, color=DATA, lw=0.6)
    axis.plot(levels, found[:, 0], ".-", color=MODEL, lw=0.8, ms=4, label="found")
    most = max(0.02, 1.1 * float(np.abs(found).max()))
    axis.set(
        title=f"coverage of {len(group.pit)} values", xlabel="level of the interval", ylabel="share inside less level",
        xlim=(0, 1), ylim=(-most, most),
    )  # fmt: skip
    axis.legend()


def _pit(axis: Axes, group: Group) -> None:
    """A histogram, and the range that draws have."""
    edges = np.linspace(0, 1, 21)
    share = np.cumsum(group.ranks.histogram, 1) / group.ranks.histogram.sum(1, keepdims=True)
    n = share.shape[1]
    heights = 20 * np.diff(
        [np.interp(edges, np.arange(n + 1) / n, np.append(0, one)) for one in share], axis=1
    )
    low, high = np.quantile(heights[1:], [0.05, 0.95], axis=0)
    axis.stairs(heights[0], edges, fill=True, color=MODEL, alpha=0.6)
    axis.stairs(high, edges, baseline=low, fill=True, color=DATA, alpha=0.5)
    test = group.ranks.uniformity()
    axis.set(
        title=f"PIT, distance {test.distance:.3f}, p = {test.p:.3f}".replace("p = 0.", "p = ."),
        xlabel="PIT (0 to 1)", ylabel="density", xlim=(0, 1), ylim=(0, None),
    )  # fmt: skip
