"""What was recorded in a trial, and what is inferred of it."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurito.data.trials import Trials
from neurito.plots.style import DATA, MODEL, STYLE, TRUTH, called, caption, panels


def rates(
    posterior: Any,
    trials: Trials,
    trial: int = 0,
    *,
    channels: Sequence[int] | None = None,
    true: Float[np.ndarray, "trial time channel"] | None = None,
    head: str | None = None,
) -> Figure:
    """What was recorded in a trial, and what is inferred of it.

    Args:
        posterior: what `neurito.infer` gave for these trials.
        trials: the recording.
        trial: which trial.
        channels: which channels to draw by themselves; None = the most active ones, held-out ones among them.
        true: the true rates (spikes/s) or means, where they are known.
        head: the head that the model observes; None = the main one.
    """
    signal = trials.head(head)
    counts = signal.kind == "counts"
    n = int(trials.lengths[trial])
    values, time = signal.values[trial, :n], trials.time[trial, :n]
    mean, band = posterior.rate_mean.values[trial, :n], posterior.rate_quantile.values[trial, :n]
    unread = ~signal.read[trial, :n]
    held = np.asarray(unread.all(0) & signal.score[trial, :n].any(0))
    chosen = telling(mean, held, counts) if channels is None else list(channels)
    with mpl.rc_context(STYLE):
        figure, axes = panels(
            7.0, 1.9 + 1.0 * len(chosen), 1 + len(chosen), 1, [1.9, *[1.0] * len(chosen)], sharex=True
        )
        edges = np.append(time - trials.dt[trial, :n] / 2, time[-1] + trials.dt[trial, n - 1] / 2)
        shown = values if counts else (values - np.nanmean(values, 0)) / (np.nanstd(values, 0) + 1e-12)
        low, high = (0, max(1.0, np.nanquantile(shown, 0.995))) if counts else (-2.5, 2.5)
        image = axes[0].pcolormesh(
            edges, np.arange(values.shape[1] + 1), shown.T, vmin=low, vmax=high, cmap="Greys" if counts else "PuOr",
            rasterized=True,
        )  # fmt: skip
        bar = figure.colorbar(image, ax=axes[0], label="counts per bin" if counts else "z-score", pad=0.01)
        bar.locator = MaxNLocator(4, integer=True)
        axes[0].set(ylabel="neuron" if counts else "channel", title=called(trials, trial))
        unit = "spikes/s" if counts else signal.unit or "signal"
        for axis, channel in zip(axes[1:], chosen, strict=True):
            if counts and np.nan_to_num(values[:, channel]).mean() <= 0.5:
                _ticks(axis, time, values[:, channel])
            else:
                per = trials.dt[trial, :n] if counts else 1
                axis.plot(time, values[:, channel] / per, color=DATA, lw=0.6, label="recorded")
            axis.fill_between(
                time,
                band[:, 0, channel],
                band[:, -1, channel],
                color=MODEL,
                alpha=0.25,
                lw=0,
                label="interval",
            )
            axis.plot(time, mean[:, channel], color=MODEL, label="inferred")
            if true is not None:
                axis.plot(time, true[trial, :n, channel], color=TRUTH, ls="--", lw=1, label="true")
            label = f"{signal.names[channel]}{' (held out)' if held[channel] else ''}"
            axis.set_title(f"{'neuron' if counts else 'channel'} {label}", pad=2)
            axis.set_ylabel(unit)
            if counts:
                axis.set_ylim(bottom=0)
        axes[1].legend(ncols=4, loc="upper right", bbox_to_anchor=(1, 1.35))
        axes[-1].set(xlabel="time in the trial (s)", xlim=(edges[0], edges[-1]))
        low, high = posterior["quantile"].values[[0, -1]]
        what, recorded = ("channels", "the signal (grey)")
        if counts:
            what, recorded = (
                "neurons",
                "spikes, as ticks or, where there are many, as counts over bin width (grey)",
            )
        caption(
            figure,
            f"Above: {'counts' if counts else 'z-scored signals'} of all {values.shape[1]} {what}. Below: {recorded}; "
            f"posterior mean, and {low:.1%} to {high:.1%} of the posterior trajectories"
            + (", and the truth (dashed)" if true is not None else "")
            + (f"; what held-out {what} did was not read." if held.any() else "."),
        )
        return figure


def telling(
    mean: Float[np.ndarray, "time channel"], held: np.ndarray, counts: bool, most: int = 4
) -> list[int]:
    """Neurons whose inferred rates vary most, or signals evenly; half of them held out where there are such.

    Args:
        mean: inferred.
        held: which channels (channel,) are held out.
        counts: whether they are neurons.
        most: how many are wanted.
    """

    def some(channels: np.ndarray, n: int) -> np.ndarray:
        if counts:
            return channels[np.argsort(-modulation[channels], kind="stable")[:n]]
        return channels[np.unique(np.linspace(0, len(channels) - 1, min(n, len(channels))).astype(int))]

    modulation = mean.var(0) / (mean.mean(0) + 1e-12)
    out = some(np.flatnonzero(held), most // 2)
    inside = some(np.flatnonzero(~held), most - len(out))
    return sorted(map(int, [*inside, *out]))


def _ticks(axis: Axes, time: np.ndarray, counts: np.ndarray) -> None:
    """Spikes as ticks at the foot of a panel, darker where there are several in a bin."""
    some = np.nan_to_num(counts)
    where = some > 0
    if where.any():
        shade = 0.35 + 0.65 * some[where] / some.max()
        axis.vlines(
            time[where],
            0,
            0.12,
            transform=axis.get_xaxis_transform(),
            color=[(0, 0, 0, a) for a in shade],
            lw=0.8,
        )
