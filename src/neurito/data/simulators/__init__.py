"""Simulated recordings with known rates, latents and parameters."""

from neurito.data.simulators.linear import linear_gaussian, linear_poisson
from neurito.data.simulators.lorenz import lorenz
from neurito.data.simulators.low_rank import low_rank_rnn
from neurito.data.simulators.oscillators import coupled_oscillators
from neurito.data.simulators.simulation import Simulation
from neurito.data.simulators.teachers import Network, network, teacher

__all__ = [
    "Network",
    "Simulation",
    "coupled_oscillators",
    "linear_gaussian",
    "linear_poisson",
    "lorenz",
    "low_rank_rnn",
    "network",
    "teacher",
]
