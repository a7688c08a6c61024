"""Which trials and windows make a step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurito.errors import NeuritoError
from neurito.fitting.drawing import Sampler

lengths = st.lists(st.integers(5, 30), min_size=1, max_size=9).map(np.array)


@given(
    lengths, st.integers(1, 5), st.integers(1, 7), st.integers(1, 3), st.integers(0, 99), st.integers(0, 50)
)
def test_windows_never_cross_a_trials_end(
    lengths: np.ndarray, window: int, batch: int, devices: int, seed: int, first: int
) -> None:
    draw = Sampler.of(lengths, window, 0, batch, devices, seed).draw(first, 4)
    assert (draw.first >= 0).all()
    assert (draw.first + window <= lengths[draw.trial]).all()
    assert draw.trial.shape[1] % devices == 0


@given(
    lengths, st.integers(0, 5), st.integers(1, 7), st.integers(0, 30), st.integers(1, 9), st.integers(1, 9)
)
def test_any_stretch_can_be_had_without_those_before(
    lengths: np.ndarray, window: int, batch: int, first: int, a: int, b: int
) -> None:
    sampler = Sampler.of(lengths, window, 0, batch, 2, 0)
    whole, parts = sampler.draw(first, a + b), (sampler.draw(first, a), sampler.draw(first + a, b))
    for one, two in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.concatenate(two))


@given(lengths, st.integers(1, 7), st.integers(1, 3))
def test_every_trial_is_drawn_once_an_epoch(lengths: np.ndarray, batch: int, devices: int) -> None:
    sampler = Sampler.of(lengths, 0, 0, batch, devices, 0)
    draw = sampler.draw(3 * sampler.steps_per_epoch, sampler.steps_per_epoch)
    drawn = draw.trial[draw.weight > 0]
    np.testing.assert_array_equal(np.sort(drawn), np.arange(len(lengths)))


def test_windows_are_uniform_over_all_places() -> None:
    sampler = Sampler.of(np.array([5, 3, 9]), 3, 6000, 6000, 1, 0)
    draw = sampler.draw(0, 1)
    places, counts = np.unique(np.stack([draw.trial[0], draw.first[0]], 1), axis=0, return_counts=True)
    assert [tuple(p) for p in places] == [(0, 0), (0, 1), (0, 2), (1, 0), *[(2, i) for i in range(7)]]
    assert (abs(counts - 6000 / 11) < 5 * (6000 / 11) ** 0.5).all()


def test_an_epoch_of_windows_covers_the_recording_once() -> None:
    assert Sampler.of(np.array([100, 50]), 10, 0, 4, 1, 0).per_epoch == 15


def test_another_seed_draws_otherwise() -> None:
    a, b = (Sampler.of(np.full(50, 9), 0, 0, 50, 1, seed).draw(0, 1).trial for seed in (0, 1))
    assert (a != b).any()


def test_no_trial_is_as_long_as_the_window() -> None:
    with pytest.raises(
        NeuritoError, match="window=7 bins, and the longest trial has 6: choose a shorter one"
    ):
        Sampler.of(np.array([5, 6]), 7, 0, 4, 1, 0)
