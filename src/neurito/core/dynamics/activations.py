"""Activations of rate units, as phi(x, h) with a trainable threshold h."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Activation = Callable[[Float[Array, "... unit"], Float[Array, " unit"]], Float[Array, "... unit"]]


_ramp = jax.nn.relu  # its gradient is one comparison; that of maximum divides where arguments tie


def relu(x: Float[Array, "... unit"], h: Float[Array, " unit"]) -> Float[Array, "... unit"]:
    """max(x - h, 0)."""
    return _ramp(x - h)


def clipped_relu(x: Float[Array, "... unit"], h: Float[Array, " unit"]) -> Float[Array, "... unit"]:
    """max(x + h, 0) - max(x, 0): a ramp between two kinks, bounded by |h|."""
    return _ramp(x + h) - _ramp(x)


def tanh(x: Float[Array, "... unit"], h: Float[Array, " unit"]) -> Float[Array, "... unit"]:
    """tanh(x - h)."""
    return jnp.tanh(x - h)


def identity(x: Float[Array, "... unit"], h: Float[Array, " unit"]) -> Float[Array, "... unit"]:
    """x - h: the network is linear, and exact answers exist."""
    return x - h


ACTIVATIONS: dict[str, Activation] = {
    "relu": relu,
    "clipped_relu": clipped_relu,
    "tanh": tanh,
    "identity": identity,
}
