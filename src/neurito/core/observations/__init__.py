"""Observation models and readouts."""

from neurito.core.observations.base import Observation, Scene
from neurito.core.observations.counts import NegativeBinomial, Poisson
from neurito.core.observations.decoders import Perceptron, Transformer
from neurito.core.observations.gaussian import Gaussian
from neurito.core.observations.readout import Affine, Currents, Rates, Readout

__all__ = [
    "Affine",
    "Currents",
    "Gaussian",
    "NegativeBinomial",
    "Observation",
    "Perceptron",
    "Poisson",
    "Rates",
    "Readout",
    "Scene",
    "Transformer",
]
