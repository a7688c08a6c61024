import numpy as np
import pytest
from scipy import stats

from neurito.errors import NeuritoError
from neurito.evaluation import (
    calibration_of,
    coverage,
    interval_coverage,
    poisson_pit,
    sample_pit,
    simulation_based_calibration,
    uniformity,
)

RNG = np.random.default_rng(0)
EXPECTED = RNG.gamma(2.0, 1.0, (20, 50, 10))
COUNTS = RNG.poisson(EXPECTED).astype(np.float64)


def test_pit_of_the_true_model_is_uniform() -> None:
    pit = poisson_pit(EXPECTED[None], COUNTS)
    assert uniformity(pit).p > 0.01
    for level, found in coverage(pit).items():
        assert found == pytest.approx(level, abs=0.015)


def test_calibration_of_samples_of_rates() -> None:
    level = np.exp(0.6 * RNG.standard_normal((20, 1, 1)))
    counts = RNG.poisson(np.broadcast_to(level, (20, 50, 10))).astype(np.float64)
    counts[:, :5] = np.nan
    samples = np.broadcast_to(
        np.exp(0.6 * stats.norm.ppf((np.arange(8) + 0.5) / 8))[:, None, None, None], (8, 20, 50, 10)
    )
    mask = np.arange(10) > 4
    exact = np.broadcast_to(level, (1, 20, 50, 10))
    right = calibration_of(exact, counts, np.broadcast_to(mask, counts.shape), seed=1)
    assert right.coverage == pytest.approx(0.9, abs=0.015)
    assert right.distance < 0.02
    prior = calibration_of(samples, counts, np.broadcast_to(mask, counts.shape))
    assert prior.coverage == pytest.approx(0.9, abs=0.05)
    sure = calibration_of(np.ones((1, 20, 50, 10)), counts, np.broadcast_to(mask, counts.shape))
    assert sure.coverage < prior.coverage - 0.03
    assert sure.distance > prior.distance


@pytest.mark.parametrize(("factor", "sign"), [(0.7, 1), (1.4, -1)])
def test_pit_tells_wrong_rates(factor: float, sign: int) -> None:
    pit = poisson_pit(factor * EXPECTED[None], COUNTS)
    assert uniformity(pit).p < 1e-6
    assert np.sign(pit.mean() - 0.5) == sign


def test_overconfidence_shows_in_coverage() -> None:
    """Counts with rates of their own per trial, predicted with the mean rate only."""
    pit = poisson_pit(np.full((1, 20, 50, 10), 2.0), COUNTS)
    assert coverage(pit)[0.9] < 0.85


def test_mixture_pit_by_hand() -> None:
    expected = np.array([0.5, 3.0]).reshape(2, 1, 1, 1)
    counts = np.array([[[2.0]]])
    weights = np.array([1.0, 3.0])
    cdf = [0.25 * stats.poisson.cdf(k, 0.5) + 0.75 * stats.poisson.cdf(k, 3.0) for k in (1, 2)]
    pits = [poisson_pit(expected, counts, seed, weights)[0] for seed in range(200)]
    assert cdf[0] < min(pits) < max(pits) < cdf[1]
    assert np.mean(pits) == pytest.approx(np.mean(cdf), abs=0.01)
    per_trial = poisson_pit(
        np.tile(expected, (1, 3, 1, 1)), np.tile(counts, (3, 1, 1)), 0, np.eye(2)[:, [0, 1, 1]]
    )
    edges = stats.poisson.cdf([[1], [2]], [[0.5, 3.0, 3.0]])
    assert ((edges[0] < per_trial) & (per_trial < edges[1])).all()


def test_sample_pit_is_uniform_for_exchangeable_draws() -> None:
    draws = RNG.poisson(0.7, (5, 30_000))  # few draws and many ties
    assert uniformity(sample_pit(draws[1:], draws[0].astype(float))).p > 0.01
    gaussian = RNG.standard_normal((20, 30_000))
    assert uniformity(sample_pit(gaussian[1:], gaussian[0])).p > 0.01
    assert uniformity(sample_pit(0.5 * gaussian[1:], gaussian[0])).p < 1e-6


def test_masks() -> None:
    score = RNG.random(COUNTS.shape) < 0.3
    missing = np.where(score, COUNTS, np.nan)
    np.testing.assert_array_equal(
        poisson_pit(EXPECTED[None], COUNTS, 0, None, score), poisson_pit(EXPECTED[None], missing)
    )
    assert len(sample_pit(EXPECTED[None], missing)) == score.sum()


def test_drawn_intervals() -> None:
    draws = RNG.standard_normal((400, 5000))
    found = interval_coverage(draws, RNG.standard_normal(5000), 0.8)
    assert found.coverage == pytest.approx(0.8, abs=0.02)
    assert found.width == pytest.approx(2 * stats.norm.ppf(0.9), rel=0.02)
    counts = RNG.poisson(3.0, (401, 5000))
    found = interval_coverage(counts[1:], counts[0].astype(float), 0.9)
    inside = stats.poisson.cdf(stats.poisson.ppf(0.95, 3), 3) - stats.poisson.cdf(
        stats.poisson.ppf(0.05, 3) - 1, 3
    )
    assert found.coverage == pytest.approx(inside, abs=0.03)
    assert inside > 0.9


def gaussian_calibration(sd: float):
    """Posterior of a Gaussian mean with unit prior and noise, with its sd multiplied by `sd`."""
    return simulation_based_calibration(
        prior=lambda rng: rng.standard_normal(2),
        simulate=lambda theta, rng: theta + rng.standard_normal(2),
        posterior=lambda y, rng: y / 2 + sd * np.sqrt(0.5) * rng.standard_normal((99, 2)),
        simulations=500,
    )


def test_simulation_based_calibration() -> None:
    right = gaussian_calibration(1.0)
    assert right.ranks.shape == (500, 2)
    assert all(test.p > 0.01 for test in right.uniformity())
    for wrong in (0.6, 1.6):
        assert all(test.p < 1e-4 for test in gaussian_calibration(wrong).uniformity())
    assert np.array_equal(gaussian_calibration(1.0).ranks, right.ranks)


def test_bad_input() -> None:
    with pytest.raises(NeuritoError, match="samples first"):
        poisson_pit(EXPECTED[None, 1:], COUNTS)
    with pytest.raises(NeuritoError, match="negative"):
        poisson_pit(-EXPECTED[None], COUNTS)
    with pytest.raises(NeuritoError, match="samples first"):
        sample_pit(EXPECTED, COUNTS)
    with pytest.raises(NeuritoError, match=r"level: 1\.5"):
        interval_coverage(EXPECTED[None], COUNTS, 1.5)
    with pytest.raises(NeuritoError, match="weights"):
        poisson_pit(EXPECTED[None], COUNTS, 0, np.zeros(1))
    sizes = iter([3, 4])
    with pytest.raises(NeuritoError, match=r"\[3, 4\]"):
        simulation_based_calibration(
            lambda rng: rng.standard_normal(1),
            lambda theta, rng: theta,
            lambda y, rng: np.zeros((next(sizes), 1)),
            simulations=2,
        )
