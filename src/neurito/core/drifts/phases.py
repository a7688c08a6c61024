"""Oscillators that are nothing but their phase."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.drifts.base import Drift, pushed
from neurito.core.drifts.oscillators import Hopf
from neurito.core.operators import apply


class Kuramoto(Drift):
    """theta_i' = omega_i + sum_j K_ij sin(theta_j - theta_i) + (B u)_i; decoders see cos(theta) and sin(theta).

    The rotation is exact, and brings phases back to (-pi, pi]; noise may carry them a little beyond.

    Args:
        units: N.
        input_dim: number of inputs.
        key: for the start: frequencies spread over an octave either side of 1, weak random coupling.

    Source:
        Kuramoto, "Chemical oscillations, waves, and turbulence", 1984; ElGazzar, van Gerven 2024 (arXiv 2412.12112).
    """

    split = True
    decoded = True

    omega: Float[Array, " unit"]
    K: Float[Array, "unit unit"]
    B: Float[Array, "unit input"] | None
    dim: int = eqx.field(static=True)

    def __init__(self, units: int, input_dim: int = 0, *, key: PRNGKeyArray) -> None:
        start = Hopf(units, key=key)
        self.omega, self.K, self.dim = start.omega, start.K, units
        self.B = jnp.zeros((units, input_dim)) if input_dim else None

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class."""
        return self.omega + self.rest(t, x, u)

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """Coupling and input."""
        cos, sin = jnp.cos(x), jnp.sin(x)
        return cos * apply(self.K, sin) - sin * apply(self.K, cos) + pushed(self.B, u)

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """Theta + omega h, on the circle."""
        return jnp.pi - jnp.mod(jnp.pi - x - self.omega * h, 2 * jnp.pi)

    def visible(self, x: Float[Array, "... dim"]) -> Float[Array, "... visible"]:
        """(cos theta, sin theta)."""
        return jnp.concatenate([jnp.cos(x), jnp.sin(x)], -1)

    @property
    def visible_dim(self) -> int:
        """2 N."""
        return 2 * self.dim

    @staticmethod
    def order(x: Float[Array, "... dim"]) -> Float[Array, "..."]:
        """Kuramoto's order parameter |mean of exp(i theta)|: 0 without synchrony, 1 in full."""
        return jnp.hypot(jnp.cos(x).mean(-1), jnp.sin(x).mean(-1))
