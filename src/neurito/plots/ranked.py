"""Rank histograms of simulation-based calibration."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurito.errors import NeuritoError, nearest
from neurito.evaluation.simulation_based import Ranks
from neurito.plots.style import DATA, MODEL, STYLE, TRUTH, caption, panels

CLASSES = 16
"""Of ranks, in a histogram."""


def ranks(
    found: Ranks | Mapping[str, Ranks],
    *,
    names: Sequence[str] = (),
    level: float = 0.99,
    bins: int = CLASSES,
) -> Figure:
    """Histograms of ranks, a row for each inference and a column for each quantity, with simultaneous bands.

    Args:
        found: ranks, or several by name; a quantity that one of them lacks leaves its place empty.
        names: which quantities; none = the first six of the first.
        level: probability that a right histogram stays in its band as a whole.
        bins: classes of ranks.

    Raises:
        NeuritoError: there is no such quantity.
    """
    rows = {"": found} if isinstance(found, Ranks) else dict(found)
    known = dict.fromkeys(name for one in rows.values() for name in one.names)
    chosen = tuple(names) or tuple(known)[:6]
    for name in chosen:
        if name not in known:
            raise NeuritoError(f"names={name!r} is not ranked: {nearest(name, known)}")
    with mpl.rc_context(STYLE):
        wide = max(4.0, 1.5 * len(chosen)) + 1.2 * (len(rows) > 1)
        figure, axes = panels(wide, 1.1 + 0.85 * len(rows), len(rows), len(chosen))
        axes = np.reshape(axes, (len(rows), len(chosen)))
        for row, (label, one) in zip(axes, rows.items(), strict=True):
            for axis, name in zip(row, chosen, strict=True):
                if name in one.names:
                    _panel(axis, one, one.names.index(name), level, bins)
                else:
                    axis.set_axis_off()
            row[0].set_ylabel("simulations", fontsize=6)
            row[0].annotate(
                label, (0, 0.5), (-38, 0), xycoords="axes fraction", textcoords="offset points", fontsize=7,
                ha="right", va="center",
            )  # fmt: skip
        for axis, name in zip(axes[0], chosen, strict=True):
            axis.set_title(name)
        for axis in axes[-1]:
            axis.set_xlabel("rank (share)")
        sizes = sorted({len(one.ranks) for one in rows.values()})
        caption(
            figure,
            "Rank of the true quantity among samples of its posterior, in simulations of the model itself "
            f"({', '.join(map(str, sizes))} a histogram). Right inference gives flat histograms, which stay in the "
            f"grey band as a whole in {100 * level:g} % of cases; those that leave it are orange. A valley in the "
            "middle: posteriors too narrow; a hump: too wide; a slope: shifted. p: chi-squared test.",
        )
        return figure


def _panel(axis: Axes, found: Ranks, quantity: int, level: float, bins: int) -> None:
    """One histogram and its band."""
    place, band = (found.edges(bins) + 0.5) / (found.samples + 1), found.band(level, bins)
    colour = MODEL if found.within(level, bins)[quantity] else TRUTH
    axis.stairs(band.high, place, baseline=band.low, fill=True, color=DATA, alpha=0.45, lw=0)
    axis.stairs(found.histogram(bins)[:, quantity], place, fill=True, color=colour, alpha=0.65, lw=0)
    axis.stairs(found.expected(bins), place, baseline=None, color="black", lw=0.6)
    axis.set(xlim=(0, 1), xticks=(0, 0.5, 1), ylim=(0, None))
    axis.tick_params(labelsize=6)
    axis.locator_params(axis="y", nbins=3)
    p = found.uniformity(bins)[quantity].p
    text = "p < .001" if p < 1e-3 else f"p = {p:.3f}".replace("0.", ".", 1)
    axis.text(0.98, 0.04, text, transform=axis.transAxes, ha="right", va="bottom", fontsize=6)
