"""Real recordings: the options that load them, and figures known of them."""

import numpy as np
import pytest

from neurito.data import describe, load
from neurito.errors import NeuritoError, NeuritoWarning

pytestmark = pytest.mark.recording


def the(recordings, folder: str, pattern: str):
    found = sorted((recordings / folder).glob(pattern))
    if not found:
        pytest.skip(f"no {folder}/{pattern} at {recordings}")
    return found[0]


def test_eeg(recordings):
    path = the(recordings, "eeg", "*.npy")
    with pytest.raises(
        NeuritoError, match=r"9640 bins x 64 channels \(axes='time channel'\) or 64 bins x 9640"
    ):
        load(path)
    trials = load(path, axes="time channel", bin_width=1 / 160)
    assert (trials.n_trials, trials.n_bins, trials.main.n_channels) == (1, 9640, 64)
    np.testing.assert_array_equal(trials.main.values[0], np.load(path))


def test_data_of_a_low_rank_network(recordings):
    path = the(recordings, "low_rank_rnn", "continuous_data.npy")
    trials = load(path, axes="trial channel time", bin_width=0.01)
    assert (trials.n_trials, trials.n_bins, trials.main.n_channels) == (200, 75, 20)


def test_lorenz(recordings):
    trials = load(the(recordings, "lorenz", "*.h5"), bin_width=0.01)
    assert (trials.n_trials, trials.n_bins, trials.main.n_channels) == (800, 100, 60)
    assert trials.main.values[:640].mean() == pytest.approx(0.018315, rel=1e-4)
    assert np.bincount(trials.metadata["condition"]).tolist() == [40] * 20
    truth = trials.heads["truth_rates"]
    assert truth.unit == "spikes/s"
    first = np.unique(trials.metadata["condition"], return_index=True)[1]
    same = truth.values[first][trials.metadata["condition"]]
    np.testing.assert_array_equal(same, truth.values)  # one noise-free run for each condition


def test_motor_cortex(recordings):
    trials = load(the(recordings, "m1_reach", "*.mat"), behaviour=["handVel", "handPos"])
    assert (trials.n_bins, trials.main.n_channels, trials.bin_width) == (15536, 171, 0.05)
    assert trials.main.values.max() == 26
    assert np.ptp(trials.heads["handPos"].values[0, :, 2]) == 0


def test_maze(recordings):
    path = the(recordings, "mc_maze_sample", "*.csv")
    with pytest.warns(NeuritoWarning, match="of 182 channels never fire"):
        trials = load(sorted(path.parent.glob("*.csv")), behaviour=["hand_vel_*"], rebin=20)
    assert (trials.n_trials, trials.main.n_channels, trials.bin_width) == (2, 182, 0.02)
    assert sorted(trials.lengths) == [161, 178]


def test_delayed_response(recordings):
    trials = load(the(recordings, "alm_delay", "*.h5"))
    assert (trials.n_trials, trials.main.n_channels, trials.bin_width) == (257, 51, 0.02)
    assert (trials.lengths.min(), trials.lengths.max()) == (389, 395)
    assert np.nansum(trials.main.values, dtype=float) == 486_816  # as the file says


def test_linear_track(recordings):
    spikes = the(recordings, "linear_track", "*.mat")
    track = the(recordings, "linear_track", "*.videoPositionTracking")
    trials = load(spikes, bin_width=0.02, behaviour_file=track)
    assert trials.main.n_channels == 31
    assert np.nansum(trials.main.values) == pytest.approx(28_829, abs=5)
    assert trials.dt.sum() == pytest.approx(33 * 60, rel=0.01)
    position = trials.heads["position"].values[0]
    assert np.isnan(position).mean() < 1e-3  # both files are on one clock
    assert "31 with 28829 spikes" in describe(spikes)


def test_human_temporal_lobe(recordings):
    path = the(recordings, "nwb_human_mtl", "*.nwb")
    whole = load(path, bin_width=0.05)
    assert whole.main.values.sum(dtype=float) == 214_278
    options = {"intervals": "encoding_table", "align": "boundary1_time", "window": (-0.5, 1.0)}
    trials = load(path, bin_width=0.05, units="location == 'amygdala_right'", **options)
    assert (trials.n_trials, trials.n_bins) == (90, 30)
    assert 0 < trials.main.n_channels < 35
    assert "encoding_table 90 intervals" in describe(path)
