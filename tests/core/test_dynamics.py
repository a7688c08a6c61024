"""Transitions, inputs and where they act."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import run

from neurito.core.dynamics import Dynamics, FullRankRNN, Linear, LowRankRNN, Step
from neurito.core.guides import Bootstrap
from neurito.core.noise import Covariance
from neurito.core.scan import Inference, Model
from neurito.errors import NeuritoError

LATENTS, UNITS, INPUTS, BINS = 2, 6, 2, 10
STILL = Covariance("diagonal", LATENTS, 1e-6)
KEY = jax.random.key(0)
MEAN = Inference(particles=1, objective="iwae", resampling="none")


def low_rank(**options: Any) -> LowRankRNN:
    return LowRankRNN(LATENTS, UNITS, STILL, STILL, key=KEY, input_dim=INPUTS, **options)


def path(dynamics: Dynamics, inputs: np.ndarray) -> np.ndarray:
    """The state of one trial, practically without noise, (time, latent)."""
    trials = build.recording(np.zeros((1, len(inputs), 1)), inputs=inputs[None])
    model = Model(dynamics, {}, Bootstrap(), None)
    outcome = run(model, build.batch(trials), KEY, inference=MEAN, record=True)
    return np.asarray(outcome.record.z)[:, 0, 0]


def impulse(bin_: int) -> np.ndarray:
    inputs = np.zeros((BINS, INPUTS))
    inputs[bin_, 1] = 1
    return inputs


@pytest.mark.parametrize(("mode", "first"), [("raw", 6), ("filtered", 7)])
@pytest.mark.parametrize("kind", [LowRankRNN, FullRankRNN])
def test_when_an_impulse_first_moves_the_state(kind: type, mode: str, first: int) -> None:
    if kind is LowRankRNN:
        dynamics: Dynamics = low_rank(input_mode=mode)
    else:
        noise = Covariance("diagonal", UNITS, 1e-6)
        dynamics = FullRankRNN(UNITS, noise, noise, key=KEY, input_dim=INPUTS, input_mode=mode)
    moved = abs(path(dynamics, impulse(5)) - path(dynamics, np.zeros((BINS, INPUTS)))).max(1)
    assert np.flatnonzero(moved > 1e-4)[0] == first


def test_an_impulse_moves_a_linear_state_one_bin_later() -> None:
    start = Linear(LATENTS, INPUTS, STILL, STILL, key=KEY)
    dynamics = build.put(start, B=np.ones((LATENTS, INPUTS)))
    moved = abs(path(dynamics, impulse(5)) - path(dynamics, np.zeros((BINS, INPUTS)))).max(1)
    assert np.flatnonzero(moved > 1e-4)[0] == 6


@pytest.mark.parametrize("mode", ["raw", "filtered"])
def test_the_first_input_moves_the_start(mode: str) -> None:
    """By (m'm)^-1 m' W_u v_1, and v_1 = 0 where inputs are filtered."""
    dynamics = low_rank(input_mode=mode)
    inputs = impulse(0)
    m, W = np.asarray(dynamics.m, float).T, np.asarray(dynamics.W_u, float).T
    pull = np.linalg.inv(m.T @ m) @ m.T @ W @ inputs[0]
    expected = pull if mode == "raw" else np.zeros(LATENTS)
    np.testing.assert_allclose(path(dynamics, inputs)[0], expected, atol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "clipped_relu", "tanh", "identity"])
@pytest.mark.parametrize("mode", ["raw", "filtered"])
@pytest.mark.parametrize("decay", [0.8, [0.7, 0.9]])
def test_the_equation(activation: str, mode: str, decay: Any) -> None:
    if mode == "filtered" and isinstance(decay, list):
        with pytest.raises(NeuritoError, match="one decay for all latents"):
            low_rank(input_mode=mode, decay=decay)
        return
    dynamics = low_rank(activation=activation, input_mode=mode, decay=decay)
    inputs = np.random.default_rng(0).normal(size=(BINS, INPUTS))
    m, n, h, W = (np.asarray(x, float) for x in (dynamics.m.T, dynamics.n, dynamics.h, dynamics.W_u.T))
    phi = {
        "relu": lambda x: np.maximum(x - h, 0),
        "clipped_relu": lambda x: np.maximum(x + h, 0) - np.maximum(x, 0),
        "tanh": lambda x: np.tanh(x - h),
        "identity": lambda x: x - h,
    }[activation]
    v = inputs
    if mode == "filtered":
        v = np.zeros_like(inputs)
        for t in range(1, BINS):
            v[t] = decay * v[t - 1] + (1 - decay) * inputs[t - 1]
    z = np.linalg.inv(m.T @ m) @ m.T @ W @ v[0]
    expected = [z]
    for t in range(1, BINS):
        z = np.asarray(decay) * z + n @ phi(m @ z + W @ v[t - 1])
        expected.append(z)
    np.testing.assert_allclose(path(dynamics, inputs), expected, atol=1e-4)


def test_full_rank_is_low_rank_of_full_rank() -> None:
    """x = z with m the identity."""
    noise = Covariance("diagonal", 3, 1e-6)
    full = FullRankRNN(3, noise, noise, key=KEY, activation="tanh", decay=0.8)
    low = LowRankRNN(3, 3, noise, noise, key=KEY, activation="tanh", decay=0.8)
    low = build.put(low, m=np.eye(3), n=np.asarray(full.J), h=np.asarray(full.h))
    z, step = jnp.ones((4, 5, 3)), Step(jnp.zeros(1), jnp.ones(1), None)
    np.testing.assert_allclose(full.affine(z, step)[0], low.affine(z, step)[0], rtol=1e-6)


@pytest.mark.parametrize("form", ["scalar", "diagonal", "full"])
def test_noise_covariances(form: Any) -> None:
    covariance = Covariance(form, 3, 0.4)
    if form == "full":
        covariance = build.put(covariance, lower=np.random.default_rng(0).normal(size=(3, 3)))
    L = np.asarray(covariance.scale().dense())
    assert (np.triu(L, 1) == 0).all()
    np.testing.assert_allclose(covariance.variance(), np.diag(L @ L.T), rtol=1e-5)
    if form != "full":
        np.testing.assert_allclose(L, 0.4 * np.eye(3), rtol=1e-6)
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(covariance.scale() @ jnp.asarray(x), x @ L.T, rtol=1e-4, atol=1e-6)


def test_a_rank_above_the_size_is_refused() -> None:
    with pytest.raises(NeuritoError, match="rank=3 exceeds units=2"):
        LowRankRNN(3, 2, Covariance("scalar", 3), Covariance("scalar", 3), key=KEY)


def test_the_starting_values_of_the_paper() -> None:
    wide = Covariance("diagonal", 3, 0.1)
    dynamics = LowRankRNN(3, 4000, wide, wide, key=KEY, activation="relu", input_dim=2)
    for x, bound in ((dynamics.n, 4000**-0.5), (dynamics.m, 3**-0.5), (dynamics.W_u, 2**-0.5)):
        assert abs(x).max() <= bound
        np.testing.assert_allclose(np.asarray(x).std(), bound / 3**0.5, rtol=0.05)
    assert (np.asarray(dynamics.h) == 0).all()
    clipped = LowRankRNN(3, 4000, wide, wide, key=KEY)
    np.testing.assert_allclose(np.asarray(clipped.h).std(), (4000 * 3) ** -0.5, rtol=0.05)
