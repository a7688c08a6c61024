"""The posterior as a dataset."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr
from tests.core import build
from tests.core.kalman import solve
from tests.inference.exact import EXACT, SPEC, TRIALS, VALUES, known, start

import neurito
from neurito.core import runtime
from neurito.data import Trials
from neurito.inference import engine, results
from neurito.models import LowRankRNN

SEED = 0


def exact(name: str) -> np.ndarray:
    return np.array([getattr(solve(EXACT, y), name) for y in VALUES])


def equal(a: xr.Dataset, b: xr.Dataset) -> None:
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=str(name))


@pytest.fixture(scope="module")
def posterior() -> xr.Dataset:
    return neurito.infer(known(), TRIALS, particles=1500, samples=800)


def test_it_agrees_with_the_kalman_smoother(posterior: xr.Dataset) -> None:
    sd = np.sqrt(np.diagonal(exact("smooth_cov"), axis1=-2, axis2=-1))
    np.testing.assert_allclose(posterior["latent_mean"], exact("smooth_mean"), atol=0.08)
    np.testing.assert_allclose(posterior["latent_sd"], sd, atol=0.05)
    np.testing.assert_allclose(
        posterior["latent_quantile"].sel(quantile=0.975), exact("smooth_mean") + 1.96 * sd, atol=0.2
    )
    np.testing.assert_allclose(posterior["filtered"], exact("mean"), atol=0.06)
    np.testing.assert_allclose(
        posterior["filtered_sd"], np.sqrt(np.diagonal(exact("cov"), axis1=-2, axis2=-1)), atol=0.03
    )
    np.testing.assert_allclose(posterior["log_likelihood"], exact("increments").sum(1), atol=0.25)


def test_rates_are_the_readout_of_the_latents(posterior: xr.Dataset) -> None:
    expected = posterior["latent_mean"].values @ EXACT.H.T + EXACT.d
    np.testing.assert_allclose(posterior["rate_mean"], expected, atol=1e-4)
    cov = exact("smooth_cov")
    sd = np.sqrt(np.einsum("ni,btij,nj->btn", EXACT.H, cov, EXACT.H))
    np.testing.assert_allclose(posterior["rate_quantile"].sel(quantile=0.025), expected - 1.96 * sd, atol=0.3)


def test_axes_and_units(posterior: xr.Dataset) -> None:
    assert posterior["latent_mean"].dims == ("trial", "time", "latent")
    assert posterior["rate_quantile"].dims == ("trial", "time", "quantile", "channel")
    np.testing.assert_allclose(posterior["time"], (np.arange(8) + 0.5) * 0.01)
    assert posterior["log_likelihood"].attrs["units"] == "nats"
    assert (posterior["ess"] <= 1 + 1e-6).all()
    assert posterior.attrs["particles"] == 1500
    assert "latent_sample" not in posterior


def test_samples_are_kept_on_request() -> None:
    result = neurito.infer(known(), TRIALS, keep_samples=5, samples=3, quantiles=(0.5,))
    assert result["latent_sample"].shape == (5, 8, 5, 2)
    assert result["rate_quantile"].shape == (5, 8, 1, 3)


def test_one_seed_one_result() -> None:
    first = neurito.infer(known(), TRIALS, seed=2)
    equal(first, neurito.infer(known(), TRIALS, seed=2))
    assert (first["latent_mean"] != neurito.infer(known(), TRIALS, seed=3)["latent_mean"]).all()


def test_devices_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    if jax.device_count() < 2:
        pytest.skip("one device only (JAX_NUM_CPU_DEVICES=2 makes two)")
    one = neurito.infer(known(), TRIALS, mesh=runtime.mesh(1))
    two = neurito.infer(known(), TRIALS, mesh=runtime.mesh(2))
    monkeypatch.setattr(engine, "_CHUNK", 2)
    chunked = neurito.infer(known(), TRIALS, mesh=runtime.mesh(2))
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-5, err_msg=str(name))
        np.testing.assert_allclose(chunked[name], one[name], rtol=1e-4, atol=1e-5, err_msg=str(name))


def test_large_posteriors_come_in_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = engine.engine_of(known(), TRIALS, None, runtime.mesh(1), 64)
    assert len(list(found.chunks(64))) == 1
    monkeypatch.setattr(engine, "_NUMBERS", 2 * 64 * VALUES[0].size)
    assert [(rows.start, rows.stop) for rows, _ in found.chunks(64)] == [(0, 2), (2, 4), (4, 5)]


def ragged() -> Trials:
    values = VALUES.copy()
    values[0, 3] = np.nan
    return build.recording(values, lengths=[8, 8, 6, 6, 3]).hold_out(channels=[1]).forward(2)


@pytest.mark.parametrize("guide", ["optimal", "encoder"])
def test_unread_values_change_no_bit(guide: Any) -> None:
    trials, fitted = ragged(), known(replace(SPEC, guide=guide))
    head = trials.main
    noise = np.random.default_rng(0).normal(size=head.values.shape).astype(np.float32)
    other = trials.with_head("signal", replace(head, values=np.where(head.read, head.values, noise)))
    equal(neurito.infer(fitted, trials), neurito.infer(fitted, other))
    np.testing.assert_array_equal(
        neurito.log_likelihood(fitted, trials, seed=SEED), neurito.log_likelihood(fitted, other, seed=SEED)
    )
    np.testing.assert_array_equal(
        results.expected_counts(fitted, trials, seed=SEED), results.expected_counts(fitted, other, seed=SEED)
    )
    train = {"seed": SEED, "covered": "train"}
    assert (
        neurito.log_likelihood(fitted, trials, **train) != neurito.log_likelihood(fitted, other, **train)
    ).any()


def test_after_a_trials_end_there_is_nothing() -> None:
    result = neurito.infer(known(), ragged())
    for name in result:
        if "time" in result[name].dims:
            there = np.isfinite(result[name]).values.reshape(5, 8, -1)
            np.testing.assert_array_equal(there.all(-1), ragged().exists, err_msg=str(name))
            np.testing.assert_array_equal(there.any(-1), ragged().exists, err_msg=str(name))


def test_counts_are_given_per_second() -> None:
    counts = Trials.from_array(np.random.default_rng(0).poisson(2.0, (3, 6, 3)), bin_width=0.02)
    fitted = start(LowRankRNN(rank=2, units=4, particles=5, kernels=(3, 1), widths=(4,)), counts)
    result = neurito.infer(fitted, counts)
    expected = results.expected_counts(fitted, counts, seed=0)
    np.testing.assert_allclose(result["rate_mean"], expected / 0.02, rtol=1e-5)
    assert result["rate_mean"].attrs["units"] == "spikes/s"


def test_more_particles_a_tighter_bound() -> None:
    few, many = (
        np.mean([neurito.log_likelihood(known(), TRIALS, seed=i, particles=k).sum() for i in range(20)])
        for k in (2, 100)
    )
    truth = exact("increments").sum()
    assert few < many < truth + 0.2
    assert many == pytest.approx(truth, abs=0.5)
    per_bin = results.bound_per_bin(known(), TRIALS, seed=SEED, particles=100)
    assert per_bin == pytest.approx(truth / VALUES[..., 0].size, abs=0.05)


def test_adapted_where_it_can_be() -> None:
    """Held-out channels are weighed without adaptation in training, and not weighed at evaluation."""
    fitted = known(replace(SPEC, adapted=True))
    held = TRIALS.hold_out(channels=[1])
    for covered in ("read", "train"):
        plain = neurito.log_likelihood(known(), held, seed=SEED, covered=covered, particles=400)
        adapted = neurito.log_likelihood(fitted, held, seed=SEED, covered=covered, particles=400)
        np.testing.assert_allclose(adapted, plain, atol=0.6)


def test_samples_of_an_elbo_differ() -> None:
    """Even where it was fitted with one particle."""
    spec = replace(SPEC, objective="elbo", guide="encoder", particles=1)
    result = neurito.infer(known(spec), TRIALS, samples=50)
    assert (result["latent_sd"] > 0.01).all()
    np.testing.assert_allclose(result["filtered"], result["latent_mean"], atol=1e-5)
    assert result.attrs["particles"] == 50


def test_the_given_data_may_lack_sessions_of_a_one_session_model() -> None:
    two = build.recording(VALUES, session=[0, 1, 0, 1, 0])
    np.testing.assert_allclose(
        neurito.infer(known(), two)["latent_mean"], neurito.infer(known(), TRIALS)["latent_mean"], atol=1e-5
    )
