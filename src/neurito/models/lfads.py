"""A sequential autoencoder after LFADS, as a baseline."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import PRNGKeyArray

from neurito.core.dynamics.gru import GatedGenerator
from neurito.models.autoencoder import Autoencoder
from neurito.models.layout import Layout


@dataclass(frozen=True, kw_only=True)
class LFADS(Autoencoder):
    """A GRU that generates, from an inferred start and inferred inputs: after LFADS (Pandarinath et al. 2018).

    Attributes:
        units: of the generator.
        inferred: number of inferred inputs; 0 = an autonomous generator.
        seed_dim: dimension of the noise behind its first state.
    """

    name: ClassVar[str] = "lfads"
    dispensable: ClassVar[frozenset[str]] = frozenset({"inferred"})

    units: int = 64
    inferred: int = 4
    seed_dim: int = 32
    readout: Literal["affine", "mlp", "transformer", "currents", "rates"] = "affine"

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> GatedGenerator:
        """The generator."""
        return GatedGenerator(self.units, self.inferred, self.seed_dim, len(layout.inputs), key=key)
