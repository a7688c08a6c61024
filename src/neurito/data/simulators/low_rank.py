"""Stochastic low-rank recurrent networks."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from neurito.data.simulators.simulation import (
    Noise,
    Simulation,
    Values,
    at_least_one,
    continuous,
    factor,
    spiking,
    streams,
)
from neurito.errors import NeuritoError, nearest

Function = Callable[..., np.ndarray]


def _ramp(x: np.ndarray) -> np.ndarray:
    above: np.ndarray = np.maximum(x, 0)
    return above


ACTIVATIONS: Mapping[str, Function] = MappingProxyType(
    {
        "relu": lambda x, h: _ramp(x - h),
        "clipped_relu": lambda x, h: _ramp(x + h) - _ramp(x),
        "tanh": lambda x, h: np.tanh(x - h),
        "identity": lambda x, h: x - h,
    }
)
LINKS: Mapping[str, Function] = MappingProxyType(
    {"exp": np.exp, "softplus": lambda x: np.logaddexp(0, x), "relu": _ramp}
)


def low_rank_rnn(
    m: Float[np.ndarray, "unit latent"],
    n: Float[np.ndarray, "latent_of_n unit_of_n"],
    h: Float[np.ndarray, " unit_of_h"],
    decay: Values = 0.9,
    *,
    trials: int = 200,
    bins: int = 75,
    bin_width: float = 0.01,
    activation: str = "relu",
    noise: Noise = 0.05,
    initial_mean: Values = 0.0,
    initial_noise: Noise = 1.0,
    inputs: Float[np.ndarray, "trial time input"] | None = None,
    input_weights: Float[np.ndarray, "unit_of_w input_of_w"] | None = None,
    filtered: bool = False,
    observation: Literal["gaussian", "poisson"] = "gaussian",
    readout: Float[np.ndarray, "neuron latent"] | None = None,
    read_from: Literal["currents", "rates"] = "currents",
    gain: Values = 1.0,
    bias: Values = 0.0,
    link: str = "softplus",
    observation_noise: Values = 0.1,
    metadata: Mapping[str, ArrayLike] | None = None,
    seed: int = 0,
) -> Simulation:
    r"""Simulates \(z_t = a z_{t-1} + n\,\phi(m z_{t-1} + W_u v_{t-1}) + \epsilon_t\) and observes it.

    \(\epsilon_t \sim N(0, \Sigma_z)\), \(z_1 \sim N(\mu_1 + (m'm)^{-1} m' W_u v_1, \Sigma_1)\); phi is one of
    relu(x - h), clipped_relu: relu(x + h) - relu(x), tanh(x - h), identity: x - h. Observed are gain x + bias
    of currents x = m z + W_u v, of rates phi(x), or of C z (`readout`): with Gaussian noise, or as Poisson
    counts with link(gain x + bias) expected per bin.

    Args:
        m: loadings (unit, latent).
        n: selection vectors (latent, unit).
        h: thresholds (unit,).
        decay: a, in (0, 1), one number or one per latent.
        trials: how many, if there are no inputs to tell.
        bins: per trial, likewise.
        bin_width: seconds.
        activation: relu, clipped_relu, tanh or identity.
        noise: of the state, per bin.
        initial_mean: mu_1.
        initial_noise: of the first state.
        inputs: u, which acts on the transition out of its bin.
        input_weights: W_u (unit, input).
        filtered: v_t = a v_{t-1} + (1 - a) u_{t-1}, v_1 = 0, instead of v_t = u_t.
        observation: gaussian or poisson.
        readout: C, for a readout of the latents; one unit per neuron by default.
        read_from: currents or rates, without a readout.
        gain: one number or one per neuron.
        bias: one number or one per neuron.
        link: exp, softplus or relu, for Poisson counts.
        observation_noise: standard deviation of Gaussian observations, one number or one per neuron.
        metadata: for the trials.
        seed: of everything random.

    Raises:
        NeuritoError: shapes do not fit, a name is unknown, or the network diverges.

    Source: Pals et al., NeurIPS 2024 (arXiv 2406.16749).
    """
    units, rank = m.shape
    for name, given, want in (("n", n.shape, (rank, units)), ("h", h.shape, (units,))):
        if given != want:
            raise NeuritoError(f"{name}: shape {given}, but m is {m.shape}; give {want}")
    if (inputs is None) != (input_weights is None):
        raise NeuritoError("inputs and input_weights belong together; give both or neither")
    if filtered and np.ndim(decay):
        raise NeuritoError("filtered: one decay per latent found; filtered inputs need one decay for all")
    phi, squash = _known("activation", activation, ACTIVATIONS), _known("link", link, LINKS)
    if inputs is not None:
        trials, bins = inputs.shape[:2]
    at_least_one(trials=trials, bins=bins)
    currents = _drive(inputs, input_weights, decay if filtered else None)

    _, states, observations = streams(seed)
    drive = np.zeros((trials, bins, units)) if currents is None else currents
    pull = np.linalg.lstsq(m, drive[:, 0].T)[0].T  # (m'm)^-1 m' W_u v_1
    z = (
        initial_mean
        + pull
        + states.standard_normal((trials, rank)) @ factor(initial_noise, rank, "initial_noise").T
    )
    kicks = states.standard_normal((bins, trials, rank)) @ factor(noise, rank).T
    latents = np.empty((trials, bins, rank))
    for t in range(bins):
        latents[:, t] = z
        z = decay * z + phi(z @ m.T + drive[:, t], h) @ n.T + kicks[t]
    if not np.isfinite(latents).all():
        raise NeuritoError(
            "m, n, decay: the network diverges; weaken its weights, or choose a bounded activation"
        )

    if readout is not None:
        x = latents @ readout.T
    else:
        x = latents @ m.T + drive
        x = phi(x, h) if read_from == "rates" else x
    mean = gain * x + bias
    parameters = {
        "m": m,
        "n": n,
        "h": h,
        "decay": np.asarray(decay),
        "noise": np.asarray(noise),
        "gain": np.asarray(gain),
        "bias": np.asarray(bias),
        **({} if readout is None else {"readout": readout}),
        **({} if input_weights is None else {"input_weights": input_weights}),
    }
    about = {"inputs": inputs, "metadata": metadata}
    if observation == "poisson":
        return spiking(squash(mean) / bin_width, latents, bin_width, observations, parameters, **about)
    return continuous(mean, latents, bin_width, observation_noise, observations, parameters, **about)


def _known(name: str, given: str, known: Mapping[str, Function]) -> Function:
    if given not in known:
        raise NeuritoError(f"{name}: {given!r} is unknown; {nearest(given, known)}")
    return known[given]


def _drive(
    inputs: np.ndarray | None, weights: np.ndarray | None, decay: Values | None
) -> Float[np.ndarray, "trial time unit"] | None:
    """W_u v, v the inputs or their low-pass."""
    if inputs is None or weights is None:
        return None
    if inputs.ndim != 3 or weights.shape[1] != inputs.shape[2]:
        raise NeuritoError(f"inputs: shape {inputs.shape} found; give (trial, time, {weights.shape[1]})")
    v = inputs
    if decay is not None:
        v = np.zeros(inputs.shape)
        for t in range(1, inputs.shape[1]):
            v[:, t] = decay * v[:, t - 1] + (1 - decay) * inputs[:, t - 1]
    driven: np.ndarray = v @ weights.T
    return driven
