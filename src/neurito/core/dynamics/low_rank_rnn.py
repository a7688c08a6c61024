"""The stochastic low-rank recurrent network, in its latent coordinates."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.base import Step
from neurito.core.dynamics.network import InputMode, RateNetwork
from neurito.core.noise import Covariance
from neurito.core.operators import Scale, apply
from neurito.errors import NeuritoError


class LowRankRNN(RateNetwork):
    r"""z_t = a z_{t-1} + n phi(m z_{t-1} + W_u v_{t-1}) + eps_t,  eps_t ~ N(0, Sigma_z).

    The R-dimensional state of a network of N units with connectivity m n, whose noise and initial state lie in the
    span of m: tau dx/dt = -x + m n phi(x) + noise with x = m z + W_u v.  The start is
    z_1 ~ N(mu_1 + (m'm)^{-1} m' W_u v_1, Sigma_1).

    m and n are both stored as (R, N), wide side last, which is what makes their products fast.

    Source:
        Pals, Sagtekin, Pei, Gloeckler, Macke, "Inferring stochastic low-rank recurrent neural networks from neural
        data", NeurIPS 2024, eqs. 1 to 5.
    """

    m: Float[Array, "latent unit"]
    n: Float[Array, "latent unit"]

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
        key_n, key_m, key_rest = jax.random.split(key, 3)
        super().__init__(
            latent_dim,
            units,
            noise,
            initial,
            key=key_rest,
            activation=activation,
            decay=decay,
            input_dim=input_dim,
            input_mode=input_mode,
        )
        shape, unit, rank = (latent_dim, units), units**-0.5, latent_dim**-0.5
        self.n = jax.random.uniform(key_n, shape, minval=-unit, maxval=unit)
        self.m = jax.random.uniform(key_m, shape, minval=-rank, maxval=rank)

    def currents(
        self, z: Float[Array, "... latent"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """x = m z + W_u v."""
        weight = self.m
        if self.W_u is not None and u is not None:
            lead = jnp.broadcast_shapes(z.shape[:-1], u.shape[:-1])
            z = jnp.concatenate([jnp.broadcast_to(x, (*lead, x.shape[-1])) for x in (z, u)], -1)
            weight = jnp.concatenate([self.m, self.W_u])
        return z @ weight

    def recurrent(self, rates: Float[Array, "row unit"]) -> Float[Array, "row latent"]:
        """n phi."""
        return rates @ self.n.T

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """mu_1, moved by the first input, and the square root of Sigma_1."""
        mean, scale = super().init(step)
        if self.W_u is not None and step.u is not None:
            pull = jnp.linalg.solve(self.m @ self.m.T, self.m @ self.W_u.T)
            mean = mean + apply(pull, step.u)
        return mean, scale
