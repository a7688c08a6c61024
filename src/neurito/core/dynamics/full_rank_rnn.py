"""The stochastic full-rank recurrent network: the comparison that low rank is judged by."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.activations import ACTIVATIONS
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.dynamics.low_rank_rnn import InputMode, low_pass
from neurito.core.noise import Covariance
from neurito.core.operators import Scale
from neurito.core.parameters import Interval


class FullRankRNN(Dynamics):
    """x_t = a x_{t-1} + J phi(x_{t-1} + W_u v_{t-1}) + eps_t, one latent per unit.

    Args:
        units: N, the number of units and of latents.
        noise: Sigma_x.
        initial: Sigma_1.
        key: for J, W_u ~ U(+-1/sqrt(fan in)) and, if clipped, h.
        activation: relu, clipped_relu, tanh or identity.
        decay: a at the start.
        input_dim: number of inputs.
        input_mode: raw or filtered.
    """

    J: Float[Array, "unit unit"]
    h: Float[Array, " unit"]
    decay: Interval
    W_u: Float[Array, "input unit"] | None
    noise: Covariance
    initial: Covariance
    initial_mean: Float[Array, " unit"]
    activation: str = eqx.field(static=True)
    input_mode: InputMode = eqx.field(static=True)
    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(
        self,
        units: int,
        noise: Covariance,
        initial: Covariance,
        *,
        key: PRNGKeyArray,
        activation: str = "clipped_relu",
        decay: float = 0.9,
        input_dim: int = 0,
        input_mode: InputMode = "raw",
    ) -> None:
        keys = jax.random.split(key, 3)
        bound = units**-0.5
        self.J = jax.random.uniform(keys[0], (units, units), minval=-bound, maxval=bound)
        clipped = activation == "clipped_relu"
        self.h = (
            jax.random.uniform(keys[1], (units,), minval=-bound, maxval=bound)
            if clipped
            else jnp.zeros(units)
        )
        side = max(input_dim, 1) ** -0.5
        self.W_u = (
            jax.random.uniform(keys[2], (input_dim, units), minval=-side, maxval=side) if input_dim else None
        )
        self.decay = Interval(decay, 0.0, 1.0)
        self.noise, self.initial, self.initial_mean = noise, initial, jnp.zeros(units)
        self.activation, self.input_mode = activation, input_mode
        self.latent_dim = self.noise_dim = self.init_noise_dim = units

    def currents(
        self, z: Float[Array, "... unit"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """x + W_u v."""
        return z if self.W_u is None or u is None else z + u @ self.W_u

    def rates(
        self, z: Float[Array, "... unit"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """phi(x + W_u v)."""
        return ACTIVATIONS[self.activation](self.currents(z, u), self.h)

    def init(self, step: Step) -> tuple[Float[Array, "... unit"], Scale]:
        """mu_1 and the square root of Sigma_1."""
        return self.initial_mean, self.initial.scale()

    def affine(self, z: Float[Array, "... unit"], step: Step) -> tuple[Float[Array, "... unit"], Scale]:
        """A x + J phi(x + W_u v) and the square root of Sigma_x."""
        return self.decay.value * z + self.rates(z, step.u) @ self.J.T, self.noise.scale()

    def scale(self, step: Step) -> Scale:
        """The square root of Sigma_x, the same everywhere."""
        return self.noise.scale()

    def drive(
        self, inputs: Float[Array, "trial time input"] | None, dt: Float[Array, "trial time"]
    ) -> Float[Array, "trial time drive"] | None:
        """v from u."""
        return inputs if inputs is None or self.input_mode == "raw" else low_pass(inputs, self.decay.value)
