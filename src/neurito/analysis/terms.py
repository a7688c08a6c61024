"""What a drift is made of, and how much each term contributes along trajectories."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurito.core.drifts import Drift, Hybrid, Oscillators
from neurito.core.dynamics import SDE
from neurito.core.parameters import resolve

Term = Callable[[Array, Array, Array | None], Array]


def terms(drift: Drift, inputs: bool) -> dict[str, Term]:
    """The terms f_k(t, x, u) whose sum is the drift, by name.

    Oscillators come apart into each one alone, their coupling and what inputs add; any other drift with a matrix B into
    itself without inputs and what inputs add; a hybrid into those of its known part and the learned one.

    Args:
        drift: of a fitted model.
        inputs: whether it has any.
    """
    match drift:
        case Hybrid(known=known, learned=learned):
            return {**terms(known, inputs), "learned": learned}
        case Oscillators():
            found: dict[str, Term] = {
                "oscillators": lambda t, x, u: jnp.concatenate(drift.local(*jnp.split(x, 2, -1)), -1),
                "coupling": lambda t, x, u: jnp.concatenate(drift.coupled(*jnp.split(x, 2, -1)), -1),
            }
        case _:
            if getattr(drift, "B", None) is None:
                return {"known": drift}
            found = {"known": lambda t, x, u: drift(t, x, None)}
    if inputs and getattr(drift, "B", None) is not None:
        found["input"] = lambda t, x, u: drift(t, x, u) - drift(t, x, None)
    return found


@dataclass(frozen=True, eq=False)
class Shares:
    """The size of each term along trajectories.

    Attributes:
        names: of the terms.
        size: root mean square over bins and samples, latent units per second.
        drift: that of their sum; less than theirs where terms work against each other.
    """

    names: tuple[str, ...]
    size: Float[np.ndarray, "term latent"]
    drift: Float[np.ndarray, " latent"]

    @property
    def share(self) -> Float[np.ndarray, "term latent"]:
        """Size of each term over the sum of all sizes, per latent."""
        return self.size / np.maximum(self.size.sum(0), 1e-300)

    @property
    def total(self) -> Float[np.ndarray, " term"]:
        """The same for the length of the vectors, all latents together."""
        length = np.sqrt((self.size**2).sum(1))
        found: np.ndarray = length / max(float(length.sum()), 1e-300)
        return found


def shares(
    dynamics: SDE,
    z: Float[np.ndarray, "trial time sample latent"],
    dt: Float[np.ndarray, "trial time"],
    inputs: Float[np.ndarray, "trial time input"] | None = None,
) -> Shares:
    """Root mean square of each term of a fitted drift along trajectories.

    Args:
        dynamics: of a fitted model.
        z: states, for instance draws of the posterior; bins with NaN do not count.
        dt: widths of the bins, seconds.
        inputs: of the recording.
    """
    names = terms(dynamics.drift, inputs is not None)
    t = (np.cumsum(dt, 1) - dt)[:, :, None, None] / dynamics.time_constant

    @jax.jit
    def squares(dynamics: SDE, z: Array, t: Array, dt: Array, inputs: Array | None) -> tuple[Array, Array]:
        known: Any = resolve(dynamics)
        u = known.drive(inputs, dt)
        if u is not None:  # interpolated inputs: their values at the beginning of each bin
            u = (u[..., : u.shape[-1] // 2] if known.interpolate else u)[:, :, None]
        there = jnp.isfinite(z).all(-1, keepdims=True)
        x = jnp.where(there, z, 0.0)
        slopes = [f(t, x, u) for f in terms(known.drift, inputs is not None).values()]
        every = jnp.stack([*slopes, sum(slopes)])
        squared = jnp.where(there, jnp.broadcast_to(every, (len(every), *x.shape)) ** 2, 0.0)
        return squared.sum((1, 2, 3)), there.sum()

    float_ = jnp.result_type(float)
    args = (jnp.asarray(x, float_) for x in (z, t, dt))
    total, count = squares(dynamics, *args, None if inputs is None else jnp.asarray(inputs, float_))
    rms = np.sqrt(np.asarray(total, np.float64) / max(int(count), 1)) / dynamics.time_constant
    return Shares(tuple(names), rms[:-1], rms[-1])
