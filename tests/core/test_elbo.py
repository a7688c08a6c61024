"""The divergence in closed form, and what weighing by it means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import recording, run
from tests.core.kalman import solve

from neurito.core.guides.base import Kick
from neurito.core.operators import Dense, Diagonal, Scale
from neurito.core.scan import Inference

pytestmark = pytest.mark.usefixtures("x64")

EXACT = build.linear_gaussian(seed=5)
VALUES = build.simulate(EXACT, trials=2, bins=5)


@pytest.mark.parametrize("diagonal", [False, True])
def test_divergence_is_the_mean_log_ratio(diagonal: bool) -> None:
    rng = np.random.default_rng(0)
    factor = np.triu(0.5 * rng.normal(size=(3, 3))) + np.eye(3)
    factor = np.diag(np.diag(factor)) if diagonal else factor
    C: Scale = Diagonal(jnp.asarray(np.diag(factor))) if diagonal else Dense(jnp.asarray(factor))
    s = jnp.asarray(rng.normal(size=3))
    kick = Kick(s, C, jnp.asarray(np.linalg.slogdet(factor)[1]))
    xi = jax.random.normal(jax.random.key(0), (200_000, 3))
    samples = -kick.log_ratio(xi, kick.draw(xi))
    assert kick.kl() == pytest.approx(float(samples.mean()), abs=float(5 * samples.std() / len(xi) ** 0.5))
    mean, covariance = factor @ s, factor @ factor.T
    textbook = 0.5 * (np.trace(covariance) + mean @ mean - 3 - np.linalg.slogdet(covariance)[1])
    assert kick.kl() == pytest.approx(float(textbook), rel=1e-10)


def test_a_log_ratio_is_that_of_two_densities() -> None:
    from scipy.stats import multivariate_normal as normal

    factor = np.array([[0.5, 0.3], [0.0, 1.4]])
    s, xi = np.array([0.3, -1.0]), np.array([[0.7, 0.2]])
    kick = Kick(jnp.asarray(s), Dense(jnp.asarray(factor)), jnp.log(0.7))
    eps = np.asarray(kick.draw(jnp.asarray(xi)))[0]
    expected = normal.logpdf(eps, np.zeros(2)) - normal.logpdf(eps, factor @ s, factor @ factor.T)
    np.testing.assert_allclose(kick.log_ratio(jnp.asarray(xi), jnp.asarray(eps[None])), expected)


@pytest.mark.parametrize("guide", ["optimal", "encoder", "bootstrap"])
def test_elbo_is_the_mean_of_single_particle_log_weights(guide: str) -> None:
    """Both estimate the same number, which lies under the likelihood; the bound is a mean over particles."""
    model = build.model(build.linear(EXACT), build.gaussian(EXACT), guide)
    batch = build.batch(recording(np.repeat(VALUES, 500, 0)))
    none = {"resampling": "none"}
    elbo = run(
        model, batch, jax.random.key(0), inference=Inference(particles=8, objective="elbo", **none)
    ).bound
    single = run(
        model, batch, jax.random.key(1), inference=Inference(particles=1, objective="iwae", **none)
    ).bound
    elbo, single = np.asarray(elbo).reshape(2, 500), np.asarray(single).reshape(2, 500)
    truth = [solve(EXACT, y).increments.sum() for y in VALUES]
    spread = ((elbo.var(1) + single.var(1)) / 500) ** 0.5
    assert (abs(elbo.mean(1) - single.mean(1)) < 4 * spread).all()
    assert (elbo.mean(1) < truth).all()
