"""Drifts of stochastic differential equations: known, learned, both, and a user's own."""

from neurito.core.drifts.base import Drift
from neurito.core.drifts.neural import Hybrid, Linear, Perceptron
from neurito.core.drifts.neurons import FitzHughNagumo, HodgkinHuxley
from neurito.core.drifts.oscillators import Bistable, HarmonicOscillators, Hopf, Oscillators
from neurito.core.drifts.phases import Kuramoto
from neurito.core.drifts.rates import JansenRit, RateRNN, WilsonCowan

__all__ = [
    "Bistable",
    "Drift",
    "FitzHughNagumo",
    "HarmonicOscillators",
    "HodgkinHuxley",
    "Hopf",
    "Hybrid",
    "JansenRit",
    "Kuramoto",
    "Linear",
    "Oscillators",
    "Perceptron",
    "RateRNN",
    "WilsonCowan",
]
