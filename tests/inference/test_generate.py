"""Simulations and forecasts of models whose moments are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov
from tests.core import build
from tests.core.kalman import solve
from tests.fitting.small import recording
from tests.inference.exact import EXACT, TRIALS, VALUES, known, start

import neurito
from neurito.data import Trials
from neurito.errors import NeuritoError
from neurito.models import LinearDynamics, LowRankRNN


def test_the_stationary_distribution() -> None:
    """Mean (I - A)^-1 b, covariance from the discrete Lyapunov equation, through the readout."""
    drawn = neurito.generate(known(), 4000, 3, burn_in=60)
    z = drawn.latents.reshape(-1, 2).astype(float)
    covariance = solve_discrete_lyapunov(EXACT.A, EXACT.Q)
    np.testing.assert_allclose(z.mean(0), np.linalg.solve(np.eye(2) - EXACT.A, EXACT.b), atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.05 * covariance.max())
    y = drawn.trials.main.values.reshape(-1, 3).astype(float)
    expected = EXACT.H @ covariance @ EXACT.H.T + np.diag(EXACT.r)
    np.testing.assert_allclose(np.cov(y.T), expected, atol=0.05 * expected.max())
    lagged = (z.reshape(4000, 3, 2)[:, 1:] - z.mean(0)).reshape(-1, 2).T @ (
        z.reshape(4000, 3, 2)[:, :-1] - z.mean(0)
    ).reshape(-1, 2)
    np.testing.assert_allclose(lagged / 8000, EXACT.A @ covariance, atol=0.05 * covariance.max())


def test_the_first_bin_is_the_initial_state() -> None:
    z = neurito.generate(known(), 4000, 1).latents[:, 0].astype(float)
    np.testing.assert_allclose(z.mean(0), EXACT.mu, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), EXACT.S, atol=0.05)


def test_trials_differ_and_seeds_repeat() -> None:
    a, b = (neurito.generate(known(), 3, 5, seed=1) for _ in range(2))
    np.testing.assert_array_equal(a.trials.main.values, b.trials.main.values)
    assert (a.latents[0] != a.latents[1]).all()
    assert (a.latents != neurito.generate(known(), 3, 5, seed=2).latents).all()


def test_means_instead_of_observations() -> None:
    drawn = neurito.generate(known(), 3, 5, observation_noise=False)
    np.testing.assert_allclose(drawn.trials.main.values, drawn.mean, rtol=1e-6)
    np.testing.assert_allclose(drawn.mean, drawn.latents @ EXACT.H.T + EXACT.d, rtol=1e-4, atol=1e-4)


def test_counts_with_inputs() -> None:
    """The encoder takes no part; inputs do, those of the burn-in too."""
    counts = Trials.from_array(
        np.random.default_rng(0).poisson(2.0, (3, 6, 3)), bin_width=0.02, inputs=np.ones((3, 6, 1))
    )
    fitted = start(LowRankRNN(rank=2, units=4, kernels=(3, 1), widths=(4,)), counts)
    drawn = neurito.generate(fitted, 200, 5, burn_in=2, inputs=np.ones((7, 1)))
    assert drawn.trials.main.kind == "counts"
    assert drawn.trials.inputs is not None
    assert drawn.trials.inputs.shape == (200, 5, 1)
    assert drawn.trials.bin_width == 0.02
    np.testing.assert_allclose(drawn.trials.main.values.mean(), drawn.mean.mean(), rtol=0.1)
    other = neurito.generate(fitted, 200, 5, burn_in=2, inputs=np.array([[9.0], [9.0], *[[1.0]] * 5]))
    assert (other.latents[:, 0] != drawn.latents[:, 0]).any()
    with pytest.raises(NeuritoError, match=r"the model has inputs .*: give inputs="):
        neurito.generate(fitted, 2, 5)


def test_every_session_has_its_readout() -> None:
    two = recording(4, session=[0, 1, 0, 1])
    fitted = start(LinearDynamics(latents=2), two)
    first, second = (neurito.generate(fitted, 3, 4, session=s, observation_noise=False) for s in (0, 1))
    np.testing.assert_array_equal(first.latents, second.latents)
    assert (first.mean != second.mean).all()


def test_a_model_that_diverges_says_so() -> None:
    with pytest.raises(NeuritoError, match="simulations of the model diverge"):
        neurito.generate(known(exact=replace(EXACT, A=9 * np.eye(2))), 2, 60)


# forecasts


def test_a_forecast_is_the_kalman_prediction() -> None:
    result = neurito.forecast(known(), TRIALS, 5, particles=2000, samples=1000)
    longer = np.concatenate([VALUES, np.zeros((5, 5, 3), np.float32)], 1)
    read = np.arange(13)[:, None] * np.ones(3) < 8
    answers = [solve(EXACT, y, read) for y in longer]
    np.testing.assert_allclose(result["latent_mean"][:, 8:], [a.smooth_mean[8:] for a in answers], atol=0.1)
    sd = np.sqrt([np.diagonal(a.smooth_cov[8:], axis1=-2, axis2=-1) for a in answers])
    np.testing.assert_allclose(result["latent_sd"][:, 8:], sd, atol=0.06)
    np.testing.assert_allclose(result["time"], (np.arange(13) + 0.5) * 0.01)
    rates = np.array([a.smooth_mean for a in answers]) @ EXACT.H.T + EXACT.d
    np.testing.assert_allclose(result["rate_mean"][:, 8:], rates[:, 8:], atol=0.2)


def test_the_likelihood_does_not_change() -> None:
    forecast = neurito.forecast(known(), TRIALS, 3)["log_likelihood"]
    np.testing.assert_allclose(forecast, neurito.infer(known(), TRIALS)["log_likelihood"], rtol=1e-5)


def test_forecasts_need_inputs_and_one_length() -> None:
    driven = recording(3, inputs=np.ones((3, 10, 1)))
    fitted = start(LinearDynamics(latents=2, particles=5), driven, B=np.array([[1.0], [0.0]]))
    with pytest.raises(NeuritoError, match="give inputs= for the 4 new bins"):
        neurito.forecast(fitted, driven, 4)
    up, down = (neurito.forecast(fitted, driven, 4, inputs=[x])["latent_mean"] for x in (9.0, -9.0))
    np.testing.assert_array_equal(up[:, :11], down[:, :11])  # the input of a bin acts on the next
    assert (up[:, 11, 0] > down[:, 11, 0] + 10).all()
    ragged = build.recording(VALUES, lengths=[8, 8, 8, 8, 7])
    with pytest.raises(NeuritoError, match="differ in length"):
        neurito.forecast(known(), ragged, 2)
    with pytest.raises(NeuritoError, match="forecast of 0 bins"):
        neurito.forecast(known(), TRIALS, 0)


def test_forward_bins_are_a_forecast() -> None:
    """Bins that are there and not read give what bins that are not there give."""
    result = neurito.infer(known(), TRIALS.forward(3))
    shorter = TRIALS.select(time=slice(0, 5))
    again = neurito.forecast(known(), shorter, 3)
    np.testing.assert_allclose(result["latent_mean"], again["latent_mean"], rtol=1e-5, atol=1e-6)


def test_keys_are_made_by_seed() -> None:
    a = neurito.log_likelihood(known(), TRIALS, seed=3)
    np.testing.assert_array_equal(a, neurito.log_likelihood(known(), TRIALS, seed=3))
