"""Frequencies, growth, radius and coupling of fitted oscillators in seconds and Hz; the same over several runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurito.analysis.alignment import Match
from neurito.core.drifts import (
    Bistable,
    Drift,
    HarmonicOscillators,
    Hopf,
    Hybrid,
    Kuramoto,
    Oscillators,
)
from neurito.core.dynamics import SDE
from neurito.errors import NeuritoError


class Oscillation(NamedTuple):
    """What the parameters of N oscillators say, arrays of JAX or of NumPy.

    Attributes:
        frequency: Hz, of each oscillator by itself; of damped ones, undamped.
        growth: 1/s; of normal forms sigma, the rate at which small oscillations grow, of harmonic ones -gamma / 2, of
            phases 0.
        radius: of the limit cycle of each by itself, in latent units; 0 where there is none, 1 for phases.
        coupling: K_ij from oscillator j to i, 1/s (harmonic: 1/s^2).
    """

    frequency: Float[Any, " unit"]
    growth: Float[Any, " unit"]
    radius: Float[Any, " unit"]
    coupling: Float[Any, "unit unit"]


def known_part(drift: Drift) -> Drift:
    """The known part of a hybrid, else the drift itself."""
    return drift.known if isinstance(drift, Hybrid) else drift


def oscillators_in(dynamics: object) -> Oscillators | Kuramoto | None:
    """The oscillators of fitted dynamics, or None."""
    drift = known_part(dynamics.drift) if isinstance(dynamics, SDE) else None
    return drift if isinstance(drift, Oscillators | Kuramoto) else None


def oscillation(dynamics: SDE) -> Oscillation:
    """Reads the parameters of oscillators, differentiably.

    Raises:
        NeuritoError: the drift has no oscillators.
    """
    drift, tau = oscillators_in(dynamics), dynamics.time_constant
    turn = 1.0 / (2.0 * np.pi * tau)
    match drift:
        case Kuramoto(omega=omega, K=K):
            zero = jnp.zeros_like(omega)
            return Oscillation(jnp.abs(omega) * turn, zero, zero + 1.0, K / tau)
        case HarmonicOscillators(omega=omega, gamma=gamma, K=K):
            damping = -0.5 * gamma.value / tau
            return Oscillation(omega.value * turn, damping, jnp.zeros_like(damping), K / tau**2)
        case Hopf(omega=omega, sigma=sigma, K=K):
            return Oscillation(jnp.abs(omega) * turn, sigma / tau, _root(sigma), K / tau)
        case Bistable(omega=omega, sigma=sigma, K=K):  # r^4 - 2 r^2 = sigma
            outer = jnp.where(sigma > -1.0, 1.0 + _root(1.0 + sigma), 0.0)
            return Oscillation(jnp.abs(omega) * turn, sigma / tau, _root(outer), K / tau)
    raise NeuritoError("these dynamics have no oscillators: fit co-sde, or sde with drift=kuramoto")


def _root(x: Array) -> Array:
    """The root of what is positive, else 0; with a gradient everywhere."""
    return jnp.where(x > 0.0, jnp.sqrt(jnp.where(x > 0.0, x, 1.0)), 0.0)


def cycles_of(dynamics: SDE, z: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... dim"]:
    """States as (x_1 ... x_N, y_1 ... y_N), every oscillator turning from x to y.

    Phases become points of the unit circle; oscillators of negative omega are mirrored, velocities divided by omega and
    their sign turned, so that all turn the same way.
    """
    drift = oscillators_in(dynamics)
    assert drift is not None
    if isinstance(drift, HarmonicOscillators):
        x, v = np.split(z, 2, -1)
        return np.concatenate([x, -v / np.asarray(drift.omega.value, np.float64)], -1)
    direction = np.where(np.asarray(getattr(drift.omega, "value", drift.omega)) < 0.0, -1.0, 1.0)
    x, y = (np.cos(z), np.sin(z)) if isinstance(drift, Kuramoto) else np.split(z, 2, -1)
    return np.concatenate([x, direction * y], -1)


def measured(dynamics: SDE, cycles: Float[np.ndarray, "... dim"]) -> Oscillation:
    """The oscillation as arrays; harmonic coupling in units of each oscillator's own spread.

    Positions of harmonic oscillators have no scale of their own, the decoder can undo any: K_ij is given for positions
    divided by their standard deviations. Normal forms and phases set their own scale.
    """
    found = Oscillation(*(np.asarray(x, np.float64) for x in oscillation(dynamics)))
    if not isinstance(oscillators_in(dynamics), HarmonicOscillators):
        return found
    x = np.split(cycles.reshape(-1, cycles.shape[-1]), 2, -1)[0]
    sd = np.maximum(np.nanstd(x, axis=0), 1e-300)
    return found._replace(coupling=found.coupling * sd / sd[:, None])


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Oscillations of several runs, or of one with its standard errors.

    Attributes:
        mean: over runs.
        spread: standard deviation over runs (n - 1), or the standard errors of a single run; NaN where not known.
        agreement: per coupling, the share of runs that have the sign of its mean, or of one run the probability of its
            sign, Phi(|K| / standard error).
        correlation: of every run's oscillators with those of the first.
    """

    mean: Oscillation
    spread: Oscillation
    agreement: Float[np.ndarray, "unit unit"]
    correlation: Float[np.ndarray, "run unit"]

    @property
    def units(self) -> int:
        """N."""
        return len(self.mean.frequency)


def ensemble(found: Sequence[Oscillation], matches: Sequence[Match]) -> Ensemble:
    """Brings the oscillators of several runs into the order and signs of the first one's, and sums them up.

    Args:
        found: of each run, in its own order.
        matches: of each run with the first one.
    """
    aligned = [
        Oscillation(m.each(o.frequency), m.each(o.growth), m.each(o.radius), m.coupling(o.coupling))
        for o, m in zip(found, matches, strict=True)
    ]
    stacked = [np.stack(values) for values in zip(*aligned, strict=True)]
    mean = Oscillation(*(values.mean(0) for values in stacked))
    several = len(found) > 1
    spread = Oscillation(*(v.std(0, ddof=1) if several else np.full(v.shape[1:], np.nan) for v in stacked))
    same = np.sign(stacked[-1]) == np.sign(mean.coupling)
    agreement = same.mean(0) if several else np.full(same.shape[1:], np.nan)
    return Ensemble(mean, spread, agreement, np.stack([m.correlation for m in matches]))


def single(found: Oscillation, errors: Oscillation) -> Ensemble:
    """One run with standard errors."""
    from scipy.stats import norm

    with np.errstate(divide="ignore", invalid="ignore"):
        agreement = norm.cdf(np.abs(found.coupling) / np.asarray(errors.coupling))
    return Ensemble(found, errors, agreement, np.ones((1, len(found.frequency))))
