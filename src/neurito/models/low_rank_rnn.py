"""The stochastic low-rank RNN, and its full-rank and linear comparisons, as named models."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import PRNGKeyArray

from neurito.core import dynamics
from neurito.core.noise import Covariance
from neurito.errors import NeuritoError
from neurito.models.layout import Layout
from neurito.models.specification import Specification


@dataclass(frozen=True, kw_only=True)
class LowRankRNN(Specification):
    """Stochastic low-rank RNN fitted by variational sequential Monte Carlo (Pals et al., NeurIPS 2024).

    Attributes:
        rank: R, the number of latents.
        units: N, the number of units of the network.
        activation: clipped_relu, relu, tanh or identity.
        decay: a at the start.
        decay_per_latent: one decay per latent instead of one in all.
        input_mode: inputs as they are, or through the network's own low-pass filter.
    """

    name: ClassVar[str] = "low-rank-rnn"

    rank: int = 3
    units: int = 128
    activation: Literal["clipped_relu", "relu", "tanh", "identity"] = "clipped_relu"
    decay: float = 0.9
    decay_per_latent: bool = False
    input_mode: Literal["raw", "filtered"] = "raw"

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> dynamics.LowRankRNN:
        """z_t = a z_{t-1} + n phi(m z_{t-1} + W_u v_{t-1}) + eps_t."""
        _regular(layout, self.name)
        return dynamics.LowRankRNN(
            self.rank,
            self.units,
            Covariance(self.noise, self.rank, self.noise_sd),
            Covariance(self.initial, self.rank, self.initial_sd),
            key=key,
            activation=self.activation,
            decay=[self.decay] * self.rank if self.decay_per_latent else self.decay,
            input_dim=len(layout.inputs),
            input_mode=self.input_mode,
        )


@dataclass(frozen=True, kw_only=True)
class FullRankRNN(Specification):
    """Stochastic RNN of full rank, one latent per unit: what low rank is compared with.

    Attributes:
        units: N, the number of units and of latents.
        activation: clipped_relu, relu, tanh or identity.
        decay: a at the start.
        input_mode: inputs as they are, or through the network's own low-pass filter.
    """

    name: ClassVar[str] = "full-rank-rnn"

    units: int = 32
    activation: Literal["clipped_relu", "relu", "tanh", "identity"] = "clipped_relu"
    decay: float = 0.9
    input_mode: Literal["raw", "filtered"] = "raw"

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> dynamics.FullRankRNN:
        """x_t = a x_{t-1} + J phi(x_{t-1} + W_u v_{t-1}) + eps_t."""
        _regular(layout, self.name)
        return dynamics.FullRankRNN(
            self.units,
            Covariance(self.noise, self.units, self.noise_sd),
            Covariance(self.initial, self.units, self.initial_sd),
            key=key,
            activation=self.activation,
            decay=self.decay,
            input_dim=len(layout.inputs),
            input_mode=self.input_mode,
        )


@dataclass(frozen=True, kw_only=True)
class LinearDynamics(Specification):
    """Linear dynamics: with Gaussian observations a Kalman filter, with counts a Poisson linear dynamical system.

    Attributes:
        latents: dimension of the state.
    """

    name: ClassVar[str] = "linear"

    latents: int = 3

    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> dynamics.Linear:
        """z_t = A z_{t-1} + B u_{t-1} + b + eps_t."""
        _regular(layout, self.name)
        return dynamics.Linear(
            self.latents,
            len(layout.inputs),
            Covariance(self.noise, self.latents, self.noise_sd),
            Covariance(self.initial, self.latents, self.initial_sd),
            key=key,
        )


def _regular(layout: Layout, name: str) -> None:
    if not layout.regular:
        raise NeuritoError(
            f"{name} steps from bin to bin and needs bins of one width, found different ones: rebin the recording"
        )
