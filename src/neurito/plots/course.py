"""The course of a fit."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from neurito.plots.style import MODEL, STYLE, TRUTH, caption, panels


def training(history: Sequence[Mapping[str, Any]], score: str = "bound") -> Figure:
    """The course of a fit.

    Args:
        history: `Run.history`.
        score: what chose the parameters, `Training.score`.
    """
    with mpl.rc_context(STYLE):
        figure, axes = panels(7.0, 2.5, 1, 3)
        step = np.array([row["step"] for row in history])
        shown = (
            ("bound", "bound, training batches", "nats per bin"),
            ("score", "score, validation", "bits per spike" if score == "co_bps" else "nats per bin"),
            ("ess", "effective sample size", "share of the particles"),
        )
        for axis, (name, title, unit) in zip(axes, shown, strict=True):
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
        caption(
            figure,
            "Course of the fit. The dot marks the parameters that were kept, those of the best score. Where the "
            "effective sample size is near 1/K, the particles' weights degenerate: bounds and gradients are poor.",
        )
        return figure
