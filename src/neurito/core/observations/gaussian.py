"""Gaussian observations: EEG, LFP, calcium, behaviour."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from neurito.core.batch import Batch, Mask, Signal
from neurito.core.factors import Bin, Factor, gather, linear_gaussian
from neurito.core.observations.base import LogProb, Observation, Scene, entries
from neurito.core.observations.readout import Readout
from neurito.core.operators import Dense
from neurito.core.parameters import Interval, positive


class Gaussian(Observation):
    """y_t ~ N(eta(z_t), diag(sigma^2)).

    Args:
        readout: eta.
        sd: sigma at the start, in the signal's unit; one number, or (session, channel).
        shape: (sessions, channels) for one sigma each, () for one sigma in all.
    """

    readout: Readout
    sd: Interval

    def __init__(self, readout: Readout, sd: float | Float[Array, "..."], shape: tuple[int, ...]) -> None:
        self.readout = readout
        self.sd = positive(jnp.broadcast_to(jnp.asarray(sd), shape))

    @property
    def whole(self) -> bool:
        """As its readout."""
        return self.readout.whole

    @property
    def together(self) -> int:
        """As its readout."""
        return self.readout.together

    def factor(self, scene: Scene, signal: Signal, mask: Mask) -> Factor | None:
        """The whole likelihood as one small quadratic form per bin, where the readout is linear."""
        found = self.readout.linear(scene)
        if found is None or signal.emphasis is not None:
            return None
        sd = jnp.broadcast_to(self.sd.value, (found.weight.shape[0], signal.y.shape[-1]))
        return linear_gaussian(
            signal.y, found.offset, found.weight, sd**-2, mask.pattern, mask.table, mask.session
        )

    def prepare(self, scene: Scene, signal: Signal, mask: Mask) -> tuple[PyTree, LogProb]:
        """See the base class; with a linear readout the channels are summed once, not per particle."""
        factor = self.factor(scene, signal, mask)
        if factor is not None:
            return factor_density(factor)
        context, eta = self.readout.prepare(scene)
        sd = self.sd.value if self.sd.value.ndim == 0 else self.sd.value[mask.session]
        sd = gather(jnp.broadcast_to(sd, mask.table.shape), mask.pattern)
        sd = jnp.broadcast_to(sd, signal.y.shape)
        weight = jnp.broadcast_to(entries(signal, mask), signal.y.shape)

        def log_prob(bin_: tuple[PyTree, Array, Array, Array], z: Array) -> Array:
            inner, y, s, w = (bin_[0], *(x[..., None, :] for x in bin_[1:]))
            error = (y - eta(inner, z)) / s
            return -jnp.sum(w * (0.5 * error**2 + jnp.log(s) + 0.5 * jnp.log(2 * jnp.pi)), -1)

        return (context, mask.only(signal.y), sd, weight), log_prob

    def mean(
        self, scene: Scene, z: Float[Array, "trial time sample latent"]
    ) -> Float[Array, "trial time sample channel"]:
        """eta(z)."""
        context, eta = self.readout.prepare(scene)
        return eta(context, z)

    def sample(
        self, mean: Float[Array, "trial ... channel"], batch: Batch, key: PRNGKeyArray
    ) -> Float[Array, "trial ... channel"]:
        """Mean + sigma N(0, 1)."""
        sd = self.sd.value
        if sd.ndim == 2:
            sd = (
                sd[0]
                if sd.shape[0] == 1
                else jnp.expand_dims(sd[batch.session], tuple(range(1, mean.ndim - 1)))
            )
        return mean + sd * jax.random.normal(key, mean.shape, mean.dtype)


def factor_density(factor: Factor) -> tuple[PyTree, LogProb]:
    """Context and log density of a factor, in the form that the scan asks for."""
    A = gather(factor.precision, factor.pattern) if factor.pattern is not None else factor.precision
    fixed = A if A.ndim == 2 else None
    context = (factor.centre, factor.linear, factor.constant, None if A.ndim == 2 else A)

    def log_prob(bin_: tuple[Array, Array, Array, Array | None], z: Array) -> Array:
        centre, linear, constant, matrix = bin_
        A = Dense(matrix[..., None, :, :]) if matrix is not None else Dense(fixed)  # type: ignore[arg-type]
        return Bin(A, centre[..., None, :], linear[..., None, :], constant[..., None]).log_density(z)

    return context, log_prob
