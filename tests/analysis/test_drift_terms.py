"""What drifts are made of: frequencies in Hz, terms that add up to the drift, errors that theory knows."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core.build import put
from tests.core.kalman import LinearGaussian, solve

from neurito import NeuritoError, Trials
from neurito.analysis.curvature import Chosen, Curvature, curvature
from neurito.analysis.oscillation import cycles_of, measured, oscillation
from neurito.analysis.terms import shares, terms
from neurito.core import runtime
from neurito.core.drifts import (
    Bistable,
    Drift,
    HarmonicOscillators,
    Hopf,
    Hybrid,
    Kuramoto,
    Linear,
    Perceptron,
)
from neurito.core.dynamics import SDE
from neurito.core.dynamics.sde import Constant
from neurito.core.guides import Optimal
from neurito.core.noise import Covariance
from neurito.core.observations import Affine, Gaussian
from neurito.core.scan import Inference, Model
from neurito.models.prepare import to_batch


@pytest.fixture(autouse=True, scope="module")
def _quickly_compiled() -> Iterator[None]:
    runtime.start()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def sde(drift: Drift, time_constant: float = 0.1, bin_width: float = 0.02, sd: float = 0.5) -> SDE:
    return SDE(
        drift,
        Constant(drift.dim, sd),
        Covariance("scalar", drift.dim, 1.0),
        bin_width=bin_width,
        time_constant=time_constant,
        scheme="euler",
    )


def test_frequencies_are_in_hz_and_rates_per_second() -> None:
    drift = put(Hopf(2, key=KEY), omega=np.array([1.0, -2.0]), sigma=np.array([0.25, -1.0]))
    found = oscillation(sde(drift))
    np.testing.assert_allclose(found.frequency, np.array([1.0, 2.0]) / (2 * np.pi * 0.1), rtol=1e-6)
    np.testing.assert_allclose(found.growth, [2.5, -10.0], rtol=1e-6)
    np.testing.assert_allclose(found.radius, [0.5, 0.0], rtol=1e-6)
    np.testing.assert_allclose(found.coupling, drift.K / 0.1, rtol=1e-6)


def test_radii_are_those_at_which_a_lone_oscillator_stays() -> None:
    drift = Bistable(3, key=KEY)
    drift = put(drift, sigma=np.array([-0.2, 0.5, -2.0]))
    radius = oscillation(sde(drift)).radius
    assert radius[2] == 0.0
    np.testing.assert_allclose(drift.sigma[:2] + 2 * radius[:2] ** 2 - radius[:2] ** 4, 0.0, atol=1e-5)


def test_all_oscillators_turn_the_same_way() -> None:
    t = np.linspace(0, 3, 50)
    for drift, z in (
        (put(Hopf(1, key=KEY), omega=np.array([-2.0])), np.stack([np.cos(2 * t), -np.sin(2 * t)], -1)),
        (Kuramoto(1, key=KEY), 2.0 * t[:, None]),
    ):
        x, y = np.split(cycles_of(sde(drift), z), 2, -1)
        np.testing.assert_allclose(x[:, 0] + 1j * y[:, 0], np.exp(2j * t), atol=1e-6)
    harmonic = HarmonicOscillators(1, key=KEY)
    omega = float(harmonic.omega.value[0])
    z = np.stack([np.cos(omega * t), -omega * np.sin(omega * t)], -1)
    x, y = np.split(cycles_of(sde(harmonic), z), 2, -1)
    np.testing.assert_allclose(x[:, 0] + 1j * y[:, 0], np.exp(1j * omega * t), atol=1e-6)


def test_harmonic_coupling_does_not_depend_on_the_latents_scale() -> None:
    """x' = D x: K becomes D K D^-1, the spreads D times what they were."""
    drift, D = HarmonicOscillators(2, key=KEY), np.array([3.0, 0.5])
    scaled = put(drift, K=np.outer(D, 1 / D) * np.asarray(drift.K))
    z = RNG.standard_normal((100, 4))
    before, after = measured(sde(drift), z), measured(sde(scaled), z * np.tile(D, 2))
    np.testing.assert_allclose(after.coupling, before.coupling, rtol=1e-5)


def test_other_drifts_have_no_oscillators() -> None:
    with pytest.raises(NeuritoError, match="co-sde"):
        oscillation(sde(Linear(2, key=KEY)))


@pytest.mark.parametrize("kind", [Hopf, HarmonicOscillators, Kuramoto])
def test_terms_add_up_to_the_drift(kind: type) -> None:
    known = kind(2, 1, key=KEY)
    known = put(known, B=RNG.standard_normal(known.B.shape))
    drift = Hybrid(known, Perceptron(known.dim, (3,), 1, key=KEY))
    x, u, t = jnp.asarray(RNG.standard_normal((5, known.dim))), jnp.ones((5, 1)), jnp.zeros((5, 1))
    found = terms(drift, inputs=True)
    assert {"learned", "input"} < set(found)
    np.testing.assert_allclose(sum(f(t, x, u) for f in found.values()), drift(t, x, u), atol=1e-5)


def test_shares_are_root_mean_squares_per_second() -> None:
    drift = put(Hopf(1, 1, key=KEY), K=np.array([[2.0]]), B=np.array([[3.0], [0.0]]), omega=np.zeros(1))
    drift = put(drift, sigma=np.zeros(1))
    z = RNG.standard_normal((2, 7, 3, 2))
    z[1, 4:] = np.nan
    inputs = RNG.standard_normal((2, 7, 1))
    found = shares(sde(drift), z, np.full((2, 7), 0.02), inputs)
    there = np.isfinite(z).all(-1)
    x, u = z[there], np.broadcast_to(inputs[:, :, None], (2, 7, 3, 1))[there]
    alone = -x * (x**2).sum(1, keepdims=True)
    push = np.concatenate([3 * u, 0 * u], 1)
    expected = [np.sqrt((f**2).mean(0)) / 0.1 for f in (alone, 2 * x, push, alone + 2 * x + push)]
    assert found.names == ("oscillators", "coupling", "input")
    np.testing.assert_allclose(np.vstack([found.size, found.drift]), expected, rtol=1e-4)
    np.testing.assert_allclose(found.share.sum(0), 1.0)
    assert found.total.sum() == pytest.approx(1.0)


def test_an_observed_ornstein_uhlenbeck_process_has_the_curvature_of_its_likelihood() -> None:
    """x_(t+1) = x_t + h (A x_t + b) + g sqrt(h) eps: -d2 log p / d(A, b)2 = (h / g^2) sum (x_t, 1)(x_t, 1)'."""
    bins, trials, g, h = 30, 3, 0.5, 0.2
    x = np.zeros((trials, bins, 1))
    for t in range(1, bins):
        x[:, t] = x[:, t - 1] * (1 - h) + g * h**0.5 * RNG.standard_normal((trials, 1))
    with jax.enable_x64(True):
        drift = put(Linear(1, key=KEY), A=np.array([[-1.0]]), b=np.zeros(1))
        readout = put(Affine(1, 1, 1, key=KEY, bias=jnp.zeros(1)), weight=np.ones((1, 1, 1)))
        seen = Gaussian(readout, jnp.asarray([1e-5]), (1, 1))
        model = Model(sde(drift, sd=g), {"signal": seen}, Optimal(), None)
        batch = to_batch(Trials.from_array(x, bin_width=0.02, kind="continuous"), ["signal"], 4)
        found = curvature(
            Chosen(model, "dynamics.drift"),
            [batch],
            KEY,
            Inference(particles=1, resampling="none", objective="iwae"),
        )
    before = np.stack([x[:, :-1].ravel(), np.ones(trials * (bins - 1))])
    np.testing.assert_allclose(found.hessian, h / g**2 * before @ before.T, rtol=1e-3)
    assert found.names == ("dynamics.drift.A", "dynamics.drift.b")
    np.testing.assert_allclose(
        found.errors(np.eye(2)), np.sqrt(np.diag(np.linalg.inv(h / g**2 * before @ before.T))), rtol=1e-3
    )


def test_more_particles_bring_the_curvature_to_that_of_the_exact_likelihood() -> None:
    """Beside a Kalman filter: the ELBO is curved too much, log mean weights of many particles are not."""
    T, g, h, noise = 8, 0.5, 0.2, 0.1
    x = np.zeros((20, T, 1))
    x[:, 0] = RNG.standard_normal((20, 1))
    for t in range(1, T):
        x[:, t] = x[:, t - 1] * (1 - h) + g * h**0.5 * RNG.standard_normal((20, 1))
    y = x + noise**0.5 * RNG.standard_normal(x.shape)

    def missing(A: float, b: float) -> float:
        one = np.ones((1, 1))
        exact = LinearGaussian((1 + h * A) * one, h * b * one[0], h * g**2 * one, 0 * one[0], one, one, 0 * one[0],
                               noise * one[0])  # fmt: skip
        return -sum(solve(exact, trial).increments.sum() for trial in y)

    e = 1e-3
    signs = [(a, b) for a in (1, -1) for b in (1, -1)]
    steps = np.eye(2) * e
    H = np.array([[sum(a * b * missing(*(np.array([-1.0, 0.0]) + a * p + b * q)) for a, b in signs)
                   for q in steps] for p in steps]) / (4 * e**2)  # fmt: skip
    errors = np.sqrt(np.diag(np.linalg.inv(H)))
    with jax.enable_x64(True):
        drift = put(Linear(1, key=KEY), A=np.array([[-1.0]]), b=np.zeros(1))
        readout = put(Affine(1, 1, 1, key=KEY, bias=jnp.zeros(1)), weight=np.ones((1, 1, 1)))
        model = Model(
            sde(drift, sd=g),
            {"signal": Gaussian(readout, jnp.asarray([noise**0.5]), (1, 1))},
            Optimal(),
            None,
        )
        batch = to_batch(Trials.from_array(y, bin_width=0.02, kind="continuous"), ["signal"])
        chosen = Chosen(model, "dynamics.drift")
        elbo, iwae = (
            curvature(chosen, [batch], KEY, Inference(particles=k, resampling="none", objective=objective))
            for objective, k in (("elbo", 64), ("iwae", 1024))
        )
    np.testing.assert_allclose(iwae.errors(np.eye(2)), errors, rtol=0.1)
    assert (elbo.errors(np.eye(2)) < 0.9 * errors).all()


def test_a_saddle_has_no_standard_errors() -> None:
    H = np.array([[1.0, 2.0], [2.0, 1.0]])
    found = Curvature(("a", "b"), H, np.linalg.eigvalsh(H))
    assert found.undetermined == 1
    assert np.isnan(found.errors(np.eye(2))).all()


def test_parameters_that_do_not_exist_or_are_too_many_are_refused() -> None:
    model = Model(sde(Perceptron(4, (99,), key=KEY)), {}, Optimal(), None)
    with pytest.raises(NeuritoError, match="several seeds"):
        Chosen(model, "dynamics.drift")
    with pytest.raises(NeuritoError, match="no parameters"):
        Chosen(model, "dynamics.nothing")
