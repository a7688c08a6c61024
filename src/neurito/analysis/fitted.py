"""The noise-free network, or map, of fitted dynamics, for the analysis of its fixed points and cycles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from neurito.analysis.network import Network
from neurito.core.dynamics import Dynamics, FullRankRNN, Linear, LowRankRNN, Step
from neurito.errors import NeuritoError


def is_network(dynamics: Dynamics) -> TypeGuard[LowRankRNN | FullRankRNN | Linear]:
    """Whether `network_of` knows these dynamics."""
    return isinstance(dynamics, LowRankRNN | FullRankRNN | Linear)


@dataclass(frozen=True)
class BinMap:
    """What one bin does to states (..., R), in double precision whatever JAX is set to."""

    function: Callable[[jax.Array], jax.Array]
    batched = True

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """F(z)."""
        with jax.enable_x64(True):
            return np.asarray(self.function(jnp.asarray(z, float)))


def map_of(dynamics: Dynamics, dt: float, input: ArrayLike | None = None) -> BinMap:
    """What one bin does to a state without noise, for any dynamics.

    Args:
        dynamics: of a fitted model; what depends on time is taken at the start of a trial.
        dt: width of a bin, seconds.
        input: one number per input channel, in the recording's units; None = none.
    """
    with jax.enable_x64(True):
        precise = jax.tree.map(lambda x: jnp.asarray(x, float) if eqx.is_inexact_array(x) else x, dynamics)
        u = None if input is None else jnp.atleast_1d(jnp.asarray(input, float))
        step = Step(jnp.zeros(()), jnp.asarray(dt / dynamics.substeps), u)

    @jax.jit
    def bin_(z: jax.Array) -> jax.Array:
        quiet = jnp.zeros((*z.shape[:-1], dynamics.noise_dim))
        for _ in range(dynamics.substeps):
            mean, scale = precise.affine(z, step)
            z = precise.move(z, mean, scale, step, quiet)
        return z

    return BinMap(bin_)


def network_of(dynamics: Dynamics, input: ArrayLike | None = None) -> Network:
    """What one step does without noise, under a constant input.

    With filtered inputs v has settled at u.

    Args:
        dynamics: of a fitted model, `run.fitted.model.dynamics`.
        input: one number per input channel, in the recording's units; None = none.

    Raises:
        NeuritoError: the dynamics are no network, or the input has another number of channels.
    """
    if not is_network(dynamics):
        raise NeuritoError(
            f"dynamics={type(dynamics).__name__} is no network of units: give a map z -> z instead"
        )
    R = dynamics.latent_dim
    weights = dynamics.B if isinstance(dynamics, Linear) else dynamics.W_u
    pull = np.zeros(())
    if input is not None:
        u = np.atleast_1d(np.asarray(input, np.float64))
        channels = 0 if weights is None else weights.shape[1 if isinstance(dynamics, Linear) else 0]
        if u.shape != (channels,):
            raise NeuritoError(f"input has shape {u.shape}, the dynamics take {channels} input channels")
        matrix = np.asarray(weights, np.float64)
        pull = matrix @ u if isinstance(dynamics, Linear) else u @ matrix
    if isinstance(dynamics, Linear):
        A, b = np.asarray(dynamics.A, np.float64), np.asarray(dynamics.b, np.float64)
        return Network(0.0, np.eye(R), A, np.zeros(R), "identity", constant=b + pull)
    if isinstance(dynamics, LowRankRNN):
        m, n = np.asarray(dynamics.m).T, np.asarray(dynamics.n)
    else:
        m, n = np.eye(R), np.asarray(dynamics.J)
    leak = np.asarray(dynamics.decay.value)
    return Network(leak, m, n, np.asarray(dynamics.h), dynamics.activation, drive=pull)
