"""The sets as they are read from NWB files: counts on the benchmark's grid, masks, behaviour, parts."""

import math

import numpy as np
import pytest
from scipy.signal import decimate
from tests.benchmark import files

import neurito
from neurito import NeuritoError, NeuritoWarning, benchmark

NAMES = list(benchmark.TASKS)
WIDTHS = (0.005, 0.02)


def gridded(made, width):
    """Counts of the whole recording in bins from time zero, held-in units first."""
    n = round(made.ends * 1000)
    step = round(width * 1000)
    order = [*np.flatnonzero(~made.held_out), *np.flatnonzero(made.held_out)]
    per_ms = np.stack([np.bincount((made.spikes[i] * 1000).astype(int), minlength=n)[:n] for i in order], 1)
    return per_ms[: n // step * step].reshape(n // step, step, -1).sum(1)


def first_bins(align, low, width):
    step = round(width * 1000)
    return [math.ceil(round(1000 * (one + low)) / step) for one in align]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_counts_and_masks(sets, name, width):
    folder, made = sets(name)
    task = benchmark.find(name)
    trials = benchmark.read(folder, name, width, "train+val")
    bins, ahead = task.bins(width), task.forward(width)
    assert (trials.n_trials, trials.n_bins, trials.main.n_channels) == (12, bins + ahead, 8)
    assert trials.bin_width == width
    assert trials.main.names[:5] == tuple(
        str(i) for i, out in zip(made.ids, made.held_out, strict=True) if not out
    )
    whole = gridded(made, width)
    first = np.array(first_bins(made.table[task.align], task.window[0], width)) + trials.metadata["jitter"]
    np.testing.assert_allclose(trials.start, first * width)
    for i, start in enumerate(first):
        np.testing.assert_array_equal(trials.main.values[i], whole[start : start + bins + ahead])
    assert trials.main.read[:, :bins, :5].all()
    assert not trials.main.read[:, bins:].any()
    assert not trials.main.read[:, :, 5:].any()
    assert trials.main.score[trials.metadata["split"] == "train"].all()
    assert trials.main.score[:, bins:].all()
    assert trials.metadata["split"].tolist() == ["train"] * 8 + ["validation"] * 4


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [name for name in NAMES if benchmark.find(name).behaviour])
def test_behaviour_is_moved_by_the_lag(sets, name, width):
    folder, made = sets(name)
    task = benchmark.find(name)
    trials = benchmark.read(folder, name, width, "train")
    head = trials.heads[task.behaviour]
    bins, lag = task.bins(width), round(task.lag / width)
    assert {"mc_maze": 0.1, "mc_rtt": 0.14, "area2_bump": -0.02}.get(name, 0.12) == task.lag
    smooth = decimate(made.behaviour[task.behaviour], round(width * 1000), n=500, ftype="fir", axis=0)
    for i, start in enumerate(first_bins(made.table[task.align][:8], task.window[0], width)):
        np.testing.assert_allclose(head.values[i, :bins], smooth[start + lag : start + lag + bins], atol=1e-3)
    assert not head.read.any()
    assert head.score[:, :bins].all()
    assert not head.score[:, bins:].any()


@pytest.mark.parametrize("name", NAMES)
def test_the_test_part_has_held_in_neurons_in_its_window_only(sets, name):
    folder, _ = sets(name)
    task = benchmark.find(name)
    trials = benchmark.read(folder, name, 0.02, "test")
    bins = task.bins(0.02)
    assert (trials.n_trials, trials.main.n_channels) == (3, 8)
    assert np.isnan(trials.main.values[:, :, 5:]).all()
    assert np.isnan(trials.main.values[:, bins:]).all()
    assert trials.main.read[:, :bins, :5].all()
    assert not (trials.main.read | trials.main.score)[:, :, 5:].any()
    everything = benchmark.read(folder, name)
    assert np.unique(everything.metadata["split"], return_counts=True)[1].tolist() == [3, 8, 4]
    split = everything.split(by="split")
    assert [part.n_trials for part in split] == [8, 4, 3]
    assert len(everything.session_names) == 1


def test_conditions_and_groups(sets):
    trials = benchmark.read(sets("mc_maze")[0], "MC_Maze", split="train")
    assert trials.metadata["condition"].tolist() == [0, 1] * 4
    assert trials.metadata["trial_type"].tolist() == [0, 1] * 4
    assert benchmark.read(sets("mc_maze")[0], "mc_maze").metadata["condition"][-3:].tolist() == [-1] * 3
    assert (
        benchmark.read(sets("area2_bump")[0], "area2_bump", split="train").metadata["group"].tolist()
        == [0, 1] * 4
    )


def test_force_drives_and_the_hand_is_decoded(sets):
    folder, _ = sets("area2_bump")
    trials = benchmark.read(folder, "area2_bump", split="train+val", behaviour=["hand_pos"], inputs=["force"])
    assert trials.input_names == tuple(f"force_{i}" for i in range(6))
    assert list(trials.heads) == ["spikes", "hand_pos"]
    centre = trials.start[0] + 0.02 * np.arange(30)
    np.testing.assert_allclose(trials.inputs[0, :30, 2], np.sin(2 * np.pi * 1.3 * centre), atol=5e-3)
    np.testing.assert_allclose(trials.heads["hand_pos"].values[0, :30, 0], centre - 0.02, atol=5e-3)
    with pytest.raises(NeuritoError, match=r"desc-test.*no series 'force'"):
        benchmark.read(folder, "area2_bump", inputs=["force"])
    file = next(folder.rglob("*train*"))
    plain = neurito.load(
        file,
        bin_width=0.02,
        align="move_onset_time",
        window=(-0.1, 0.5),
        inputs=["force"],
        behaviour=["hand_pos"],
    )
    assert plain.inputs.shape == (12, 30, 6)


def test_ready_set_go(sets):
    """Windows move at random, held-out neurons are scored between set and go outside training."""
    folder, _ = sets("dmfc_rsg")
    trials = benchmark.read(folder, "dmfc_rsg", split="train+val")
    of, held_out = trials.metadata, trials.main.score[:, :75, 5]
    room = np.floor(np.clip(1500 - of["tp"], 0, 300) / 20)
    draws = [np.random.RandomState(0).random_sample(n) for n in (8, 4)]
    np.testing.assert_array_equal(of["jitter"], np.round(np.concatenate(draws) * room))
    assert of["jitter"].any()
    for i in range(8, 12):
        edges = trials.start[i] + 0.02 * np.arange(75)
        inside = (edges >= of["set_time"][i] - 1e-9) & (edges < of["go_time"][i] - 1e-9)
        np.testing.assert_array_equal(held_out[i], inside)
    assert held_out[:8].all()
    assert not benchmark.read(folder, "dmfc_rsg", split="test").metadata["jitter"].any()


@pytest.mark.recording
def test_two_real_trials(recordings, tmp_path):
    """Two trials of MC_Maze at 1 ms, packed as DANDI packs them: 137 neurons are read, 45 held out."""
    source = recordings / "mc_maze_sample"
    if not source.is_dir():
        pytest.skip(f"no {source}: two trials of MC_Maze as tables")
    tables = [np.genfromtxt(source / f"trial_{i}_data.csv", delimiter=",", names=True) for i in (748, 1356)]
    shift = [t["timestamp"][0] - 1 - 5 * i for i, t in enumerate(tables)]  # early, for a short clock
    clocks = [np.round(t["timestamp"] - s, 3) for t, s in zip(tables, shift, strict=True)]
    units = [name for name in tables[0].dtype.names if name.startswith("unit_")]
    spikes = [
        np.concatenate([c[t[u] > 0] + 2e-4 for c, t in zip(clocks, tables, strict=True)]) for u in units
    ]
    velocity = np.concatenate([np.stack([t["hand_vel_x"], t["hand_vel_y"]], 1) for t in tables])
    fast = [
        c[np.argmax(np.hypot(t["hand_vel_x"], t["hand_vel_y"]) > 150)]
        for c, t in zip(clocks, tables, strict=True)
    ]
    made = files.Recorded(
        spikes, np.arange(182) % 4 == 3,
        {
            "start_time": np.array([c[0] for c in clocks]), "stop_time": np.array([c[-1] for c in clocks]),
            "split": np.array(["train", "val"]), "move_onset_time": np.array(fast),
            "trial_type": np.arange(2), "trial_version": np.zeros(2, int),
        },
        {}, np.concatenate(clocks), {"hand_vel": velocity}, 0.0, list(range(182)),
    )  # fmt: skip
    path = tmp_path / "sub-Jenkins_ses-full_desc-train_behavior+ecephys.nwb"
    files.training(path, made, observed=tuple((c[0], c[-1] + 0.001) for c in clocks))
    for width in WIDTHS:
        trials = benchmark.read(path, "mc_maze", width)
        task = benchmark.find("mc_maze")
        assert trials.main.values.shape == (2, task.bins(width) + task.forward(width), 182)
        assert int(trials.main.read.any((0, 1)).sum()) == task.held_in == 137
        order = [*np.flatnonzero(~made.held_out), *np.flatnonzero(made.held_out)]
        for i, (clock, table) in enumerate(zip(clocks, tables, strict=True)):
            rows = np.flatnonzero((clock >= trials.start[i] - 1e-6) & (clock < trials.start[i] + 0.7 - 1e-6))
            counted = (
                np.stack([table[units[j]][rows] for j in order], 1).reshape(task.bins(width), -1, 182).sum(1)
            )
            np.testing.assert_array_equal(trials.main.values[i, : task.bins(width)], counted)
            speed = np.linalg.norm(trials.heads["hand_vel"].values[i, : task.bins(width)], axis=1)
            assert speed.max() > 300  # the reach is inside the window


# bad input


def broken(tmp_path, name="mc_maze_small", **changes):
    files.write(tmp_path, name, **changes)
    return next(tmp_path.rglob("*train*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"without": ("split",)}, "no trials column 'split'"),
        ({"without": ("heldout",)}, "no units column 'heldout'"),
        ({"without": ("obs_intervals",)}, "no obs_intervals"),
        ({"without": ("move_onset_time",)}, "no trials column 'move_onset_time'"),
        ({"held_out": np.zeros(8, bool)}, "has no held-out neurons"),
    ],
)
def test_files_that_lack_something(tmp_path, changes, message):
    path = broken(tmp_path, **changes)
    with pytest.raises(NeuritoError, match=message) as error:
        benchmark.read(path, "mc_maze_small")
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_forward_bins_beyond_the_data_are_masked(tmp_path):
    made = files.recorded(benchmark.find("mc_maze_small"))
    stop = made.table["move_onset_time"][-1] + 0.5  # 50 ms behind the last window
    path = broken(tmp_path, observed=((0.0, stop),))
    trials = benchmark.read(path, "mc_maze_small")
    assert trials.main.read[-1, :35, :5].all()
    assert trials.main.score[-1, 35:].any(1).sum() in (2, 3)
    assert trials.main.score[:-1].all()


def test_gaps_of_behaviour_are_masked(tmp_path):
    task = benchmark.find("mc_maze_small")
    made = files.recorded(task)
    gap = (made.table["move_onset_time"][0], made.table["move_onset_time"][0] + 0.1)
    made.behaviour["hand_vel"][(made.time >= gap[0]) & (made.time < gap[1])] = np.nan
    files.write(tmp_path, task.name, made)
    trials = benchmark.read(tmp_path, task.name, split="train")
    head = trials.heads["hand_vel"]
    edges = trials.start[0] + task.lag + 0.02 * np.arange(35)
    np.testing.assert_array_equal(
        head.score[0, :35, 0], ~((edges >= gap[0] - 1e-6) & (edges < gap[1] - 1e-6))
    )
    assert head.score[1:, :35].all()


def test_trials_without_a_time_are_left_out(tmp_path):
    task = benchmark.find("mc_maze_small")
    made = files.recorded(task)
    made.table["move_onset_time"][1] = np.nan
    files.write(tmp_path, task.name, made)
    with pytest.warns(NeuritoWarning, match="1 trials have no move_onset_time"):
        assert benchmark.read(tmp_path, task.name, split="train").n_trials == 7


def test_what_is_asked_is_checked(sets, tmp_path):
    folder, _ = sets("mc_maze_small")
    for arguments, message in (
        (("mc_maze_smal",), "no set 'mc_maze_smal' in the benchmark; did you mean 'mc_maze_small'"),
        (("mc_maze_small", 0.01), "bin_width=0.01 s; the benchmark has bins of 0.005 and 0.02 s"),
        (("mc_maze_small", 0.02, "tset"), "no part 'tset'; did you mean 'test'"),
    ):
        with pytest.raises(NeuritoError, match=message):
            benchmark.read(folder, *arguments)
    with pytest.raises(NeuritoError, match="no series 'hand_speed'"):
        benchmark.read(folder, "mc_maze_small", behaviour=["hand_speed"])
    with pytest.raises(NeuritoError, match="neurito data fetch mc_maze_small"):
        benchmark.read(tmp_path, "mc_maze_small")
    with pytest.raises(NeuritoError, match="holds no NWB or HDF5 file of mc_rtt"):  # those of another set
        benchmark.read(folder, "mc_rtt")
    with pytest.raises(NeuritoError, match="has no held-out neurons; give the folder"):
        benchmark.read(next(folder.rglob("*test*")), "mc_maze_small")
