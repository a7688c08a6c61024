"""Layers that several modules share."""

from collections.abc import Callable, Sequence
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


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


@jax.custom_vjp
def normalised(
    x: Float[Array, "... width"], scale: Float[Array, " width"], shift: Float[Array, " width"]
) -> Float[Array, "... width"]:
    """Layer normalisation: (x - mean) / sqrt(variance + 1e-5) * scale + shift over the last axis.

    Its gradient is written out: sums over a row are products with a vector, which vectorise.

    Source:
        Ba, Kiros, Hinton 2016.
    """
    return _normal_forward(x, scale, shift)[0]


def _normal_forward(x: Array, scale: Array, shift: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    centred = x - x.mean(-1, keepdims=True)
    inverse = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    unit = centred * inverse
    return unit * scale + shift, (unit, inverse, scale)


def _normal_backward(kept: tuple[Array, Array, Array], slope: Array) -> tuple[Array, Array, Array]:
    unit, inverse, scale = kept
    width = len(scale)
    both = slope * unit
    first, second = ((a.reshape(-1, width) @ scale / width).reshape(inverse.shape) for a in (slope, both))
    back = inverse * (slope * scale - first - unit * second)
    return back, both.reshape(-1, width).sum(0), slope.reshape(-1, width).sum(0)


normalised.defvjp(_normal_forward, _normal_backward)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "softplus": softplus,
}
Activation = Literal["tanh", "relu", "gelu", "softplus"]


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
    activation: Activation = eqx.field(static=True)

    def __init__(
        self,
        size_in: int,
        size_out: int,
        widths: Sequence[int],
        *,
        key: PRNGKeyArray,
        activation: Activation = "tanh",
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
            x = ACTIVATIONS[self.activation](layer(x))
        return self.layers[-1](x)
