"""Everything that can be combined runs and is finite; what cannot is refused with the reason."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import GUIDES, run

from neurito.core.dynamics import Dynamics, Linear, LowRankRNN, Step
from neurito.core.encoders import GRU
from neurito.core.noise import Covariance
from neurito.core.observations import Affine, Gaussian, NegativeBinomial, Observation, Poisson, Rates
from neurito.core.operators import Dense, Scale
from neurito.core.scan import Inference, Model
from neurito.data import Trials
from neurito.errors import NeuritoError

CHANNELS, LATENTS, BINS = 3, 2, 4
KEY = jax.random.key(0)

FORMS = ("scalar", "diagonal", "full")
OBSERVATIONS = ("gaussian", "scalar gaussian", "rates", "poisson", "negative binomial")
WAYS: dict[str, dict[str, Any]] = {
    "systematic": {},
    "multinomial": {"resampling": "multinomial"},
    "threshold": {"threshold": 0.5},
    "iwae": {"resampling": "none", "objective": "iwae"},
    "elbo": {"resampling": "none", "objective": "elbo"},
    "adapted": {"adapted": True},
}


def observation(name: str) -> Observation:
    affine = Affine(LATENTS, CHANNELS, 1, key=KEY, bias=jnp.zeros(CHANNELS))
    match name:
        case "gaussian":
            return Gaussian(affine, 0.5, (1, CHANNELS))
        case "scalar gaussian":
            return Gaussian(affine, 0.5, ())
        case "rates":
            return Gaussian(Rates(CHANNELS), 0.5, (1, CHANNELS))
        case "poisson":
            return Poisson(affine, "softplus", 0.01, True)
        case _:
            return NegativeBinomial(affine, "exp", 0.01, True, CHANNELS)


def dynamics(name: str, noise: Any, initial: Any) -> Dynamics:
    if name == "linear":
        return Linear(LATENTS, 0, Covariance(noise, LATENTS, 0.3), Covariance(initial, LATENTS), key=KEY)
    return LowRankRNN(
        LATENTS, CHANNELS, Covariance(noise, LATENTS, 0.3), Covariance(initial, LATENTS), key=KEY
    )


def encoder(gru: bool) -> Any:
    if gru:
        return GRU(CHANNELS, 2 * LATENTS, 3, "both", ("signal",), key=KEY)
    return build.cnn(CHANNELS, LATENTS)


def recording(counts: bool, ragged: bool) -> Trials:
    rng = np.random.default_rng(0)
    values = rng.poisson(1.0, (2, BINS, CHANNELS)) if counts else rng.normal(size=(2, BINS, CHANNELS))
    trials = Trials.from_array(
        values, bin_width=0.01, kind="counts" if counts else "continuous", name="signal",
        lengths=[BINS, BINS - 1] if ragged else None,
    )  # fmt: skip
    return trials.hold_out(channels=[0]) if ragged else trials


def possible() -> list[tuple[str, ...]]:
    """A walk through all possible combinations in which every pair of choices comes up."""
    rng = np.random.default_rng(0)
    every = [
        (dyn, noise, initial, obs, guide, way)
        for dyn in ("linear", "low-rank")
        for noise in FORMS
        for initial in FORMS
        for obs in OBSERVATIONS
        for guide in GUIDES
        for way in WAYS
        if (guide != "optimal" or "gaussian" in obs)
        and (way != "adapted" or guide == "optimal")
        and (dyn != "linear" or obs != "rates")
    ]
    pairs = lambda c: {((i, c[i]), (j, c[j])) for i in range(6) for j in range(i)}  # noqa: E731
    missing = set().union(*(pairs(c) for c in every))
    chosen = []
    while missing:
        tried = [every[i] for i in rng.integers(0, len(every), 300)]
        best = max(tried, key=lambda c: len(pairs(c) & missing))
        missing -= pairs(best)
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("combination", possible(), ids=", ".join)
def test_combination_runs(combination: tuple[str, ...]) -> None:
    dyn, noise, initial, obs, guide, way = combination
    number = sum(map(len, combination))
    model = Model(
        dynamics(dyn, noise, initial), {"signal": observation(obs)}, GUIDES[guide],
        encoder(gru=number % 2 == 0) if guide == "encoder" else None,
    )  # fmt: skip
    ragged = number % 3 > 0 and way != "adapted"
    batch = build.batch(recording("gaussian" not in obs and obs != "rates", ragged))
    inference = Inference(particles=3, **WAYS[way])
    outcome = run(model, batch, KEY, inference=inference, covered="train")
    assert np.isfinite(outcome.bound).all()
    assert (np.asarray(outcome.ess) <= 3 + 1e-4).all()
    assert (np.asarray(outcome.ess) >= 1 - 1e-4).all()


class Multiplicative(Dynamics):
    """z' = z / 2 + S(z) eps, S of shape (latent, noise), which depends on the state."""

    gain: jax.Array
    latent_dim: int = eqx.field(static=True, default=2)
    noise_dim: int = eqx.field(static=True, default=3)
    init_noise_dim: int = eqx.field(static=True, default=1)

    def init(self, step: Step) -> tuple[jax.Array, Scale]:
        return jnp.zeros(2), Dense(jnp.ones((2, 1)))

    def affine(self, z: jax.Array, step: Step) -> tuple[jax.Array, Scale]:
        return z / 2, Dense(self.gain * (1 + z[..., None] ** 2))


@pytest.mark.parametrize("guide", list(GUIDES))
@pytest.mark.parametrize("way", ["systematic", "adapted", "elbo"])
def test_a_scale_that_depends_on_the_state(guide: str, way: str) -> None:
    """Particles, scales and evidence stay together through resampling: the estimate is still unbiased."""
    if way == "adapted" and guide != "optimal":
        return
    gain = jnp.asarray(0.2 * np.random.default_rng(0).normal(size=(2, 3)))
    values = np.random.default_rng(0).normal(size=(1, 3, CHANNELS))
    batch = build.batch(build.recording(np.repeat(values, 2000, 0)))
    parts = (Multiplicative(gain), {"signal": observation("gaussian")})
    reference = run(Model(*parts, GUIDES["bootstrap"], None), batch, KEY, inference=Inference(particles=200))
    model = Model(*parts, GUIDES[guide], encoder(False) if guide == "encoder" else None)
    outcome = run(model, batch, KEY, inference=Inference(particles=4, **WAYS[way]))
    estimate, error = mean_of_exp(outcome.bound)
    truth, truth_error = mean_of_exp(reference.bound)
    if way == "elbo":
        assert outcome.bound.mean() < np.log(truth)
    else:
        assert abs(estimate - truth) < 4 * (error**2 + truth_error**2) ** 0.5


def mean_of_exp(bound: jax.Array) -> tuple[float, float]:
    w = np.exp(np.asarray(bound, float))
    return w.mean(), w.std() / len(w) ** 0.5


def scan(model: Model, **options: Any) -> Any:
    batch = build.batch(recording("poisson" in str(type(model.heads["signal"])).lower(), False))
    return run(model, batch, KEY, inference=Inference(particles=2, **options))


def linear(obs: str, guide: str, reads: Any = None) -> Model:
    return Model(dynamics("low-rank", "scalar", "scalar"), {"signal": observation(obs)}, GUIDES[guide], reads)


@pytest.mark.parametrize("obs", ["poisson", "rates"])
def test_optimal_needs_linear_gaussian_observations(obs: str) -> None:
    with pytest.raises(NeuritoError, match="guide='encoder'"):
        scan(linear(obs, "optimal"))


def test_adapted_needs_known_weights() -> None:
    with pytest.raises(NeuritoError, match="guide='optimal'"):
        scan(linear("gaussian", "encoder", encoder(False)), adapted=True)
    held_out = build.batch(recording(False, False).hold_out(channels=[0]))
    inference = Inference(particles=2, adapted=True)
    with pytest.raises(NeuritoError, match="scored but not read"):
        run(linear("gaussian", "optimal"), held_out, KEY, inference=inference, covered="train")
    assert np.isfinite(run(linear("gaussian", "optimal"), held_out, KEY, inference=inference).bound).all()


def test_encoder_guide_needs_features() -> None:
    with pytest.raises(NeuritoError, match="no encoder"):
        scan(linear("gaussian", "encoder"))
    with pytest.raises(NeuritoError, match="encoder with 4 features, found 6"):
        scan(linear("gaussian", "encoder", build.cnn(CHANNELS, 3)))
    with pytest.raises(NeuritoError, match="2 kernels needs 1 widths, found 2"):
        build.cnn(CHANNELS, 2, widths=(4, 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"particles": 0}, "particles=0: at least 1"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"objective": "elbo"}, "resampling='none'"),
        ({"objective": "iwae"}, "resampling='none'"),
        ({"adapted": True, "resampling": "none"}, "resampling='systematic'"),
    ],
)
def test_impossible_inference(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NeuritoError, match=message):
        Inference(**options)
