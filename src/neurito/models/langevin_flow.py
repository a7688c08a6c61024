"""LangevinFlow as a named model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import jax
from jaxtyping import PRNGKeyArray

from neurito.core.dynamics import Dynamics, Langevin, ReleasedLangevin
from neurito.core.dynamics.potentials import (
    DoubleWell,
    Flat,
    Harmonic,
    Indefinite,
    Oscillators,
    Potential,
)
from neurito.core.guides import Guide, Regularised
from neurito.core.noise import Covariance
from neurito.core.observations import Observation
from neurito.errors import NeuritoError
from neurito.models.autoencoder import Autoencoder
from neurito.models.layout import Layout


@dataclass(frozen=True, kw_only=True)
class LangevinFlow(Autoencoder):
    """Underdamped Langevin dynamics in a learned potential of coupled oscillators (Song et al., CCN 2025).

    Attributes:
        latents: dimension of the position; the velocity has as many.
        potential: oscillators; indefinite (the published form); harmonic, double_well, or flat (none).
        lattice: shape of the oscillators' lattice: empty = one ring; two numbers = a grid.
        channels: oscillators per place of the lattice.
        kernel: width, odd, of the coupling along it.
        quartic: whether every oscillator has a quartic term.
        anharmonic: units of the learned anharmonic part; 0 = none.
        gyroscopic: whether an antisymmetric force turns velocities.
        active: units of the learned force that is no gradient; 0 = none.
        damping: gamma at the start, per time constant.
        temperature: at the start.
    """

    name: ClassVar[str] = "langevin-flow"
    dispensable: ClassVar[frozenset[str]] = frozenset({"anharmonic", "active"})

    latents: int = 8
    potential: Literal["oscillators", "indefinite", "harmonic", "double_well", "flat"] = "oscillators"
    lattice: tuple[int, ...] = ()
    channels: int = 1
    kernel: int = 3
    quartic: bool = False
    anharmonic: int = 64
    gyroscopic: bool = False
    active: int = 64
    damping: float = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Checks the lattice too."""
        super().__post_init__()
        if self.latents % self.channels:
            raise NeuritoError(f"latents={self.latents} do not divide into channels={self.channels}")
        sites = self.latents // self.channels
        if self.lattice and (len(self.lattice) > 2 or math.prod(self.lattice) != sites):
            raise NeuritoError(
                f"lattice={self.lattice} should have {sites} places (latents / channels) in one or two dimensions"
            )

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> Langevin:
        """The process, and its potential."""
        first, second = jax.random.split(key)
        return Langevin(
            self._potential(first),
            self.latents,
            Covariance(self.initial, 2 * self.latents, self.initial_sd),
            bin_width=layout.bin_width,
            regular=layout.regular,
            time_constant=self.unit_of_time(layout.bin_width),
            damping=self.damping,
            temperature=self.temperature,
            substeps=self.substeps,
            input_dim=len(layout.inputs),
            gyroscopic=self.gyroscopic,
            active=self.active,
            key=second,
        )

    @classmethod
    def as_released(cls, **options: Any) -> "ReleasedLangevinFlow":
        """The published form, faults and all: see `ReleasedLangevinFlow`."""
        return ReleasedLangevinFlow(**options)

    def _potential(self, key: PRNGKeyArray) -> Potential:
        if self.potential == "oscillators":
            sites = self.lattice or (self.latents // self.channels,)
            return Oscillators(
                sites, self.channels, self.kernel, key=key, quartic=self.quartic, hidden=self.anharmonic
            )
        if self.potential == "indefinite":
            return Indefinite(self.channels, self.kernel, key=key)
        if self.potential == "flat":
            return Flat()
        return {"harmonic": Harmonic, "double_well": DoubleWell}[self.potential]([1.0] * self.latents)


@dataclass(frozen=True, kw_only=True)
class ReleasedLangevinFlow(LangevinFlow):
    """LangevinFlow as its authors released it: to be compared with, not to be used.

    What differs from `LangevinFlow`: the step (0.01 whatever the bin; z_t hardly moves), the indefinite potential whose
    kernels start at zero and freeze, fixed damping and noise, a causal lagged encoder that sets the first state alone,
    a term on the velocity that is no divergence, and a decoder that also reads the encoder: the latent need not carry
    anything, no bound holds, and the model can neither generate nor be given a likelihood.

    Attributes:
        hidden: H, units of the GRU and dimension of z and of v; there is no other size.
    """

    name: ClassVar[str] = "langevin-flow-released"
    recommended: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "epochs": 500,
            "batch_size": 64,
            "learning_rate": 3e-3,
            "final_learning_rate": 1e-4,
            "schedule": "exponential",
            "optimiser": "adamw",
            "weight_decay": 2e-5,
            "kl_warmup": 1.0,
            "score": "co_bps",
        }
    )
    generative: ClassVar[bool] = False

    hidden: int = 64
    channels: int = 4
    damping: float = 0.55
    readout: Literal["affine", "mlp", "transformer", "currents", "rates"] = "transformer"
    feedforward: int = 512
    direction: Literal["forward", "backward", "both"] = "forward"
    lagged: bool = True
    hold: bool = True
    keep: float = 0.5
    pass_rate: float = 0.5
    feature_dropout: float = 0.05
    kl_weight: float = 0.1

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> ReleasedLangevin:  # type: ignore[override]
        """The released step."""
        potential = Indefinite(self.channels, self.kernel, key=key, frozen=True)
        return ReleasedLangevin(potential, self.hidden, self.damping)

    @property
    def copied(self) -> int:
        """The decoder reads the encoder's units."""
        return self.hidden

    def _guide(
        self, layout: Layout, heads: list[Observation], dynamics: Dynamics, key: PRNGKeyArray
    ) -> tuple[Guide, int]:
        return Regularised(self.hidden, dynamics, key=key), 0
