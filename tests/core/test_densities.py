"""Log probabilities, constants and all, against scipy; links over their whole range."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from tests.core import build

from neurito.core.dynamics import LowRankRNN
from neurito.core.noise import Covariance
from neurito.core.observations import (
    Affine,
    Currents,
    Gaussian,
    NegativeBinomial,
    Observation,
    Poisson,
    Rates,
    Scene,
)
from neurito.core.observations.links import LINKS, inverse, softplus
from neurito.core.parameters import resolve
from neurito.data import Trials
from neurito.errors import NeuritoError

RNG = np.random.default_rng(0)
CHANNELS, LATENTS, PARTICLES, DT = 3, 2, 5, 0.01
WEIGHT, BIAS = RNG.normal(size=(LATENTS, CHANNELS)), RNG.normal(size=CHANNELS)
Z = RNG.normal(size=(2, PARTICLES, LATENTS))
ETA = Z @ WEIGHT + BIAS  # (trial, particle, channel)


def affine() -> Affine:
    start = Affine(LATENTS, CHANNELS, 1, key=jax.random.key(0), bias=jnp.zeros(CHANNELS))
    return build.put(start, weight=WEIGHT[None], bias=BIAS[None])


def network(**options: Any) -> LowRankRNN:
    noise = Covariance("diagonal", LATENTS, 0.3)
    return LowRankRNN(LATENTS, CHANNELS, noise, noise, key=jax.random.key(0), activation="tanh", **options)


def log_prob(observation: Observation, trials: Trials, z: np.ndarray = Z) -> np.ndarray:
    """Log p of bin 1, (trial, particle)."""
    batch = build.batch(trials)
    signal = batch.signals[trials.name]
    dynamics = resolve(network())
    context, function = resolve(observation).prepare(Scene(dynamics, batch), signal, signal.read)
    return np.asarray(function(jax.tree.map(lambda x: x[:, 1], context), jnp.asarray(z)))


def counts(missing: bool = False, scale: float = 4.0) -> tuple[Trials, np.ndarray, np.ndarray]:
    values = np.random.default_rng(1).poisson(scale, (2, 3, CHANNELS)).astype(float)
    if missing:
        values[0, 1, 1] = np.nan
    read = ~np.isnan(values[:, 1])
    return (
        Trials.from_array(values, bin_width=DT, kind="counts", missing="nan"),
        np.nan_to_num(values[:, 1]),
        read,
    )


@pytest.mark.usefixtures("x64")
class TestAgainstScipy:
    @pytest.mark.parametrize("missing", [False, True])
    @pytest.mark.parametrize(
        ("link", "function"), [("exp", np.exp), ("softplus", lambda x: np.logaddexp(0, x))]
    )
    def test_poisson(self, link: str, function: Any, missing: bool) -> None:
        trials, y, read = counts(missing)
        expected = (stats.poisson.logpmf(y[:, None], function(ETA) + 1e-6) * read[:, None]).sum(-1)
        np.testing.assert_allclose(log_prob(Poisson(affine(), link, DT, True), trials), expected, rtol=1e-10)

    def test_negative_binomial(self) -> None:
        trials, y, read = counts(missing=True)
        rate = np.exp(ETA) + 1e-6
        expected = (stats.nbinom.logpmf(y[:, None], 2.5, 2.5 / (2.5 + rate)) * read[:, None]).sum(-1)
        observation = NegativeBinomial(affine(), "exp", DT, True, CHANNELS, 2.5)
        np.testing.assert_allclose(log_prob(observation, trials), expected, rtol=1e-9)

    def test_gaussian(self) -> None:
        values = RNG.normal(size=(2, 3, CHANNELS))
        values[0, 1, 1] = np.nan
        trials = build.recording(values)
        y = trials.main.values[:, 1].astype(float)
        sd = np.array([0.5, 1.0, 2.0])
        units = network()
        current = Z @ np.asarray(units.m)
        for readout, eta in (
            (affine(), ETA),
            (Currents(CHANNELS, 2.0, 0.3), 2 * current + 0.3),
            (Rates(CHANNELS, 2.0, 0.3), 2 * np.tanh(current - np.asarray(units.h)) + 0.3),
        ):
            for scale in (sd, np.float64(0.7)):
                expected = np.nansum(stats.norm.logpdf(y[:, None], eta, scale), -1)
                shape = (1, CHANNELS) if scale.ndim else ()
                observation = Gaussian(readout, jnp.asarray(scale), shape)
                np.testing.assert_allclose(log_prob(observation, trials), expected, rtol=1e-8)


@pytest.mark.parametrize("concentration", [0.05, 1.0, 30.0, 1e4, 1e6])
def test_negative_binomial_in_single_precision(concentration: float) -> None:
    """Close to Poisson the concentration is huge, and must not cost digits."""
    trials, y, _ = counts(scale=20.0)
    rate = np.exp(ETA) + 1e-6
    p = concentration / (concentration + rate)
    expected = stats.nbinom.logpmf(y[:, None], concentration, p).sum(-1)
    observation = NegativeBinomial(affine(), "exp", DT, True, CHANNELS, concentration)
    found = log_prob(observation, trials, Z.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_softplus_is_accurate_everywhere() -> None:
    x = np.linspace(-80, 80, 20_001).astype(np.float32)
    expected = np.logaddexp(0, x.astype(np.float64))
    np.testing.assert_allclose(softplus(jnp.asarray(x)), expected, rtol=1e-6)
    slope = jax.vmap(jax.grad(softplus))(jnp.asarray(x))
    np.testing.assert_allclose(slope, 1 / (1 + np.exp(-x.astype(np.float64))), rtol=2e-6)
    with jax.enable_x64(True):
        np.testing.assert_allclose(softplus(jnp.asarray(x, float)), expected, rtol=1e-14)


@pytest.mark.parametrize("link", list(LINKS))
def test_a_link_inverts(link: str) -> None:
    rate = np.geomspace(1e-3, 50, 100).astype(np.float32)
    np.testing.assert_allclose(LINKS[link](inverse(link, jnp.asarray(rate))), rate, rtol=1e-4)


@pytest.mark.parametrize("observation", ["poisson", "negative_binomial", "gaussian"])
def test_draws_have_the_mean_and_variance_they_promise(observation: str) -> None:
    trials, _, _ = counts()
    batch = build.batch(trials)
    mean = jnp.full((2, 20_000, CHANNELS), 3.0)
    kinds: dict[str, tuple[Observation, float]] = {
        "poisson": (Poisson(affine(), "exp", DT, True), 3.0),
        "negative_binomial": (NegativeBinomial(affine(), "exp", DT, True, CHANNELS, 2.0), 3.0 + 9 / 2),
        "gaussian": (Gaussian(affine(), 0.5, (1, CHANNELS)), 0.25),
    }
    model, variance = kinds[observation]
    y = np.asarray(model.sample(mean, batch, jax.random.key(0)), float)
    np.testing.assert_allclose(y.mean(1), 3.0, atol=5 * (variance / 20_000) ** 0.5)
    np.testing.assert_allclose(y.var(1), variance, rtol=0.1)


def test_each_session_has_its_own_readout_and_noise() -> None:
    values = RNG.normal(size=(2, 3, CHANNELS))
    trials = build.recording(values, session=[1, 0], session_names=["a", "b"])
    weight, bias = RNG.normal(size=(2, LATENTS, CHANNELS)), RNG.normal(size=(2, CHANNELS))
    start = Affine(LATENTS, CHANNELS, 2, key=jax.random.key(0), bias=jnp.zeros(CHANNELS))
    readout, sd = build.put(start, weight=weight, bias=bias), RNG.uniform(0.5, 2, (2, CHANNELS))
    found = log_prob(Gaussian(readout, jnp.asarray(sd), sd.shape), trials)
    for trial, session in enumerate((1, 0)):
        eta = Z[trial] @ weight[session] + bias[session]
        expected = stats.norm.logpdf(trials.main.values[trial, 1], eta, sd[session]).sum(-1)
        np.testing.assert_allclose(found[trial], expected, rtol=1e-4)


def test_a_one_to_one_readout_needs_as_many_units_as_channels() -> None:
    trials = build.recording(RNG.normal(size=(2, 3, 4)))
    with pytest.raises(NeuritoError, match="units=4, found units=3"):
        log_prob(Gaussian(Currents(4), 1.0, ()), trials)
