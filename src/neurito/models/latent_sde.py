"""Latent stochastic differential equations as named models."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
from jaxtyping import PRNGKeyArray

from neurito.core.drifts import Bistable, Drift, HarmonicOscillators, Hopf, Hybrid, Linear, Perceptron
from neurito.core.drifts.oscillators import Coupling
from neurito.core.dynamics import SDE
from neurito.core.dynamics.sde import Constant, Diffusion, NoDiffusion, Scheme, StateDependent
from neurito.core.layers import MLP
from neurito.core.noise import Covariance
from neurito.models.autoencoder import Autoencoder
from neurito.models.layout import Layout


@dataclass(frozen=True, kw_only=True)
class LatentSDE(Autoencoder):
    """dx = f(t, x, u) dt + g(x) dW, whatever the drift f.

    Attributes:
        diffusion: g: constant, a network of the state, or none (an ordinary differential equation).
        diffusion_sd: its start, per square root of the time constant.
        diffusion_floor: below which it cannot fall.
        scheme: euler, splitting, heun; auto = splitting where the drift has an exact part, else euler.
        interpolate: inputs move linearly from bin to bin instead of resting within each.
        stimulus: hidden units of a network through which inputs pass first; 0 = none.
    """

    diffusion: Literal["constant", "state", "none"] = "constant"
    diffusion_sd: float = 0.5
    diffusion_floor: float = 1e-3
    scheme: Literal["auto", "euler", "splitting", "heun"] = "auto"
    interpolate: bool = False
    stimulus: int = 0

    @abc.abstractmethod
    def drift(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """F, with so many inputs."""

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> SDE:
        """The equation."""
        first, second, third = jax.random.split(key, 3)
        inputs = len(layout.inputs)
        width = self.stimulus if inputs else 0
        drift = self.drift(width or inputs, first)
        scheme: Scheme = self.scheme if self.scheme != "auto" else "splitting" if drift.split else "euler"
        g: Diffusion
        if self.diffusion == "constant":
            g = Constant(drift.dim, self.diffusion_sd, self.diffusion_floor)
        elif self.diffusion == "none":
            g = NoDiffusion()
        else:
            g = StateDependent(drift.dim, self.diffusion_sd, (32,), self.diffusion_floor, key=second)
        return SDE(
            drift,
            g,
            Covariance(self.initial, drift.dim, self.initial_sd),
            bin_width=layout.bin_width,
            regular=layout.regular,
            time_constant=self.unit_of_time(layout.bin_width),
            scheme=scheme,
            substeps=self.substeps,
            interpolate=self.interpolate,
            stimulus=MLP(inputs, width, (width,), key=third) if width else None,
        )


@dataclass(frozen=True, kw_only=True)
class NeuralSDE(LatentSDE):
    """A latent SDE whose drift is a perceptron.

    Attributes:
        latents: dimension of x.
        drift_widths: units of its hidden layers.
    """

    name: ClassVar[str] = "neural-sde"

    latents: int = 8
    drift_widths: tuple[int, ...] = (64,)

    def drift(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """A perceptron of x and u."""
        return Perceptron(self.latents, self.drift_widths, inputs, key=key)


@dataclass(frozen=True, kw_only=True)
class LatentODE(NeuralSDE):
    """A latent ordinary differential equation whose drift is a perceptron: all that is random is where it starts."""

    name: ClassVar[str] = "latent-ode"

    diffusion: Literal["constant", "state", "none"] = "none"


@dataclass(frozen=True, kw_only=True)
class LinearSDE(LatentSDE):
    """A latent SDE with linear drift.

    Attributes:
        latents: dimension of x.
    """

    name: ClassVar[str] = "linear-sde"

    latents: int = 8

    def drift(self, inputs: int, key: PRNGKeyArray) -> Drift:
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

    def drift(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """Oscillators, and the learned term, which starts at zero."""
        first, second = jax.random.split(key)
        kinds: dict[str, Callable[..., Drift]] = {
            "hopf": Hopf,
            "bistable": Bistable,
            "harmonic": HarmonicOscillators,
        }
        known = kinds[self.form](self.oscillators, inputs, key=first, coupling=self.coupling)
        if not self.neural:
            return known
        return Hybrid(known, Perceptron(known.dim, self.neural, inputs, key=second, gain=0.0))
