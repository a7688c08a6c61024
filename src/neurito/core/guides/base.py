"""What a guide is: a choice of the noise, given what has been observed."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from neurito.core.batch import Batch
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.factors import Factor
from neurito.core.operators import Diagonal, Scale


class Kick(NamedTuple):
    """q(eps) = N(C s, C C') in place of N(0, I).

    Attributes:
        s: its whitened mean, (trial, particle, noise), or None for the prior.
        C: a square root of its covariance, or None for the prior.
        log_det: log |det C|.
        evidence: log of the integral of p(y_t | z') p(z' | z) over z', where the guide knows it, (trial, particle).
        penalty: what a regulariser adds to the divergence, which is then no bound any more.
        density: the same q(eps) with fixed parameters, whose density is taken in place of its own.
    """

    s: Float[Array, "... noise"] | None = None
    C: Scale | None = None
    log_det: Float[Array, "..."] | float = 0.0
    evidence: Float[Array, "..."] | None = None
    penalty: Float[Array, "..."] | float = 0.0
    density: "Kick | None" = None

    def draw(self, xi: Float[Array, "... noise"]) -> Float[Array, "... noise"]:
        """Eps = C (s + xi)."""
        return xi if self.s is None or self.C is None else self.C @ (self.s + xi)

    def whiten(self, eps: Float[Array, "... noise"]) -> Float[Array, "... noise"]:
        """The xi of which eps is the draw."""
        if self.s is None or self.C is None:
            return eps
        if isinstance(self.C, Diagonal):
            return eps / self.C.d - self.s
        return jnp.linalg.solve(self.C.dense(), eps[..., None])[..., 0] - self.s

    def log_ratio(
        self, xi: Float[Array, "... noise"], eps: Float[Array, "... noise"]
    ) -> Float[Array, "..."] | float:
        """log N(eps; 0, I) - log N(eps; C s, C C') at a draw."""
        if self.density is not None:
            return self.density.log_ratio(self.density.whiten(eps), eps)
        if self.s is None:
            return 0.0
        return 0.5 * jnp.sum(xi**2 - eps**2, -1) + self.log_det

    def kl(self) -> Float[Array, "..."] | float:
        """KL(N(C s, C C') || N(0, I)) in nats, and the penalty."""
        if self.s is None or self.C is None:
            return self.penalty
        square = self.C.d**2 if isinstance(self.C, Diagonal) else jnp.sum(self.C.dense() ** 2, -1)
        return 0.5 * jnp.sum((self.C @ self.s) ** 2 + square - 1, -1) - self.log_det + self.penalty


First = Callable[[Float[Array, "trial particle latent"], Scale], Kick]
Rest = Callable[
    [PyTree, Step, Float[Array, "trial particle latent"], Float[Array, "trial particle latent"], Scale], Kick
]


class Prepared(NamedTuple):
    """A guide with everything done that can be done before the scan.

    Attributes:
        first: (mean, scale) of the initial state -> its kick.
        context: per-bin context of bins 2 to T, leading axes (trial, time).
        rest: (context of a bin, step, z, mean, scale) -> kick.
        every: whether it acts on every sub-step of a bin; otherwise on the last one, the others following the prior.
    """

    first: First
    context: PyTree
    rest: Rest
    every: bool = False


def separated(own: Prepared, fixed: Prepared) -> Prepared:
    """A guide that draws as `own` and is weighed as `fixed`, the same guide with parameters that pass no gradient."""

    def first(mean: Array, scale: Scale) -> Kick:
        return own.first(mean, scale)._replace(density=fixed.first(mean, scale))

    def rest(contexts: tuple[PyTree, PyTree], step: Step, z: Array, mean: Array, scale: Scale) -> Kick:
        mine, theirs = contexts
        return own.rest(mine, step, z, mean, scale)._replace(density=fixed.rest(theirs, step, z, mean, scale))

    return Prepared(first, (own.context, fixed.context), rest, own.every)


class Guide(eqx.Module):
    """A family of proposals over the noise.

    Class attributes:
        exact: its evidence is p(y_t | z_{t-1}) when every head is linear and Gaussian in z, so that the particle may be
            weighted, and resampled, before it moves.
        encoded: it looks at features from an encoder.
    """

    exact = False
    encoded = False

    @abc.abstractmethod
    def prepare(
        self,
        dynamics: Dynamics,
        factor: Factor | None,
        features: Float[Array, "trial time feature"] | None,
        batch: Batch,
        steps: Step,
    ) -> Prepared:
        """Everything that does not depend on the state.

        Args:
            dynamics: the process to be guided.
            factor: what the linear-Gaussian heads *read* say about the state, or None where there is none.
            features: the encoder's output, or None.
            batch: the recording; guides may only look at what is read.
            steps: every bin's step, fields with leading axes (trial, time).
        """
