"""A one-dimensional convolutional encoder."""

from collections.abc import Sequence
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from neurito.core.encoders.base import Adapter, Encoder
from neurito.errors import NeuritoError

Padding = Literal["causal", "acausal", "centred"]


class CNN(Encoder):
    """Convolutions over time with GELU between; the last one is linear and gives the features.

    causal: a feature sees this bin and earlier ones; acausal: this and later ones; centred: both sides. Zeros are put
    where the trial has no bins.

    Args:
        channels_in: channels of the heads together (or the adapter's width).
        features: number of features.
        kernels: widths of the convolutions, in bins.
        widths: channels after each convolution but the last.
        padding: causal, acausal or centred.
        heads: names of the heads it reads.
        key: weights and biases start in U(+-1/sqrt(fan in)).
        adapter: input layer per session.

    Raises:
        NeuritoError: `widths` is not one shorter than `kernels`.
    """

    weights: tuple[Float[Array, "width in out"], ...]
    biases: tuple[Float[Array, " out"], ...]
    adapter: Adapter | None
    padding: Padding = eqx.field(static=True)
    heads: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        channels_in: int,
        features: int,
        kernels: Sequence[int],
        widths: Sequence[int],
        padding: Padding,
        heads: Sequence[str],
        *,
        key: PRNGKeyArray,
        adapter: Adapter | None = None,
    ) -> None:
        if len(widths) != len(kernels) - 1:
            raise NeuritoError(
                f"an encoder of {len(kernels)} kernels needs {len(kernels) - 1} widths, found {len(widths)}"
            )
        sizes = [channels_in, *widths, features]
        weights, biases = [], []
        for width, fan_in, fan_out, k in zip(
            kernels, sizes[:-1], sizes[1:], jax.random.split(key, len(kernels)), strict=True
        ):
            bound = (fan_in * width) ** -0.5
            kw, kb = jax.random.split(k)
            weights.append(jax.random.uniform(kw, (width, fan_in, fan_out), minval=-bound, maxval=bound))
            biases.append(jax.random.uniform(kb, (fan_out,), minval=-bound, maxval=bound))
        self.weights, self.biases = tuple(weights), tuple(biases)
        self.padding, self.heads, self.adapter = padding, tuple(heads), adapter

    def features(
        self, x: Float[Array, "trial time channel"], exists: Bool[Array, "trial time"] | None
    ) -> Float[Array, "trial time feature"]:
        """See the base class."""
        for i, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = self._convolve(x if i == 0 else jax.nn.gelu(x, approximate=True), W) + b
            if exists is not None:
                x = x * exists[..., None]
        return x

    def _convolve(self, x: Float[Array, "trial time in"], W: Float[Array, "width in out"]) -> Array:
        # As one matrix product over shifted copies: several times faster than a convolution on the CPU.
        extra, bins = W.shape[0] - 1, x.shape[1]
        before = {"causal": extra, "acausal": 0, "centred": extra // 2}[self.padding]
        padded = jnp.pad(x, ((0, 0), (before, extra - before), (0, 0)))
        shifted = jnp.concatenate([padded[:, j : j + bins] for j in range(extra + 1)], -1)
        return shifted @ W.reshape(-1, W.shape[-1])
