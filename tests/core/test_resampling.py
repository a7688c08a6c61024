"""Offspring: the right number on average, and as even as the scheme promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurito.core.resampling import Scheme, ancestors, uniforms, weights

PARTICLES = 7
log_weights = st.lists(st.floats(-30, 5), min_size=PARTICLES, max_size=PARTICLES).map(np.array)
_ancestors, _weights = jax.jit(ancestors), jax.jit(weights)


def offspring(relative: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """How many times each particle is chosen, (draw, particle)."""
    many = jnp.broadcast_to(jnp.asarray(relative, jnp.float32), (len(uniform), PARTICLES))
    chosen = np.asarray(_ancestors(many, jnp.asarray(uniform, jnp.float32)))
    return (chosen[..., None] == np.arange(PARTICLES)).sum(1)


def normalised(log_w: np.ndarray) -> np.ndarray:
    w = np.exp(log_w - log_w.max())
    return w / w.sum()


@settings(max_examples=50, deadline=None)
@given(log_weights)
def test_systematic_is_within_one_of_the_expected_number(log_w: np.ndarray) -> None:
    grid = (np.arange(200)[:, None] + 0.5) / 200
    w = normalised(log_w)
    got = offspring(w / w.max(), grid)
    assert (got.sum(1) == PARTICLES).all()
    assert (got >= np.floor(PARTICLES * w - 1e-4)).all()
    assert (got <= np.ceil(PARTICLES * w + 1e-4)).all()
    np.testing.assert_allclose(got.mean(0), PARTICLES * w, atol=0.02)


@settings(max_examples=10, deadline=None)
@given(log_weights, st.integers(0, 1000))
def test_multinomial_gives_the_expected_number_on_average(log_w: np.ndarray, seed: int) -> None:
    uniform = np.random.default_rng(seed).uniform(size=(200, PARTICLES))
    w = normalised(log_w)
    got = offspring(w, uniform)
    assert (abs(got.mean(0) - PARTICLES * w) < 6 * np.sqrt(PARTICLES * w * (1 - w) / 200) + 1e-3).all()


def test_what_weighs_nothing_has_no_offspring() -> None:
    w = np.array([0, 0, 0.5, 0, 0.5, 0, 0])
    for uniform in (0.0, 0.3, 1 - 1e-7):
        assert (offspring(w, np.array([[uniform]]))[0, w == 0] == 0).all()


def test_both_searches_agree() -> None:
    """Many particles are found by another method than few."""
    relative = jax.random.uniform(jax.random.key(0), (3, 300))
    uniform = jax.random.uniform(jax.random.key(1), (3, 1))
    chosen = np.asarray(ancestors(relative, uniform))
    for trial in range(3):
        cumulative = np.cumsum(np.asarray(relative[trial], np.float64))
        points = (np.arange(300) + float(uniform[trial, 0])) / 300 * cumulative[-1]
        assert (chosen[trial] != np.searchsorted(cumulative, points, side="right")).mean() < 0.01


@pytest.mark.parametrize(("scheme", "count"), [("systematic", 1), ("multinomial", 9), ("none", 0)])
def test_uniform_numbers(scheme: Scheme, count: int) -> None:
    assert uniforms(scheme, 9) == count


@settings(max_examples=50, deadline=None)
@given(log_weights, st.floats(-1e4, 1e4))
def test_sums_of_weights(log_w: np.ndarray, shift: float) -> None:
    got = _weights(jnp.asarray((log_w + shift)[None], jnp.float32))
    expected = log_w.max() + np.log(np.exp(log_w - log_w.max()).mean()) + shift
    np.testing.assert_allclose(got.log_mean[0], expected, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(got.ess[0], 1 / (normalised(log_w) ** 2).sum(), rtol=2e-2)


def test_all_weights_zero_is_minus_infinity() -> None:
    assert weights(jnp.full((1, 4), -jnp.inf)).log_mean[0] == -jnp.inf


def test_no_gradient_through_the_choice() -> None:
    def total(w: jax.Array) -> jax.Array:
        values = jnp.arange(4.0)
        return values[ancestors(w[None], jnp.array([[0.5]]))[0]].sum()

    assert (np.asarray(jax.grad(total)(jnp.array([1.0, 0.5, 0.2, 0.1]))) == 0).all()
