"""What an observation model is: the probability of a bin's values given the state."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from neurito.core.batch import Batch, Mask, Signal
from neurito.core.dynamics.base import Dynamics
from neurito.core.factors import Factor

LogProb = Callable[[PyTree, Float[Array, "trial ... particle latent"]], Float[Array, "trial ... particle"]]


class Scene(NamedTuple):
    """What is known before any state is.

    Attributes:
        dynamics: the process.
        batch: the recording.
        drive: its inputs as the steps see them.
        features: the encoder's, for decoders that copy from it.
    """

    dynamics: Dynamics
    batch: Batch
    drive: Float[Array, "trial time drive"] | None = None
    features: Float[Array, "trial time feature"] | None = None


class Observation(eqx.Module):
    """p(y_t | z_t) of one head, with entries that do not count left out exactly."""

    @property
    @abc.abstractmethod
    def whole(self) -> bool:
        """Whether p(y_t | z) looks at the whole trajectory, not at z_t alone."""

    @property
    @abc.abstractmethod
    def together(self) -> int:
        """How many bins, of all particles, should be weighed in one go; 0 = any number."""

    @abc.abstractmethod
    def prepare(self, scene: Scene, signal: Signal, mask: Mask) -> tuple[PyTree, LogProb]:
        """Everything that does not depend on the state, once, before the scan.

        Returns:
            per-bin context with leading axes (trial, time), and the function (context of a bin, z) -> log p(y_t | z_t)
            in nats, all constants included. Handed the whole context and a whole trajectory (trial, time, particle,
            latent), the function gives every bin at once; where `whole` is set it takes nothing else.
        """

    @abc.abstractmethod
    def mean(
        self, scene: Scene, z: Float[Array, "trial time sample latent"]
    ) -> Float[Array, "trial time sample channel"]:
        """E[y_t | z_t]: expected counts per bin, or the signal's own unit."""

    @abc.abstractmethod
    def sample(
        self, mean: Float[Array, "trial ... channel"], batch: Batch, key: PRNGKeyArray
    ) -> Float[Array, "trial ... channel"]:
        """A draw of y given its mean."""

    def factor(self, scene: Scene, signal: Signal, mask: Mask) -> Factor | None:
        """The likelihood as a Gaussian factor in z where it is one, otherwise None."""
        return None


def entries(signal: Signal, mask: Mask) -> Float[Array, "... channel"]:
    """The factor on each entry's log-likelihood: 0 or 1, and its emphasis; one row where all bins are alike."""
    weight = mask.table[0] if len(mask.table) == 1 else mask.dense()
    return weight if signal.emphasis is None else weight * signal.emphasis
