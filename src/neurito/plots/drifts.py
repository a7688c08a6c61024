"""The drifts of runs: frequencies with their spread, the coupling matrix with what is sure of it, shares of terms."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from neurito.analysis.oscillation import Ensemble
from neurito.interpretation import Drifts
from neurito.plots.style import MODEL, STYLE, caption, panels

SURE = 0.95
"""A sign that so many runs share, or that is so probable, is written into the matrix in full."""


def drift(found: Drifts) -> Figure:
    """Frequencies, coupling with the certainty of its signs, and the share of each term, of one run or several.

    Args:
        found: of `neurito.interpretation.drifts`.
    """
    oscillating, several = found.oscillators, len(found.names) > 1
    with mpl.rc_context(STYLE):
        figure, axes = panels(7.0 if oscillating else 3.2, 3.0, 1, 3 if oscillating else 1)
        axes = np.atleast_1d(axes)
        text = ""
        if oscillating is not None:
            _frequencies(axes[0], oscillating)
            _coupling(figure, axes[1], oscillating, found.unit)
            spread = "standard deviations over runs" if several else "standard errors"
            known = bool(np.isfinite(oscillating.spread.frequency).any())
            text = f"Frequency of each oscillator{f'; bars: {spread}' if known else ''}. Coupling from column to row; "
            text += (
                f"bold where {SURE:.0%} of the runs share the sign, small elsewhere. "
                if several
                else f"bold where the sign is more than {SURE:.0%} sure. "
                if known
                else "+ excites, \N{MINUS SIGN} inhibits; one run, so nothing is said of how sure. "
            )
        _shares(axes[-1], found)
        text += "Share of the drift: root mean square of each term over the sum of all"
        caption(figure, text + (", one dot per run." if several else "."))
        axes[0].set_title(f"{found.model}, {len(found.names)} runs" if several else found.model)
        return figure


def _frequencies(axis: Any, found: Ensemble) -> None:
    places, f = np.arange(1, found.units + 1), found.mean.frequency
    spread = found.spread.frequency
    axis.errorbar(places, f, None if np.isnan(spread).all() else spread, fmt="o", color=MODEL, ms=4, lw=1)
    axis.set(xlabel="oscillator", ylabel="frequency (Hz)", ylim=(0, None), xlim=(0.5, found.units + 0.5))
    axis.locator_params(axis="x", integer=True, nbins=min(found.units, 8))


def _coupling(figure: Figure, axis: Any, found: Ensemble, unit: str) -> None:
    n, K = found.units, np.where(np.eye(found.units, dtype=bool), 0.0, found.mean.coupling)
    largest = float(np.abs(K).max()) or 1.0
    image = axis.imshow(K, cmap="PuOr", vmin=-largest, vmax=largest, extent=(0.5, n + 0.5, n + 0.5, 0.5))
    figure.colorbar(image, ax=axis, label=f"coupling ({unit})", shrink=0.8)
    for i, j in zip(*np.nonzero(K), strict=True):
        sure = found.agreement[i, j] >= SURE
        axis.text(
            j + 1, i + 1, "+" if K[i, j] > 0 else "\N{MINUS SIGN}", ha="center", va="center",
            color="white" if abs(K[i, j]) > 0.6 * largest else "black",
            weight="bold" if sure else "normal", size=11 if sure else 6,
        )  # fmt: skip
    axis.set(xlabel="from oscillator", ylabel="to oscillator", title="coupling")
    axis.locator_params(integer=True, nbins=min(n, 8))


def _shares(axis: Any, found: Drifts) -> None:
    share, names = found.share, found.shares[0].names
    places = np.arange(len(names))
    axis.barh(places, share.mean(0), color=MODEL, alpha=0.4, height=0.6)
    if len(share) > 1:
        axis.plot(share.T, np.repeat(places[:, None], len(share), 1), "o", color=MODEL, ms=3)
    axis.set(yticks=places, yticklabels=names, xlabel="share of the drift", xlim=(0, 1))
    axis.invert_yaxis()
