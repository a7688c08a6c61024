"""Runs side by side: bars over models or ablations, dots over seeds."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from neurito.compare import Comparison
from neurito.errors import NeuritoError, nearest
from neurito.inference.scores import about
from neurito.plots.style import DATA, MODEL, STYLE, TRUTH, caption, panels


def comparison(found: Comparison, *, scores: tuple[str, ...] = (), reference: str = "") -> Figure:
    """The scores of runs: a bar per configuration, the mean over its seeds, and a dot per seed.

    Args:
        found: `neurito.Comparison.of(folders)`.
        scores: which; none = the first four of the comparison.
        reference: label of the row that others are compared with, the whole model of an ablation for instance: a line
            marks its score.

    Raises:
        NeuritoError: no such row or score, or there are no scores.
    """
    labels = [row.label for row in found.rows]
    if reference and reference not in labels:
        raise NeuritoError(f"reference={reference!r} is no row: {nearest(reference, labels)}")
    known = sorted({name for row in found.rows for run in row.runs for name in run.scores})
    for name in scores:
        if name not in known:
            raise NeuritoError(f"no run has a score {name!r}: {nearest(name, known)}")
    chosen = scores or found.scores[:4]
    if not chosen:
        raise NeuritoError("the runs have no scores to draw: neurito evaluate gives them some")
    with mpl.rc_context(STYLE):
        figure, axes = panels(
            7.0, 1.1 + 0.32 * len(labels) * -(-len(chosen) // 2), -(-len(chosen) // 2), min(2, len(chosen))
        )
        flat = np.atleast_1d(axes).ravel()
        for axis, name in zip(flat, chosen, strict=False):
            for place, row in enumerate(found.rows):
                values, mean = row.values(name), row.mean(name)
                if mean is None:
                    axis.text(
                        0, place, " none", va="center", color=DATA, transform=axis.get_yaxis_transform()
                    )
                    continue
                axis.barh(place, mean, height=0.7, color=MODEL, alpha=0.45 if row.label != reference else 0.9)
                axis.plot(values, np.full(len(values), place), "o", mfc="white", mec="black", mew=0.8, ms=3.5)
                if row.label == reference:
                    axis.axvline(mean, color=TRUTH, lw=0.8, ls="--")
            axis.set_yticks(range(len(labels)), labels)
            axis.invert_yaxis()
            unit = about(name).unit
            axis.set(title=name, xlabel=f"{name} ({unit})" if unit else name)
        for axis in flat[len(chosen) :]:
            axis.remove()
        caption(
            figure,
            f"Scores on the {found.part} trials: means over seeds (bars) and every seed (dots), best first by "
            f"{found.scores[0] if found.scores else chosen[0]}"
            + (f"; the dashed line is {reference}." if reference else "."),
        )
        return figure
