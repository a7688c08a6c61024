"""Dynamics: fixed points and cycles with a certificate, stability, bifurcations, portraits; alignment of latents."""

from neurito.analysis.alignment import Alignment, Match, align, match
from neurito.analysis.bifurcation import Bifurcations, Event, along_input, bifurcations
from neurito.analysis.finder import cycles, fixed_points, orthonormal_basis
from neurito.analysis.network import Network
from neurito.analysis.portraits import diagram, portrait
from neurito.analysis.result import Continuum, FixedPoints
from neurito.analysis.search import Limits, Progress

__all__ = [
    "Alignment",
    "Bifurcations",
    "Continuum",
    "Event",
    "FixedPoints",
    "Limits",
    "Match",
    "Network",
    "Progress",
    "align",
    "along_input",
    "bifurcations",
    "cycles",
    "diagram",
    "fixed_points",
    "match",
    "orthonormal_basis",
    "portrait",
]
