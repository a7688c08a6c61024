"""The stochastic low-rank recurrent network, in its latent coordinates."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.activations import ACTIVATIONS
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.noise import Covariance
from neurito.core.operators import Scale, apply
from neurito.core.parameters import Interval
from neurito.errors import NeuritoError

InputMode = Literal["raw", "filtered"]


class LowRankRNN(Dynamics):
    r"""z_t = a z_{t-1} + n phi(m z_{t-1} + W_u v_{t-1}) + eps_t,  eps_t ~ N(0, Sigma_z).

    The R-dimensional state of a network of N units with connectivity m n, whose noise and initial state lie in the
    span of m: tau dx/dt = -x + m n phi(x) + noise with x = m z + W_u v.  The start is
    z_1 ~ N(mu_1 + (m'm)^{-1} m' W_u v_1, Sigma_1).

    m and n are both stored as (R, N), wide side last, which is what makes their products fast.

    v_t = u_t (raw), or the network's own low-pass v_t = a v_{t-1} + (1 - a) u_{t-1}, v_1 = 0 (filtered).

    Source:
        Pals, Sagtekin, Pei, Gloeckler, Macke, "Inferring stochastic low-rank recurrent neural networks from neural
        data", NeurIPS 2024, eqs. 1 to 5.
    """

    m: Float[Array, "latent unit"]
    n: Float[Array, "latent unit"]
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
        activation: str = "clipped_relu",
        decay: Any = 0.9,
        input_dim: int = 0,
        input_mode: InputMode = "raw",
    ) -> None:
        """Draws n ~ U(+-1/sqrt N), m ~ U(+-1/sqrt R), W_u ~ U(+-1/sqrt(inputs)); h = 0, or U(+-1/sqrt N) if clipped.

        Args:
            latent_dim: R, the rank.
            units: N.
            noise: Sigma_z.
            initial: Sigma_1.
            key: for the draws.
            activation: relu, clipped_relu, tanh or identity.
            decay: a at the start, one number or one per latent.
            input_dim: number of inputs.
            input_mode: raw or filtered.

        Raises:
            NeuritoError: R < 1 or R > N, or filtered inputs with one decay per latent.
        """
        if latent_dim < 1:
            raise NeuritoError(f"rank={latent_dim}: at least 1 is needed")
        if latent_dim > units:
            raise NeuritoError(
                f"rank={latent_dim} exceeds units={units}: a network's rank is at most its size"
            )
        if input_mode == "filtered" and np.ndim(decay):
            raise NeuritoError(
                "input_mode='filtered' needs one decay for all latents: give a number, or use 'raw'"
            )
        keys = jax.random.split(key, 4)
        unit, rank = units**-0.5, latent_dim**-0.5
        self.n = jax.random.uniform(keys[0], (latent_dim, units), minval=-unit, maxval=unit)
        self.m = jax.random.uniform(keys[1], (latent_dim, units), minval=-rank, maxval=rank)
        clipped = activation == "clipped_relu"
        self.h = (
            jax.random.uniform(keys[2], (units,), minval=-unit, maxval=unit) if clipped else jnp.zeros(units)
        )
        bound = max(input_dim, 1) ** -0.5
        self.W_u = (
            jax.random.uniform(keys[3], (input_dim, units), minval=-bound, maxval=bound)
            if input_dim
            else None
        )
        self.decay = Interval(decay, 0.0, 1.0)
        self.noise, self.initial = noise, initial
        self.initial_mean = jnp.zeros(latent_dim)
        self.activation, self.input_mode = activation, input_mode
        self.latent_dim = self.noise_dim = self.init_noise_dim = latent_dim

    def currents(
        self, z: Float[Array, "... latent"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """x = m z + W_u v, the units' input currents."""
        weight = self.m
        if self.W_u is not None and u is not None:
            lead = jnp.broadcast_shapes(z.shape[:-1], u.shape[:-1])
            z = jnp.concatenate([jnp.broadcast_to(x, (*lead, x.shape[-1])) for x in (z, u)], -1)
            weight = jnp.concatenate([self.m, self.W_u])
        return z @ weight

    def rates(
        self, z: Float[Array, "... latent"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """phi(m z + W_u v), the units' activities."""
        return ACTIVATIONS[self.activation](self.currents(z, u), self.h)

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """mu_1, moved by the first input, and the square root of Sigma_1."""
        mean = self.initial_mean
        if self.W_u is not None and step.u is not None:
            pull = jnp.linalg.solve(self.m @ self.m.T, self.m @ self.W_u.T)
            mean = mean + apply(pull, step.u)
        return mean, self.initial.scale()

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """A z + n phi(m z + W_u v) and the square root of Sigma_z."""
        rows = z.reshape(-1, z.shape[-1])  # one matrix of particles: XLA is twice as slow on a stack of them
        u = (
            None
            if step.u is None
            else jnp.broadcast_to(step.u, (*z.shape[:-1], step.u.shape[-1])).reshape(rows.shape[0], -1)
        )
        mean = self.decay.value * rows + self.rates(rows, u) @ self.n.T
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
        return low_pass(inputs, self.decay.value)


def low_pass(
    inputs: Float[Array, "trial time input"], decay: Float[Array, ""]
) -> Float[Array, "trial time input"]:
    """v_t = a v_{t-1} + (1 - a) u_{t-1}, v_1 = 0."""

    def step(v: Array, u: Array) -> tuple[Array, Array]:
        return decay * v + (1 - decay) * u, v

    _, v = jax.lax.scan(step, jnp.zeros_like(inputs[:, 0]), jnp.swapaxes(inputs, 0, 1))
    return jnp.swapaxes(v, 0, 1)
