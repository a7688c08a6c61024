import numpy as np
import pytest
from scipy import signal

from neurito.errors import NeuritoError
from neurito.evaluation import compare, spike_statistics

WIDTH = 0.01


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    shared = rng.gamma(2.0, 0.5, (8, 512, 1))
    return rng.poisson(shared * rng.gamma(2.0, 0.1, 5)).astype(np.float64)


def test_rates_and_intervals_by_hand() -> None:
    trains = np.zeros((2, 10, 3))
    trains[0, [1, 3, 8], 0] = 1  # intervals 2, 5
    trains[1, [0, 4], 0] = 1  # 4; none from trial to trial
    trains[0, 2, 1] = 2  # at 2.25 and 2.75 bins
    trains[0, 5, 1] = 1  # at 5.5
    trains[0, 5, 2] = 1
    found = spike_statistics(trains, WIDTH)
    np.testing.assert_allclose(found.rate, np.array([5, 3, 1]) / (20 * WIDTH))
    np.testing.assert_allclose(found.isi_mean[:2], np.array([11 / 3, (0.5 + 2.75) / 2]) * WIDTH)
    np.testing.assert_allclose(found.isi_cv[0], np.std([2, 5, 4]) / np.mean([2, 5, 4]))
    assert np.isnan(found.isi_mean[2])
    trains[0, 5, 0] = np.nan  # no interval across a gap
    np.testing.assert_allclose(spike_statistics(trains, WIDTH).isi_mean[0], 3 * WIDTH)
    np.testing.assert_allclose(spike_statistics(trains, WIDTH).rate[0], 5 / (19 * WIDTH))


def test_poisson_trains_have_exponential_intervals() -> None:
    trains = np.random.default_rng(0).poisson(0.3, (1, 100_000, 1)).astype(float)
    found = spike_statistics(trains, WIDTH, segment=64)
    assert found.isi_mean[0] == pytest.approx(WIDTH / 0.3, rel=0.02)
    assert found.isi_cv[0] == pytest.approx(1, abs=0.03)
    # flat spectrum at rate x 2 (one-sided)
    np.testing.assert_allclose(found.power[1:-1, 0], 2 * 0.3 / WIDTH, rtol=0.1)


def test_correlations(counts: np.ndarray) -> None:
    found = spike_statistics(counts, WIDTH).correlation
    np.testing.assert_allclose(found, np.corrcoef(counts.reshape(-1, 5).T), atol=1e-10)
    gone = counts.copy()
    gone[3:, :, 0] = np.nan
    gone[..., 4] = 1
    found = spike_statistics(gone, WIDTH).correlation
    both = np.corrcoef(gone[:3, :, 0].ravel(), gone[:3, :, 1].ravel())[0, 1]
    assert found[0, 1] == pytest.approx(both)
    assert np.isnan(found[4]).all()


@pytest.mark.parametrize("segment", [64, 51])
def test_spectra_are_scipys(counts: np.ndarray, segment: int) -> None:
    found = spike_statistics(counts, WIDTH, segment=segment)
    options = {"fs": 1 / WIDTH, "nperseg": segment, "noverlap": segment // 2, "axis": 1}
    frequency, power = signal.welch(counts / WIDTH, **options)
    np.testing.assert_allclose(found.frequency, frequency[1:])
    np.testing.assert_allclose(found.power, power.mean(0)[1:], rtol=1e-9)
    # one long trial: coherence as in SciPy
    one = counts[:1]
    _, coherence = signal.coherence(one[..., 1], one[..., 3], **options)
    found = spike_statistics(one, WIDTH, segment=segment)
    np.testing.assert_allclose(found.coherence[:, 1, 3], coherence[0, 1:], rtol=1e-8)
    np.testing.assert_allclose(np.diagonal(found.coherence, axis1=1, axis2=2), 1)


def test_segments_with_gaps_are_left_out(counts: np.ndarray) -> None:
    gone = counts.copy()
    gone[2:, 3] = np.nan
    whole = spike_statistics(counts[:2], WIDTH, segment=512)
    np.testing.assert_allclose(spike_statistics(gone, WIDTH, segment=512).power, whole.power)
    score = np.ones(counts.shape, bool)
    score[2:, 3] = False
    np.testing.assert_allclose(spike_statistics(counts, WIDTH, score, 512).coherence, whole.coherence)


def test_comparison() -> None:
    rng = np.random.default_rng(0)
    gain = rng.gamma(2.0, 0.1, 30)
    drive = np.exp(rng.standard_normal((2, 20, 64, 1)) * np.linspace(0.2, 1.5, 30))
    data, model = (spike_statistics(rng.poisson(gain * d).astype(float), WIDTH, segment=32) for d in drive)
    same = compare(data, data)
    assert same == pytest.approx(dict.fromkeys(same, 1.0))
    found = compare(data, model)
    assert set(found) == {"rate", "isi_mean", "isi_cv", "correlation", "power", "coherence"}
    assert found["rate"] > 0.95
    assert found["correlation"] > 0.5
    poor = compare(data, spike_statistics(rng.poisson(0.2, (20, 64, 30)).astype(float), WIDTH, segment=32))
    assert abs(poor["rate"]) < 0.5


def test_bad_input(counts: np.ndarray) -> None:
    with pytest.raises(NeuritoError, match="fractional"):
        spike_statistics(counts + 0.5, WIDTH)
    with pytest.raises(NeuritoError, match="segment: 600"):
        spike_statistics(counts, WIDTH, segment=600)
    with pytest.raises(NeuritoError, match="segment length"):
        compare(spike_statistics(counts, WIDTH, segment=32), spike_statistics(counts, WIDTH))
