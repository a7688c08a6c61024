"""The container: what is accepted, what is refused, how it is selected."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurito.data import Head, Trials, construct
from neurito.data.arrays import compact
from neurito.errors import NeuritoError, NeuritoWarning


def counts(trials: int = 6, bins: int = 10, neurons: int = 4, seed: int = 0) -> np.ndarray:
    return 1.0 + np.random.default_rng(seed).poisson(1.0, (trials, bins, neurons))


@pytest.fixture
def trials() -> Trials:
    rng = np.random.default_rng(1)
    return Trials.from_array(
        counts(),
        bin_width=0.02,
        lengths=[10, 8, 10, 5, 10, 9],
        names=["a", "b", "c", "d"],
        behaviour={"hand": rng.normal(size=(6, 10, 2))},
        inputs={"cue": rng.normal(size=(6, 10))},
        start=np.arange(6.0),
        metadata={"condition": np.array(["left", "right"] * 3)},
    )


def test_what_is_known_of_trials(trials):
    assert (trials.n_trials, trials.n_bins, trials.name, len(trials)) == (6, 10, "spikes", 6)
    assert trials.main.kind == "counts"
    assert trials.main.unit == "counts/bin"
    np.testing.assert_array_equal(trials.lengths, [10, 8, 10, 5, 10, 9])
    np.testing.assert_allclose(trials.time[0], 0.02 * np.arange(10) + 0.01)
    assert trials.bin_width == 0.02
    assert trials.input_names == ("cue",)
    assert not trials.heads["hand"].read.any()
    np.testing.assert_array_equal(trials.heads["hand"].score.all(2), trials.exists)
    assert "6 of 5 to 10 bins" in trials.summary()
    assert "<table>" in trials._repr_html_()
    assert repr(trials).startswith("Trials(6 trials, 10 bins of 0.02 s; spikes 4 counts")


def test_padding_is_nan_and_neither_read_nor_scored(trials):
    gone = ~trials.exists
    for head in trials.heads.values():
        assert np.isnan(head.values[gone]).all()
        assert not (head.read | head.score)[gone].any()
    assert not trials.inputs[gone].any()


def test_regular_bins_and_full_masks_take_no_memory():
    trials = Trials.from_array(counts(), bin_width=0.02)
    for array in (trials.dt, trials.exists, trials.main.read, trials[1:3].dt, trials[[4, 2]].main.score):
        assert compact(array).size == 1


def test_signatures_agree():
    ours, inner = inspect.signature(Trials.from_array), inspect.signature(construct.from_array)
    assert ours.parameters == inner.parameters


def test_arrays_cannot_be_written(trials):
    with pytest.raises(ValueError, match="read-only"):
        trials.main.values[0, 0, 0] = 3


def test_copies_and_pickles(trials):
    assert copy.deepcopy(trials).fingerprint() == trials.fingerprint()
    assert pickle.loads(pickle.dumps(trials)).fingerprint() == trials.fingerprint()


def test_irregular_bins():
    trials = Trials.from_array(counts(2, 3), bin_edges=[0.0, 0.1, 0.3, 0.6])
    np.testing.assert_allclose(trials.dt, [[0.1, 0.2, 0.3]] * 2)
    np.testing.assert_allclose(trials.time[1], [0.05, 0.2, 0.45])
    np.testing.assert_allclose(trials.select(time=slice(1, None)).start, [0.1, 0.1])
    assert not trials.regular
    assert Trials.from_array(counts(2, 3), bin_edges=0.1 * np.arange(4)).regular


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[[0, 3]]], "counts"),
        ([[[0.0, 3.0]]], "counts"),
        ([[[0.5, 3]]], "continuous"),
        ([[[-1, 3]]], "continuous"),
    ],
)
def test_kind_is_guessed(values, kind):
    assert Head.of(values).kind == kind


NAN, INF = float("nan"), float("inf")


def with_one(value: float) -> np.ndarray:
    values = counts()
    values[1, 3, 2] = value
    return values


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"values": np.where(np.arange(4) == 2, NAN, counts())},
            r"head 'values': nan at trial 0, bin 0, channel '2'",
        ),
        ({"values": np.where(np.arange(4) == 2, INF, counts()), "missing": "nan"}, "inf at trial 0, bin 0"),
        ({"values": -counts(), "kind": "counts"}, "is no count; give kind='continuous'"),
        ({"values": counts() + 0.5, "kind": "counts"}, r"is no count; give kind='continuous'"),
        ({"values": np.zeros((0, 5, 2))}, "no trials"),
        ({"values": []}, "no trials"),
        ({"values": np.zeros((5, 0, 2))}, "no bins"),
        ({"values": np.zeros((5, 2, 0))}, "no channels"),
        ({"values": np.array([[["a"]]])}, "give real numbers"),
        ({"values": np.full((1, 2, 2), 1e300)}, "overflow float32"),
        ({"values": np.zeros(5)}, r"shape \(5,\)"),
        ({"values": np.zeros((3, 15))}, r"15 channels in 3 bins"),
        ({"values": counts(), "names": ["a", "b"]}, "2 names for 4 channels"),
        ({"values": counts(), "names": ["a", "b", "a", "c"]}, "two channels are named 'a'"),
        ({"values": counts(), "read": np.ones((3, 3), bool)}, r"could not|read has shape \(3, 3\)"),
        ({"values": counts(), "lengths": [10, 11, 1, 1, 1, 1]}, "lengths go from 1 to 11"),
        ({"values": counts(), "lengths": [1.5]}, "give 6 whole numbers"),
        ({"values": [counts()[0]], "lengths": [3]}, "says them by itself"),
        ({"values": counts(), "bin_width": None}, "bin width is not known"),
        ({"values": counts(), "bin_width": None, "bin_edges": np.arange(10)}, "10 bins have 11 edges"),
        ({"values": counts(), "bin_width": None, "bin_edges": np.arange(11)[::-1]}, "times must increase"),
        ({"values": counts(), "bin_width": 0.0}, "bin 0 of trial 0 is 0 s wide"),
        ({"values": counts(), "behaviour": {"hand": np.zeros((6, 9, 2))}}, "behaviour 'hand' has shape"),
        ({"values": counts(), "behaviour": {"hand": np.zeros((5, 10, 2))}}, "6 trials and 10 bins"),
        ({"values": counts(), "name": "x", "behaviour": {"x": np.zeros((6, 10))}}, "name of the main head"),
        ({"values": counts(), "inputs": np.full((6, 10, 1), NAN)}, "input '0' is nan at trial 0, bin 0"),
        ({"values": counts(), "inputs": np.zeros((6, 10, 2)), "input_names": ["a"]}, "1 input names for 2"),
        ({"values": counts(), "metadata": {"condition": [1, 2]}}, "metadata 'condition' has shape"),
        (
            {"values": counts(), "session": [0, 0, 0, 0, 0, 2], "session_names": ["a", "b"]},
            "session 2 of a trial",
        ),
        ({"values": counts(), "start": [1.0, 2.0]}, "start has shape"),
        ({"values": [np.zeros((5, 2)), np.zeros((4, 3))]}, "trial 1 have shape"),
        ({"values": [np.zeros((3, 15)), np.zeros((3, 14))]}, r"look like \(channel, time\)"),
    ],
)
def test_bad_input_is_one_line(options, message):
    values = options.pop("values")
    with pytest.raises(NeuritoError, match=message) as error:
        Trials.from_array(values, **{"bin_width": 0.1, **options})
    assert "\n" not in str(error.value)


@pytest.mark.skipif(hasattr(Head.of, "__wrapped__"), reason="types are checked before")
def test_misspelt_words():
    with pytest.raises(NeuritoError, match="kind 'spikes' is unknown; choose from counts, continuous"):
        Trials.from_array(counts(), bin_width=0.1, kind="spikes")
    with pytest.raises(NeuritoError, match="missing='na' is unknown; did you mean 'nan'"):
        Trials.from_array(counts(), bin_width=0.1, missing="na")


def test_bad_containers():
    head = Head.of(counts())
    width = np.array(0.1)
    with pytest.raises(NeuritoError, match="no heads"):
        Trials({}, width)
    with pytest.raises(NeuritoError, match="head 'b' has 6 trials of 9 bins, 'a' has 6 trials of 10 bins"):
        Trials({"a": head, "b": Head.of(counts(6, 9))}, width)
    exists = np.ones((6, 10), bool)
    exists[2, 3:5] = False
    with pytest.raises(NeuritoError, match="trial 2 exists again at bin 5"):
        Trials({"a": head}, width, exists=exists)
    exists[2] = False
    with pytest.raises(NeuritoError, match="trial 2 has no bins"):
        Trials({"a": head}, width, exists=exists)
    with pytest.raises(NeuritoError, match="read has type int"):
        Head(counts(), "counts", read=np.ones(4, int))


def test_silent_neurons_are_warned_of():
    values = counts()
    values[..., 2] = 0
    with pytest.warns(NeuritoWarning, match=r"1 of 4 channels never fire \(2\)"):
        Trials.from_array(values, bin_width=0.1)


def test_missing_values_are_neither_read_nor_scored():
    values = counts()
    values[1, 2] = np.nan  # a bin
    values[3, :, 1] = np.nan  # a channel in one trial
    head = Trials.from_array(values, bin_width=0.1, missing="nan").main
    assert head.kind == "counts"
    np.testing.assert_array_equal(head.read, ~np.isnan(values))
    np.testing.assert_array_equal(head.score, ~np.isnan(values))


def test_one_bin_and_one_trial():
    trials = Trials.from_array(np.array([[[1.0, 2.0]]]), bin_width=0.1)
    assert trials[0].n_trials == 1
    np.testing.assert_allclose(trials.time, [[0.05]])


def test_lists_of_unequal_length():
    pieces = [counts(1, n)[0] for n in (5, 7, 3)]
    hand = [np.full((n, 2), float(n)) for n in (5, 7, 3)]
    cue = [np.full(n, float(n)) for n in (5, 7, 3)]
    trials = Trials.from_array(pieces, bin_width=0.1, behaviour={"hand": hand}, inputs={"cue": cue})
    np.testing.assert_array_equal(trials.lengths, [5, 7, 3])
    np.testing.assert_array_equal(trials.main.values[1, :7], pieces[1])
    np.testing.assert_array_equal(trials.heads["hand"].values[2, :3], hand[2])
    assert trials.inputs[2, 2, 0] == 3


def test_indexing(trials):
    np.testing.assert_array_equal(trials[2].main.values[0], trials.main.values[2])
    np.testing.assert_array_equal(trials[-1].ids, [5])
    np.testing.assert_array_equal(trials[trials.metadata["condition"] == "left"].ids, [0, 2, 4])
    np.testing.assert_array_equal(trials[[3, 1]].start, [3, 1])
    part = trials[1:3, 2:6, ["d", "a"]]
    assert part.fingerprint() == trials[1:3].select(time=slice(2, 6), channels=["d", "a"]).fingerprint()
    assert trials[2, 1:].fingerprint() == trials[2].select(time=slice(1, None)).fingerprint()
    with pytest.raises(NeuritoError, match="4 indices; give those of trials, bins and channels"):
        trials[0, :, 0, 0]
    np.testing.assert_array_equal(trials[0, -1, 2].main.values, trials.main.values[:1, 9:, 2:3])
    with pytest.raises(NeuritoError, match=r"bins chosen by \[1, 3\]; bins follow one another"):
        trials[0, [1, 3]]
    with pytest.raises(NeuritoError, match="no trial 6: there are 6"):
        trials[6]
    with pytest.raises(NeuritoError, match="no trial is chosen"):
        trials[3:3]
    with pytest.raises(NeuritoError, match=r"mask of shape \(2,\) for 6 trials"):
        trials[np.array([True, False])]
    for wrong in (0.5, "0", [[0, 1]]):
        with pytest.raises(NeuritoError, match="give whole numbers, a slice, a mask or names"):
            trials[wrong]
    with pytest.raises(NeuritoError, match="no trial is chosen"):
        trials[np.zeros(6, bool)]


def test_selecting_bins_and_channels(trials):
    part = trials[[0, 1, 2]].select(time=slice(2, 6), channels=["d", "a"])
    np.testing.assert_array_equal(part.main.values, trials.main.values[:3, 2:6][..., [3, 0]])
    assert part.main.names == ("d", "a")
    np.testing.assert_allclose(part.start, [0.04, 1.04, 2.04])
    np.testing.assert_array_equal(part.origin, [2, 2, 2])
    np.testing.assert_array_equal(part.inputs, trials.inputs[:3, 2:6])
    assert trials.select(head="hand", channels=1).heads["hand"].n_channels == 1
    with pytest.raises(NeuritoError, match="no channel 'e'; choose from a, b"):
        trials.select(channels="e")
    with pytest.raises(NeuritoError, match="no head 'hnd'; did you mean 'hand'"):
        trials.select(channels=0, head="hnd")
    with pytest.raises(NeuritoError, match="asked of trial 3, which has 5 bins"):
        trials.select(time=slice(6, 9))
    with pytest.raises(NeuritoError, match="use step 1"):
        trials.select(time=slice(0, 8, 2))


def test_holding_out_and_forward(trials):
    held = trials.hold_out(channels=["b"]).main
    assert not held.read[..., 1].any()
    np.testing.assert_array_equal(held.score, trials.main.score)
    np.testing.assert_array_equal(held.read[..., 0], trials.exists)
    half = [trials.hold_out(0.5, seed=seed).main.read.any((0, 1)) for seed in (0, 0, 1)]
    assert half[0].sum() == 2
    np.testing.assert_array_equal(half[0], half[1])
    ahead = trials.forward(3)
    for i, length in enumerate(trials.lengths):
        assert ahead.main.read[i, : length - 3].all()
        assert not ahead.main.read[i, length - 3 :].any()
        assert ahead.main.score[i, :length].all()
    assert "1 held out" in trials.hold_out(channels=["b"]).summary()
    for wrong, message in (
        ({"fraction": 0.01}, "holds out 0"),
        ({"fraction": 1.0}, "holds out 4"),
        ({}, "give one of them"),
        ({"fraction": 0.5, "channels": ["a"]}, "give one of them"),
    ):
        with pytest.raises(NeuritoError, match=message):
            trials.hold_out(**wrong)
    with pytest.raises(NeuritoError, match=r"forward\(5\) in a trial of 5 bins"):
        trials.forward(5)


def test_with_and_without(trials):
    assert list(trials.without_head("hand").heads) == ["spikes"]
    assert trials.with_head("more", Head.of(counts(6, 10, 1))).heads["more"].n_channels == 1
    assert trials.with_inputs(None).inputs is None
    pulse = trials.with_inputs(np.ones((10, 2))[None], ["on", "off"])
    assert pulse.input_names == ("on", "off")
    np.testing.assert_array_equal(pulse.inputs.any(2), trials.exists)
    assert trials.with_metadata(block=np.arange(6)).metadata["block"][3] == 3


rows = st.lists(st.integers(0, 5), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(rows, st.data())
def test_selections_compose(first, data):
    trials = Trials.from_array(counts(), bin_width=0.1, start=np.arange(6.0)).hold_out(0.5).forward(2)
    second = data.draw(st.lists(st.integers(0, len(first) - 1), min_size=1, max_size=8))
    low = data.draw(st.integers(0, 8))
    high = data.draw(st.integers(low + 1, 10))
    twice = trials[first].select(time=slice(low, high))[second]
    once = trials[np.array(first)[second]].select(time=slice(low, high))
    assert twice.fingerprint() == once.fingerprint()
    inner = trials.select(time=slice(low, None)).select(time=slice(0, high - low))
    assert inner.fingerprint() == trials.select(time=slice(low, high)).fingerprint()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.sampled_from(["index", "time", "windows", "save", "concatenate"]),
    st.integers(0, 2**32 - 1),
)
def test_masks_survive(tmp_path_factory, lengths, how, seed):
    """What is missing is NaN and unread wherever it goes, and what is read keeps its value."""
    rng = np.random.default_rng(seed)
    pieces = [rng.poisson(1.0, (n, 3)).astype(float) for n in lengths]
    for piece in pieces:
        piece[rng.random(piece.shape) < 0.3] = np.nan
    head = Head.of(_padded(pieces), "counts", read=rng.random(3) < 0.7, missing="nan")
    trials = Trials({"x": head}, np.array(0.1), exists=np.arange(max(lengths)) < np.array(lengths)[:, None])
    if how == "index":
        other = trials[rng.permutation(len(lengths))]
    elif how == "time":
        other = trials.select(time=slice(0, max(1, min(lengths) - 1)))
    elif how == "windows":
        other = trials.windows(2, 1, keep_tail=True)
    elif how == "save":
        path = tmp_path_factory.mktemp("masks") / "trials.h5"
        trials.save(path)
        other = Trials.load(path)
    else:
        other = Trials.concatenate([trials, trials[:1]])
    for row in range(other.n_trials):
        source, first, length = (
            int(other.ids[row]) % len(lengths),
            int(other.origin[row]),
            int(other.lengths[row]),
        )
        for name in ("values", "read", "score"):
            np.testing.assert_array_equal(
                getattr(other.main, name)[row, :length],
                getattr(trials.main, name)[source, first : first + length],
            )
        assert not other.main.read[row, length:].any()
    assert not (np.isnan(other.main.values) & (other.main.read | other.main.score)).any()


def _padded(pieces: list[np.ndarray]) -> np.ndarray:
    array = np.full((len(pieces), max(map(len, pieces)), 3), np.nan)
    for row, piece in zip(array, pieces, strict=True):
        row[: len(piece)] = piece
    return array
