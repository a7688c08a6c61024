"""Dynamics: fixed points and cycles with a certificate, stability, bifurcations, phase portraits."""

from neurito.analysis.finder import fixed_points, orthonormal_basis
from neurito.analysis.network import Network
from neurito.analysis.result import Continuum, FixedPoints
from neurito.analysis.search import Limits, Progress

__all__ = ["Continuum", "FixedPoints", "Limits", "Network", "Progress", "fixed_points", "orthonormal_basis"]
