"""Named models: thin assemblies of dynamics, observations and guides with good defaults."""

from neurito.errors import NeuritoError, nearest
from neurito.models.langevin_flow import LangevinFlow, ReleasedLangevinFlow
from neurito.models.latent_sde import CoupledOscillatorSDE, LatentODE, LinearSDE, MechanisticSDE, NeuralSDE
from neurito.models.layout import Layout
from neurito.models.lfads import LFADS
from neurito.models.low_rank_rnn import FullRankRNN, LinearDynamics, LowRankRNN
from neurito.models.specification import Specification
from neurito.models.user import UserSDE

MODELS: dict[str, type[Specification]] = {
    m.name: m
    for m in (
        LowRankRNN,
        FullRankRNN,
        LinearDynamics,
        LangevinFlow,
        ReleasedLangevinFlow,
        NeuralSDE,
        LinearSDE,
        CoupledOscillatorSDE,
        MechanisticSDE,
        UserSDE,
        LatentODE,
        LFADS,
    )
}


def named(name: str) -> type[Specification]:
    """The model class of that name.

    Raises:
        NeuritoError: there is none.
    """
    if name not in MODELS:
        raise NeuritoError(f"model {name!r}: {nearest(name, MODELS)}")
    return MODELS[name]


__all__ = [
    "LFADS",
    "MODELS",
    "CoupledOscillatorSDE",
    "FullRankRNN",
    "LangevinFlow",
    "LatentODE",
    "Layout",
    "LinearDynamics",
    "LinearSDE",
    "LowRankRNN",
    "MechanisticSDE",
    "NeuralSDE",
    "ReleasedLangevinFlow",
    "Specification",
    "UserSDE",
    "named",
]
