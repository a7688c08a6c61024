"""How the latent state reaches the channels: eta = readout(z), before the link.

Every readout is written for any axes between trial and particle, so that it serves a bin in the scan and a whole
trajectory after it.
"""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.observations.base import Scene
from neurito.errors import NeuritoError

Eta = Callable[
    [PyTree, Float[Array, "trial ... particle latent"]], Float[Array, "trial ... particle channel"]
]

_LEAST = 8  # trials in one go: the products of recurrent networks are slow with fewer


class LinearMap(NamedTuple):
    """eta = W'z + offset, with W per session."""

    weight: Float[Array, "session latent channel"]
    offset: Float[Array, "... channel"]  # broadcasts against (trial, time, channel)


class Readout(eqx.Module):
    """A map from states to channels.

    Class attributes:
        whole: whether eta at a bin looks at the whole trajectory.
        together: how many bins, of all particles, it should look at in one go; 0 = any number.
    """

    whole = False
    together = 0

    @abc.abstractmethod
    def prepare(self, scene: Scene) -> tuple[PyTree, Eta]:
        """Per-bin context with leading axes (trial, time), and the function (context of a bin, z) -> eta."""

    def linear(self, scene: Scene) -> LinearMap | None:
        """The map as a matrix and an offset, or None where it is not linear in z."""
        return None


def pieces(trials: int, rows: int, together: int) -> int:
    """How many trials of so many rows to take in one go: a divisor of their number."""
    most = max(together // rows, _LEAST) if together else trials
    return next(n for n in range(min(trials, most), 0, -1) if trials % n == 0)


def affine_map(scene: Scene, weight: Float[Array, "session in out"], offset: Array) -> tuple[PyTree, Eta]:
    """x -> x W + offset, with the W of each trial's session."""
    per_bin = None
    if offset.ndim == 3:
        per_bin = jnp.broadcast_to(offset, (*scene.batch.dt.shape, offset.shape[-1]))
    W = weight[0] if weight.shape[0] == 1 else weight[scene.batch.session]

    def eta(shift: Float[Array, "trial ... channel"] | None, x: Array) -> Array:
        if W.ndim == 2:  # one matrix of particles: XLA is much slower on a stack of them
            y = (x.reshape(-1, x.shape[-1]) @ W).reshape(*x.shape[:-1], -1)
        else:
            y = jnp.einsum("b...i,bij->b...j", x, W)
        return y + (offset if shift is None else shift[..., None, :])

    return per_bin, eta


View = Callable[
    [Step | None, Float[Array, "trial ... particle latent"]], Float[Array, "trial ... particle visible"]
]


def view(scene: Scene) -> tuple[Step | None, View]:
    """What decoders see of a state, as a per-bin context and a function of it; the state itself needs none."""
    dynamics, batch = scene.dynamics, scene.batch
    if not dynamics.decoded:
        return None, lambda context, z: z

    def seen(bin_: Step | None, z: Array) -> Array:
        assert bin_ is not None
        u = None if bin_.u is None else bin_.u[..., None, :]
        return dynamics.visible(z, Step(bin_.t[..., None], bin_.dt[..., None], u))

    return Step(jnp.cumsum(batch.dt, 1) - batch.dt, batch.dt, scene.drive), seen


class Affine(Readout):
    """eta = B'z + b, one B and b per recording session; z is what decoders see of the state.

    Args:
        latent_dim: its dimension.
        channels: number of channels (of all sessions, padded).
        sessions: number of sessions.
        key: for B ~ sqrt(2 / R) N(0, 1).
        bias: b at the start, (session, channel).
    """

    weight: Float[Array, "session latent channel"]
    bias: Float[Array, "session channel"]

    def __init__(
        self, latent_dim: int, channels: int, sessions: int, *, key: PRNGKeyArray, bias: Float[Array, "..."]
    ) -> None:
        self.weight = jnp.sqrt(2 / latent_dim) * jax.random.normal(key, (sessions, latent_dim, channels))
        self.bias = jnp.broadcast_to(bias, (sessions, channels))

    def offset(self, scene: Scene) -> Array:
        """b, (channel,), or (trial, 1, channel) where sessions differ."""
        return self.bias[0] if self.bias.shape[0] == 1 else self.bias[scene.batch.session][:, None, :]

    def prepare(self, scene: Scene) -> tuple[PyTree, Eta]:
        """See the base class."""
        shift, eta = affine_map(scene, self.weight, self.offset(scene))
        bins, seen = view(scene)
        return (shift, bins), lambda bin_, z: eta(bin_[0], seen(bin_[1], z))

    def linear(self, scene: Scene) -> LinearMap | None:
        """B and b, where decoders see z itself."""
        return None if scene.dynamics.decoded else LinearMap(self.weight, self.offset(scene))


class Currents(Readout):
    """One unit per channel, from its current: eta_i = gain_i (m z + W_u v)_i + bias_i."""

    gain: Float[Array, " channel"]
    bias: Float[Array, " channel"]

    def __init__(self, channels: int, gain: float = 1.0, bias: float = 0.0) -> None:
        self.gain, self.bias = jnp.full(channels, gain), jnp.full(channels, bias)

    def prepare(self, scene: Scene) -> tuple[PyTree, Eta]:
        """See the base class."""
        return affine_map(scene, *self.linear(scene))

    def linear(self, scene: Scene) -> LinearMap:
        """Gain times the dynamics' own current."""
        dynamics = scene.dynamics
        currents, _ = _units(dynamics, self.gain.shape[0])
        basis = jnp.eye(dynamics.latent_dim, dtype=self.gain.dtype)
        weight = (currents(basis, None) * self.gain)[None]
        if scene.drive is None:
            return LinearMap(weight, self.bias)
        still = jnp.zeros((1, 1, dynamics.latent_dim), self.gain.dtype)
        return LinearMap(weight, currents(still, scene.drive) * self.gain + self.bias)


class Rates(Readout):
    """One unit per channel, from its activity: eta_i = gain_i phi(m z + W_u v)_i + bias_i."""

    gain: Float[Array, " channel"]
    bias: Float[Array, " channel"]

    def __init__(self, channels: int, gain: float = 1.0, bias: float = 0.0) -> None:
        self.gain, self.bias = jnp.full(channels, gain), jnp.full(channels, bias)

    def prepare(self, scene: Scene) -> tuple[PyTree, Eta]:
        """See the base class."""
        _, rates = _units(scene.dynamics, self.gain.shape[0])

        def eta(u: Float[Array, "trial ... drive"] | None, z: Array) -> Array:
            return self.gain * rates(z, None if u is None else u[..., None, :]) + self.bias

        return scene.drive, eta


def _units(dynamics: Dynamics, channels: int) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """The dynamics' currents and rates, if it is a network of as many units as there are channels."""
    currents, rates = getattr(dynamics, "currents", None), getattr(dynamics, "rates", None)
    if currents is None or rates is None:
        raise NeuritoError(
            f"a one-to-one readout needs units, {type(dynamics).__name__} has none: use readout='affine'"
        )
    units = jax.eval_shape(currents, jax.ShapeDtypeStruct((dynamics.latent_dim,), jnp.float32), None).shape[
        -1
    ]
    if units != channels:
        raise NeuritoError(
            f"a one-to-one readout of {channels} channels needs units={channels}, found units={units}"
        )
    return currents, rates
