"""exp(bound) is an unbiased estimate of the likelihood, whatever the guide and the resampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import recording, run
from tests.core.kalman import solve

from neurito.core.scan import Inference

pytestmark = pytest.mark.usefixtures("x64")

EXACT = build.linear_gaussian(seed=3, channels=2)
VALUES = build.simulate(EXACT, trials=1, bins=5)
COPIES = 20_000


@pytest.mark.parametrize(
    ("guide", "inference"),
    [
        ("optimal", Inference(particles=3)),
        ("optimal", Inference(particles=3, adapted=True)),
        ("optimal", Inference(particles=3, adapted=True, threshold=0.7, resampling="multinomial")),
        ("bootstrap", Inference(particles=6, resampling="multinomial")),
        ("bootstrap", Inference(particles=6, threshold=0.5)),
        ("encoder", Inference(particles=6)),
        ("encoder", Inference(particles=6, resampling="none", objective="iwae")),
    ],
    ids=lambda x: "-".join(map(str, vars(x).values())) if isinstance(x, Inference) else x,
)
def test_mean_of_estimates_is_the_likelihood(guide: str, inference: Inference) -> None:
    model = build.model(build.linear(EXACT), build.gaussian(EXACT), guide, channels=2)
    batch = build.batch(recording(np.repeat(VALUES, COPIES, 0)))
    outcome = run(model, batch, jax.random.key(0), inference=inference)
    ratio = jnp.exp(outcome.bound - solve(EXACT, VALUES[0]).increments.sum())
    error = ratio.std() / COPIES**0.5
    assert error < 0.1
    assert abs(ratio.mean() - 1) < 4 * error


def test_held_out_channels_keep_it_unbiased() -> None:
    """The guide reads less than what is weighed."""
    model = build.model(build.linear(EXACT), build.gaussian(EXACT), "optimal", channels=2)
    trials = recording(np.repeat(VALUES, COPIES, 0)).hold_out(channels=[0])
    inference = Inference(particles=6)
    outcome = run(model, build.batch(trials), jax.random.key(0), inference=inference, covered="train")
    ratio = jnp.exp(outcome.bound - solve(EXACT, VALUES[0]).increments.sum())
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / COPIES**0.5
