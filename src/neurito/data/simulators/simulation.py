"""What every simulator returns, and the parts that they share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from neurito.data.trials import Trials
from neurito.errors import NeuritoError

Values = float | np.ndarray
"""One number for all, or one each."""

Noise = float | np.ndarray
"""Gaussian noise of a state: a standard deviation for all latents, (latent,) one each, or (latent, latent) a
covariance."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """Simulated trials and the truth behind them.

    Attributes:
        trials: what a model may see.
        rates: (trial, time, neuron), true rates in spikes/s; of continuous signals, the mean without noise.
        latents: (trial, time, latent), true states.
        parameters: of the system, by name.
    """

    trials: Trials
    rates: Float[np.ndarray, "trial time neuron"]
    latents: Float[np.ndarray, "trial time latent"]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def expected(self) -> Float[np.ndarray, "trial time neuron"]:
        """True expected counts per bin."""
        counts: np.ndarray = self.rates * self.trials.dt[..., None]
        return counts


def at_least_one(**numbers: int) -> None:
    """Refuses sizes that are no whole numbers from 1 on, by name.

    Raises:
        NeuritoError: one is not.
    """
    for name, number in numbers.items():
        if number != int(number) or number < 1:
            raise NeuritoError(f"{name}: {number} found; give a whole number, 1 or more")


def streams(seed: int) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
    """Generators for parameters, states and observations: more trials do not change the system."""
    system, states, observations = np.random.default_rng(seed).spawn(3)
    return system, states, observations


def factor(noise: Noise, latents: int, name: str = "noise") -> Float64[np.ndarray, "latent latent"]:
    """S with S S' the covariance of the noise.

    Raises:
        NeuritoError: the shape does not fit, a standard deviation is negative, or a covariance is none.
    """
    given = np.asarray(noise, np.float64)
    if given.ndim < 2 and given.shape in ((), (latents,)) and (given >= 0).all():
        return np.diag(np.broadcast_to(given, (latents,)))
    if given.shape == (latents, latents) and np.allclose(given, given.T):
        values, vectors = np.linalg.eigh(given)
        if values[0] >= -1e-12 * max(values[-1], 1):
            root: np.ndarray = vectors * np.sqrt(np.maximum(values, 0))
            return root
    raise NeuritoError(
        f"{name}: {given.tolist()} found; give a standard deviation, {latents} of them, "
        f"or a covariance ({latents}, {latents})"
    )


def spiking(
    rates: Float[np.ndarray, "trial time neuron"],
    latents: Float[np.ndarray, "trial time latent"],
    bin_width: float,
    rng: np.random.Generator,
    parameters: Mapping[str, Any],
    **trials: Any,
) -> Simulation:
    """Poisson counts with these rates (spikes/s); `trials` are further options of ``Trials.from_array``."""
    _check_width(bin_width)
    if not rates.max() * bin_width < 1e6:
        raise NeuritoError(f"rates of up to {rates.max():.3g} spikes/s; weaken the readout or the noise")
    counts = rng.poisson(rates * bin_width)
    made = Trials.from_array(counts, bin_width=bin_width, kind="counts", **trials)
    return Simulation(made, rates, latents, dict(parameters))


def continuous(
    mean: Float[np.ndarray, "trial time channel"],
    latents: Float[np.ndarray, "trial time latent"],
    bin_width: float,
    noise: Values,
    rng: np.random.Generator,
    parameters: Mapping[str, Any],
    **trials: Any,
) -> Simulation:
    """Signals around this mean with noise of this standard deviation, one for all or one per channel."""
    if np.shape(noise) not in ((), mean.shape[2:]) or not (np.asarray(noise) >= 0).all():
        raise NeuritoError(
            f"observation_noise: {np.asarray(noise).tolist()} found; give a standard deviation, "
            f"or one for each of {mean.shape[2]} channels"
        )
    _check_width(bin_width)
    values = mean + noise * rng.standard_normal(mean.shape)
    made = Trials.from_array(values, bin_width=bin_width, kind="continuous", **trials)
    return Simulation(made, mean, latents, {**parameters, "observation_noise": np.asarray(noise)})


def _check_width(bin_width: float) -> None:
    if not bin_width > 0:
        raise NeuritoError(f"bin_width: {bin_width:g} found; give the width of a bin in seconds")
