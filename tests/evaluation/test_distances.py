import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from neurito.errors import NeuritoError
from neurito.evaluation import d_h, d_stsp, hann_smooth, reproduction


def test_a_recording_is_at_distance_zero_from_itself() -> None:
    x = np.random.default_rng(0).standard_normal((3000, 5))
    found = d_stsp(x, x[None])
    assert found.mean == pytest.approx(0, abs=1e-12)
    assert found.dropped == 0
    assert d_h(x[None], x[None]) == 0


@pytest.mark.parametrize("gap", [0.5, 2.0])
def test_gaussians_against_the_closed_form(gap: float) -> None:
    """Points from N(0, s^2) smeared by the unit kernel are N(0, s^2 + 1)."""
    rng = np.random.default_rng(1)
    data = rng.standard_normal((10_000, 2)) * [1.0, 0.5]
    generated = gap + rng.standard_normal((3, 10_000, 2)) * 0.7
    p, q = np.array([2.0, 1.25]), np.full(2, 1.49)
    exact = 0.5 * np.sum(p / q + gap**2 / q - 1 - np.log(p / q))
    found = d_stsp(data, generated, samples=2000)
    assert found.mean == pytest.approx(exact, rel=0.05, abs=0.02)
    assert 0 < found.sd < 0.1


def test_density_by_hand() -> None:
    """One data point, one generated point: KL of unit Gaussians, |difference|^2 / 2."""
    found = d_stsp(np.zeros((1, 3)), np.full((1, 1, 3), 2.0), samples=20_000)
    assert found.mean == pytest.approx(6, rel=0.02)
    # the same samples through SciPy's density
    rng = np.random.default_rng(0)
    rng.integers(1, size=20_000)
    x = rng.standard_normal((20_000, 3))
    log_p, log_q = (multivariate_normal(np.full(3, m)).logpdf(x) for m in (0.0, 2.0))
    assert found.mean == pytest.approx((log_p - log_q).mean(), rel=1e-9)


def test_samples_without_density_are_dropped() -> None:
    data = np.concatenate([np.zeros((100, 2)), np.full((100, 2), 30.0)])
    generated = np.zeros((1, 200, 2))
    published, honest = d_stsp(data, generated), d_stsp(data, generated, log_floor=-math.inf)
    assert published.dropped == pytest.approx(0.5, abs=0.05)
    assert honest.dropped == 0
    assert published.mean < 0  # half the data are out of sight: log 1/2
    assert honest.mean == pytest.approx(450, rel=0.1)
    with pytest.raises(NeuritoError, match="log_floor"):
        d_stsp(data, generated + 100)


def test_only_the_first_points_count() -> None:
    x = np.random.default_rng(0).standard_normal((50, 2))
    longer = np.concatenate([x, x + 100])
    assert d_stsp(longer, longer[None] + 0.1, max_points=50) == d_stsp(x, x[None] + 0.1)


def sines(frequency: float, n: int = 4000) -> np.ndarray:
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, 3)
    return np.sin(2 * np.pi * frequency * np.arange(n)[:, None] + phase)[None]


def test_disjoint_spectra_are_at_distance_one() -> None:
    assert d_h(sines(0.05), sines(0.4)) == pytest.approx(1, abs=1e-3)
    assert d_h(sines(0.05), 3 + 7 * sines(0.05)) == pytest.approx(0, abs=1e-9)  # z-scored
    assert 0.1 < d_h(sines(0.05), sines(0.06)) < 0.95
    assert d_h(sines(0.05), np.ones((1, 4000, 3))) == 1  # a model that has died
    assert d_h(np.ones((1, 4000, 3)), np.ones((1, 4000, 3))) == 0


def test_two_known_spectra() -> None:
    """White noise has a flat spectrum, the sum of neighbours one of cos^2."""
    white = np.random.default_rng(0).standard_normal((20, 4001, 2))
    pairs = np.append(white[:, 1:] + white[:, :-1], white[:, :1], 1)
    # Hellinger of p = 1 and q = 2 cos^2(pi f / 2) on [0, 1]: 1 - integral of sqrt(2) cos = 1 - sqrt(2) 2/pi
    exact = math.sqrt(1 - math.sqrt(2) * 2 / math.pi)
    assert d_h(white, pairs) == pytest.approx(exact, abs=0.01)


def test_hann_smoothing() -> None:
    x = np.random.default_rng(0).standard_normal((2, 300, 3))
    smoothed = hann_smooth(x)
    np.testing.assert_allclose(smoothed.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(smoothed.std(1), 1)
    window = np.hanning(15)
    inner = np.convolve(x[0, :, 1], window, "valid")
    assert np.corrcoef(inner, smoothed[0, 7:-7, 1])[0, 1] == pytest.approx(1)


def test_the_recipe_for_eeg() -> None:
    rng = np.random.default_rng(0)
    data = hann_smooth(rng.standard_normal((1000, 4)))
    generated = rng.standard_normal((2, 1300, 4))
    generated[:, :300] = 1e3  # burn-in
    found = reproduction(data, generated, burn_in=300)
    kept = hann_smooth(generated[:, 300:])
    assert found.d_stsp == d_stsp(data, kept)
    assert found.d_stsp.mean < 0.1
    assert found.d_h == pytest.approx(np.mean([d_h(data[None], one[None]) for one in kept]))
    with pytest.raises(NeuritoError, match="1300 bins found, 500 "):
        reproduction(data, generated, burn_in=500)


def test_bad_input() -> None:
    x = np.zeros((10, 2))
    with pytest.raises(NeuritoError, match="3 channels"):
        d_stsp(x, np.zeros((1, 10, 3)))
    with pytest.raises(NeuritoError, match="data: no bin"):
        d_stsp(np.full((10, 2), np.nan), x[None])
    with pytest.raises(NeuritoError, match="diverged"):
        d_stsp(x, np.full((1, 10, 2), np.inf))
    with pytest.raises(NeuritoError, match="cut them alike"):
        d_h(x[None], np.zeros((1, 12, 2)))
    with pytest.raises(NeuritoError, match="data: NaN"):
        d_h(np.full((1, 10, 2), np.nan), x[None])


@pytest.mark.recording
def test_halves_of_an_eeg(recordings) -> None:
    eeg = np.load(recordings / "eeg" / "eeg_s001r01_smoothed.npy", allow_pickle=False).astype(np.float64)
    first, second = eeg[:4820], eeg[4820:]
    found = d_stsp(first, second[None])
    assert found.mean > 0.1
    assert d_h(first[None], second[None]) < 0.3
