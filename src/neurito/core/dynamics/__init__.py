"""Latent processes: one class, one file, one equation."""

from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.dynamics.full_rank_rnn import FullRankRNN
from neurito.core.dynamics.linear import Linear
from neurito.core.dynamics.low_rank_rnn import LowRankRNN

__all__ = ["Dynamics", "FullRankRNN", "Linear", "LowRankRNN", "Step"]
