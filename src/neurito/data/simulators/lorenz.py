"""Spikes driven by the Lorenz attractor."""

import math

import numpy as np
from jaxtyping import Float

from neurito.data.simulators.simulation import Noise, Simulation, at_least_one, factor, spiking, streams

SIGMA, RHO, BETA = 10.0, 28.0, 8 / 3


def drift(state: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
    """The vector field dx = sigma (y - x), dy = x (rho - z) - y, dz = x y - beta z."""
    x, y, z = np.moveaxis(state, -1, 0)
    return np.stack([SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z], -1)


def _advance(state: np.ndarray, time: float) -> np.ndarray:
    """The state after `time`, by Runge-Kutta steps of at most 0.01."""
    n = max(1, math.ceil(time / 0.01))
    dt = time / n
    for _ in range(n):
        a = drift(state)
        b = drift(state + dt / 2 * a)
        c = drift(state + dt / 2 * b)
        d = drift(state + dt * c)
        state = state + dt / 6 * (a + 2 * b + 2 * c + d)
    return state


def lorenz(
    conditions: int = 20,
    trials_per_condition: int = 40,
    neurons: int = 60,
    bins: int = 100,
    bin_width: float = 0.01,
    base_rate: float = 1.0,
    seed: int = 0,
    *,
    gain: float = 3.0,
    speed: float = 2.0,
    noise: Noise = 0.0,
    burn_in: float = 20.0,
) -> Simulation:
    r"""Poisson spikes with rates exp(W X + log base rate) from states X of the Lorenz system.

    Each condition is an initial state on the attractor, from which all its trials start. X is centred and
    divided by its largest absolute value over everything simulated, \(W_{ij} \sim U(-g, g)\).

    By default much like the data set on which LFADS-like models are commonly tried: 60 neurons, 1.8 spikes/s.

    Args:
        conditions: initial states.
        trials_per_condition: trials from each.
        neurons: number of neurons.
        bins: per trial.
        bin_width: seconds.
        base_rate: rate at X = 0, spikes/s.
        seed: of everything.
        gain: g, the largest weight in W.
        speed: units of Lorenz's time per second; a turn of the attractor takes about 0.75 units.
        noise: process noise, added to Lorenz's own coordinates (which reach about 20, 27 and 48), per square
            root of a unit of Lorenz's time. Without it, the trials of a condition share their latents.
        burn_in: units of Lorenz's time before the first bin.

    Returns:
        Trials in order of condition, with metadata `condition`.

    Source: E. N. Lorenz, Journal of the Atmospheric Sciences 20 (1963) 130; as a test of latent dynamics,
    Sussillo et al. 2016 (arXiv 1608.06315).
    """
    at_least_one(conditions=conditions, trials_per_condition=trials_per_condition, neurons=neurons, bins=bins)
    system, states, observations = streams(seed)
    weights = system.uniform(-gain, gain, (3, neurons))
    kick = factor(noise, 3)
    start = _advance(states.standard_normal((conditions, 3)) + np.array([0, 0, RHO - 1]), burn_in)
    copies = trials_per_condition if kick.any() else 1
    state, step = np.repeat(start, copies, 0), speed * bin_width
    path = np.empty((len(state), bins, 3))
    for t in range(bins):
        path[:, t] = state
        state = _advance(state, step)
        if kick.any():
            state = state + math.sqrt(step) * states.standard_normal(state.shape) @ kick.T
    latents = path - path.mean((0, 1))
    latents = np.repeat(latents / np.abs(latents).max(), trials_per_condition // copies, 0)
    rates = base_rate * np.exp(latents @ weights)
    condition = np.repeat(np.arange(conditions), trials_per_condition)
    parameters = {"weights": weights, "base_rate": base_rate, "speed": speed, "noise": np.asarray(noise)}
    return spiking(rates, latents, bin_width, observations, parameters, metadata={"condition": condition})
