"""A process whose noise grows with the width of its bins: guides and smoother must take the bin that is left."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import run, smooth
from tests.core.kalman import solve

from neurito.core.dynamics import Dynamics, Step
from neurito.core.operators import Dense, Scale
from neurito.core.scan import Inference
from neurito.data import Trials

pytestmark = pytest.mark.usefixtures("x64")

DT = np.random.default_rng(1).uniform(0.02, 1.0, 8)
START = build.linear_gaussian(seed=3)
L = np.linalg.cholesky(START.Q)
EXACT = replace(START, A=np.eye(2), b=np.zeros(2), Q=DT[:, None, None] * START.Q)
VALUES = np.random.default_rng(2).normal(size=(1, 8, 3)) + START.d
COPIES = 16


class Brownian(Dynamics):
    """z' = z + L sqrt(dt) eps."""

    L: jax.Array
    latent_dim: int = eqx.field(static=True, default=2)
    noise_dim: int = eqx.field(static=True, default=2)
    init_noise_dim: int = eqx.field(static=True, default=2)

    def init(self, step: Step) -> tuple[jax.Array, Scale]:
        return jnp.asarray(START.mu), Dense(jnp.asarray(np.linalg.cholesky(START.S)))

    def affine(self, z: jax.Array, step: Step) -> tuple[jax.Array, Scale]:
        return z, self.scale(step)

    def scale(self, step: Step) -> Scale:
        return Dense(jnp.sqrt(step.dt)[..., None, None] * self.L)


@pytest.mark.parametrize("guide", ["optimal", "encoder"])
def test_filter_and_smoother(guide: str) -> None:
    trials = Trials.from_array(np.repeat(VALUES, COPIES, 0), bin_width=DT, kind="continuous", name="signal")
    model, batch = build.model(Brownian(jnp.asarray(L)), build.gaussian(START), guide), build.batch(trials)
    inference = Inference(particles=500)
    outcome = run(model, batch, jax.random.key(0), inference=inference, record=True)
    answer = solve(EXACT, trials.main.values[0])
    np.testing.assert_allclose(outcome.increments.mean(0), answer.increments, atol=0.05)
    z = smooth(model.dynamics, batch, outcome.record, inference, 200, jax.random.key(5))
    np.testing.assert_allclose(z.mean((0, 2)), answer.smooth_mean, atol=0.04)
