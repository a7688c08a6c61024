"""The noise-free network of fitted dynamics, for the analysis of its fixed points and cycles."""

import numpy as np
from numpy.typing import ArrayLike

from neurito.analysis.network import Network
from neurito.core.dynamics import Dynamics, FullRankRNN, Linear, LowRankRNN
from neurito.errors import NeuritoError


def network_of(dynamics: Dynamics, input: ArrayLike | None = None) -> Network:
    """What one step does without noise, under a constant input.

    With filtered inputs v has settled at u.

    Args:
        dynamics: of a fitted model, `run.fitted.model.dynamics`.
        input: one number per input channel, in the recording's units; None = none.

    Raises:
        NeuritoError: the dynamics are no network, or the input has another number of channels.
    """
    if not isinstance(dynamics, LowRankRNN | FullRankRNN | Linear):
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
