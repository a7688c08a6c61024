"""Behaviour, and what a model that observes it makes of it."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest
from neurito.evaluation.rates import r_squared
from neurito.plots.style import DATA, MODEL, STYLE, called, caption, panels


def decoded(posterior: Any, trials: Trials, head: str, trial: int = 0, *, most: int = 4) -> Figure:
    """A further head of a model, recorded and inferred, with its 95 % band.

    Args:
        posterior: what `neurito.infer` gave for these trials, of a model whose `heads` include this one.
        trials: the recording.
        head: its name, for instance the velocity of a hand.
        trial: which trial.
        most: how many channels to draw.

    Raises:
        NeuritoError: the model does not observe this head.
    """
    if f"{head}_mean" not in posterior:
        known = [str(name).removesuffix("_mean") for name in posterior if str(name).endswith("_mean")]
        known = [name for name in known if name in trials.heads]
        raise NeuritoError(
            f"head={head!r} was not inferred: {nearest(head, known) if known else 'the model observes one head only'}; "
            "fit with heads=(main, other)"
        )
    signal, n = trials.head(head), int(trials.lengths[trial])
    mean, band = posterior[f"{head}_mean"].values, posterior[f"{head}_quantile"].values
    chosen = list(range(min(signal.n_channels, most)))
    unit = "spikes/s" if signal.kind == "counts" else signal.unit or "signal"
    seen = np.where(signal.score | signal.read, signal.values, np.nan)
    if signal.kind == "counts":
        seen = seen / trials.dt[..., None]
    with mpl.rc_context(STYLE):
        figure, axes = panels(7.0, 0.9 + 1.1 * len(chosen), len(chosen), 1, sharex=True)
        time = trials.time[trial, :n]
        for axis, channel in zip(np.atleast_1d(axes), chosen, strict=True):
            low, high = band[trial, :n, 0, channel], band[trial, :n, -1, channel]
            axis.fill_between(time, low, high, color=MODEL, alpha=0.25, lw=0, label="interval")
            axis.plot(time, seen[trial, :n, channel], color=DATA, lw=0.9, label="recorded")
            axis.plot(time, mean[trial, :n, channel], color=MODEL, label="decoded")
            x, y = seen[..., channel], mean[..., channel]
            both = np.isfinite(x) & np.isfinite(y)
            r2 = float(r_squared(x[both][:, None], y[both][:, None])[0]) if both.sum() > 1 else float("nan")
            axis.set(title=f"{head} {signal.names[channel]}, R2 = {r2:.2f}", ylabel=unit)
        flat = np.atleast_1d(axes)
        flat[0].legend(ncols=3, loc="upper right", bbox_to_anchor=(1, 1.3))
        flat[-1].set_xlabel("time in the trial (s)")
        low_q, high_q = posterior["quantile"].values[[0, -1]]
        read = "also read by the model" if signal.read.any() else "not read"
        caption(
            figure,
            f"{head} in {called(trials, trial)}: recorded (grey; {read}), decoded (blue), {low_q:.1%} to {high_q:.1%} "
            f"of what the model expects. R2 over all {trials.n_trials} trials.",
        )
        return figure
