"""Guides against the formulas of the textbooks, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import build
from tests.core.build import recording

from neurito.core.dynamics import Linear, Step
from neurito.core.guides import Encoded
from neurito.core.guides.base import Guide, Kick, Prepared
from neurito.core.guides.gaussian import Optimal, condition
from neurito.core.noise import Covariance
from neurito.core.observations import Scene
from neurito.core.operators import Dense, Diagonal, Scale

pytestmark = pytest.mark.usefixtures("x64")

EXACT = build.linear_gaussian(channels=4)
VALUES = build.simulate(EXACT, trials=2, bins=4)
RNG = np.random.default_rng(0)


def prepared(guide: Guide, values: np.ndarray = VALUES, form: str = "full") -> Prepared:
    batch = build.batch(recording(values))
    dynamics, observation, signal = dynamics_of(form), build.gaussian(EXACT), batch.signals["signal"]
    steps = Step(jnp.cumsum(batch.dt, 1), batch.dt, None)
    features = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 4)))
    factor = observation.factor(Scene(dynamics, batch), signal, signal.read)
    return guide.prepare(dynamics, factor, features, batch, steps)


def dynamics_of(form: str) -> Linear:
    dynamics = build.linear(EXACT)
    return dynamics if form == "full" else build.put(dynamics, noise=Covariance(form, 2, 0.4))


def later(guide: Prepared, mean: jax.Array, bin_: int, form: str = "full") -> tuple[Kick, Scale]:
    """The kick of bin `bin_` > 0 for particles with these predicted means, and the dynamics' scale."""
    scale = dynamics_of(form).noise.scale()
    context = jax.tree.map(lambda x: x[:, bin_ - 1], guide.context)
    return guide.rest(context, Step(jnp.zeros(1), jnp.ones(1), None), mean, mean, scale), scale


def moments(kick: Kick, mean: jax.Array, scale: Scale) -> tuple[jax.Array, jax.Array]:
    """Mean and covariance of the proposed state."""
    assert kick.s is not None
    assert kick.C is not None
    spread = scale.dense() @ kick.C.dense()
    return mean + (spread @ kick.s[..., None])[..., 0], spread @ jnp.swapaxes(spread, -1, -2)


@pytest.mark.parametrize("bin_", [0, 2])
@pytest.mark.parametrize("missing", [False, True])
def test_optimal_is_the_kalman_update(bin_: int, missing: bool) -> None:
    values = VALUES.copy()
    read = np.ones(4, bool)
    if missing:
        read[[0, 2]] = False
        values[:, :, ~read] = np.nan
        values[:, 3] = np.nan  # so that there is more than one pattern
    guide = prepared(Optimal(), values)
    mean = jnp.asarray(RNG.normal(size=(2, 5, 2)))
    if bin_:
        kick, scale = later(guide, mean, bin_)
        P = EXACT.Q
    else:
        scale, P = build.linear(EXACT).initial.scale(), EXACT.S
        kick = guide.first(mean, scale)
    H, R = EXACT.H[read], np.diag(EXACT.r[read])
    F = H @ P @ H.T + R
    gain = P @ H.T @ np.linalg.inv(F)
    error = values[:, None, bin_, read] - np.asarray(mean) @ H.T - EXACT.d[read]
    keep = np.eye(2) - gain @ H
    found_mean, found_cov = moments(kick, mean, scale)
    np.testing.assert_allclose(found_mean, np.asarray(mean) + error @ gain.T, atol=1e-9)
    joseph = keep @ P @ keep.T + gain @ R @ gain.T
    np.testing.assert_allclose(found_cov, np.broadcast_to(joseph, found_cov.shape), atol=1e-12)
    expected = -0.5 * (
        np.linalg.slogdet(2 * np.pi * F)[1] + np.einsum("bki,ij,bkj->bk", error, np.linalg.inv(F), error)
    )
    np.testing.assert_allclose(kick.evidence, expected, atol=1e-9)


def test_evidence_is_the_weight_at_any_draw() -> None:
    guide = prepared(Optimal())
    mean = jnp.asarray(RNG.normal(size=(2, 5, 2)))
    kick, scale = later(guide, mean, 2)
    batch = build.batch(recording(VALUES))
    signal = batch.signals["signal"]
    context, log_prob = build.gaussian(EXACT).prepare(Scene(build.linear(EXACT), batch), signal, signal.read)
    here = jax.tree.map(lambda x: x[:, 2], context)
    for _ in range(3):
        xi = jnp.asarray(3 * RNG.normal(size=(2, 5, 2)))
        eps = kick.draw(xi)
        weight = log_prob(here, mean + scale @ eps) + kick.log_ratio(xi, eps)
        np.testing.assert_allclose(weight, kick.evidence, atol=1e-9)


@pytest.mark.parametrize("form", ["scalar", "diagonal", "full"])
def test_encoder_guide_is_a_weighted_mean(form: str) -> None:
    """(1 - alpha) f + alpha mu_e with alpha = precision_e / (precision_e + precision_z), a matrix for full noise."""
    guide = prepared(Encoded(), form=form)
    features = np.random.default_rng(1).normal(size=(2, 4, 4))
    mu, precision = features[..., :2], np.exp(-features[..., 2:])
    mean = jnp.asarray(RNG.normal(size=(2, 5, 2)))
    kick, scale = later(guide, mean, 3, form)
    prior = np.linalg.inv(EXACT.Q) if form == "full" else np.eye(2) / 0.4**2
    alpha = np.stack([np.linalg.solve(np.diag(p) + prior, np.diag(p)) for p in precision[:, 3]])
    f = np.asarray(mean)
    expected = f + np.einsum("bij,bkj->bki", alpha, mu[:, None, 3] - f)
    found_mean, found_cov = moments(kick, mean, scale)
    np.testing.assert_allclose(found_mean, expected, atol=1e-9)
    covs = np.stack([np.linalg.inv(np.diag(p) + prior) for p in precision[:, 3]])[:, None]
    np.testing.assert_allclose(found_cov, np.broadcast_to(covs, found_cov.shape), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_conditioning_a_scale_of_any_shape(seed: int, latent: int, noise: int, diagonal: bool) -> None:
    """C C' is the inverse of I + S'AS, for S square or not."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        root = rng.normal(size=(latent, latent))
        A: Scale = Dense(jnp.asarray(root @ root.T))
        S: Scale = Dense(jnp.asarray(rng.normal(size=(latent, noise))))
        if diagonal:
            A, S = Diagonal(jnp.exp(jnp.asarray(root[0]))), Diagonal(jnp.exp(jnp.asarray(root[-1])))
        got = condition(A, S)
        P = np.eye(S.dense().shape[1]) + S.dense().T @ A.dense() @ S.dense()
        C = np.asarray(got.C.dense())
        np.testing.assert_allclose(C @ C.T, np.linalg.inv(P), atol=1e-9)
        np.testing.assert_allclose(got.CS.dense(), C.T @ S.dense().T, atol=1e-9)
        np.testing.assert_allclose(got.log_det, -0.5 * np.linalg.slogdet(P)[1], atol=1e-9)
