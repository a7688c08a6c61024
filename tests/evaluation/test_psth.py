import numpy as np
import pytest
from scipy.stats import norm

from neurito.errors import NeuritoError
from neurito.evaluation import psth_r2, tp_correlation
from neurito.evaluation.psth import Psth, psth, smooth


def test_smoothing_by_hand() -> None:
    impulse = np.zeros((1, 41, 1))
    impulse[0, 20] = 1
    weights = norm.pdf(np.arange(-6, 7), scale=2)
    np.testing.assert_allclose(smooth(impulse, 2.0)[0, 14:27, 0], weights / weights.sum(), rtol=1e-6)
    constant = np.full((2, 30, 3), 4.0)
    constant[0, 10:13, 1] = np.nan
    found = smooth(constant, 3.0)
    np.testing.assert_allclose(found[~np.isnan(constant)], 4.0)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(constant))
    np.testing.assert_array_equal(smooth(constant, 0.0), constant)


def test_psth_is_the_mean_rate() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (9, 12, 3)).astype(float)
    condition = np.array(list("abcabcabc"))
    counts[0, 5:] = np.nan
    found = psth(counts, condition, bin_width=0.02, sd=0.0)
    assert list(found.conditions) == ["a", "b", "c"]
    np.testing.assert_allclose(found.rates[0, :5], counts[[0, 3, 6], :5].mean(0) / 0.02)
    np.testing.assert_allclose(found.rates[0, 5:], counts[[3, 6], 5:].mean(0) / 0.02)
    np.testing.assert_allclose(found.rates[2], counts[[2, 5, 8]].mean(0) / 0.02)


def test_r2_of_the_psth_itself_is_one() -> None:
    rng = np.random.default_rng(0)
    target = Psth(np.array([3, 5]), rng.gamma(2.0, 5.0, (2, 8, 3)))
    condition = np.array([5, 3, 5, 9])
    rates = target.rates[[1, 0, 1, 0]]
    assert psth_r2(target, rates, condition) == 1
    later = np.stack([np.roll(trial, -2, 0) for trial in rates])
    target.rates[:, :2] = np.nan
    assert psth_r2(target, later, condition, np.full(4, 2)) == 1
    with pytest.raises(NeuritoError, match="no trial has a condition"):
        psth_r2(target, rates, np.full(4, 1))
    with pytest.raises(NeuritoError, match="rates:"):
        psth_r2(target, rates[:, :-1], condition)


def test_speed_by_hand() -> None:
    """A rate that moves along a line at a set speed in each trial."""
    speed = np.array([1.0, 2.0, 3.0, 1.0, 4.0])
    rates = speed[:, None, None] * np.arange(6)[None, :, None] * np.array([0.6, 0.8])
    inside = np.ones((5, 6), bool)
    inside[:, :2] = False
    condition = np.array([[0.0], [0.0], [0.0], [1.0], [1.0]])
    assert tp_correlation(rates, 1 - speed, condition, inside) == pytest.approx(-1)
    produced = np.array([3.0, 2.0, 1.0, 1.0, 2.0])  # -1 in the first condition, +1 in the second
    assert tp_correlation(rates, produced, condition, inside) == pytest.approx(0)
    assert tp_correlation(rates, produced, condition, inside, "median") == pytest.approx(0)
    with pytest.raises(NeuritoError, match="has 1 trial"):
        tp_correlation(rates[:4], produced[:4], condition[:4], inside[:4])
