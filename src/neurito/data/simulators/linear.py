"""Linear dynamical systems, for which exact answers exist."""

import numpy as np
from jaxtyping import Float

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
from neurito.errors import NeuritoError


def rotations(latents: int = 4, decay: float = 0.98, turns: tuple[float, float] = (0.01, 0.05)) -> np.ndarray:
    """A transition matrix of damped rotations in successive planes (and one decay, if `latents` is odd).

    Args:
        latents: size of the state.
        decay: factor of the radius per bin.
        turns: turns per bin of the first and the last plane.
    """
    A = decay * np.eye(latents)
    planes = latents // 2
    for i, angle in enumerate(2 * np.pi * np.linspace(*turns, planes)):
        here = slice(2 * i, 2 * i + 2)
        A[here, here] = decay * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return A


def _states(
    A: np.ndarray,
    noise: Noise,
    initial_mean: Values,
    initial_noise: Noise | None,
    trials: int,
    bins: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Paths of z_t = A z_{t-1} + eps_t, and the parameters of their law."""
    at_least_one(trials=trials, bins=bins)
    d = len(A)
    if A.shape != (d, d):
        raise NeuritoError(f"A: shape {A.shape} found; give a square matrix (latent, latent)")
    kick = factor(noise, d)
    if initial_noise is None:
        from scipy.linalg import solve_discrete_lyapunov

        if np.abs(np.linalg.eigvals(A)).max() >= 1:
            raise NeuritoError(
                "A: an eigenvalue of modulus 1 or more, hence no stationary start; give initial_noise"
            )
        covariance = solve_discrete_lyapunov(A, kick @ kick.T)
        initial_noise = (covariance + covariance.T) / 2
    start = factor(initial_noise, d, "initial_noise")
    z = initial_mean + rng.standard_normal((trials, d)) @ start.T
    kicks = rng.standard_normal((bins, trials, d)) @ kick.T
    latents = np.empty((trials, bins, d))
    for t in range(bins):
        latents[:, t] = z
        z = z @ A.T + kicks[t]
    law = {
        "A": A,
        "noise_covariance": kick @ kick.T,
        "initial_mean": np.broadcast_to(initial_mean, (d,)),
        "initial_covariance": start @ start.T,
    }
    return latents, law


def linear_gaussian(
    A: Float[np.ndarray, "latent latent"] | None = None,
    C: Float[np.ndarray, "channel latent"] | None = None,
    *,
    bias: Values = 0.0,
    channels: int = 20,
    trials: int = 100,
    bins: int = 100,
    bin_width: float = 0.01,
    noise: Noise = 0.2,
    initial_mean: Values = 0.0,
    initial_noise: Noise | None = None,
    observation_noise: Values = 0.5,
    seed: int = 0,
) -> Simulation:
    r"""\(z_t = A z_{t-1} + \epsilon_t\), \(y_t = C z_t + d + \eta_t\), both noises Gaussian.

    Args:
        A: transition per bin, damped rotations of four latents by default.
        C: readout, \(N(0, 1/\text{latents})\) by default.
        bias: d, one number or one per channel.
        channels: how many, where C is drawn.
        trials: how many.
        bins: per trial.
        bin_width: seconds.
        noise: of the state, per bin.
        initial_mean: of z_1.
        initial_noise: of z_1; stationary by default.
        observation_noise: standard deviation of eta, one number or one per channel.
        seed: of everything random.

    Returns:
        Parameters `A`, `C`, `bias`, `noise_covariance`, `initial_mean`, `initial_covariance`,
        `observation_noise`.

    Raises:
        NeuritoError: shapes do not fit, or A has no stationary start.
    """
    system, states, observations = streams(seed)
    A = rotations() if A is None else A
    C = system.standard_normal((channels, len(A))) / np.sqrt(len(A)) if C is None else C
    latents, law = _states(A, noise, initial_mean, initial_noise, trials, bins, states)
    parameters = {**law, "C": C, "bias": np.asarray(bias)}
    mean = latents @ C.T + bias
    return continuous(mean, latents, bin_width, observation_noise, observations, parameters)


def linear_poisson(
    A: Float[np.ndarray, "latent latent"] | None = None,
    C: Float[np.ndarray, "neuron latent"] | None = None,
    *,
    base_rate: Values = 10.0,
    neurons: int = 50,
    trials: int = 100,
    bins: int = 100,
    bin_width: float = 0.01,
    noise: Noise = 0.2,
    initial_mean: Values = 0.0,
    initial_noise: Noise | None = None,
    seed: int = 0,
) -> Simulation:
    r"""\(z_t = A z_{t-1} + \epsilon_t\), Poisson counts with rates \(\text{base rate} \cdot e^{C z_t}\).

    Args:
        A: transition per bin, damped rotations of four latents by default.
        C: readout, \(N(0, 1/(4\,\text{latents}))\) by default.
        base_rate: at z = 0, spikes/s, one number or one per neuron.
        neurons: how many, where C is drawn.
        trials: how many.
        bins: per trial.
        bin_width: seconds.
        noise: of the state, per bin.
        initial_mean: of z_1.
        initial_noise: of z_1; stationary by default.
        seed: of everything random.

    Returns:
        Parameters `A`, `C`, `base_rate`, `noise_covariance`, `initial_mean`, `initial_covariance`.

    Raises:
        NeuritoError: shapes do not fit, or A has no stationary start.
    """
    system, states, observations = streams(seed)
    A = rotations() if A is None else A
    C = system.standard_normal((neurons, len(A))) / np.sqrt(4 * len(A)) if C is None else C
    latents, law = _states(A, noise, initial_mean, initial_noise, trials, bins, states)
    parameters = {**law, "C": C, "base_rate": np.asarray(base_rate)}
    return spiking(base_rate * np.exp(latents @ C.T), latents, bin_width, observations, parameters)
