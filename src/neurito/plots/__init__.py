"""Figures of fits, inferred latents and rates, conditions, dynamics, scores, and simulations beside data.

Every function returns a Matplotlib Figure with units and a caption, in one style that colour-blind eyes can read
(the colours of Okabe and Ito); it opens no window and needs no display: ``neurito.plots.rates(...).savefig("a.png")``.

    fit             training, comparison
    activity        rates, psths, decoded, generated, calibration, check
    latents         latents, trajectories, ranks
    dynamics        flow, potential, oscillators, drift
"""

from neurito.plots.behaviour import decoded
from neurito.plots.calibrated import LEVELS, calibration, predictive_pit
from neurito.plots.checked import check
from neurito.plots.conditions import Averages, averages, psths, trajectories
from neurito.plots.course import training
from neurito.plots.drifts import drift
from neurito.plots.fields import Landscape, flow, landscape, potential
from neurito.plots.ranked import ranks
from neurito.plots.rhythms import Rhythms, oscillators, rhythms
from neurito.plots.scores import comparison
from neurito.plots.signals import rates
from neurito.plots.simulated import generated
from neurito.plots.states import aligned, latents

__all__ = [
    "LEVELS",
    "Averages",
    "Landscape",
    "Rhythms",
    "aligned",
    "averages",
    "calibration",
    "check",
    "comparison",
    "decoded",
    "drift",
    "flow",
    "generated",
    "landscape",
    "latents",
    "oscillators",
    "potential",
    "predictive_pit",
    "psths",
    "ranks",
    "rates",
    "rhythms",
    "training",
    "trajectories",
]
