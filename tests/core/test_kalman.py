"""Where everything is linear and Gaussian, the particles must agree with the Kalman filter and smoother."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import recording, run, smooth
from tests.core.kalman import Answer, LinearGaussian, solve

from neurito.core.scan import Inference, Model

pytestmark = pytest.mark.usefixtures("x64")

EXACT = build.linear_gaussian(noise=0.2)
VALUES = build.simulate(EXACT, trials=3, bins=8, seed=1)
COPIES = 8  # of every trial, each with noise of its own, to average over
KEY = jax.random.key(3)
MANY = Inference(particles=1000)


def answers(values: np.ndarray, read: np.ndarray | None = None) -> list[Answer]:
    read = np.ones(values.shape, bool) if read is None else read
    return [solve(EXACT, y, r) for y, r in zip(values, read, strict=True)]


def exact(name: str, values: np.ndarray = VALUES, read: np.ndarray | None = None) -> np.ndarray:
    return np.array([getattr(a, name) for a in answers(values, read)])


def copies(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, COPIES, 0)


def averaged(x: jax.Array) -> np.ndarray:
    return np.asarray(x).reshape(-1, COPIES, *x.shape[1:]).mean(1)


def linear_model(guide: str) -> Model:
    return build.model(build.linear(EXACT), build.gaussian(EXACT), guide)


@pytest.mark.parametrize("adapted", [False, True], ids=["", "adapted"])
@pytest.mark.parametrize("dynamics", [build.linear, build.identity_rnn], ids=["linear", "low-rank"])
def test_likelihood_bin_by_bin(dynamics, adapted: bool) -> None:  # type: ignore[no-untyped-def]
    model = build.model(dynamics(EXACT), build.gaussian(EXACT), "optimal")
    batch = build.batch(recording(copies(VALUES)))
    outcome = run(model, batch, KEY, inference=replace(MANY, adapted=adapted), record=True)
    np.testing.assert_allclose(averaged(outcome.increments), exact("increments"), atol=0.03)
    np.testing.assert_allclose(averaged(outcome.bound), exact("increments").sum(1), atol=0.04)
    np.testing.assert_allclose(outcome.increments.sum(1), outcome.bound, rtol=1e-10)


def test_a_single_bin_is_exact_with_one_particle() -> None:
    outcome = run(
        linear_model("optimal"), build.batch(recording(VALUES[:, :1])), KEY, inference=Inference(particles=1)
    )
    expected = exact("increments", VALUES[:, :1])
    np.testing.assert_allclose(outcome.bound, expected[:, 0], rtol=1e-12)


@pytest.mark.parametrize("guide", ["optimal", "encoder", "bootstrap"])
def test_filter(guide: str) -> None:
    batch = build.batch(recording(copies(VALUES)))
    outcome = run(linear_model(guide), batch, KEY, inference=MANY, record=True)
    w = jax.nn.softmax(outcome.record.log_w, -1)[..., None]
    z = outcome.record.z
    mean = (w * z).sum(2).swapaxes(0, 1)
    second = jnp.einsum("tbk,tbki,tbkj->btij", w[..., 0], z, z)
    truth = exact("mean")
    np.testing.assert_allclose(averaged(mean), truth, atol=0.02)
    np.testing.assert_allclose(
        averaged(second), exact("cov") + truth[..., :, None] * truth[..., None, :], atol=0.03
    )


@pytest.mark.parametrize(
    "inference",
    [
        Inference(particles=300),
        Inference(particles=300, adapted=True),
        Inference(particles=300, threshold=0.5),
    ],
    ids=["every bin", "adapted", "threshold"],
)
def test_smoother(inference: Inference) -> None:
    model, batch = linear_model("optimal"), build.batch(recording(copies(VALUES)))
    outcome = run(model, batch, KEY, inference=inference, record=True)
    z = smooth(model.dynamics, batch, outcome.record, inference, 300, jax.random.key(5))
    truth = exact("smooth_mean")
    np.testing.assert_allclose(averaged(z.mean(2)), truth, atol=0.05)
    second = jnp.einsum("btsi,btsj->btij", z, z) / z.shape[2]
    np.testing.assert_allclose(
        averaged(second), exact("smooth_cov") + truth[..., :, None] * truth[..., None, :], atol=0.05
    )


def test_smoothed_steps_have_the_noise_of_the_model_however_many_there_are() -> None:
    """In single precision and compiled: a sum over a large broadcast has been compiled wrongly before."""
    with jax.enable_x64(False):
        model, batch = linear_model("optimal"), build.batch(recording(copies(VALUES)).forward(2))
        inference = Inference(particles=400)
        outcome = run(model, batch, KEY, inference=inference, record=True)
        z = np.asarray(
            smooth(model.dynamics, batch, outcome.record, inference, 1000, jax.random.key(5)), float
        )
    step = (z[:, -1] - z[:, -2] @ EXACT.A.T - EXACT.b).reshape(-1, 2)
    np.testing.assert_allclose(np.cov(step.T), EXACT.Q, atol=0.1 * EXACT.Q.max())


def test_smoother_without_resampling_follows_the_ancestry() -> None:
    short = VALUES[:, :3]
    inference = Inference(particles=3000, resampling="none", objective="iwae")
    model, batch = linear_model("optimal"), build.batch(recording(copies(short)))
    outcome = run(model, batch, KEY, inference=inference, record=True)
    z = smooth(model.dynamics, batch, outcome.record, inference, 1000, jax.random.key(5))
    np.testing.assert_allclose(averaged(z.mean(2)), exact("smooth_mean", short), atol=0.03)
    assert abs(exact("smooth_mean", short) - exact("mean", short)).max() > 0.06


def test_bound_rises_with_particles() -> None:
    values = build.simulate(EXACT, trials=100, bins=8)
    batch, model = build.batch(recording(values)), linear_model("bootstrap")
    bounds = [
        float(run(model, batch, KEY, inference=Inference(particles=k)).bound.mean()) for k in (1, 4, 32)
    ]
    truth = exact("increments", values).sum(1).mean()
    assert bounds[0] < bounds[1] < bounds[2] < truth + 0.05


@pytest.mark.parametrize("guide", ["optimal", "encoder", "bootstrap"])
def test_missing_channels_and_bins(guide: str) -> None:
    missing = np.random.default_rng(0).uniform(size=VALUES.shape) < 0.4
    missing[1, 4:7] = True
    missing[2, 0] = True
    trials = recording(copies(np.where(missing, np.nan, VALUES)))
    outcome = run(linear_model(guide), build.batch(trials), KEY, inference=MANY)
    np.testing.assert_allclose(averaged(outcome.increments), exact("increments", VALUES, ~missing), atol=0.1)
    if guide != "encoder":  # guides that are the prior where nothing is read pay nothing there
        assert (np.asarray(outcome.increments)[COPIES, 4:7] == 0).all()


@pytest.mark.parametrize("guide", ["optimal", "encoder"])
def test_held_out_channels_weigh_in_training_only(guide: str) -> None:
    batch = build.batch(recording(copies(VALUES)).hold_out(channels=[1]))
    read = np.ones(VALUES.shape, bool)
    read[..., 1] = False
    for covered, seen in (("read", read), ("train", np.ones_like(read))):
        outcome = run(linear_model(guide), batch, KEY, inference=MANY, covered=covered)
        expected = exact("increments", VALUES, seen).sum(1)
        np.testing.assert_allclose(averaged(outcome.bound), expected, atol=0.2)


def test_trials_of_unequal_length() -> None:
    lengths = np.array([8, 5, 1])
    trials = recording(copies(VALUES), lengths=np.repeat(lengths, COPIES))
    outcome = run(linear_model("optimal"), build.batch(trials), KEY, inference=MANY)
    expected = [solve(EXACT, y[:length]).increments.sum() for y, length in zip(VALUES, lengths, strict=True)]
    np.testing.assert_allclose(averaged(outcome.bound), expected, atol=0.04)
    assert (np.asarray(outcome.increments)[COPIES : 2 * COPIES, 5:] == 0).all()


def test_more_latents_than_channels() -> None:
    wide = build.linear_gaussian(seed=4, latents=4, channels=2)
    values = build.simulate(wide, trials=3, bins=6)
    model = build.model(build.linear(wide), build.gaussian(wide), "optimal")
    outcome = run(model, build.batch(recording(copies(values))), KEY, inference=MANY)
    expected = [solve(wide, y).increments.sum() for y in values]
    np.testing.assert_allclose(averaged(outcome.bound), expected, atol=0.2)


def test_precise_observations_in_single_precision() -> None:
    start = build.linear_gaussian(channels=40)
    exact = LinearGaussian(**{**vars(start), "r": np.full(40, 1e-4), "d": np.full(40, 100.0)})
    values = build.simulate(exact, trials=2, bins=5)
    expected = [solve(exact, y).increments.sum() for y in values]
    with jax.enable_x64(False):
        model = build.model(build.linear(exact), build.gaussian(exact), "optimal")
        outcome = run(model, build.batch(recording(values)), KEY, inference=MANY)
        assert outcome.bound.dtype == jnp.float32
        np.testing.assert_allclose(outcome.bound, expected, rtol=1e-3)


def test_two_heads_are_one_wide_head() -> None:
    both = recording(VALUES[..., :2]).with_head("more", recording(VALUES[..., 2:]).main)
    parts = [
        replace(EXACT, H=EXACT.H[rows], d=EXACT.d[rows], r=EXACT.r[rows]) for rows in (slice(2), slice(2, 3))
    ]
    one = linear_model("optimal")
    two = Model(
        one.dynamics, {"signal": build.gaussian(parts[0]), "more": build.gaussian(parts[1])}, one.guide, None
    )
    few = Inference(particles=20)
    expected = run(one, build.batch(recording(VALUES)), KEY, inference=few).increments
    np.testing.assert_allclose(
        run(two, build.batch(both), KEY, inference=few).increments, expected, rtol=1e-8
    )
