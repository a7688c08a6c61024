"""How the latent state reaches the channels: eta = readout(z), before the link."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from neurito.core.batch import Batch
from neurito.core.dynamics.base import Dynamics
from neurito.errors import NeuritoError

Eta = Callable[[PyTree, Float[Array, "trial particle latent"]], Float[Array, "trial particle channel"]]


class LinearMap(NamedTuple):
    """eta = W'z + offset, with W per session."""

    weight: Float[Array, "session latent channel"]
    offset: Float[Array, "... channel"]  # broadcasts against (trial, time, channel)


class Readout(eqx.Module):
    """A map from states to channels."""

    @abc.abstractmethod
    def prepare(
        self, dynamics: Dynamics, batch: Batch, drive: Float[Array, "trial time drive"] | None
    ) -> tuple[PyTree, Eta]:
        """Per-bin context with leading axes (trial, time), and the function (context of a bin, z) -> eta."""

    def linear(
        self, dynamics: Dynamics, batch: Batch, drive: Float[Array, "trial time drive"] | None
    ) -> LinearMap | None:
        """The map as a matrix and an offset, or None where it is not linear in z."""
        return None


class _LinearReadout(Readout):
    def prepare(
        self, dynamics: Dynamics, batch: Batch, drive: Float[Array, "trial time drive"] | None
    ) -> tuple[PyTree, Eta]:
        """See the base class."""
        found = self.linear(dynamics, batch, drive)
        assert found is not None
        weight, offset = found
        offset = jnp.broadcast_to(offset, (*batch.dt.shape, offset.shape[-1])) if offset.ndim == 3 else offset
        per_bin = offset if offset.ndim == 3 else None
        if weight.shape[0] == 1:
            W = weight[0]

            # One matrix of particles: XLA is much slower on a stack of them.
            def product(z: Array) -> Array:
                return (z.reshape(-1, z.shape[-1]) @ W).reshape(*z.shape[:-1], -1)

            return per_bin, lambda o, z: product(z) + (offset if o is None else o[:, None])
        W = weight[batch.session]
        return per_bin, lambda o, z: z @ W + (offset if o is None else o[:, None])


class Affine(_LinearReadout):
    """eta = B'z + b, one B and b per recording session.

    Args:
        latent_dim: dimension of z.
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

    def linear(
        self, dynamics: Dynamics, batch: Batch, drive: Float[Array, "trial time drive"] | None
    ) -> LinearMap:
        """B and b."""
        if self.bias.shape[0] == 1:
            return LinearMap(self.weight, self.bias[0])
        return LinearMap(self.weight, self.bias[batch.session][:, None, :])


class Currents(_LinearReadout):
    """One unit per channel, from its current: eta_i = gain_i (m z + W_u v)_i + bias_i."""

    gain: Float[Array, " channel"]
    bias: Float[Array, " channel"]

    def __init__(self, channels: int, gain: float = 1.0, bias: float = 0.0) -> None:
        self.gain, self.bias = jnp.full(channels, gain), jnp.full(channels, bias)

    def linear(
        self, dynamics: Dynamics, batch: Batch, drive: Float[Array, "trial time drive"] | None
    ) -> LinearMap:
        """Gain times the dynamics' own current."""
        currents, _ = _units(dynamics, self.gain.shape[0])
        basis = jnp.eye(dynamics.latent_dim, dtype=self.gain.dtype)
        weight = (currents(basis, None) * self.gain)[None]
        if drive is None:
            return LinearMap(weight, self.bias)
        still = jnp.zeros((1, 1, dynamics.latent_dim), self.gain.dtype)
        return LinearMap(weight, currents(still, drive) * self.gain + self.bias)


class Rates(Readout):
    """One unit per channel, from its activity: eta_i = gain_i phi(m z + W_u v)_i + bias_i."""

    gain: Float[Array, " channel"]
    bias: Float[Array, " channel"]

    def __init__(self, channels: int, gain: float = 1.0, bias: float = 0.0) -> None:
        self.gain, self.bias = jnp.full(channels, gain), jnp.full(channels, bias)

    def prepare(
        self, dynamics: Dynamics, batch: Batch, drive: Float[Array, "trial time drive"] | None
    ) -> tuple[PyTree, Eta]:
        """See the base class."""
        _, rates = _units(dynamics, self.gain.shape[0])

        def eta(u: Float[Array, "trial drive"] | None, z: Array) -> Array:
            return self.gain * rates(z, None if u is None else u[:, None]) + self.bias

        return drive, eta


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
