"""Links from eta to an expected count per bin of the reference width."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from neurito.core.layers import softplus

FLOOR = 1e-6  # counts per bin; keeps log(rate) finite

Link = Callable[[Float[Array, "..."]], Float[Array, "..."]]


def _relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.maximum(x, 0)


LINKS: dict[str, Link] = {"exp": jnp.exp, "softplus": softplus, "identity": _relu, "relu": _relu}


def inverse(link: str, rate: Float[Array, "..."]) -> Float[Array, "..."]:
    """eta that gives this rate (counts per bin), which must be positive."""
    if link == "exp":
        return jnp.log(rate)
    if link == "softplus":
        return rate + jnp.log(-jnp.expm1(-rate))
    return rate
