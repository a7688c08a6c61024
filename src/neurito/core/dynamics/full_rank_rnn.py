"""The stochastic full-rank recurrent network: the comparison that low rank is judged by."""

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.network import InputMode, RateNetwork
from neurito.core.noise import Covariance


class FullRankRNN(RateNetwork):
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
        key_J, key_rest = jax.random.split(key)
        super().__init__(
            units,
            units,
            noise,
            initial,
            key=key_rest,
            activation=activation,
            decay=decay,
            input_dim=input_dim,
            input_mode=input_mode,
        )
        self.J = jax.random.uniform(key_J, (units, units), minval=-(units**-0.5), maxval=units**-0.5)

    def currents(
        self, z: Float[Array, "... unit"], u: Float[Array, "... drive"] | None
    ) -> Float[Array, "... unit"]:
        """x + W_u v."""
        return z if self.W_u is None or u is None else z + u @ self.W_u

    def recurrent(self, rates: Float[Array, "row unit"]) -> Float[Array, "row unit"]:
        """J phi."""
        return rates @ self.J.T
