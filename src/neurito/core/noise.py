"""Gaussian noise covariances: scalar, diagonal or full."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurito.core.operators import Dense, Diagonal, Scale
from neurito.core.parameters import Interval, positive

Form = Literal["scalar", "diagonal", "full"]


class Covariance(eqx.Module):
    """Sigma = L L', with L = s I (scalar), diag(s) (diagonal) or diag(s)(I + strictly lower) (full).

    Args:
        form: which of the three.
        dim: its dimension.
        sd: standard deviations at the start, one number or `dim` of them (correlations start at 0).
    """

    sd: Interval
    lower: Float[Array, "dim dim"] | None
    dim: int = eqx.field(static=True)

    def __init__(self, form: Form, dim: int, sd: float | Float[Array | np.ndarray, " dim"] = 1.0) -> None:
        shape = () if form == "scalar" else (dim,)
        self.sd = positive(np.broadcast_to(sd, shape))
        self.lower = jnp.zeros((dim, dim)) if form == "full" else None
        self.dim = dim

    def scale(self) -> Scale:
        """L, the map that turns white noise into this noise."""
        sd = jnp.broadcast_to(self.sd.value, (self.dim,))
        if self.lower is None:
            return Diagonal(sd)
        return Dense(sd[:, None] * (jnp.eye(self.dim, dtype=sd.dtype) + jnp.tril(self.lower, -1)))

    def variance(self) -> Float[Array, " dim"]:
        """The diagonal of Sigma."""
        scale = self.scale()
        if isinstance(scale, Diagonal):
            return scale.d**2
        return jnp.sum(scale.dense() ** 2, -1)
