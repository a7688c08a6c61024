"""Readouts that are not linear: a perceptron bin by bin, and a Transformer layer over the whole trajectory."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from neurito.core.layers import MLP, Linear, normalised
from neurito.core.observations.base import Scene
from neurito.core.observations.readout import Eta, Readout, affine_map, pieces, view


class Perceptron(Readout):
    """eta = W relu(... relu(z W_1 + b_1)) + b, the last W and b one per recording session.

    Args:
        visible_dim: dimension of what decoders see of the state.
        widths: units of the hidden layers.
        channels: number of channels (of all sessions, padded).
        sessions: number of sessions.
        key: for the start.
        bias: b at the start, (session, channel).
    """

    hidden: MLP
    weight: Float[Array, "session hidden channel"]
    bias: Float[Array, "session channel"]

    def __init__(
        self,
        visible_dim: int,
        widths: Sequence[int],
        channels: int,
        sessions: int,
        *,
        key: PRNGKeyArray,
        bias: Float[Array, "..."],
    ) -> None:
        first, last = jax.random.split(key)
        self.hidden = MLP(visible_dim, widths[-1], widths[:-1], key=first, activation="relu")
        bound = widths[-1] ** -0.5
        self.weight = jax.random.uniform(last, (sessions, widths[-1], channels), minval=-bound, maxval=bound)
        self.bias = jnp.broadcast_to(bias, (sessions, channels))

    def prepare(self, scene: Scene) -> tuple[PyTree, Eta]:
        """See the base class."""
        offset = self.bias[0] if len(self.bias) == 1 else self.bias[scene.batch.session][:, None, :]
        shift, last = affine_map(scene, self.weight, offset)
        bins, seen = view(scene)
        return (shift, bins), lambda bin_, z: last(bin_[0], jax.nn.relu(self.hidden(seen(bin_[1], z))))


class Transformer(Readout):
    """One Transformer layer over the whole trajectory, then eta = B x_t + b.

    x = z W (+ positional code); x = norm(x + attention(x)); x = norm(x + W_2 relu(W_1 x)), each bin attending to all
    bins of its trial. With `copy` the encoder's features stand beside z: what is decoded then need not pass through the
    latent, no bound holds, and the model cannot generate.

    Args:
        visible_dim: dimension of what decoders see of the state.
        width: dimension of x; 0 = that of its input, without W.
        heads: attention heads.
        feedforward: units between the two feed-forward layers.
        channels: number of channels (of all sessions, padded).
        sessions: number of sessions.
        key: for the start.
        bias: b at the start, (session, channel).
        features: dimension of the encoder's features to copy from; 0 = none.
        positional: whether a sinusoidal code of the bin is added.
        fixup: T-Fixup scaling: values, outputs and feed-forward weights start smaller, and there are no norms.

    Source:
        Vaswani et al. 2017; Huang, Perez, Ba, Volkovs, "Improving Transformer optimization through better
        initialization", ICML 2020; the layer of Song et al. 2025 (LangevinFlow).
    """

    whole = True
    together = 1024

    project: Linear | None
    qkv: Linear
    out: Linear
    inner: Linear
    outer: Linear
    norms: Float[Array, "2 2 width"]
    weight: Float[Array, "session width channel"]
    bias: Float[Array, "session channel"]
    heads: int = eqx.field(static=True)
    copy: bool = eqx.field(static=True)
    positional: bool = eqx.field(static=True)
    fixup: bool = eqx.field(static=True)

    def __init__(
        self,
        visible_dim: int,
        width: int,
        heads: int,
        feedforward: int,
        channels: int,
        sessions: int,
        *,
        key: PRNGKeyArray,
        bias: Float[Array, "..."],
        features: int = 0,
        positional: bool = False,
        fixup: bool = False,
    ) -> None:
        keys = jax.random.split(key, 6)
        size_in = visible_dim + features
        self.project = Linear(size_in, width, key=keys[0]) if width else None
        width = width or size_in
        gain = 0.67 if fixup else 1.0  # 0.67 N^(-1/4) for an encoder of N layers
        self.qkv = Linear(width, 3 * width, key=keys[1])
        self.out = Linear(width, width, key=keys[2], gain=gain)
        self.inner = Linear(width, feedforward, key=keys[3], gain=gain)
        self.outer = Linear(feedforward, width, key=keys[4], gain=gain)
        self.norms = jnp.stack([jnp.ones((2, width)), jnp.zeros((2, width))], 1)
        bound = width**-0.5
        self.weight = jax.random.uniform(keys[5], (sessions, width, channels), minval=-bound, maxval=bound)
        self.bias = jnp.broadcast_to(bias, (sessions, channels))
        self.heads, self.copy, self.positional, self.fixup = heads, features > 0, positional, fixup

    def prepare(self, scene: Scene) -> tuple[PyTree, Eta]:
        """See the base class."""
        session = None if len(self.bias) == 1 else scene.batch.session
        beside = None
        if self.copy:
            assert scene.features is not None
            beside = scene.features[:, :, None]

        def some(
            _: None, chunk: tuple[Array, Array | None, Array | None, Array | None]
        ) -> tuple[None, Float[Array, "some time particle channel"]]:
            x, beside, exists, session = chunk
            if beside is not None:
                x = jnp.concatenate([x, jnp.broadcast_to(beside, (*x.shape[:-1], beside.shape[-1]))], -1)
            return None, self._read(self.layer(x, exists), session)

        bins, seen = view(scene)

        def eta(bins: PyTree, z: Float[Array, "trial time particle latent"]) -> Array:
            # A few trials at a time: all together take far more memory, and leave the caches.
            x = seen(bins, z)
            trials = x.shape[0]
            size = pieces(trials, x.shape[1] * x.shape[2], self.together)
            whole = (x, beside, scene.batch.exists, session)
            if size == trials:
                return some(None, whole)[1]
            chunks = jax.tree.map(lambda a: a.reshape(trials // size, size, *a.shape[1:]), whole)
            out = jax.lax.scan(some, None, chunks)[1]
            return out.reshape(trials, *out.shape[2:])

        return bins, eta

    def _read(
        self, x: Float[Array, "some time particle width"], session: Int[Array, " some"] | None
    ) -> Float[Array, "some time particle channel"]:
        """B x + b, of each trial's session."""
        if session is None:
            return (x.reshape(-1, x.shape[-1]) @ self.weight[0] + self.bias[0]).reshape(*x.shape[:-1], -1)
        return jnp.einsum("btpi,bij->btpj", x, self.weight[session]) + self.bias[session][:, None, None]

    def layer(
        self, x: Float[Array, "trial time particle in"], exists: Bool[Array, "trial time"] | None
    ) -> Float[Array, "trial time particle width"]:
        """The layer itself."""
        if self.project is not None:
            x = self.project(x)
        trials, bins, particles, width = x.shape
        x = jnp.swapaxes(x, 1, 2).reshape(
            trials * particles, bins, width
        )  # another axis costs products a copy each
        if self.positional:
            x = x + _code(bins, width).astype(x.dtype)
        parts = jnp.split(self.qkv(x), 3 * self.heads, -1)
        mixed = []
        for q, k, v in zip(*(parts[i * self.heads :][: self.heads] for i in range(3)), strict=True):
            score = jnp.einsum("rtd,rsd->rts", q, k) * (width // self.heads) ** -0.5
            if exists is not None:
                score = jnp.where(jnp.repeat(exists, particles, 0)[:, None], score, -1e9)
            mixed.append(jnp.einsum("rts,rsd->rtd", jax.nn.softmax(score, -1), v))
        x = self._norm(0, x + self.out(jnp.concatenate(mixed, -1)))
        x = self._norm(1, x + self.outer(jax.nn.relu(self.inner(x))))
        return jnp.swapaxes(x.reshape(trials, particles, bins, width), 1, 2)

    def _norm(self, which: int, x: Float[Array, "... width"]) -> Float[Array, "... width"]:
        return x if self.fixup else normalised(x, *self.norms[which])


def _code(bins: int, width: int) -> Float[Array, "time width"]:
    """sin and cos of the bin's number at geometric frequencies."""
    half = width // 2
    phase = jnp.arange(bins)[:, None] * jnp.exp(-math.log(1e4) * jnp.arange(half) / max(half, 1))
    code = jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], -1)
    return jnp.pad(code, ((0, 0), (0, width - 2 * half)))
