"""A recurrent encoder: gated recurrent units in one or both directions."""

from collections.abc import Sequence
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from neurito.core.encoders.base import Adapter, Encoder

Direction = Literal["forward", "backward", "both"]


class Cell(eqx.Module):
    """r, u = sigmoid(W x + V h + b);  c = tanh(W_c x + r (V_c h + d) + b_c);  h' = u h + (1 - u) c."""

    W: Float[Array, "in gates"]
    V: Float[Array, "hidden gates"]
    b: Float[Array, " gates"]
    d: Float[Array, " hidden"]

    def __init__(self, size_in: int, hidden: int, *, key: PRNGKeyArray) -> None:
        kw, kv = jax.random.split(key)
        bound = hidden**-0.5
        self.W = jax.random.uniform(kw, (size_in, 3 * hidden), minval=-bound, maxval=bound)
        self.V = jax.random.uniform(kv, (hidden, 3 * hidden), minval=-bound, maxval=bound)
        self.b, self.d = jnp.zeros(3 * hidden), jnp.zeros(hidden)

    def __call__(
        self, x: Float[Array, "trial time in"], exists: Bool[Array, "trial time"] | None, reverse: bool
    ) -> Float[Array, "trial time hidden"]:
        """The hidden state after each bin; it rests where a trial has no bin, so that reverse starts at its own end."""
        hidden = self.V.shape[0]
        gates = jnp.swapaxes(x @ self.W + self.b, 0, 1)
        alive = None if exists is None else jnp.swapaxes(exists, 0, 1)

        def step(h: Array, inputs: tuple[Array, Array | None]) -> tuple[Array, Array]:
            gate, here = inputs
            recurrent = h @ self.V
            reset, update = jnp.split(jax.nn.sigmoid((gate + recurrent)[:, : 2 * hidden]), 2, -1)
            candidate = jnp.tanh(gate[:, 2 * hidden :] + reset * (recurrent[:, 2 * hidden :] + self.d))
            new = candidate + update * (h - candidate)
            if here is not None:
                new = jnp.where(here[:, None], new, h)
            return new, new

        start = jnp.zeros((x.shape[0], hidden), x.dtype)
        _, states = jax.lax.scan(step, start, (gates, alive), reverse=reverse)
        return jnp.swapaxes(states, 0, 1)


class GRU(Encoder):
    """Gated recurrent units followed by a linear layer.

    Args:
        channels_in: channels of the heads together (or the adapter's width).
        features: number of features; 0 = the units themselves, without a layer.
        hidden: units per direction.
        direction: forward (causal), backward, or both.
        heads: names of the heads it reads.
        key: for the weights.
        adapter: input layer per session.
        lagged: a bin's features see the bins before it, not itself.
        hold: after the last bin in which anything is read, that bin is read again and again.

    Source:
        Cho et al. 2014.
    """

    cells: tuple[Cell, ...]
    weight: Float[Array, "hidden feature"] | None
    bias: Float[Array, " feature"]
    adapter: Adapter | None
    lagged: bool = eqx.field(static=True)
    hold: bool = eqx.field(static=True)
    direction: Direction = eqx.field(static=True)
    heads: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        channels_in: int,
        features: int,
        hidden: int,
        direction: Direction,
        heads: Sequence[str],
        *,
        key: PRNGKeyArray,
        adapter: Adapter | None = None,
        lagged: bool = False,
        hold: bool = False,
    ) -> None:
        *keys, last = jax.random.split(key, 3 if direction == "both" else 2)
        self.cells = tuple(Cell(channels_in, hidden, key=k) for k in keys)
        total = hidden * len(keys)
        bound = total**-0.5
        self.weight = (
            jax.random.uniform(last, (total, features), minval=-bound, maxval=bound) if features else None
        )
        self.bias = jnp.zeros(features)
        self.direction, self.heads, self.adapter = direction, tuple(heads), adapter
        self.lagged, self.hold = lagged, hold

    def features(
        self, x: Float[Array, "trial time channel"], exists: Bool[Array, "trial time"] | None
    ) -> Float[Array, "trial time feature"]:
        """See the base class."""
        if self.lagged:
            x = jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        backwards = {"forward": (False,), "backward": (True,), "both": (False, True)}[self.direction]
        states = [cell(x, exists, back) for cell, back in zip(self.cells, backwards, strict=True)]
        joined = jnp.concatenate(states, -1)
        return joined if self.weight is None else joined @ self.weight + self.bias
