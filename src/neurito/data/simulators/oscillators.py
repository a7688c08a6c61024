"""Coupled noisy oscillators."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from neurito.data.simulators.simulation import (
    Noise,
    Simulation,
    Values,
    at_least_one,
    factor,
    spiking,
    streams,
)
from neurito.errors import NeuritoError


def hopf_flow(
    z: Float[np.ndarray, "... xy unit"],
    time: float,
    sigma: Float[np.ndarray, " unit"],
    omega: Float[np.ndarray, " unit"],
) -> Float[np.ndarray, "... xy unit"]:
    r"""Exact solution of x' = x (sigma - r^2) - omega y, y' = y (sigma - r^2) + omega x after `time`.

    \(r(t)^2 = a e^{2\sigma t} / (1 + a (e^{2\sigma t} - 1)/\sigma)\) with a = r(0)^2; the phase grows by
    omega t.
    """
    x, y = z[..., 0, :], z[..., 1, :]
    safe = np.where(sigma == 0, 1.0, sigma)
    gained = np.where(sigma == 0, 2 * time, np.expm1(2 * safe * time) / safe)
    scale = np.exp(sigma * time) / np.sqrt(1 + (x**2 + y**2) * gained)
    c, s = np.cos(omega * time), np.sin(omega * time)
    return np.stack([scale * (c * x - s * y), scale * (s * x + c * y)], -2)


def coupled_oscillators(
    frequency: Sequence[float] | np.ndarray = (2.0, 3.0, 5.0),
    coupling: Values = 0.0,
    *,
    sigma: Values = 4.0,
    noise: Noise = 0.5,
    trials: int = 100,
    bins: int = 100,
    bin_width: float = 0.01,
    substeps: int = 1,
    neurons: int = 50,
    base_rate: float = 10.0,
    gain: float = 0.7,
    seed: int = 0,
) -> Simulation:
    r"""Poisson spikes with rates base_rate exp(W z) from N coupled Stuart-Landau oscillators.

    \(dx_i = [x_i(\sigma_i - r_i^2) - \omega_i y_i + (Kx)_i] dt + s\,dW\), and alike for y with \(+\omega_i
    x_i\). Each step is a splitting: Euler for the coupling, the exact flow of the single oscillators, the
    noise. Trials start at random phases on the uncoupled cycles.

    Args:
        frequency: of each oscillator, Hz; omega = 2 pi frequency.
        coupling: K, 1/s, (oscillator, oscillator) or one number for all pairs; K_ij is the pull of j on i.
        sigma: bifurcation parameter, 1/s, one or one per oscillator; above 0 a cycle of radius sqrt(sigma).
        noise: of the latents, per square root of a second.
        trials: how many.
        bins: per trial.
        bin_width: seconds.
        substeps: of the splitting, per bin.
        neurons: how many.
        base_rate: at the origin, spikes/s.
        gain: W has entries N(0, gain^2 / 2N); log rates vary by gain sqrt(sigma / 2) on the cycles.
        seed: of everything random.

    Returns:
        Latents are x of all oscillators, then y of all.

    Raises:
        NeuritoError: shapes do not fit.

    Source: the oscillators of ElGazzar and van Gerven 2024 (arXiv 2412.12112); the splitting is exact without
    coupling and noise.
    """
    at_least_one(trials=trials, bins=bins, substeps=substeps, neurons=neurons)
    omega = 2 * np.pi * np.asarray(frequency, float).ravel()
    n = len(omega)
    K = np.asarray(coupling, float)
    K = K * (1 - np.eye(n)) if K.ndim == 0 else K
    if K.shape != (n, n):
        raise NeuritoError(f"coupling: shape {K.shape} for {n} oscillators; give a number or ({n}, {n})")
    if np.shape(sigma) not in ((), (n,)):
        raise NeuritoError(f"sigma: shape {np.shape(sigma)} for {n} oscillators; give a number or ({n},)")
    growth = np.broadcast_to(np.asarray(sigma, float), (n,))
    kick = factor(noise, 2 * n)
    system, states, observations = streams(seed)
    weights = gain / math.sqrt(2 * n) * system.standard_normal((2 * n, neurons))
    phase = states.uniform(0, 2 * np.pi, (trials, n))
    z = np.sqrt(np.maximum(growth, 0)) * np.stack([np.cos(phase), np.sin(phase)], 1)
    dt = bin_width / substeps
    latents = np.empty((trials, bins, 2 * n))
    for t in range(bins):
        latents[:, t] = z.reshape(trials, 2 * n)
        for _ in range(substeps):
            z = hopf_flow(z + dt * z @ K.T, dt, growth, omega)
            z += math.sqrt(dt) * (states.standard_normal((trials, 2 * n)) @ kick.T).reshape(z.shape)
    rates = base_rate * np.exp(latents @ weights)
    parameters = {
        "omega": omega,
        "coupling": K,
        "sigma": growth,
        "noise": np.asarray(noise),
        "weights": weights,
    }
    return spiking(rates, latents, bin_width, observations, parameters)
