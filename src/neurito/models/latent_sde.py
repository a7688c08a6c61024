"""Latent stochastic differential equations as named models."""

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from neurito.core.drifts import (
    Bistable,
    Drift,
    FitzHughNagumo,
    HarmonicOscillators,
    HodgkinHuxley,
    Hopf,
    Hybrid,
    JansenRit,
    Kuramoto,
    Linear,
    Perceptron,
    RateRNN,
    WilsonCowan,
)
from neurito.core.drifts.oscillators import Coupling
from neurito.core.dynamics import SDE
from neurito.core.dynamics.sde import Constant, Diffusion, NoDiffusion, PerLatent, Scheme, StateDependent
from neurito.core.layers import MLP, Activation
from neurito.core.noise import Covariance
from neurito.errors import NeuritoError, warn
from neurito.models.autoencoder import Autoencoder
from neurito.models.layout import Layout


@dataclass(frozen=True, kw_only=True)
class LatentSDE(Autoencoder):
    """dx = f(t, x, u) dt + g(x) dW, whatever the drift f.

    Time is in units of `time_constant`; where that is 0, in the drift's own unit if it has one, else in two bins. Noise
    and initial state start in units of the drift's typical states.

    Attributes:
        diffusion: g: constant, a network of the state (state), one small network g_i(x_i) per latent (per_latent), or
            none (an ordinary differential equation).
        diffusion_sd: its start, per square root of the time constant.
        diffusion_floor: below which it cannot fall.
        diffusion_width: units of its network, or of every latent's own.
        scheme: euler, splitting, heun, or (by diffrax, on one device) adaptive; auto = splitting where the drift
            has an exact part, else euler.
        tolerance: relative error that the adaptive scheme allows per step.
        interpolate: inputs move linearly from bin to bin instead of resting within each.
        stimulus: hidden units of a network through which inputs pass first; 0 = none.
    """

    diffusion: Literal["constant", "state", "per_latent", "none"] = "constant"
    diffusion_sd: float = 0.5
    diffusion_floor: float = 1e-3
    diffusion_width: int = 32
    scheme: Literal["auto", "euler", "splitting", "heun", "adaptive"] = "auto"
    tolerance: float = 1e-5
    interpolate: bool = False
    stimulus: int = 0

    def __post_init__(self) -> None:
        """Checks the numbers too."""
        super().__post_init__()
        if not 0 <= self.diffusion_floor < self.diffusion_sd:
            raise NeuritoError(
                f"diffusion_sd={self.diffusion_sd:g}, diffusion_floor={self.diffusion_floor:g}: give a floor "
                "of 0 or more and a start above it (diffusion='none' for no noise)"
            )
        if not 0 < self.tolerance < 1:
            raise NeuritoError(f"tolerance={self.tolerance:g}: give a relative error between 0 and 1")
        if self.time_constant < 0:
            raise NeuritoError(f"time_constant={self.time_constant:g}: give seconds, 0 for the default")

    @property
    def devices(self) -> int | None:
        """One where diffrax solves."""
        return 1 if self.scheme == "adaptive" else None

    @abc.abstractmethod
    def equation(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """The drift, with so many inputs."""

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> SDE:
        """The equation with its noise."""
        first, second, third = jax.random.split(key, 3)
        inputs = len(layout.inputs)
        width = self.stimulus if inputs else 0
        drift = self.equation(width or inputs, first)
        scheme: Scheme = self.scheme if self.scheme != "auto" else "splitting" if drift.split else "euler"
        sd = self.diffusion_sd * drift.size
        g: Diffusion
        if self.diffusion == "constant":
            g = Constant(drift.dim, sd, self.diffusion_floor * float(drift.size.min()))
        elif self.diffusion == "none":
            g = NoDiffusion()
        elif self.diffusion == "per_latent":
            floor = self.diffusion_floor * drift.size
            g = PerLatent(drift.dim, sd, self.diffusion_width, floor, key=second)
        else:
            widths = (self.diffusion_width,)
            g = StateDependent(drift.dim, float(sd.mean()), widths, self.diffusion_floor, key=second)
        size = float(drift.size.mean()) if self.initial == "scalar" else drift.size
        found = SDE(
            drift,
            g,
            Covariance(self.initial, drift.dim, self.initial_sd * size),
            bin_width=layout.bin_width,
            regular=layout.regular,
            time_constant=self._unit(drift, layout.bin_width, scheme == "adaptive"),
            scheme=scheme,
            substeps=self.substeps,
            tolerance=self.tolerance,
            interpolate=self.interpolate,
            stimulus=MLP(inputs, width, (width,), key=third) if width else None,
        )
        return eqx.tree_at(
            lambda d: d.initial_mean, found, jnp.asarray(drift.start, found.initial_mean.dtype)
        )

    def _unit(self, drift: Drift, bin_width: float, adaptive: bool) -> float:
        """The unit of time, seconds; warns where a step of fixed length is too long for the drift."""
        unit = self.time_constant or drift.unit or self.unit_of_time(bin_width)
        needed = bin_width / unit / drift.longest
        if needed > self.substeps and not adaptive:
            warn(
                f"{self.name}: substeps={self.substeps} are too few to resolve {type(drift).__name__} in bins of "
                f"{bin_width:g} s: set substeps={math.ceil(needed)}, or scheme='adaptive'"
            )
        return unit


def hybrid(known: Drift, widths: Sequence[int], inputs: int, key: PRNGKeyArray) -> Drift:
    """A known drift with a learned term that starts at zero; without widths the known drift alone."""
    if not widths:
        return known
    return Hybrid(known, Perceptron(known.dim, widths, inputs, key=key, gain=0.0))


@dataclass(frozen=True, kw_only=True)
class NeuralSDE(LatentSDE):
    """A latent SDE whose drift is a perceptron.

    Attributes:
        latents: dimension of x.
        drift_widths: units of its hidden layers.
        drift_activation: of these units: tanh, relu, gelu or softplus.
    """

    name: ClassVar[str] = "neural-sde"

    latents: int = 8
    drift_widths: tuple[int, ...] = (64,)
    drift_activation: Activation = "tanh"

    def equation(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """A perceptron of x and u."""
        return Perceptron(self.latents, self.drift_widths, inputs, key=key, activation=self.drift_activation)


@dataclass(frozen=True, kw_only=True)
class LatentODE(NeuralSDE):
    """A latent ordinary differential equation whose drift is a perceptron: all that is random is where it starts."""

    name: ClassVar[str] = "latent-ode"
    # Small batches and a rising weight make it worse: only the start is in the divergence.
    recommended: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**NeuralSDE.recommended, "epochs": 150, "batch_size": 64, "kl_warmup": 0.0}
    )

    diffusion: Literal["constant", "state", "per_latent", "none"] = "none"


@dataclass(frozen=True, kw_only=True)
class LinearSDE(LatentSDE):
    """A latent SDE with linear drift.

    Attributes:
        latents: dimension of x.
    """

    name: ClassVar[str] = "linear-sde"

    latents: int = 8

    def equation(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """A x + B u + b."""
        return Linear(self.latents, inputs, key=key)


@dataclass(frozen=True, kw_only=True)
class CoupledOscillatorSDE(LatentSDE):
    """Coupled oscillators (CO-SDE), with a neural term if asked for (ElGazzar, van Gerven 2024).

    Attributes:
        oscillators: N; every one has two dimensions.
        form: hopf (supercritical), bistable (subcritical) or harmonic.
        coupling: K x (additive) or sum_j K_ij (x_j - x_i) (diffusive).
        neural: hidden units of a learned term beside the oscillators, the hybrid; empty = none.
    """

    name: ClassVar[str] = "co-sde"

    oscillators: int = 4
    form: Literal["hopf", "bistable", "harmonic"] = "hopf"
    coupling: Coupling = "additive"
    neural: tuple[int, ...] = ()

    def equation(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """Oscillators, and the learned term, which starts at zero."""
        first, second = jax.random.split(key)
        kinds: dict[str, Callable[..., Drift]] = {
            "hopf": Hopf,
            "bistable": Bistable,
            "harmonic": HarmonicOscillators,
        }
        known = kinds[self.form](self.oscillators, inputs, key=first, coupling=self.coupling)
        return hybrid(known, self.neural, inputs, second)


_MECHANISMS: dict[str, Callable[..., Drift]] = {
    "kuramoto": Kuramoto,
    "wilson-cowan": WilsonCowan,
    "rate-rnn": RateRNN,
    "jansen-rit": JansenRit,
    "fitzhugh-nagumo": FitzHughNagumo,
    "hodgkin-huxley": HodgkinHuxley,
}


@dataclass(frozen=True, kw_only=True)
class MechanisticSDE(LatentSDE):
    """A latent SDE whose drift is a model of the field, with a neural term if asked for.

    Attributes:
        drift: kuramoto, wilson-cowan, rate-rnn, jansen-rit, fitzhugh-nagumo or hodgkin-huxley.
        units: N: oscillators, pairs of populations, columns or neurons.
        neural: hidden units of a learned term beside it, the hybrid; empty = none.
    """

    name: ClassVar[str] = "sde"

    drift: Literal[
        "kuramoto", "wilson-cowan", "rate-rnn", "jansen-rit", "fitzhugh-nagumo", "hodgkin-huxley"
    ] = "kuramoto"
    units: int = 4
    neural: tuple[int, ...] = ()

    def equation(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """The named drift, and the learned term."""
        first, second = jax.random.split(key)
        return hybrid(_MECHANISMS[self.drift](self.units, inputs, key=first), self.neural, inputs, second)
