"""Priors of parameters: densities, names, and what maximising the posterior gives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurito
from neurito.core.dynamics import Linear
from neurito.core.noise import Covariance
from neurito.core.parameters import covers, parameters
from neurito.core.priors import Prior, check, log_prior
from neurito.data import Trials
from neurito.errors import NeuritoError
from neurito.models import CoupledOscillatorSDE, LinearSDE

KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize(
    ("words", "law"),
    [
        ("x ~ normal(1.5, 0.3)", stats.norm(1.5, 0.3)),
        (" x~lognormal( 2 , 0.5)", stats.lognorm(0.5, scale=2)),
        ("x ~ laplace(-1, 2e-1)", stats.laplace(-1, 0.2)),
    ],
)
def test_densities_are_those_of_scipy(words: str, law: Any) -> None:
    x = np.array([0.4, 1.1, 3.0])
    np.testing.assert_allclose(Prior.of(words).log_density(jnp.asarray(x)), law.logpdf(x).sum(), rtol=1e-12)


def test_a_prior_is_on_what_a_parameter_stands_for() -> None:
    model = Linear(
        2, 0, Covariance("diagonal", 2, 0.5), Covariance("diagonal", 2, 1.0), key=jax.random.key(0)
    )
    values = parameters(model)
    sd = next(name for name in values if name.startswith("noise") and values[name].ndim)
    found = log_prior(model, (Prior.of(f"{sd} ~ lognormal(0.5, 0.1)"), Prior.of("A ~ normal(0, 2)")))
    expected = (
        stats.lognorm(0.1, scale=0.5).logpdf(values[sd]).sum() + stats.norm(0, 2).logpdf(values["A"]).sum()
    )
    assert float(found) == pytest.approx(expected)
    with pytest.raises(NeuritoError, match="priors: 'B' names no parameter"):
        check(model, (Prior.of("B ~ normal(0, 1)"),))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("omega normal(0, 1)", r"write 'NAME ~ normal\(MEAN, SD\)'"),
        ("omega ~ normal(0)", "with numbers"),
        ("omega ~ normal(a, 1)", "with numbers"),
        ("omega ~ norml(0, 1)", "normal"),
        ("omega ~ normal(0, -1)", "must be positive"),
        ("omega ~ lognormal(0, 1)", "must be positive"),
    ],
)
def test_words_that_are_no_prior(words: str, message: str) -> None:
    with pytest.raises(NeuritoError, match=message):
        CoupledOscillatorSDE(priors=(words,))


def test_a_step_adds_the_gradient_of_the_log_prior_per_bin() -> None:
    """One step of plain gradient descent with and without priors, the same noise."""
    counts = np.random.default_rng(0).poisson(0.5, (5, 7, 3))
    trials = Trials.from_array(counts, bin_width=0.1)
    small: dict[str, Any] = {"latents": 2, "hidden": 2, "context": 2, "control": 2, "decoder": (3,)}
    names = ("heads.*.readout.bias", "dynamics.diffusion.sd")
    priors = (f"{names[0]} ~ normal(0.3, 0.1)", f"{names[1]} ~ lognormal(0.2, 0.5)")
    options: dict[str, Any] = {
        "optimiser": "sgd", "clip": 0.0, "learning_rate": 0.1, "final_learning_rate": 0.1, "schedule": "constant",
        "epochs": 1, "batch_size": 5, "steps_per_call": 1, "score": "none", "progress": False,
    }  # fmt: skip
    without, with_ = (
        parameters(neurito.fit(LinearSDE(priors=p, **small), trials, **options).fitted.model)
        for p in ((), priors)
    )
    start = parameters(
        LinearSDE(**small).build(neurito.models.Layout.of(trials), jax.random.split(KEY, 3)[0])
    )
    bias, sd = (next(k for k in start if covers(pattern, k)) for pattern in names)
    rate = 0.1 / (5 * 7)
    pull = -(start[bias] - 0.3) / 0.1**2
    np.testing.assert_allclose(with_[bias] - without[bias], rate * pull, rtol=1e-6)
    g = start[sd]  # stored as its logarithm above the floor
    slope = -(np.log(g / 0.2) / 0.5**2 + 1) / g
    floor = 1e-3
    moved = np.log((with_[sd] - floor) / (without[sd] - floor))
    np.testing.assert_allclose(moved, rate * slope * (g - floor), rtol=1e-6)
    others = [k for k in start if k not in (bias, sd)]
    assert all(np.array_equal(with_[k], without[k]) for k in others)
