"""Links from eta to an expected count per bin of the reference width."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FLOOR = 1e-6  # counts per bin; keeps log(rate) finite

Link = Callable[[Float[Array, "..."]], Float[Array, "..."]]


@jax.custom_jvp
def softplus(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(1 + e^x), accurate for every x and, in float32, vectorised.

    log(1 + u) = 2 artanh(u / (2 + u)) with |u / (2 + u)| <= 1/3: seven odd terms reach float32; float64 uses log1p.
    """
    u = jnp.exp(-jnp.abs(x))
    if x.dtype == jnp.float64:
        return jnp.maximum(x, 0) + jnp.log1p(u)
    s = u / (2 + u)
    q = s * s
    series = 1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q / 13)))))
    return jnp.maximum(x, 0) + 2 * s * series


@softplus.defjvp
def _softplus_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return softplus(x), dx * jax.nn.sigmoid(x)


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
