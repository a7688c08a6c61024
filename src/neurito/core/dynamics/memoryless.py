"""No dynamics at all: what an encoder and a decoder can do by themselves."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.operators import Diagonal, Scale


class Memoryless(Dynamics):
    """z_t = eps_t ~ N(0, I): no bin knows of another.

    Args:
        dim: dimension of z.
    """

    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(self, dim: int) -> None:
        self.latent_dim = self.noise_dim = self.init_noise_dim = dim

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """N(0, I)."""
        return jnp.zeros(self.latent_dim), self.scale(step)

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """N(0, I) again."""
        return jnp.zeros_like(z), self.scale(step)

    def scale(self, step: Step) -> Scale:
        """I."""
        return Diagonal(jnp.ones(self.latent_dim))
