"""Splits share nothing, windows stay inside, parts go together again."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neurito.data import Head, Splits, Trials
from neurito.errors import NeuritoError

fractions = st.sampled_from([(0.64, 0.16, 0.2), (0.5, 0.5), (0.8, 0.0, 0.2), (0.34, 0.33, 0.33)])


def numbered(trials: int, bins: int, **options) -> Trials:
    """Every bin holds a number of its own: 1000 trial + bin."""
    values = 1000.0 * np.arange(trials)[:, None] + np.arange(bins)
    return Trials.from_array(values[..., None] + [0, 0.5], bin_width=0.1, **options)


def bins_of(trials: Trials | None) -> set[float]:
    if trials is None:
        return set()
    values = trials.main.values[..., 0]
    found = values[trials.exists]
    return set(found.tolist())


def parts(splits: Splits) -> list[Trials]:
    return [part for part in splits if part is not None]


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 40), fractions, st.integers(0, 2**31), st.booleans(), st.integers(1, 3))
def test_trials_are_split_whole(n, shares, seed, contiguous, sessions):
    trials = numbered(n, 3, session=np.sort(np.arange(n) % sessions))
    split = trials.split(shares, seed=seed, contiguous=contiguous)
    ids = [set(part.ids.tolist()) for part in parts(split)]
    assert set().union(*ids) == set(range(n))
    assert sum(map(len, ids)) == n
    if contiguous:
        assert [i for part in parts(split) for i in part.ids] == list(range(n))
    for share, part in zip(shares, split, strict=False):
        assert abs((part.n_trials if part else 0) - share * n) <= 1


def test_the_seed_decides():
    trials = numbered(20, 3)
    first, again, other = (trials.split(seed=seed).train.ids.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_sessions_are_split_evenly():
    trials = numbered(40, 3, session=np.repeat([0, 1], 20))
    split = trials.split((0.5, 0.25, 0.25))
    assert [np.bincount(part.session).tolist() for part in parts(split)] == [[10, 10], [5, 5], [5, 5]]


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 200), fractions, st.integers(0, 5), st.integers(1, 3))
def test_continuous_recordings_are_split_in_blocks(bins, shares, gap, sessions):
    assume(gap < 0.1 * bins)
    trials = numbered(sessions, bins, session=np.arange(sessions))
    split = trials.split(shares, gap=gap)
    found = [bins_of(part) for part in parts(split)]
    assert len(set().union(*found)) == sum(map(len, found)) == sessions * (bins - gap * (len(found) - 1))
    for part in parts(split):
        for session in range(sessions):
            inside = part.main.values[session, : part.lengths[session], 0]
            assert (np.diff(inside) == 1).all()
            assert inside[0] == 1000 * session + part.origin[session]
            np.testing.assert_allclose(part.start[session], 0.1 * part.origin[session])


@settings(max_examples=60, deadline=None)
@given(st.integers(30, 120), st.integers(1, 7), st.integers(1, 9), st.booleans())
def test_windows_split_after_or_before_share_nothing(bins, width, step, after):
    trials = numbered(1, bins)
    if after:
        split = Splits(
            *[part.windows(width, step) if part.n_bins >= width else part for part in trials.split()]
        )
    else:
        windows = trials.windows(width, step)
        assume(windows.n_trials > 12)
        split = windows.split((0.5, 0.25, 0.25))
    found = [bins_of(part) for part in parts(split)]
    assert len(set().union(*found)) == sum(map(len, found))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(3, 12), min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 5), st.booleans()
)
def test_windows_stay_inside_trials(lengths, width, step, keep_tail):
    assume(max(lengths) >= width)
    pieces = [100.0 * i + np.arange(n)[:, None] for i, n in enumerate(lengths)]
    trials = Trials.from_array([p + np.array([0, 0.5]) for p in pieces], bin_width=0.1)
    windows = trials.windows(width, step, keep_tail=keep_tail)
    for row in range(windows.n_trials):
        length, source = windows.lengths[row], windows.ids[row]
        values = windows.main.values[row, :length, 0]
        assert values[0] == 100 * source + windows.origin[row]
        assert (np.diff(values) == 1).all()
        assert windows.origin[row] + length <= lengths[source]
        assert length == width or keep_tail
    if keep_tail and step <= width:
        assert bins_of(windows) == bins_of(trials)


def test_splits_that_overlap_are_refused():
    trials = numbered(6, 4)
    with pytest.raises(NeuritoError, match="train and test overlap: trial 2 of 'session 0' is in both"):
        Splits(trials[:3], None, trials[2:])
    with pytest.raises(NeuritoError, match="train and validation overlap: trial 1"):
        trials.split(indices={"train": [0, 1], "validation": [1, 2]})
    with pytest.raises(
        NeuritoError, match="trial 0 of 'session 0' is in both"
    ):  # halves of a trial are the same trial
        Splits(trials.select(time=slice(0, 2)), trials.select(time=slice(2, 4)))
    recording = numbered(1, 20)
    with pytest.raises(NeuritoError, match="overlap"):
        Splits(recording.select(time=slice(0, 11)), recording.select(time=slice(10, 20)))
    Splits(recording.select(time=slice(0, 10)), recording.select(time=slice(10, 20)))
    other = numbered(6, 4, session_names=["tuesday"])
    Splits(trials, None, other)  # the same numbers, other trials


def test_splits_by_indices_and_by_metadata():
    trials = numbered(4, 3, metadata={"split": ["train", "test", "train", "validation"]})
    for split in (trials.split(by="split"), trials.split(indices=([0, 2], [3], [1]))):
        assert [part.ids.tolist() for part in split] == [[0, 2], [3], [1]]
    assert trials.split(indices={"train": [0], "test": [1]}).validation is None
    with pytest.raises(NeuritoError, match="no metadata column 'spilt'; did you mean 'split'"):
        trials.split(by="spilt")
    with pytest.raises(NeuritoError, match="says 'dev'"):
        trials.with_metadata(split=["train", "dev", "test", "test"]).split(by="split")
    with pytest.raises(NeuritoError, match="no part 'valid'"):
        trials.split(indices={"train": [0], "valid": [1]})
    with pytest.raises(NeuritoError, match="needs trials to train on"):
        trials.split(indices={"test": [1]})


@pytest.mark.parametrize(
    ("trials", "options", "message"),
    [
        (numbered(3, 4), {}, "validation gets none of 3 trials"),
        (numbered(9, 4), {"fractions": (0.5, 0.2)}, "add up to 1"),
        (numbered(9, 4), {"fractions": (0.0, 1.0)}, "add up to 1"),
        (numbered(9, 4), {"fractions": (1.5, -0.5)}, "add up to 1"),
        (numbered(1, 4), {"gap": 3}, "gets nothing"),
    ],
)
def test_impossible_splits(trials, options, message):
    with pytest.raises(NeuritoError, match=message):
        trials.split(**options)


def test_impossible_windows():
    with pytest.raises(NeuritoError, match="windows of 5 bins in trials of at most 4"):
        numbered(2, 4).windows(5)
    with pytest.raises(NeuritoError, match="whole numbers of at least one"):
        numbered(2, 4).windows(2, 0)


def test_rebinning():
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (2, 7, 3)) + np.array([1.0, 0, 0])
    counts[1, 2, 1] = np.nan
    hand = rng.normal(size=(2, 7, 1))
    trials = Trials.from_array(
        counts, bin_width=0.001, missing="nan", lengths=[7, 5], behaviour={"hand": hand}, inputs=hand
    )
    wide = trials.rebin(2)
    np.testing.assert_array_equal(wide.lengths, [3, 2])
    np.testing.assert_array_equal(wide.main.values[0], counts[0, :6].reshape(3, 2, 3).sum(1))
    assert np.isnan(wide.main.values[1, 1, 1])
    assert not wide.main.read[1, 1, 1]
    np.testing.assert_allclose(
        wide.heads["hand"].values[0, :, 0], hand[0, :6, 0].reshape(3, 2).mean(1), rtol=1e-5
    )
    np.testing.assert_allclose(wide.inputs[0, :, 0], hand[0, :6, 0].reshape(3, 2).mean(1), rtol=1e-5)
    assert wide.bin_width == 0.002
    np.testing.assert_allclose(
        Trials.from_array(counts[:1], bin_edges=[0, 1, 3, 4, 5, 6, 7, 9]).rebin(2).dt[0], [3, 2, 2]
    )
    with pytest.raises(NeuritoError, match=r"rebin\(6\) of trials of 5 bins"):
        trials.rebin(6)


def test_concatenating_sessions():
    one = Trials.from_array(
        np.ones((2, 4, 2)), bin_width=0.1, names=["a", "b"], metadata={"x": [1, 2], "y": [0, 0]}
    )
    two = Trials.from_array(
        np.ones((3, 5, 3)), bin_width=0.1, names=["b", "c", "d"], metadata={"x": [3, 4, 5]}
    )
    both = Trials.concatenate([one, two], sessions=["mon", "tue"])
    assert both.main.names == ("a", "b", "c", "d")
    assert both.session_names == ("mon", "tue")
    np.testing.assert_array_equal(both.session, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(both.lengths, [4, 4, 5, 5, 5])
    np.testing.assert_array_equal(both.ids, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(both.main.read.any((1,))[[0, 2]], [[1, 1, 0, 0], [0, 1, 1, 1]])
    assert list(both.metadata) == ["x"]
    assert both.regular
    side_by_side = Trials.concatenate([one, two], sessions=["mon", "tue"], channels="pad")
    assert side_by_side.main.n_channels == 3
    np.testing.assert_array_equal(side_by_side.main.score.any((1,))[[0, 2]], [[1, 1, 0], [1, 1, 1]])


def test_concatenating_parts_of_one_session():
    trials = numbered(6, 4)
    split = trials.split((0.5, 0.5))
    again = Trials.concatenate([split.train, split.validation])
    assert again[np.argsort(again.ids)].fingerprint() == trials.fingerprint()
    with_hand = trials.with_head("hand", Head.of(np.ones((6, 4, 1)), "continuous"))
    mixed = Trials.concatenate([trials, with_hand])
    np.testing.assert_array_equal(mixed.heads["hand"].read.any((1, 2)), [False] * 6 + [True] * 6)


def test_concatenating_what_does_not_fit():
    trials = numbered(2, 4)
    with pytest.raises(NeuritoError, match="no parts"):
        Trials.concatenate([])
    with pytest.raises(NeuritoError, match="different inputs"):
        Trials.concatenate([trials, trials.with_inputs(np.ones((2, 4, 1)))])
    with pytest.raises(NeuritoError, match="head 'signal' differs in kind or unit"):
        Trials.concatenate([trials, trials.with_head("signal", Head.of(np.ones((2, 4, 2)), "counts"))])
    with pytest.raises(NeuritoError, match="1 session names for 2 parts"):
        Trials.concatenate([trials, trials], sessions=["a"])
    with pytest.raises(NeuritoError, match="channels='nam' is unknown"):
        Trials.concatenate([trials, trials], channels="nam")
