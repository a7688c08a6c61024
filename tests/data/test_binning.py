"""Counts agree with np.histogram, no spike is lost; behaviour is averaged, joined by lines, or missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurito.data.binning import bin_spikes, resample, steps
from neurito.errors import NeuritoError


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 300),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 20),
    st.booleans(),
)
def test_counts_agree_with_histograms(seed, spikes, units, windows, bins, regular):
    rng = np.random.default_rng(seed)
    times, unit = rng.uniform(0, 10, spikes), rng.integers(0, units, spikes)
    widths = np.full(bins, 0.3) if regular else rng.uniform(0.05, 1, bins)
    edges = rng.uniform(-1, 9, windows)[:, None] + np.concatenate([[0], np.cumsum(widths)])
    counts = bin_spikes(times, unit, edges, units)
    assert counts.dtype == np.float32
    for w in range(windows):
        for u in range(units):
            np.testing.assert_array_equal(counts[w, :, u], np.histogram(times[unit == u], edges[w])[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.floats(0.01, 2.0))
def test_no_spike_is_lost(seed, spikes, width):
    rng = np.random.default_rng(seed)
    times, unit = rng.uniform(0, 10, spikes), rng.integers(0, 3, spikes)
    edges = np.arange(0, 10 + 2 * width, width)[None]
    counts = bin_spikes(times, unit, edges, 3)
    np.testing.assert_array_equal(counts.sum((0, 1)), np.bincount(unit, minlength=3))


def test_spikes_on_edges_belong_to_the_bin_that_begins_there():
    """At a clock of milliseconds every spike is on an edge, and 0.1 + 0.2 is not 0.3."""
    times = np.arange(1000) / 1000
    edges = (0.001 * np.arange(1001))[None]
    np.testing.assert_array_equal(bin_spikes(times, np.zeros(1000, int), edges, 1).ravel(), np.ones(1000))
    late = 4122.8 + times
    edges = 4122.8 + 0.005 * np.arange(201)[None]
    np.testing.assert_array_equal(bin_spikes(late, np.zeros(1000, int), edges, 1).ravel(), np.full(200, 5))


def test_behaviour_is_averaged_in_bins():
    times = np.arange(0, 10, 0.01)
    values = np.stack([times, np.sin(times)], 1)
    edges = np.arange(0, 10.01, 0.1)[None]
    found = resample(times, values, edges, 1.0)
    np.testing.assert_allclose(found[0, :, 0], values[:, 0].reshape(100, 10).mean(1), rtol=1e-5)
    np.testing.assert_allclose(found[0, :, 1], values[:, 1].reshape(100, 10).mean(1), atol=1e-6)


def test_slow_behaviour_is_joined_by_lines_and_gaps_are_missing():
    times = np.array([0.0, 1.0, 2.0, 6.0, 7.0])
    values = np.stack([times, [0, np.nan, 2, 6, 7]], 1)
    edges = (0.2 * np.arange(40))[None] - 0.3
    found = resample(times, values, edges, 1.5)[0]
    centre = edges[0, :-1] + 0.1
    held = (np.diff(np.searchsorted(times, edges[0])) == 0) & (
        (centre < 0) | (centre > 7) | ((centre > 2) & (centre < 6))
    )
    np.testing.assert_array_equal(np.isnan(found[:, 0]), held)
    between = ~held & (np.diff(np.searchsorted(times, edges[0])) == 0)
    np.testing.assert_allclose(found[between, 0], centre[between], atol=1e-6)
    assert np.isnan(found[(centre > 0.2) & (centre < 1.7), 1]).all()  # without its sample at 1 s a gap of 2 s
    assert np.isnan(resample(np.zeros(0), np.zeros((0, 1)), edges, 1.0)).all()


def test_steps():
    start, width = steps(np.array([1.0, 1.1, 1.2]), "t")
    assert (start, float(width)) == (1.0, 0.1)
    rounded = np.round(np.arange(100) / 60, 3)
    np.testing.assert_allclose(steps(rounded, "t")[1], 1 / 60, rtol=1e-3)
    np.testing.assert_allclose(steps(np.array([0, 1.0, 3.0]), "t")[1], [1, 2, 2])
    with pytest.raises(NeuritoError, match="do not increase: 1 s at 1, then 1 s"):
        steps(np.array([0.0, 1.0, 1.0]), "times")
    with pytest.raises(NeuritoError, match="at least two"):
        steps(np.array([0.0]), "times")
