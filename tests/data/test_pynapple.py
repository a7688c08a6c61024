"""Objects of pynapple in memory."""

import numpy as np
import pytest

from neurito.data import load
from neurito.errors import NeuritoError

nap = pytest.importorskip("pynapple")
RNG = np.random.default_rng(0)
SPIKES = {3: np.sort(RNG.uniform(0, 20, 300)), 7: np.sort(RNG.uniform(0, 20, 100))}
SUPPORT = nap.IntervalSet(0.0, 20.0)
HAND = nap.TsdFrame(
    np.arange(0, 20, 0.01), RNG.normal(size=(2000, 2)), columns=["x", "y"], time_support=SUPPORT
)


@pytest.fixture
def group():
    members = {i: nap.Ts(t, time_support=SUPPORT) for i, t in SPIKES.items()}
    return nap.TsGroup(members, time_support=SUPPORT, metadata={"area": ["CA1", "CA3"]})


def test_group(group):
    trials = load(group, bin_width=0.1, behaviour={"hand": HAND})
    assert trials.main.names == ("3", "7")
    assert trials.n_bins == 200
    for i, times in enumerate(SPIKES.values()):
        np.testing.assert_array_equal(
            trials.main.values[0, :, i], np.histogram(times, 0.1 * np.arange(201))[0]
        )
    np.testing.assert_allclose(
        trials.heads["hand"].values[0], HAND.values.reshape(200, 10, 2).mean(1), atol=1e-6
    )
    assert trials.heads["hand"].names == ("x", "y")
    assert load(group, bin_width=0.1, units="area == 'CA3'").main.names == ("7",)


def test_behaviour_beside_a_file(group, tmp_path):
    rows = [f"{i},{t}" for i, times in SPIKES.items() for t in times]
    (tmp_path / "x.csv").write_text("unit,time\n" + "\n".join(rows))
    trials = load(tmp_path / "x.csv", bin_width=0.1, intervals=SUPPORT, behaviour={"hand": HAND})
    assert trials.heads["hand"].score.all()


def test_trials_from_an_interval_set(group):
    epochs = nap.IntervalSet([1.0, 5.0, 9.0], [2.0, 7.0, 9.5])
    trials = load(group, bin_width=0.1, intervals=epochs)
    np.testing.assert_array_equal(trials.lengths, [10, 20, 5])
    np.testing.assert_array_equal(trials.start, [1, 5, 9])
    aligned = load(group, bin_width=0.1, intervals=epochs, window=(-0.5, 0.5))
    assert (aligned.n_trials, aligned.n_bins) == (3, 10)


def test_single_unit_and_epochs():
    spikes = nap.Ts(SPIKES[3]).restrict(nap.IntervalSet([0, 10], [5, 20]))
    trials = load(spikes, bin_width=0.5)
    np.testing.assert_array_equal(trials.lengths, [10, 20])
    np.testing.assert_array_equal(
        trials.main.values[1, :, 0], np.histogram(SPIKES[3], 10 + 0.5 * np.arange(21))[0]
    )


def test_samples():
    trials = load(HAND)
    assert (trials.n_bins, trials.bin_width, trials.main.names) == (2000, 0.01, ("x", "y"))
    np.testing.assert_allclose(trials.main.values[0], HAND.values, atol=1e-6)
    one = load(HAND[:, 0], bin_width=0.1)
    np.testing.assert_allclose(
        one.main.values[0, :, 0], HAND.values[:, 0].reshape(200, 10).mean(1), atol=1e-6
    )


def test_samples_in_epochs():
    cut = HAND.restrict(nap.IntervalSet([1.0, 7.0], [2.0, 9.5]))
    trials = load(cut)
    np.testing.assert_array_equal(trials.lengths, [101, 251])
    np.testing.assert_allclose(trials.main.values[1, :251], HAND.values[700:951], atol=1e-6)


def test_other_things(group):
    with pytest.raises(NeuritoError, match="pynapple IntervalSet is no recording"):
        load(SUPPORT, bin_width=0.1)
    with pytest.raises(NeuritoError, match=r"load got ndarray; give a path, or Trials.from_array"):
        load(np.zeros(3))
    with pytest.raises(NeuritoError, match="dict is no series"):
        load(group, bin_width=0.1, behaviour={"hand": {}})
    with pytest.raises(NeuritoError, match=r"intervals have shape \(3,\)"):
        load(group, bin_width=0.1, intervals=[1, 2, 3])
    with pytest.raises(NeuritoError, match=r"an object of pynapple: .*give bin_width"):
        load(group)
