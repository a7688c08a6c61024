"""Linear dynamics: the case in which everything has a closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.noise import Covariance
from neurito.core.operators import Scale, apply


class Linear(Dynamics):
    """z_1 ~ N(mu_1, Sigma_1),  z_t = A z_{t-1} + B u_{t-1} + b + eps_t,  eps_t ~ N(0, Sigma_z).

    Args:
        latent_dim: dimension of z.
        input_dim: number of inputs.
        noise: Sigma_z.
        initial: Sigma_1.
        key: for the start, A = 0.95 times a random rotation.
    """

    A: Float[Array, "latent latent"]
    B: Float[Array, "latent input"] | None
    b: Float[Array, " latent"]
    noise: Covariance
    initial: Covariance
    initial_mean: Float[Array, " latent"]
    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(
        self, latent_dim: int, input_dim: int, noise: Covariance, initial: Covariance, *, key: PRNGKeyArray
    ) -> None:
        rotation, _ = jnp.linalg.qr(jax.random.normal(key, (latent_dim, latent_dim)))
        self.A = 0.95 * rotation
        self.B = jnp.zeros((latent_dim, input_dim)) if input_dim else None
        self.b = jnp.zeros(latent_dim)
        self.noise, self.initial = noise, initial
        self.initial_mean = jnp.zeros(latent_dim)
        self.latent_dim = self.noise_dim = self.init_noise_dim = latent_dim

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """mu_1 and the square root of Sigma_1."""
        return self.initial_mean, self.initial.scale()

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """A z + B u + b and the square root of Sigma_z."""
        mean = apply(self.A, z) + self.b
        if self.B is not None and step.u is not None:
            mean = mean + apply(self.B, step.u)
        return mean, self.noise.scale()

    def scale(self, step: Step) -> Scale:
        """The square root of Sigma_z, the same everywhere."""
        return self.noise.scale()
