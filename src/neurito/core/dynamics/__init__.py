"""Latent processes: one class, one file, one equation."""

from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.dynamics.full_rank_rnn import FullRankRNN
from neurito.core.dynamics.langevin import Langevin, ReleasedLangevin
from neurito.core.dynamics.linear import Linear
from neurito.core.dynamics.low_rank_rnn import LowRankRNN
from neurito.core.dynamics.sde import SDE

__all__ = ["SDE", "Dynamics", "FullRankRNN", "Langevin", "Linear", "LowRankRNN", "ReleasedLangevin", "Step"]
