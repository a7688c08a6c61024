"""Activity and latents, averaged over the trials of each condition."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.figure import Figure

from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest
from neurito.evaluation.psth import psth
from neurito.evaluation.rates import r_squared
from neurito.plots.signals import telling
from neurito.plots.style import CYCLE, STYLE, blank, caption, panels

MOST = 8
"""Most conditions in one figure."""
_DASHES = ("-", "--", ":", "-.")


class Averages(NamedTuple):
    """Activity averaged over the trials of each condition.

    Counts are in spikes/s, other signals in their own unit; NaN where no trial of a condition has data.
    """

    labels: Shaped[np.ndarray, " condition"]
    time: Float[np.ndarray, " time"]
    """bin centres from the start of a trial, seconds"""
    inferred: Float[np.ndarray, "condition time channel"]
    target: Float[np.ndarray, "condition time channel"]
    """what inferred activity should be like: the truth where it is known, elsewhere the data"""
    r2: Float[np.ndarray, " channel"]
    """over conditions and bins; NaN where there are too few of them"""
    against: str
    """what the target is, in words"""


def averages(
    mean: Float[np.ndarray, "trial time channel"],
    trials: Trials,
    by: str = "condition",
    *,
    true: Float[np.ndarray, "trial time channel"] | None = None,
    sd: float = 0.05,
    head: str | None = None,
) -> Averages:
    """Peri-stimulus time histograms of the data, or of the truth, and of what was inferred, by condition.

    Args:
        mean: posterior means of the head: rates (spikes/s) or values.
        trials: the recording.
        by: the metadata column that says the condition.
        true: the true rates (spikes/s) or values, where they are known.
        sd: of the Gaussian that smooths recorded counts, seconds.
        head: which signal; None = the main one.

    Raises:
        NeuritoError: there is no such column.
    """
    signal, conditions = trials.head(head), _column(trials, by)
    counts = signal.kind == "counts"
    width = trials.bin_width if counts else 1.0  # of other signals the mean, not a rate
    inferred = psth(mean * width, conditions, width, 0.0)
    if true is None:
        target = psth(signal.values, conditions, width, sd if counts else 0.0)
        against = f"counts smoothed with {1000 * sd:g} ms" if counts else "the data"
    else:
        target, against = psth(true * width, conditions, width, 0.0), "the truth"
    x, y = (one.rates.reshape(-1, signal.n_channels) for one in (target, inferred))
    r2 = np.array([_r2(a, b) for a, b in zip(x.T, y.T, strict=True)])
    return Averages(
        inferred.conditions, trials.time[np.argmax(trials.lengths)], inferred.rates, target.rates, r2, against
    )


def psths(
    posterior: Any,
    trials: Trials,
    by: str = "condition",
    *,
    true: Float[np.ndarray, "trial time channel"] | None = None,
    channels: Sequence[int] | None = None,
    sd: float = 0.05,
    head: str | None = None,
) -> Figure:
    """Peri-stimulus time histograms of the data against inferred rates, by condition.

    Args:
        posterior: what `neurito.infer` gave for these trials.
        trials: the recording.
        by: the metadata column that says the condition.
        true: the true rates (spikes/s) or means, where they are known; then they, not the PSTHs, are drawn dashed.
        channels: which; None = up to six whose inferred activity varies most, held-out ones among them.
        sd: of the Gaussian that smooths recorded counts, seconds.
        head: the head that the model observes; None = the main one.

    Raises:
        NeuritoError: there is no such column.
    """
    mean, signal = posterior.rate_mean.values, trials.head(head)
    found, shown = averages(mean, trials, by, true=true, sd=sd, head=head), told_apart(trials, by)
    counts = signal.kind == "counts"
    held = np.asarray(~signal.read.any((0, 1)) & signal.score.any((0, 1)))
    rows = telling(mean[trials.exists], held, counts, 6) if channels is None else list(channels)
    with mpl.rc_context(STYLE):
        columns = min(3, len(rows))
        lines = -(-len(rows) // columns)
        figure, axes = panels(7.0, 1.0 + 1.5 * lines, lines, columns)
        flat = np.atleast_1d(axes).ravel()
        for axis, channel in zip(flat, rows, strict=False):
            for label, colour, dash in shown:
                at = found.labels == label
                axis.plot(found.time, found.target[at, :, channel][0], color=colour, ls="--", lw=0.8)
                axis.plot(
                    found.time, found.inferred[at, :, channel][0], color=colour, ls=dash, label=str(label)
                )
            what = f"{'neuron' if counts else 'channel'} {signal.names[channel]}"
            out = " (held out)" if held[channel] else ""
            axis.set(title=f"{what}{out}, R2 = {found.r2[channel]:.2f}", xlabel="time in the trial (s)")
            axis.set_ylabel("spikes/s" if counts else signal.unit or "signal")
            if counts:
                axis.set_ylim(bottom=0)
        for axis in flat[len(rows) :]:
            axis.remove()
        figure.legend(*flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, title=by)
        caption(
            figure,
            f"Means over the trials of each {by} ({_of(trials, by, shown)}): inferred (bold) and {found.against} "
            "(dashed). R2 over all conditions and bins.",
        )
        return figure


def trajectories(
    posterior: Any, trials: Trials, by: str = "condition", *, axes: Sequence[int] = (0, 1, 2)
) -> Figure:
    """Latents averaged over the trials of each condition: in time, in the plane, and in space.

    Args:
        posterior: what `neurito.infer` gave for these trials.
        trials: the recording.
        by: the metadata column that says the condition.
        axes: which latents are the axes; the first two of the plane, all three of the space.

    Raises:
        NeuritoError: there is no such column, or no such latent.
    """
    conditions, shown = _column(trials, by), told_apart(trials, by)
    z = posterior.latent_mean.values
    count = z.shape[2]
    chosen = [i for i in axes if i < count] if tuple(axes) == (0, 1, 2) else list(axes)
    if not all(0 <= i < count for i in chosen):
        raise NeuritoError(f"axes={tuple(axes)}: there are {count} latents, counted from 0")
    mean = psth(z, conditions, 1.0, 0.0)
    time = trials.time[np.argmax(trials.lengths)]
    rows = min(count, 4)
    with mpl.rc_context(STYLE):
        figure = blank(7.5, max(2.8, 0.8 * rows + 1))
        columns = 1 + (len(chosen) > 1) + (len(chosen) > 2)
        grid = figure.add_gridspec(rows, columns, width_ratios=(1, 1, 1.25)[:columns])
        lines = [figure.add_subplot(grid[i, 0]) for i in range(rows)]
        plane = figure.add_subplot(grid[:, 1]) if len(chosen) > 1 else None
        space: Any = figure.add_subplot(grid[:, 2], projection="3d") if len(chosen) > 2 else None
        for label, colour, dash in shown:
            path = mean.rates[int(np.flatnonzero(mean.conditions == label)[0])]
            for i, axis in enumerate(lines):
                axis.plot(time, path[:, i], color=colour, ls=dash, label=str(label))
            for home, own in ((plane, chosen[:2]), (space, chosen[:3])):
                if home is not None:
                    home.plot(*path[:, own].T, color=colour, ls=dash)
                    home.plot(*path[:1, own].T, "o", color=colour, ms=3)
        for i, axis in enumerate(lines):
            axis.set_ylabel(f"latent {i + 1}")
            axis.tick_params(labelbottom=i == rows - 1)
        lines[-1].set_xlabel("time in the trial (s)")
        if plane is not None:
            plane.set(xlabel=f"latent {chosen[0] + 1}", ylabel=f"latent {chosen[1] + 1}")
        if space is not None:
            space.set(**{f"{a}label": f"latent {i + 1}" for a, i in zip("xyz", chosen[:3], strict=True)})
            for axis in (space.xaxis, space.yaxis, space.zaxis):
                axis.set_pane_color("white")
        figure.legend(*lines[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, title=by)
        caption(
            figure,
            f"Posterior means of the latents (arbitrary units), averaged over the trials of each {by} "
            f"({_of(trials, by, shown)}): in time"
            + (", and against each other, dots where trials start." if len(chosen) > 1 else "."),
        )
        return figure


def _r2(x: Float[np.ndarray, " bin"], y: Float[np.ndarray, " bin"]) -> float:
    """Of y against x where both are there."""
    both = np.isfinite(x) & np.isfinite(y)
    return float(r_squared(x[both][:, None], y[both][:, None])[0]) if both.sum() > 1 else float("nan")


def _column(trials: Trials, by: str) -> Shaped[np.ndarray, " trial"]:
    if by not in trials.metadata:
        known = f"; {nearest(by, trials.metadata)}" if trials.metadata else ": the recording has no metadata"
        raise NeuritoError(f"by={by!r} is no metadata column{known}")
    return trials.metadata[by]


def told_apart(trials: Trials, by: str) -> list[tuple[Any, str, str]]:
    """Conditions, evenly chosen where there are many, with colours and dashes that tell them apart."""
    labels = np.unique(_column(trials, by))
    some = labels[np.unique(np.linspace(0, len(labels) - 1, min(MOST, len(labels))).round().astype(int))]
    return [(label, CYCLE[i % len(CYCLE)], _DASHES[i // len(CYCLE)]) for i, label in enumerate(some)]


def _of(trials: Trials, by: str, shown: Sequence[Any]) -> str:
    labels = len(np.unique(trials.metadata[by]))
    count = f"{trials.n_trials} trial{'s' * (trials.n_trials > 1)}"
    return count + (f"; {len(shown)} of {labels} values" if len(shown) < labels else "")
