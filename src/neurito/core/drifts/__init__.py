"""Drifts of stochastic differential equations: known, learned, and both."""

from neurito.core.drifts.base import Drift
from neurito.core.drifts.neural import Hybrid, Linear, Perceptron
from neurito.core.drifts.oscillators import Bistable, HarmonicOscillators, Hopf, Oscillators

__all__ = [
    "Bistable",
    "Drift",
    "HarmonicOscillators",
    "Hopf",
    "Hybrid",
    "Linear",
    "Oscillators",
    "Perceptron",
]
