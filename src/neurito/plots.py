"""Figures of fits, inferred latents and rates, and simulations beside data.

Every function returns a Matplotlib Figure with units and a caption, in one style that colour-blind eyes can read
(the colours of Okabe and Ito); it opens no window and needs no display: ``neurito.plots.rates(...).savefig("a.png")``.
"""

import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurito.data.trials import Trials
from neurito.evaluation.rates import pearson, r_squared
from neurito.evaluation.spikes import SpikeStatistics, spike_statistics

DATA, MODEL, TRUTH = "0.45", "#0072B2", "#D55E00"
CYCLE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "axes.prop_cycle": cycler(color=CYCLE),
    "image.cmap": "Greys",
}


def training(history: Sequence[dict[str, float]], score: str = "bound") -> Figure:
    """The course of a fit.

    Args:
        history: `Run.history`.
        score: what chose the parameters, `Training.score`.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _figure(7, 2.5, 1, 3)
        step = np.array([row["step"] for row in history])
        panels = (
            ("bound", "bound, training batches", "nats per bin"),
            ("score", "score, validation", "bits per spike" if score == "co_bps" else "nats per bin"),
            ("ess", "effective sample size", "share of the particles"),
        )
        for axis, (name, title, unit) in zip(axes, panels, strict=True):
            values = np.array([row[name] for row in history], float)
            axis.plot(step, values, color=MODEL, marker="." if len(step) < 20 else "")
            axis.set(title=title, xlabel="gradient step", ylabel=unit)
            axis.locator_params(axis="x", nbins=4)
            if name == "ess":
                axis.set_ylim(0, 1.02)
            elif np.isfinite(values).any():
                low, high = np.nanquantile(values, 0.1), np.nanmax(values)  # the first steps are far below
                axis.set_ylim(low - 0.15 * (high - low) - 1e-6, high + 0.1 * (high - low) + 1e-6)
            if name == "score" and np.isfinite(values).any():
                best = int(np.nanargmax(values))
                axis.plot(step[best], values[best], "o", color=TRUTH, ms=4)
        _caption(
            figure,
            "Course of the fit. The dot marks the parameters that were kept, those of the best score. Where the "
            "effective sample size is near 1/K, the particles' weights degenerate: bounds and gradients are poor.",
        )
        return figure


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
    chosen = _telling(mean, held, counts) if channels is None else list(channels)
    with mpl.rc_context(STYLE):
        figure, axes = _figure(
            7, 1.9 + 1.0 * len(chosen), 1 + len(chosen), 1, [1.9, *[1] * len(chosen)], sharex=True
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
        axes[0].set(ylabel="neuron" if counts else "channel", title=_called(trials, trial))
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
        _caption(
            figure,
            f"Above: {'counts' if counts else 'z-scored signals'} of all {values.shape[1]} {what}. Below: {recorded}; "
            f"posterior mean, and {low:.1%} to {high:.1%} of the posterior trajectories"
            + (", and the truth (dashed)" if true is not None else "")
            + (f"; what held-out {what} did was not read." if held.any() else "."),
        )
        return figure


def latents(
    posterior: Any,
    trials: Trials,
    trial: int = 0,
    *,
    true: Float[np.ndarray, "trial time latent"] | None = None,
    most: int = 30,
) -> Figure:
    """Latent trajectories in time and in the plane.

    Args:
        posterior: what `neurito.infer` gave for these trials.
        trials: the recording.
        trial: which trial to draw in time.
        true: the true latents, where they are known; the inferred ones are then mapped onto them linearly.
        most: how many trials to draw in the plane.
    """
    z, sd = posterior.latent_mean.values, posterior.latent_sd.values
    note = ""
    if true is not None:
        z, sd, r2 = aligned(z, true, sd)
        note = (
            f" Inferred latents are mapped onto the true ones (dashed) by linear regression, R2 = {r2:.3f}."
        )
    n, dimensions = int(trials.lengths[trial]), z.shape[2]
    time, rows = trials.time[trial, :n], min(dimensions, 6)
    with mpl.rc_context(STYLE):
        figure = _blank(7, max(2.6, 0.75 * rows + 0.9))
        grid = figure.add_gridspec(rows, 2, width_ratios=[1.35, 1])
        first: Axes | None = None
        for i in range(rows):
            axis = figure.add_subplot(grid[i, 0], sharex=first)
            first = first or axis
            colour = CYCLE[i % len(CYCLE)] if true is None else MODEL
            middle, spread = z[trial, :n, i], sd[trial, :n, i]
            axis.fill_between(time, middle - 2 * spread, middle + 2 * spread, color=colour, alpha=0.25, lw=0)
            axis.plot(time, middle, color=colour)
            if true is not None:
                axis.plot(time, true[trial, :n, i], color=TRUTH, ls="--", lw=1)
            axis.set_ylabel(f"latent {i + 1}")
            axis.tick_params(labelbottom=i == rows - 1)
        axis.set_xlabel(f"time in {_called(trials, trial)} (s)")
        _plane(figure.add_subplot(grid[:, 1]), z, trials, trial, true, most)
        more = "" if dimensions <= rows else f" The first {rows} of {dimensions} latents."
        plane = "the plane of the first two principal components" if dimensions > 2 else "the plane"
        plane = "the next bin against this one" if dimensions == 1 else plane
        _caption(
            figure,
            f"Left: posterior mean of the latents, bands of 2 sd, arbitrary units.{more} Right: trajectories in "
            f"{plane}, this trial in blue{' among others' if len(z) > 1 else ''}, dots where they start.{note}",
        )
        return figure


def aligned(
    latents: Float[np.ndarray, "trial time latent"],
    true: Float[np.ndarray, "trial time true_latent"],
    sd: Float[np.ndarray, "trial time latent"] | None = None,
) -> tuple[Float[np.ndarray, "trial time true_latent"], Float[np.ndarray, "trial time true_latent"], float]:
    """Inferred latents mapped onto true ones by linear regression.

    Args:
        latents: inferred, NaN where a trial is over.
        true: as known from the simulation.
        sd: standard deviations of the inferred ones.

    Returns:
        Mapped latents, their standard deviations (latents taken as independent), R2 over all latents.
    """
    there = ~np.isnan(latents).any(-1)
    design = np.concatenate([latents, np.ones((*latents.shape[:2], 1), latents.dtype)], -1)
    weights = np.linalg.lstsq(design[there], true[there])[0]
    mapped = design @ weights
    spread = np.zeros_like(mapped) if sd is None else np.sqrt(sd**2 @ weights[:-1] ** 2)
    return mapped, spread, float(np.mean(r_squared(true[there], mapped[there])))


def generated(data: Trials, drawn: Trials, head: str | None = None) -> Figure:
    """Recorded beside simulated data: spike statistics and power spectra.

    Args:
        data: the recording.
        drawn: simulations of the model, `Generated.trials`.
        head: the head that the model observes; None = the main one.
    """
    with mpl.rc_context(STYLE):
        return (_spikes if data.head(head).kind == "counts" else _signals)(data, drawn, head)


def _spikes(data: Trials, drawn: Trials, head: str | None) -> Figure:
    segment = max(4, min(data.n_bins, drawn.n_bins, 256))
    found, made = (
        spike_statistics(x.values, data.bin_width, segment=segment)
        for x in (data.head(head), drawn.head(head))
    )
    figure, axes = _figure(7, 5.2, 2, 3)
    flat = axes.ravel()
    pairs = np.triu_indices(len(found.rate), 1)

    def of(s: SpikeStatistics) -> list[tuple[str, str, np.ndarray]]:
        return [
            ("mean rate", "spikes/s", s.rate),
            ("mean inter-spike interval", "s", s.isi_mean),
            ("CV of intervals", "", s.isi_cv),
            ("correlation of counts", "", s.correlation[pairs]),
            ("mean coherence", "", s.coherence[:, *pairs].mean(0)),
        ]

    for axis, (name, unit, x), (_, _, y) in zip(flat, of(found), of(made), strict=False):
        both = np.isfinite(x) & np.isfinite(y)
        axis.scatter(
            x[both], y[both], s=5, color=MODEL, alpha=max(0.15, min(1, 60 / max(both.sum(), 1))), lw=0
        )
        if both.any():
            ends = [min(x[both].min(), y[both].min()), max(x[both].max(), y[both].max())]
            axis.plot(ends, ends, color=DATA, lw=0.6)
        suffix = f" ({unit})" if unit else ""
        axis.set(title=f"{name}, r = {pearson(x, y):.2f}", xlabel=f"data{suffix}", ylabel=f"model{suffix}")
        axis.locator_params(nbins=4)
    for s, colour, label in ((found, DATA, "data"), (made, MODEL, "model")):
        flat[5].loglog(s.frequency[:-1], np.nanmean(s.power, 1)[:-1], color=colour, label=label)
    flat[5].set(title="power, mean over neurons", xlabel="frequency (Hz)", ylabel="(spikes/s)²/Hz")
    flat[5].legend()
    _caption(
        figure,
        f"Simulations of the model against {data.n_trials} recorded trials. A dot is a neuron, or a pair of neurons; "
        "on the grey line both agree.",
    )
    return figure


def _signals(data: Trials, drawn: Trials, head: str | None) -> Figure:
    from scipy.signal import welch

    recorded, simulated = data.head(head), drawn.head(head)
    length = int(min(data.lengths.min(), drawn.lengths.min()))
    segment = min(length, 512)
    figure, axes = _figure(7, 4.6, 2, 2)
    chosen = np.unique(np.linspace(0, recorded.n_channels - 1, min(5, recorded.n_channels)).astype(int))
    shown = min(length, 500)
    low, high = np.inf, -np.inf
    for axis, x, trials, name, colour in (
        (axes[0, 0], recorded, data, "data", DATA),
        (axes[0, 1], simulated, drawn, "model", MODEL),
    ):
        sd = np.nanstd(recorded.values[..., chosen], (0, 1)) + 1e-12
        for i, channel in enumerate(chosen):
            axis.plot(
                trials.time[0, :shown], x.values[0, :shown, channel] / sd[i] + 5 * i, color=colour, lw=0.7
            )
        axis.set(title=name, xlabel="time (s)", yticks=5 * np.arange(len(chosen)))
        axis.set_yticklabels([recorded.names[c] for c in chosen])
        low, high = min(low, axis.get_ylim()[0]), max(high, axis.get_ylim()[1])
    for axis in axes[0]:
        axis.set(ylabel="channel (sd)", ylim=(low, high))
    for x, colour, label in ((recorded, DATA, "data"), (simulated, MODEL, "model")):
        whole = x.values[:, :length]
        kept = whole[~np.isnan(whole).any((1, 2))]
        if len(kept):
            frequency, power = welch(kept, 1 / data.bin_width, nperseg=segment, axis=1)
            power = power.mean(0)[1:]
            axes[1, 0].fill_between(
                frequency[1:], *np.quantile(power, [0.1, 0.9], axis=1), color=colour, alpha=0.2, lw=0
            )
            axes[1, 0].loglog(frequency[1:], np.median(power, 1), color=colour, label=label)
    bottom, top = axes[1, 0].get_ylim()
    axes[1, 0].set_ylim(bottom=max(bottom, 1e-8 * top))  # filtered signals have none at high frequencies
    unit = f"{recorded.unit}²/Hz" if recorded.unit else "power per Hz"
    axes[1, 0].set(title="power spectra", xlabel="frequency (Hz)", ylabel=unit)
    axes[1, 0].legend()
    pairs = np.triu_indices(recorded.n_channels)
    real, made = (_covariance(one.values)[pairs] for one in (recorded, simulated))
    ends = [min(real.min(), made.min()), max(real.max(), made.max())]
    axes[1, 1].scatter(real, made, s=4, color=MODEL, alpha=0.4, lw=0)
    axes[1, 1].plot(ends, ends, color=DATA, lw=0.6)
    axes[1, 1].set(
        title=f"covariances of channels, r = {pearson(real, made):.2f}", xlabel="data", ylabel="model"
    )
    _caption(
        figure,
        "Above: a stretch of some channels, recorded and simulated, in standard deviations of the data. Below: power "
        "spectra, median and 10 to 90 % of the channels; covariances of channels, equal on the grey line.",
    )
    return figure


def _covariance(values: Float[np.ndarray, "trial time channel"]) -> Float[np.ndarray, "channel channel"]:
    rows = values.reshape(-1, values.shape[2]).astype(np.float64)
    rows = rows[~np.isnan(rows).any(1)]
    return np.atleast_2d(np.cov(rows.T))


def _plane(axis: Axes, z: np.ndarray, trials: Trials, trial: int, true: np.ndarray | None, most: int) -> None:
    """Trajectories of many trials, one of them picked out."""
    there = z[~np.isnan(z).any(-1)]
    centre, basis = there.mean(0), np.eye(z.shape[2])[:, :2]
    if z.shape[2] > 2:
        basis = np.linalg.svd(there - centre, full_matrices=False)[2][:2].T

    def flat(x: np.ndarray) -> np.ndarray:
        return np.stack([x[:-1, 0], x[1:, 0]], 1) if x.shape[1] == 1 else (x - centre) @ basis

    paths = [(row, flat(z[row, : trials.lengths[row]])) for row in range(min(len(z), most)) if row != trial]
    for _, path in paths:
        axis.plot(*path.T, color=DATA, lw=0.4, alpha=0.5)
        axis.plot(*path[:1].T, ".", color=DATA, ms=2)
    if true is not None:
        axis.plot(*flat(true[trial, : trials.lengths[trial]]).T, color=TRUTH, ls="--", lw=1)
    path = flat(z[trial, : trials.lengths[trial]])
    axis.plot(*path.T, color=MODEL)
    axis.plot(*path[:1].T, "o", color=MODEL, ms=4)
    names = ("component 1", "component 2") if z.shape[2] > 2 else ("latent 1", "latent 2")
    if z.shape[2] == 1:
        names = ("latent in this bin", "latent in the next bin")
    axis.set(xlabel=names[0], ylabel=names[1])
    axis.set_aspect("equal", adjustable="datalim")


def _telling(
    mean: Float[np.ndarray, "time channel"], held: np.ndarray, counts: bool, most: int = 4
) -> list[int]:
    """Neurons whose inferred rates vary most, or signals evenly; half of them held out where there are such."""

    def some(channels: np.ndarray, n: int) -> np.ndarray:
        if counts:
            return channels[np.argsort(-modulation[channels], kind="stable")[:n]]
        return channels[np.unique(np.linspace(0, len(channels) - 1, min(n, len(channels))).astype(int))]

    modulation = mean.var(0) / (mean.mean(0) + 1e-12)
    out = some(np.flatnonzero(held), most // 2)
    inside = some(np.flatnonzero(~held), most - len(out))
    return sorted(map(int, [*inside, *out]))


def _called(trials: Trials, trial: int) -> str:
    """A trial by its number, and where in it a piece begins."""
    piece = f", from bin {trials.origin[trial]}" if trials.origin.any() else ""
    return f"trial {trials.ids[trial]}{piece}"


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


def _blank(width: float, height: float) -> Figure:
    if "IPython" in sys.modules:
        import matplotlib.pyplot  # noqa: F401 (notebooks show figures only once it is imported)
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _figure(
    width: float,
    height: float,
    rows: int,
    columns: int,
    heights: Sequence[float] | None = None,
    sharex: bool = False,
) -> tuple[Figure, Any]:
    figure = _blank(width, height)
    axes = figure.subplots(rows, columns, height_ratios=heights, sharex=sharex)
    return figure, axes


def _caption(figure: Figure, text: str) -> None:
    """A few lines under the figure, from its left edge."""
    wrapped = textwrap.fill(text, int(19 * figure.get_figwidth()))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=7, color="0.25")
