"""Spike counts: Poisson and negative binomial."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from neurito.core.batch import Batch, Mask, Signal
from neurito.core.observations.base import LogProb, Observation, Scene, entries
from neurito.core.observations.links import FLOOR, LINKS
from neurito.core.observations.readout import Readout
from neurito.core.parameters import Interval, positive


class Counts(Observation):
    """Counts with mean rate_t = link(eta(z_t)) dt / dt_0, in a bin of width dt; dt_0 is the reference width.

    `exposure` (the ratio dt / dt_0) is only carried where bins differ in width.
    """

    readout: eqx.AbstractVar[Readout]
    link: eqx.AbstractVar[str]
    bin_width: eqx.AbstractVar[float]
    regular: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def constant(self, y: Float[Array, "trial time channel"]) -> Float[Array, "trial time channel"]:
        """The part of log p that the rate does not touch."""

    @abc.abstractmethod
    def density(
        self, y: Float[Array, "trial ... 1 channel"], rate: Float[Array, "trial ... particle channel"]
    ) -> Float[Array, "trial ... particle channel"]:
        """The rest of log p."""

    @property
    def whole(self) -> bool:
        """As its readout."""
        return self.readout.whole

    @property
    def together(self) -> int:
        """As its readout."""
        return self.readout.together

    def prepare(self, scene: Scene, signal: Signal, mask: Mask) -> tuple[PyTree, LogProb]:
        """See the base class; the activations of a bin are recomputed, not stored, for the gradient."""
        context, eta = self.readout.prepare(scene)
        weight = entries(signal, mask)
        y = mask.only(signal.y)
        constant = jnp.sum(weight * self.constant(y), -1)
        weights = None if weight.ndim == 1 else weight

        def log_prob(bin_: tuple[PyTree, Array, Array, Array | None, Array | None], z: Array) -> Array:
            inner, y, c, w, exposure = bin_
            rate = self.rate(eta(inner, z), None if exposure is None else exposure[..., None, None])
            terms = self.density(y[..., None, :], rate)
            # As a product: XLA's fused reduction of such terms is many times slower.
            return c[..., None] + (terms @ weight if w is None else jnp.einsum("...kn,...n->...k", terms, w))

        if not self.readout.whole:  # a whole trajectory is weighed once, after the scan
            log_prob = jax.checkpoint(log_prob)
        return (context, y, constant, weights, self._exposure(scene.batch)), log_prob

    def rate(self, eta: Float[Array, "..."], exposure: Float[Array, "..."] | None) -> Float[Array, "..."]:
        """Expected counts per bin."""
        rate = LINKS[self.link](eta) + FLOOR
        return rate if exposure is None else rate * exposure

    def _exposure(self, batch: Batch) -> Float[Array, "trial time"] | None:
        return None if self.regular else batch.dt / self.bin_width

    def mean(
        self, scene: Scene, z: Float[Array, "trial time sample latent"]
    ) -> Float[Array, "trial time sample channel"]:
        """Expected counts per bin."""
        context, eta = self.readout.prepare(scene)
        exposure = self._exposure(scene.batch)
        return self.rate(eta(context, z), None if exposure is None else exposure[:, :, None, None])


class Poisson(Counts):
    """y_t ~ Poisson(link(eta(z_t))).

    Args:
        readout: eta.
        link: exp, softplus or identity (cut at zero).
        bin_width: the reference bin width dt_0, seconds.
        regular: whether every bin has that width.
    """

    readout: Readout
    link: str = eqx.field(static=True)
    bin_width: float = eqx.field(static=True)
    regular: bool = eqx.field(static=True)

    def constant(self, y: Float[Array, "trial time channel"]) -> Float[Array, "trial time channel"]:
        """-log y!"""
        return -gammaln(y + 1)

    def density(
        self, y: Float[Array, "trial ... 1 channel"], rate: Float[Array, "trial ... particle channel"]
    ) -> Float[Array, "trial ... particle channel"]:
        """y log rate - rate."""
        return y * jnp.log(rate) - rate

    def sample(
        self, mean: Float[Array, "trial ... channel"], batch: Batch, key: PRNGKeyArray
    ) -> Float[Array, "trial ... channel"]:
        """Poisson counts."""
        return jax.random.poisson(key, mean).astype(mean.dtype)


class NegativeBinomial(Counts):
    """Counts with mean rate and variance rate + rate^2 / r, r a positive number per channel.

    Args:
        readout: eta.
        link: exp, softplus or identity (cut at zero).
        bin_width: the reference bin width dt_0, seconds.
        regular: whether every bin has that width.
        channels: number of channels.
        concentration: r at the start.
    """

    readout: Readout
    concentration: Interval
    link: str = eqx.field(static=True)
    bin_width: float = eqx.field(static=True)
    regular: bool = eqx.field(static=True)

    def __init__(
        self,
        readout: Readout,
        link: str,
        bin_width: float,
        regular: bool,
        channels: int,
        concentration: float = 10.0,
    ) -> None:
        self.readout, self.link, self.bin_width, self.regular = readout, link, bin_width, regular
        self.concentration = positive(np.full(channels, concentration))

    def constant(self, y: Float[Array, "trial time channel"]) -> Float[Array, "trial time channel"]:
        """log Gamma(y + r) - log Gamma(r) - y log r - log y!"""
        return _rising(self.concentration.value, y) - gammaln(y + 1)

    def density(
        self, y: Float[Array, "trial ... 1 channel"], rate: Float[Array, "trial ... particle channel"]
    ) -> Float[Array, "trial ... particle channel"]:
        """y log rate - (y + r) log(1 + rate / r)."""
        r = self.concentration.value
        return y * jnp.log(rate) - (y + r) * jnp.log1p(rate / r)

    def sample(
        self, mean: Float[Array, "trial ... channel"], batch: Batch, key: PRNGKeyArray
    ) -> Float[Array, "trial ... channel"]:
        """Poisson counts of a Gamma rate."""
        first, second = jax.random.split(key)
        r = self.concentration.value
        rate = mean / r * jax.random.gamma(first, jnp.broadcast_to(r, mean.shape))
        return jax.random.poisson(second, rate).astype(mean.dtype)


def _rising(r: Float[Array, "..."], y: Float[Array, "..."]) -> Float[Array, "..."]:
    """log Gamma(r + y) - log Gamma(r) - y log r, which stays exact in float32 where r is huge (nearly Poisson).

    Stirling's series at a = r + 8, stepped down to r.
    """
    a = r + 8
    steps = sum(jnp.log1p(y / (r + i)) for i in range(8))
    tail = _stirling(a + y) - _stirling(a)
    return (a + y - 0.5) * jnp.log1p(y / a) - y + tail + y * jnp.log1p(8 / r) - steps


def _stirling(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2, to 1e-10 for x >= 8."""
    return (1 / 12 - (1 / 360 - 1 / (1260 * x**2)) / x**2) / x
