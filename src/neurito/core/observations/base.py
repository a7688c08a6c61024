"""What an observation model is: the probability of a bin's values given the state."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from neurito.core.batch import Batch, Mask, Signal
from neurito.core.dynamics.base import Dynamics
from neurito.core.factors import Factor

LogProb = Callable[[PyTree, Float[Array, "trial particle latent"]], Float[Array, "trial particle"]]


class Observation(eqx.Module):
    """p(y_t | z_t) of one head, with entries that do not count left out exactly."""

    @abc.abstractmethod
    def prepare(
        self,
        dynamics: Dynamics,
        batch: Batch,
        drive: Float[Array, "trial time drive"] | None,
        signal: Signal,
        mask: Mask,
    ) -> tuple[PyTree, LogProb]:
        """Everything that does not depend on the state, once, before the scan.

        Returns:
            per-bin context with leading axes (trial, time), and the function (context of a bin, z) -> log p(y_t | z_t)
            in nats, all constants included.
        """

    @abc.abstractmethod
    def mean(
        self,
        dynamics: Dynamics,
        batch: Batch,
        drive: Float[Array, "trial time drive"] | None,
        z: Float[Array, "trial time sample latent"],
    ) -> Float[Array, "trial time sample channel"]:
        """E[y_t | z_t]: expected counts per bin, or the signal's own unit."""

    @abc.abstractmethod
    def sample(
        self, mean: Float[Array, "trial ... channel"], batch: Batch, key: PRNGKeyArray
    ) -> Float[Array, "trial ... channel"]:
        """A draw of y given its mean."""

    def factor(
        self,
        dynamics: Dynamics,
        batch: Batch,
        drive: Float[Array, "trial time drive"] | None,
        signal: Signal,
        mask: Mask,
    ) -> Factor | None:
        """The likelihood as a Gaussian factor in z where it is one, otherwise None."""
        return None


def over_time(
    readout_context: PyTree, eta: Callable[..., Array], z: Float[Array, "trial time sample latent"]
) -> Array:
    """A per-bin function applied to every bin at once."""
    return jax.vmap(eta, in_axes=(1, 1), out_axes=1)(readout_context, z)
