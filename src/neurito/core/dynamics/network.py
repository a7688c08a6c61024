"""What rate networks share: units with thresholds, a leak, inputs, noise."""

import abc
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.activations import ACTIVATIONS
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.noise import Covariance
from neurito.core.operators import Scale
from neurito.core.parameters import Interval
from neurito.errors import NeuritoError

InputMode = Literal["raw", "filtered"]


class RateNetwork(Dynamics):
    """z_1 ~ N(mu_1, Sigma_1),  z_t = a z_{t-1} + recurrent(phi(currents)) + eps_t,  eps_t ~ N(0, Sigma_z).

    v_t = u_t (raw), or the network's own low-pass v_t = a v_{t-1} + (1 - a) u_{t-1}, v_1 = 0 (filtered).
    """

    h: Float[Array, " unit"]
    decay: Interval
    W_u: Float[Array, "input unit"] | None
    noise: Covariance
    initial: Covariance
    initial_mean: Float[Array, " latent"]
    activation: str = eqx.field(static=True)
    input_mode: InputMode = eqx.field(static=True)
    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(
        self,
        latent_dim: int,
        units: int,
        noise: Covariance,
        initial: Covariance,
        *,
        key: PRNGKeyArray,
        activation: str,
        decay: Any,
        input_dim: int,
        input_mode: InputMode,
    ) -> None:
        if input_mode == "filtered" and np.ndim(decay):
            raise NeuritoError(
                "input_mode='filtered' needs one decay for all latents: give a number, or use 'raw'"
            )
        key_h, key_u = jax.random.split(key)
        bound, side = units**-0.5, max(input_dim, 1) ** -0.5
        draw = jax.random.uniform
        clipped = activation == "clipped_relu"
        self.h = draw(key_h, (units,), minval=-bound, maxval=bound) if clipped else jnp.zeros(units)
        self.W_u = draw(key_u, (input_dim, units), minval=-side, maxval=side) if input_dim else None
        self.decay = Interval(decay, 0.0, 1.0)
        self.noise, self.initial, self.initial_mean = noise, initial, jnp.zeros(latent_dim)
        self.activation, self.input_mode = activation, input_mode
        self.latent_dim = self.noise_dim = self.init_noise_dim = latent_dim

    @abc.abstractmethod
    def currents(
        self, z: Float[Array, "... latent"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """The units' input currents."""

    @abc.abstractmethod
    def recurrent(self, rates: Float[Array, "row unit"]) -> Float[Array, "row latent"]:
        """What the units' activities do to the state."""

    def rates(
        self, z: Float[Array, "... latent"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """phi(currents), the units' activities."""
        return ACTIVATIONS[self.activation](self.currents(z, u), self.h)

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """mu_1 and the square root of Sigma_1."""
        return self.initial_mean, self.initial.scale()

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """a z + recurrent(rates) and the square root of Sigma_z."""
        rows = z.reshape(-1, z.shape[-1])  # one matrix of particles: XLA is twice as slow on a stack of them
        u = step.u
        if u is not None:
            u = jnp.broadcast_to(u, (*z.shape[:-1], u.shape[-1])).reshape(len(rows), -1)
        mean = self.decay.value * rows + self.recurrent(self.rates(rows, u))
        return mean.reshape(z.shape), self.noise.scale()

    def scale(self, step: Step) -> Scale:
        """The square root of Sigma_z, the same everywhere."""
        return self.noise.scale()

    def drive(
        self, inputs: Float[Array, "trial time input"] | None, dt: Float[Array, "trial time"]
    ) -> Float[Array, "trial time drive"] | None:
        """v from u."""
        if inputs is None or self.input_mode == "raw":
            return inputs
        a = self.decay.value

        def step(v: Array, u: Array) -> tuple[Array, Array]:
            return a * v + (1 - a) * u, v

        _, v = jax.lax.scan(step, jnp.zeros_like(inputs[:, 0]), jnp.swapaxes(inputs, 0, 1))
        return jnp.swapaxes(v, 0, 1)
