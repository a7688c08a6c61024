"""NWB files made with pynwb: units, trials, series, what was not observed."""

import datetime
import warnings

import numpy as np
import pytest

from neurito.data import describe, load
from neurito.errors import NeuritoError, NeuritoWarning

RNG = np.random.default_rng(0)
SPIKES = [np.sort(RNG.uniform(0, 60, n)) for n in (400, 300, 200, 100)]
START = np.arange(2.0, 58.0, 4.0)
GO = START + RNG.uniform(0.5, 1.0, START.size)
GO[3] = np.nan
CLOCK = np.arange(0, 60, 0.01)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Four units, 14 trials with a cue, two series of the hand, one of the eye with a gap."""
    pynwb = pytest.importorskip("pynwb")
    file = pynwb.NWBFile("test", "id", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    device = file.create_device("probe")
    group = file.create_electrode_group("shank", "a", "M1", device)
    for location in ("M1", "PMd"):
        file.add_electrode(location=location, group=group)
    file.add_unit_column("quality", "by eye")
    for i, spikes in enumerate(SPIKES):
        file.add_unit(
            spike_times=spikes,
            quality=["good", "mua", "good", "good"][i],
            electrodes=[i // 2],
            obs_intervals=[[0.0, 60.0]] if i < 3 else [[0.0, 30.0], [40.0, 60.0]],
        )
    file.add_trial_column("go", "cue")
    file.add_trial_column("side", "left or right")
    for i, (start, go) in enumerate(zip(START, GO, strict=True)):
        file.add_trial(
            start_time=start, stop_time=start + 3 + 0.1 * (i % 3), go=go, side=["left", "right"][i % 2]
        )
    behaviour = file.create_processing_module("behavior", "movement")
    hand = np.stack([np.sin(CLOCK), np.cos(CLOCK)], 1)
    behaviour.add(pynwb.TimeSeries(name="hand_vel", data=100 * hand, unit="m/s", rate=100.0, conversion=0.01))
    position = pynwb.behavior.Position(name="Position")
    position.create_spatial_series(name="hand_pos", data=hand, timestamps=CLOCK, reference_frame="centre")
    behaviour.add(position)
    there = (CLOCK < 20) | (CLOCK > 25)
    for name, data, times in (("eye", CLOCK[there], CLOCK[there]), ("events", np.arange(3), [1.0, 3.0, 2.0])):
        file.add_acquisition(pynwb.TimeSeries(name=name, data=data, unit="deg", timestamps=times))
    path = tmp_path_factory.mktemp("nwb") / "recording.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        io.write(file)
    return path


def test_trials_of_unequal_length(path):
    trials = load(path, bin_width=0.05)
    assert trials.n_trials == START.size
    np.testing.assert_array_equal(trials.lengths, 60 + 2 * (np.arange(START.size) % 3))
    np.testing.assert_array_equal(trials.start, START)
    assert trials.metadata["side"].tolist() == ["left", "right"] * 7
    assert trials.session_names == ("recording",)
    for i in range(START.size):
        edges = START[i] + 0.05 * np.arange(trials.lengths[i] + 1)
        for unit in range(3):
            np.testing.assert_array_equal(
                trials.main.values[i, : trials.lengths[i], unit], np.histogram(SPIKES[unit], edges)[0]
            )


def test_what_was_not_observed_is_missing(path):
    trials = load(path, bin_width=0.5, intervals="none")
    time = trials.start[0] + trials.time[0]
    assert not trials.main.read[0, (time > 29.75) & (time < 40.25), 3].any()
    assert trials.main.read[0, (time < 29.75) | ((time > 40.25) & (time < 59.5)), 3].all()
    assert trials.main.read[0, time < 59.5, :3].all()


def test_aligned_windows(path):
    with pytest.warns(NeuritoWarning, match="1 of 14 trials have no time"):
        trials = load(
            path,
            bin_width=0.1,
            align="go",
            window=(-0.4, 0.6),
            units="quality == 'good' and location == 'M1'",
        )
    assert (trials.n_trials, trials.n_bins, trials.main.names) == (13, 10, ("0",))
    known = np.isfinite(GO)
    np.testing.assert_allclose(trials.start, GO[known] - 0.4)
    edges = GO[0] - 0.4 + 0.1 * np.arange(11)
    np.testing.assert_array_equal(trials.main.values[0, :, 0], np.histogram(SPIKES[0], edges)[0])


def test_behaviour(path):
    trials = load(
        path, bin_width=0.1, behaviour=["hand_vel", "hand_pos", "eye"], intervals="none", max_gap=0.5
    )
    centre = trials.start[0] + trials.time[0]
    velocity = trials.heads["hand_vel"]
    assert velocity.unit == "m/s"
    assert not velocity.read.any()
    inside = centre < 59.9
    np.testing.assert_allclose(velocity.values[0, inside, 0], np.sin(centre[inside]), atol=0.02)
    np.testing.assert_allclose(
        trials.heads["hand_pos"].values[0, inside, 1], np.cos(centre[inside]), atol=0.02
    )
    eye = trials.heads["eye"]
    assert not eye.score[0, (centre > 20.1) & (centre < 24.9)].any()
    assert eye.score[0, (centre < 19.9) | ((centre > 25.1) & inside)].all()
    driven = load(path, bin_width=0.1, inputs=["hand_vel"])
    assert driven.input_names == ("hand_vel_0", "hand_vel_1")
    with pytest.warns(NeuritoWarning, match="go backwards 1 times"):
        load(path, bin_width=0.1, behaviour=["events"])


def test_behaviour_from_another_file(path, tmp_path):
    table = tmp_path / "pupil.csv"
    table.write_text("time,pupil\n" + "\n".join(f"{t},{2 * t}" for t in np.arange(0, 60, 0.1)))
    for options in ({}, {"behaviour": ["pupil", "hand_vel"]}):
        trials = load(path, bin_width=0.5, behaviour_file=table, **options)
        assert list(trials.heads)[1:] == options.get("behaviour", ["pupil"])
    np.testing.assert_allclose(trials.heads["pupil"].values[0, 0, 0], 2 * (START[0] + 0.2), rtol=1e-5)


def test_series_as_the_signal(path):
    trials = load(path, key="hand_vel", cut=2.0)
    assert (trials.name, trials.n_trials, trials.n_bins, trials.main.read.all()) == (
        "hand_vel",
        30,
        200,
        True,
    )
    assert trials.bin_width == 0.01
    whole = load(path, key="hand_vel", intervals="none")
    np.testing.assert_allclose(whole.main.values[0, :, 0], np.sin(CLOCK), atol=1e-5)
    assert load(path, key="hand_vel", bin_width=0.02, span=(10.0, 20.0)).n_bins == 500


def test_cut_and_span(path):
    trials = load(path, bin_width=0.1, cut=1.5, span=(5.0, 20.0))
    np.testing.assert_allclose(trials.start, 5 + 1.5 * np.arange(10))
    assert trials.n_bins == 15
    assert len(set(trials.ids.tolist())) == 10
    for wrong, message in (
        ((20.0, 5.0), "holds nothing"),
        ((500.0, 600.0), "the recording is from"),
    ):
        with pytest.raises(NeuritoError, match=message):
            load(path, bin_width=0.1, span=wrong)


def test_overlapping_trials_are_warned_of(path):
    with pytest.warns(NeuritoWarning, match=r"13 of 14 trials overlap in time"):
        load(path, bin_width=0.1, window=(-1.0, 4.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "spike times need bins, give bin_width=SECONDS"),
        ({"bin_width": -1.0}, "bin_width=-1.0; spike times need bins"),
        ({"bin_width": 1e-9, "intervals": "none"}, "choose a larger bin_width"),
        ({"bin_width": 100.0}, "no bin of 100 s fits"),
        ({"bin_width": 0.1, "units": "qualty == 'good'"}, "no column 'qualty'; did you mean 'quality'"),
        ({"bin_width": 0.1, "units": ["7"]}, "no unit '7'"),
        (
            {"bin_width": 0.1, "align": "goo", "window": (0.0, 1.0)},
            "no trials column 'goo'; did you mean 'go'",
        ),
        ({"bin_width": 0.1, "align": "side", "window": (0.0, 1.0)}, "column 'side' holds no times"),
        ({"bin_width": 0.1, "align": "go"}, r"give window=\(FROM, TO\) in seconds"),
        ({"bin_width": 0.1, "intervals": "trails"}, "no intervals 'trails'; did you mean 'trials'"),
        ({"bin_width": 0.1, "intervals": "none", "align": "go"}, "align needs trials"),
        (
            {"bin_width": 0.1, "behaviour": ["hand_velocity"]},
            "no series 'hand_velocity'; did you mean 'hand_vel'",
        ),
        ({"bin_width": 0.1, "key": "LFP"}, "no series 'LFP'"),
        ({"bin_width": 0.1, "inputs": ["eye"], "intervals": "none"}, "inputs must be known everywhere"),
        ({"key": "eye"}, "is sampled irregularly; give bin_width"),
        ({"axes": "time channel"}, "axes does not apply to Neurodata Without Borders"),
    ],
)
@pytest.mark.filterwarnings("ignore::neurito.errors.NeuritoWarning")
def test_bad_options(path, options, message):
    with pytest.raises(NeuritoError, match=message) as error:
        load(path, **options)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_description(path):
    text = describe(path)
    for part in (
        "4 with 1000 spikes",
        "quality   good, mua",
        "location  M1, PMd",
        "trials      14 intervals",
        "hand_vel    (6000, 2) m/s, 100 samples/s",
    ):
        assert part in text


def test_spike_times_are_read_once(path, monkeypatch):
    """Reading each unit from the file by itself would be slow in large files."""
    import h5py

    reads: list[str] = []
    original = h5py.Dataset.__getitem__

    def counted(self, args, *rest, **options):
        reads.append(self.name)
        return original(self, args, *rest, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    load(path, bin_width=0.1)
    assert reads.count("/units/spike_times") == 1
    assert not any("hand" in name and name.endswith("/data") for name in reads)


def test_truncated(path, tmp_path):
    cut = tmp_path / "x.nwb"
    cut.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(NeuritoError, match=f"{cut}: is damaged, or no HDF5 file"):
        load(cut, bin_width=0.1)


def test_without_units(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    file = pynwb.NWBFile("test", "id", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    with pynwb.NWBHDF5IO(tmp_path / "x.nwb", "w") as io:
        io.write(file)
    with pytest.raises(NeuritoError, match="holds no spikes; give key=NAME of a series, of: none"):
        load(tmp_path / "x.nwb", bin_width=0.1)
    assert "no spikes, no samples" in describe(tmp_path / "x.nwb")
