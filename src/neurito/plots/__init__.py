"""Figures of fits, inferred latents and rates, conditions, dynamics, scores, and simulations beside data.

Every function returns a Matplotlib Figure with units and a caption, in one style that colour-blind eyes can read
(the colours of Okabe and Ito); it opens no window and needs no display: ``neurito.plots.rates(...).savefig("a.png")``.
"""

from neurito.plots.course import training
from neurito.plots.signals import rates
from neurito.plots.simulated import generated
from neurito.plots.states import aligned, latents

__all__ = ["aligned", "generated", "latents", "rates", "training"]
