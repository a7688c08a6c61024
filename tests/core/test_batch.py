"""Rows, windows and masks of a batch."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import recording, run

from neurito.core.batch import Batch
from neurito.core.scan import Inference
from neurito.data import Trials
from neurito.models.prepare import padded, to_batch

EXACT = build.linear_gaussian()
VALUES = build.simulate(EXACT, trials=4, bins=9)
KEY, FEW = jax.random.key(0), Inference(particles=3)


def patchy(seed: int = 0) -> Trials:
    missing = np.random.default_rng(seed).uniform(size=VALUES.shape) < 0.3
    inputs = np.random.default_rng(1).normal(size=(4, 9, 2))
    return recording(np.where(missing, np.nan, VALUES), inputs=inputs, lengths=[9, 9, 7, 8])


def take(batch: Batch, trial: list[int], first: list[int], bins: int) -> Batch:
    ids = jnp.arange(len(trial), dtype=jnp.int32)
    return batch.take(jnp.asarray(trial), jnp.asarray(first), ids, bins)


def assert_same_content(a: Batch, b: Batch) -> None:
    for name, signal in a.signals.items():
        read = np.asarray(signal.read.dense())
        np.testing.assert_array_equal(read, b.signals[name].read.dense())
        np.testing.assert_array_equal(signal.y * read, b.signals[name].y * read)
    for field in ("dt", "inputs"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


@pytest.mark.parametrize(("trial", "first"), [([0], [2]), ([3, 1, 1, 0, 2], [0, 5, 2, 1, 3])])
def test_windows_are_the_pieces_of_the_recording(trial: list[int], first: list[int]) -> None:
    """With fewer bins than masks, and with more."""
    trials = patchy()
    window = take(build.batch(trials), trial, first, 4)
    pieces = trials.pieces(np.array(trial), np.array(first), np.full(len(trial), 4))
    assert_same_content(window, build.batch(pieces))


def test_a_window_with_masks_of_its_own_is_inferred_alike() -> None:
    model = build.model(build.linear(EXACT), build.gaussian(EXACT), "optimal")
    trials = patchy()
    window = dataclasses.replace(take(build.batch(trials), [0, 1], [1, 2], 4), exists=None)
    pieces = trials.pieces(np.array([0, 1]), np.array([1, 2]), np.full(2, 4))
    a, b = (run(model, batch, KEY, inference=FEW).bound for batch in (window, build.batch(pieces)))
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_padding_repeats_a_trial_without_weight() -> None:
    batch = to_batch(recording(VALUES), ["signal"], 6)
    np.testing.assert_array_equal(batch.weight, [1, 1, 1, 1, 0, 0])
    assert np.isfinite(batch.signals["signal"].y).all()
    assert len(set(np.asarray(batch.ids))) == 6


def test_padded_counts_are_few_and_close() -> None:
    counts = [padded(n) for n in range(1, 2000)]
    assert all(n <= p <= 1.34 * n for n, p in zip(range(1, 2000), counts, strict=True))
    assert len(set(counts)) < 45


def test_what_is_everywhere_true_is_left_out() -> None:
    batch = build.batch(recording(VALUES))
    assert batch.exists is None
    assert batch.informed is None
    assert batch.signals["signal"].train is None
    assert build.batch(recording(VALUES, lengths=[9, 9, 7, 8])).exists is not None
    assert build.batch(recording(VALUES).forward(2)).informed is not None
    assert build.batch(recording(VALUES).hold_out(channels=[0])).signals["signal"].train is not None


def test_distinct_masks_are_stored_once() -> None:
    trials = recording(VALUES, session=[0, 1, 0, 1]).hold_out(channels=[0])
    signal = build.batch(trials).signals["signal"]
    assert signal.read.table.shape == (2, 3)  # one per session
    np.testing.assert_array_equal(np.sort(signal.read.session), [0, 1])
    assert signal.train is not None
    assert (np.asarray(signal.train.table) == 1).all()
    assert (np.asarray(signal.read.table) == [0, 1, 1]).all()


def test_where_nothing_more_is_read() -> None:
    values = VALUES.copy()
    values[0, 3:5] = np.nan  # a gap, after which something is read
    values[1, 6:] = np.nan
    informed = build.batch(recording(values)).informed
    assert informed is not None
    np.testing.assert_array_equal(informed[0], True)
    np.testing.assert_array_equal(informed[1], np.arange(9) < 6)
