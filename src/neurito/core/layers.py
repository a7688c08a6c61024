"""Layers that several modules share."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

_ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "gelu": jax.nn.gelu, "softplus": jax.nn.softplus}


class Linear(eqx.Module):
    """x -> x W + b.

    Args:
        size_in: inputs.
        size_out: outputs.
        key: W starts in U(+-gain / sqrt(size_in)), b at 0.
        gain: size of the start; 0 for a layer that starts silent.
    """

    W: Float[Array, "in out"]
    b: Float[Array, " out"]

    def __init__(self, size_in: int, size_out: int, *, key: PRNGKeyArray, gain: float = 1.0) -> None:
        bound = gain * max(size_in, 1) ** -0.5
        self.W = jax.random.uniform(key, (size_in, size_out), minval=-bound, maxval=bound)
        self.b = jnp.zeros(size_out)

    def __call__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        """See the class."""
        rows = x.reshape(-1, x.shape[-1])  # one matrix: XLA is slower on a stack of them
        return (rows @ self.W + self.b).reshape(*x.shape[:-1], -1)


class MLP(eqx.Module):
    """A multi-layer perceptron; the last layer is linear.

    Args:
        size_in: inputs.
        size_out: outputs.
        widths: units of the hidden layers.
        key: for the start.
        activation: tanh, relu, gelu or softplus.
        last_gain: size of the last layer's start; 0 for a network that starts silent.
    """

    layers: tuple[Linear, ...]
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        size_in: int,
        size_out: int,
        widths: Sequence[int],
        *,
        key: PRNGKeyArray,
        activation: str = "tanh",
        last_gain: float = 1.0,
    ) -> None:
        sizes = [size_in, *widths, size_out]
        keys = jax.random.split(key, len(sizes) - 1)
        gains = [1.0] * len(widths) + [last_gain]
        self.layers = tuple(
            Linear(a, b, key=k, gain=g) for a, b, k, g in zip(sizes[:-1], sizes[1:], keys, gains, strict=True)
        )
        self.activation = activation

    def __call__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        """See the class."""
        for layer in self.layers[:-1]:
            x = _ACTIVATIONS[self.activation](layer(x))
        return self.layers[-1](x)
