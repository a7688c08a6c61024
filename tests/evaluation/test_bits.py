import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from neurito.data.trials import Trials
from neurito.errors import NeuritoError
from neurito.evaluation import (
    bits_per_spike,
    bits_per_spike_per_neuron,
    bits_per_spike_train_null,
    co_bps,
    fp_bps,
    mean_counts,
    poisson_nll,
    reconstruction,
)

SHAPE = (6, 20, 4)


def simulated(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    expected = rng.gamma(2.0, 0.5, SHAPE)
    return expected, rng.poisson(expected).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
@settings(max_examples=30, deadline=None)
def test_nll_is_scipys(seed: int, missing: float) -> None:
    expected, counts = simulated(seed)
    gone = np.random.default_rng(seed).random(SHAPE) < missing
    want = -poisson.logpmf(counts, expected)[~gone].sum()
    assert poisson_nll(expected, np.where(gone, np.nan, counts)) == pytest.approx(want, rel=1e-12)
    assert poisson_nll(expected, counts, ~gone) == pytest.approx(want, rel=1e-12)


def test_by_hand() -> None:
    counts = np.array([[[0.0], [2.0]]])
    expected = np.array([[[0.5], [1.5]]])
    # null is 1 per bin: log-likelihood 2 log r - 2, so the gain is 2 log 1.5 nats over 2 spikes
    assert bits_per_spike(expected, counts) == pytest.approx(math.log2(1.5))
    assert bits_per_spike_train_null(expected, counts, np.full((3, 5, 1), 0.5)) == pytest.approx(
        (2 * math.log(1.5 / 0.5) - 1) / 2 / math.log(2)
    )
    # a zero where a spike fell costs log 1e-9
    zero = np.array([[[1.0], [0.0]]])
    assert bits_per_spike(zero, counts) == pytest.approx((1 + 2 * math.log(1e-9)) / 2 / math.log(2))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_properties(seed: int) -> None:
    expected, counts = simulated(seed)
    null = mean_counts(counts)
    assert bits_per_spike(null, counts) == pytest.approx(0, abs=1e-12)
    # per-neuron figures, weighted by spikes, make the total
    spikes = counts.sum((0, 1))
    per_neuron = bits_per_spike_per_neuron(expected, counts)
    assert np.sum(per_neuron * spikes) / spikes.sum() == pytest.approx(bits_per_spike(expected, counts))
    # the training null of the same data is the benchmark's
    same = bits_per_spike_train_null(expected, counts, counts)
    assert same == pytest.approx(bits_per_spike(expected, counts))
    # nothing beats a copy, and permuting trials changes nothing
    order = np.random.default_rng(seed).permutation(SHAPE[0])
    assert bits_per_spike(expected[order], counts[order]) == pytest.approx(bits_per_spike(expected, counts))
    assert reconstruction(expected, counts).copy >= bits_per_spike(expected, counts)


def test_null_per_session() -> None:
    counts = np.concatenate([np.full((2, 5, 1), 1.0), np.full((2, 5, 1), 3.0)])
    session = np.array([0, 0, 1, 1])
    assert bits_per_spike(counts, counts, session=session) == pytest.approx(0)
    assert bits_per_spike(counts, counts) > 0.1


def test_what_was_read_is_no_score() -> None:
    expected, counts = simulated()
    read = np.zeros(SHAPE, bool)
    read[..., :3] = True
    with pytest.raises(NeuritoError, match="360 of 480 scored counts were read"):
        bits_per_spike(expected, counts, read=read)
    assert np.isfinite(bits_per_spike(expected, counts, score=~read, read=read))


def test_co_smoothing_and_forward_prediction() -> None:
    expected, counts = simulated()
    trials = Trials.from_array(counts, bin_width=0.02).hold_out(channels=[1, 3]).forward(5)
    assert co_bps(expected, trials) == pytest.approx(
        bits_per_spike(expected[:, :15, [1, 3]], counts[:, :15, [1, 3]])
    )
    assert fp_bps(expected, trials) == pytest.approx(bits_per_spike(expected[:, 15:], counts[:, 15:]))
    nothing = Trials.from_array(counts, bin_width=0.02)
    for score in (co_bps, fp_bps):
        with pytest.raises(NeuritoError, match="no value is left"):
            score(expected, nothing)


def test_trials_of_unequal_length() -> None:
    expected, counts = simulated()
    lengths = np.array([20, 20, 15, 12, 20, 18])
    trials = Trials.from_array(counts, bin_width=0.02, lengths=lengths).hold_out(channels=[0]).forward(4)
    inside = np.arange(20) < lengths[:, None]
    future = inside & (np.arange(20) >= lengths[:, None] - 4)
    want = bits_per_spike(expected, counts, np.broadcast_to(future[..., None], SHAPE))
    assert fp_bps(expected, trials) == pytest.approx(want)
    want = bits_per_spike(expected[..., :1], counts[..., :1], (inside & ~future)[..., None])
    assert co_bps(expected, trials) == pytest.approx(want)


def test_reconstruction_beside_its_ceiling() -> None:
    expected, counts = simulated()
    found = reconstruction(0.5 * expected + 0.5 * counts, counts, expected)
    assert found.ceiling < found.bits < found.copy
    assert math.isnan(reconstruction(expected, counts).ceiling)


def test_bad_input() -> None:
    expected, counts = simulated()
    with pytest.raises(NeuritoError, match="expected: -"):
        bits_per_spike(expected * -0.1, counts)
    with pytest.raises(NeuritoError, match="expected: NaN"):
        poisson_nll(np.full(SHAPE, np.nan), counts)
    with pytest.raises(NeuritoError, match=r"counts: shape \(6, 20, 4\)"):
        poisson_nll(expected[..., 0], counts)
    with pytest.raises(NeuritoError, match="no spike"):
        bits_per_spike(expected, np.zeros(SHAPE))
    with pytest.raises(NeuritoError, match="score: shape"):
        poisson_nll(expected, counts, np.ones((6, 7, 4), bool))
