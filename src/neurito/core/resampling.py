"""Resampling: which particles live on."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Scheme = Literal["systematic", "multinomial", "none"]
_COMPARE_ALL = 128  # up to here K^2 comparisons beat a binary search


def uniforms(scheme: Scheme, particles: int) -> int:
    """How many uniform numbers one resampling of a trial uses."""
    return {"systematic": 1, "multinomial": particles, "none": 0}[scheme]


class Weights(NamedTuple):
    """Weights of particles, relative to the largest, and what is summed over them.

    Attributes:
        relative: w / max w, (..., particle).
        log_mean: log of the mean weight.
        ess: effective sample size, 1 / sum of squared normalised weights.
    """

    relative: Float[Array, "... particle"]
    log_mean: Float[Array, "..."]
    ess: Float[Array, "..."]


def weights(log_w: Float[Array, "... particle"]) -> Weights:
    """Exponentiates once for everything that needs it; where every weight is zero the log mean is -inf."""
    top = jax.lax.stop_gradient(log_w.max(-1))
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    relative = jnp.exp(log_w - top[..., None])
    fixed = jax.lax.stop_gradient(relative)
    return Weights(relative, top + jnp.log(relative.mean(-1)), fixed.sum(-1) ** 2 / (fixed**2).sum(-1))


def ancestors(
    relative: Float[Array, "trial particle"], uniform: Float[Array, "trial draws"]
) -> Int[Array, "trial particle"]:
    """Inverts the cumulative weights at K points: (i + u) / K if one number is given (systematic), else K free ones.

    Each particle's expected number of offspring is K times its weight. Indices carry no gradient.

    Source:
        Douc, Cappe, Moulines 2005.
    """
    particles = relative.shape[-1]
    cumulative = jnp.cumsum(jax.lax.stop_gradient(relative), -1)
    points = (jnp.arange(particles) + uniform) / particles if uniform.shape[-1] == 1 else uniform
    # A little under the sum, so that a point rounded up to it does not fall to a last particle that weighs nothing.
    points = points * (cumulative[:, -1:] * (1 - float(np.finfo(cumulative.dtype).eps)))
    method = "compare_all" if particles <= _COMPARE_ALL else "scan"
    found = jax.vmap(lambda c, p: jnp.searchsorted(c, p, side="right", method=method))(cumulative, points)
    return jnp.minimum(found, particles - 1)
