"""Small models and recordings for the tests."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from tests.core.kalman import LinearGaussian

from neurito.core.batch import Batch
from neurito.core.dynamics import Dynamics, Linear, LowRankRNN
from neurito.core.encoders import CNN
from neurito.core.guides import Bootstrap, Encoded, Guide, Optimal
from neurito.core.noise import Covariance
from neurito.core.observations import Affine, Gaussian, Observation
from neurito.core.scan import Model, scan
from neurito.core.smoothing import trajectories
from neurito.data import Trials
from neurito.models.prepare import to_batch

run = jax.jit(scan, static_argnames=("inference", "covered", "record"))
"""The scan, compiled; give everything after the key by name."""

encode = jax.jit(lambda encoder, batch: encoder(batch))
smooth = jax.jit(trajectories, static_argnums=(3, 4))


def put(module: Any, **leaves: Any) -> Any:
    """A module with some of its fields replaced."""
    names = list(leaves)
    values = [
        jnp.asarray(v, jnp.result_type(float)) if isinstance(v, np.ndarray) else v for v in leaves.values()
    ]
    return eqx.tree_at(lambda m: [getattr(m, n) for n in names], module, values, is_leaf=lambda x: x is None)


def covariance(matrix: np.ndarray) -> Covariance:
    """A full covariance of this value."""
    L = np.linalg.cholesky(matrix)
    sd = np.diag(L)
    return put(Covariance("full", len(matrix), jnp.asarray(sd)), lower=np.tril(L / sd[:, None], -1))


def cov(rng: np.random.Generator, dim: int, size: float) -> np.ndarray:
    """A random covariance matrix with standard deviations near `size`."""
    L = np.tril(0.5 * rng.normal(size=(dim, dim)), -1) + np.eye(dim)
    return size**2 * L @ L.T


def linear_gaussian(seed: int = 0, latents: int = 2, channels: int = 3, noise: float = 0.3) -> LinearGaussian:
    """A stable random model with everything switched on."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(latents, latents)))
    return LinearGaussian(
        A=0.9 * rotation,
        b=0.1 * rng.normal(size=latents),
        Q=cov(rng, latents, noise),
        mu=rng.normal(size=latents),
        S=cov(rng, latents, 0.5),
        H=rng.normal(size=(channels, latents)),
        d=rng.normal(size=channels),
        r=rng.uniform(0.1, 0.5, channels),
    )


def linear(exact: LinearGaussian) -> Linear:
    """The same dynamics as a module."""
    start = Linear(len(exact.mu), 0, covariance(exact.Q), covariance(exact.S), key=jax.random.key(0))
    return put(start, A=exact.A, b=exact.b, initial_mean=exact.mu)


def affine(exact: LinearGaussian) -> Affine:
    """Its readout."""
    channels, latents = exact.H.shape
    start = Affine(latents, channels, 1, key=jax.random.key(0), bias=jnp.zeros(channels))
    return put(start, weight=exact.H.T[None], bias=np.broadcast_to(exact.d, (1, channels)))


def gaussian(exact: LinearGaussian) -> Gaussian:
    """Its observation."""
    return Gaussian(affine(exact), jnp.asarray(exact.r**0.5), (1, len(exact.r)))


def identity_rnn(exact: LinearGaussian, units: int = 5, seed: int = 1) -> LowRankRNN:
    """A low-rank network with the identity as activation that moves as `exact` does: n m = A - a, n h = -b."""
    latents = len(exact.mu)
    rng = np.random.default_rng(seed)
    start = LowRankRNN(
        latents, units, covariance(exact.Q), covariance(exact.S),
        key=jax.random.key(0), activation="identity", decay=0.7,
    )  # fmt: skip
    m = rng.normal(size=(latents, units))
    n = (exact.A - 0.7 * np.eye(latents)) @ np.linalg.pinv(m.T)
    free = rng.normal(
        size=units
    )  # beyond the pseudo-inverse: a part of n that m does not see, so that h reaches b
    free -= m.T @ np.linalg.lstsq(m.T, free, rcond=None)[0]
    n = n + np.outer(exact.b, free)
    h = -free / (free @ free)
    return put(start, m=m, n=n, h=h, initial_mean=exact.mu)


def cnn(channels: int, latents: int, head: str = "signal", seed: int = 0, **options: Any) -> CNN:
    """A tiny encoder for the guide."""
    options = {"kernels": (3, 1), "widths": (4,), "padding": "centred"} | options
    start = CNN(channels, 2 * latents, heads=(head,), key=jax.random.key(seed), **options)
    broad = start.biases[-1].at[latents:].add(1.0)  # so that no weight is huge
    return put(start, biases=(*start.biases[:-1], broad))


GUIDES: dict[str, Guide] = {"bootstrap": Bootstrap(), "optimal": Optimal(), "encoder": Encoded()}


def model(
    dynamics: Dynamics, observation: Observation, guide: str, head: str = "signal", **encoder: Any
) -> Model:
    """A model of one head with the named guide."""
    channels = encoder.pop("channels", 3)
    reads = cnn(channels, dynamics.latent_dim, head, **encoder) if guide == "encoder" else None
    return Model(dynamics, {head: observation}, GUIDES[guide], reads)


def simulate(exact: LinearGaussian, trials: int, bins: int, seed: int = 0) -> np.ndarray:
    """Observations (trial, time, channel)."""
    rng = np.random.default_rng(seed)
    latents, channels = len(exact.mu), len(exact.r)
    z = exact.mu + rng.normal(size=(trials, latents)) @ np.linalg.cholesky(exact.S).T
    out = np.zeros((trials, bins, channels), np.float32)
    for t in range(bins):
        if t:
            z = z @ exact.A.T + exact.b + rng.normal(size=z.shape) @ np.linalg.cholesky(exact.Q).T
        out[:, t] = z @ exact.H.T + exact.d + rng.normal(size=(trials, channels)) * exact.r**0.5
    return out


def recording(values: Any, **options: Any) -> Trials:
    """Trials of continuous values in bins of 10 ms."""
    return Trials.from_array(values, **{"bin_width": 0.01, "kind": "continuous", "missing": "nan", **options})


def batch(trials: Trials) -> Batch:
    """All heads on the device."""
    return to_batch(trials, list(trials.heads))
