"""A recurrent encoder: gated recurrent units in one or both directions."""

from collections.abc import Sequence
from functools import partial
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
    ) -> Float[Array, "time trial hidden"]:
        """The hidden state after each bin; it rests where a trial has no bin, so that reverse starts at its own end."""
        alive = None if exists is None else exists.T
        return _recur((self.W, self.V, self.b, self.d), jnp.swapaxes(x, 0, 1), alive, reverse)


_Weights = tuple[Array, Array, Array, Array]  # W, V, b, d
_Kept = tuple[_Weights, Array, Array | None, Array]


def _gates(
    weights: _Weights, x: Float[Array, "trial in"], h: Float[Array, "trial hidden"]
) -> tuple[Float[Array, "trial hidden"], ...]:
    """r, u, c, and what r is multiplied by."""
    W, V, b, d = weights
    reset, update, candidate = jnp.split(x @ W + b, 3, -1)
    from_reset, from_update, inner = jnp.split(h @ V, 3, -1)
    r, u, inner = jax.nn.sigmoid(reset + from_reset), jax.nn.sigmoid(update + from_update), inner + d
    return r, u, jnp.tanh(candidate + r * inner), inner


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _recur(
    weights: _Weights,
    x: Float[Array, "time trial in"],
    alive: Bool[Array, "time trial"] | None,
    reverse: bool,
) -> Float[Array, "time trial hidden"]:
    """The hidden state after each bin.

    Gates live for one bin only, in both directions: on CPUs, slices of stored ones do not vectorise, and writing them
    costs more time than computing them again.
    """

    def step(h: Array, inputs: tuple[Array, Array | None]) -> tuple[Array, Array]:
        x, here = inputs
        _, u, c, _ = _gates(weights, x, h)
        new = c + u * (h - c)
        new = new if here is None else jnp.where(here[:, None], new, h)
        return new, new

    start = jnp.zeros((x.shape[1], len(weights[1])), x.dtype)
    return jax.lax.scan(step, start, (x, alive), reverse=reverse)[1]


def _forward(weights: _Weights, x: Array, alive: Array | None, reverse: bool) -> tuple[Array, _Kept]:
    states = _recur(weights, x, alive, reverse)
    return states, (weights, x, alive, states)


def _backward(reverse: bool, kept: _Kept, slope: Array) -> tuple[_Weights, Array, None]:
    weights, x, alive, states = kept
    W, V, _, _ = weights
    transposed = V.T  # once, not in every bin: slower there with few trials
    start = jnp.zeros_like(states[:1])
    before = jnp.concatenate([states[1:], start] if reverse else [start, states[:-1]])

    # Adding to the weights' gradient costs as much as they are large: where trials are few, once in several bins.
    bins, trials = x.shape[:2]
    blocks = -(-bins // max((len(W) + len(V)) // (2 * trials), 1))
    together = -(-bins // blocks)
    short = -bins % together
    ends = (short, 0) if reverse else (0, short)  # what is added is reached first, where nothing has a slope

    def cut(a: Array) -> Array:
        return jnp.pad(a, (ends, *[(0, 0)] * (a.ndim - 1))).reshape(-1, together, *a.shape[1:])

    def step(
        slope: Array, inputs: tuple[Array, Array, Array, Array | None]
    ) -> tuple[Array, tuple[Array, Array]]:
        x, h, here_slope, here = inputs
        whole = slope + here_slope
        new = whole if here is None else jnp.where(here[:, None], whole, 0)
        r, u, c, inner = _gates(weights, x, h)
        candidate = new * (1 - u) * (1 - c * c)
        first = jnp.concatenate([candidate * inner * r * (1 - r), new * (h - c) * u * (1 - u)], -1)
        back, into = (jnp.concatenate([first, last], -1) for last in (candidate * r, candidate))
        past = new * u + back @ transposed
        return past if here is None else jnp.where(here[:, None], past, whole), (back, into)

    def several(
        carry: tuple[Array, _Weights], inputs: tuple[Array, Array, Array, Array | None]
    ) -> tuple[tuple[Array, _Weights], Array]:
        slope, own = carry
        slope, found = jax.lax.scan(step, slope, inputs, reverse=not reverse, unroll=together == 1)
        x, h, back, into = (a.reshape(-1, a.shape[-1]) for a in (*inputs[:2], *found))
        share = (x.T @ into, h.T @ back, into.sum(0), back[:, 2 * len(V) :].sum(0))
        return (slope, jax.tree.map(jnp.add, own, share)), into @ W.T

    zeros = jax.tree.map(jnp.zeros_like, weights)
    inputs = jax.tree.map(cut, (x, before, slope, alive))
    (_, own), past = jax.lax.scan(several, (start[0], zeros), inputs, reverse=not reverse)
    past = past.reshape(-1, *x.shape[1:])
    return own, past[ends[0] : ends[0] + bins], None


_recur.defvjp(_forward, _backward)


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
        found = joined if self.weight is None else joined @ self.weight + self.bias
        return jnp.swapaxes(found, 0, 1)
