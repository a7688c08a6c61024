"""Named models: thin assemblies of dynamics, observations and guides with good defaults."""

from neurito.errors import NeuritoError, nearest
from neurito.models.layout import Layout
from neurito.models.low_rank_rnn import FullRankRNN, LinearDynamics, LowRankRNN
from neurito.models.specification import Specification

MODELS: dict[str, type[Specification]] = {m.name: m for m in (LowRankRNN, FullRankRNN, LinearDynamics)}


def named(name: str) -> type[Specification]:
    """The model class of that name.

    Raises:
        NeuritoError: there is none.
    """
    if name not in MODELS:
        raise NeuritoError(f"model {name!r}: {nearest(name, MODELS)}")
    return MODELS[name]


__all__ = ["MODELS", "FullRankRNN", "Layout", "LinearDynamics", "LowRankRNN", "Specification", "named"]
