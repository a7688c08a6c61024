"""The one style of all figures, and what they are put together from."""

import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from cycler import cycler
from matplotlib.figure import Figure

from neurito.data.trials import Trials

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


def blank(width: float, height: float) -> Figure:
    """A figure of so many inches."""
    if "IPython" in sys.modules:
        import matplotlib.pyplot  # noqa: F401 (notebooks show figures only once it is imported)
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def panels(
    width: float,
    height: float,
    rows: int,
    columns: int,
    heights: Sequence[float] | None = None,
    sharex: bool = False,
) -> tuple[Figure, Any]:
    """A figure of so many inches, and its axes in rows and columns."""
    figure = blank(width, height)
    axes = figure.subplots(rows, columns, height_ratios=heights, sharex=sharex)
    return figure, axes


def caption(figure: Figure, text: str) -> None:
    """A few lines under the figure, from its left edge."""
    wrapped = textwrap.fill(text, int(19 * figure.get_figwidth()))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=7, color="0.25")


def called(trials: Trials, trial: int) -> str:
    """A trial by its number, and where in it a piece begins."""
    piece = f", from bin {trials.origin[trial]}" if trials.origin.any() else ""
    return f"trial {trials.ids[trial]}{piece}"
