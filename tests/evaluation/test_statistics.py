import numpy as np
import pytest
from scipy import signal

from neurito.errors import NeuritoError
from neurito.evaluation.psth import psth
from neurito.evaluation.spikes import spike_statistics
from neurito.evaluation.statistics import Battery, autocorrelation, fano_factor

RNG = np.random.default_rng(0)
WIDTH = 0.02
NAMES = tuple("abcd")
CONDITION = np.repeat(["left", "right"], 6)


def battery(counts: bool = True, there: np.ndarray | None = None, **options: object) -> Battery:
    mask = np.ones((12, 40, 4), bool) if there is None else there
    return Battery(mask, WIDTH, counts, NAMES, "mV", **{"condition": CONDITION, **options})  # type: ignore[arg-type]


def table(found: Battery, values: np.ndarray) -> dict[str, np.ndarray]:
    return {one.name: one.values for one in found.of(values)}


def test_many_draws_at_once_are_the_single_ones_and_those_of_spike_trains() -> None:
    y = RNG.poisson(RNG.gamma(2, 0.4, 4), (3, 12, 40, 4)).astype(float)
    there = np.ones(y.shape[1:], bool)
    there[2, 30:] = False  # a shorter trial
    there[:4, :, 3] = False  # a channel that comes later
    for mask in (np.ones_like(there), there):
        every = table(battery(there=mask), y)
        for i, one in enumerate(y):
            for name, value in table(battery(there=mask), one[None]).items():
                np.testing.assert_allclose(value[0], every[name][i], rtol=1e-9, err_msg=name)
            reference = spike_statistics(one, WIDTH, mask, segment=30 if mask is there else 40)
            np.testing.assert_allclose(every["rate"][i], reference.rate)
            np.testing.assert_allclose(every["interval"][i], reference.isi_mean)
            np.testing.assert_allclose(every["CV of intervals"][i], reference.isi_cv)
            pairs = reference.correlation[np.triu_indices(4, 1)]
            np.testing.assert_allclose(every["correlation"][i], pairs, atol=1e-12)
            np.testing.assert_allclose(every["power"][i], np.nanmean(reference.power, 1))
            target = psth(np.where(mask, one, np.nan), CONDITION, WIDTH, 0.0).rates
            windows = target.reshape(2, 8, 5, 4)  # 0.1 s
            np.testing.assert_allclose(every["PSTH"][i], np.nanmean(windows, 2).ravel())


def test_poisson_counts() -> None:
    """A Fano factor of 1, no correlation of any kind, however the rate changes in the trial and between conditions."""
    rate = 0.5 + 0.4 * np.sin(np.arange(40) / 5)[:, None]
    level = np.where(CONDITION == "left", 1.0, 2.0)[:, None, None]
    found = table(battery(), RNG.poisson(level * rate + np.zeros((100, 1, 1, 4))).astype(float))
    np.testing.assert_allclose(found["Fano factor"].mean(0), 1, atol=0.03)
    flat = table(battery(), RNG.poisson(0.4, (100, 12, 40, 4)).astype(float))
    np.testing.assert_allclose(flat["synchrony"].mean(), 1, atol=0.02)
    np.testing.assert_allclose(flat["autocorrelation"].mean(0), 0, atol=0.01)
    np.testing.assert_allclose(flat["correlation"].mean(0), 0, atol=0.01)
    np.testing.assert_allclose(flat["power"].mean(0)[1:-1], 2 * 0.4 / WIDTH, rtol=0.05)


def test_closed_forms_of_what_is_not_poisson() -> None:
    shared = RNG.poisson(0.5, (100, 12, 40, 1)).astype(float) + np.zeros(4)
    np.testing.assert_allclose(table(battery(), shared)["synchrony"], 4)
    r = 2.0  # negative binomial counts per window: variance / mean = 1 + mean / r
    gain = RNG.gamma(r, 1 / r, (100, 12, 8, 4)).repeat(5, 2)
    found = table(battery(), RNG.poisson(0.4 * gain).astype(float))["Fano factor"]
    np.testing.assert_allclose(found.mean(0), 1 + 5 * 0.4 / r, rtol=0.06)
    x = signal.lfilter([1], [1, -0.8], RNG.standard_normal((12, 4000, 4)), axis=1)  # autoregressive
    np.testing.assert_allclose(autocorrelation(x, np.ones(x.shape, bool), 3), 0.8**3, atol=0.02)


def test_a_continuous_recording_has_a_fano_factor_over_its_windows() -> None:
    y = RNG.poisson(0.4, (1, 20_000, 3)).astype(float)
    np.testing.assert_allclose(fano_factor(y, np.ones(y.shape, bool), 5), 1, atol=0.06)
    assert np.isnan(fano_factor(0 * y, np.ones(y.shape, bool), 5)).all()


def test_signals_have_no_fano_factor() -> None:
    y = 3 + 2 * RNG.standard_normal((5, 12, 40, 4))
    found = {one.name: one for one in battery(counts=False).of(y)}
    assert list(found) == [
        "mean",
        "sd",
        "autocorrelation",
        "correlation",
        "synchrony",
        "power",
        "condition mean",
    ]
    np.testing.assert_allclose(found["mean"].values, y.mean((1, 2)))
    np.testing.assert_allclose(found["sd"].values, y.std((1, 2)))
    assert found["mean"].unit == "mV"
    assert found["power"].unit == "mV²/Hz"
    assert found["condition mean"].entries[0] == "left, 0 s, a"
    assert found["correlation"].entries[:2] == ("a, b", "a, c")
    assert found["autocorrelation"].entries[0] == "0.02 s"


def test_bad_input() -> None:
    with pytest.raises(NeuritoError, match="window: 0 s"):
        battery(window=0.0)
    with pytest.raises(NeuritoError, match="no value is left"):
        battery(there=np.zeros((12, 40, 4), bool))
    with pytest.raises(NeuritoError, match="but the mask has"):
        table(battery(), np.zeros((1, 12, 40, 3)))
    with pytest.raises(NeuritoError, match="NaN or infinity"):
        table(battery(), np.full((1, 12, 40, 4), np.nan))
