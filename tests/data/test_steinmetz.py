"""Sessions of Steinmetz et al. 2019: small NWB files as on DANDI, and the teaching release as npz."""

import datetime
import warnings

import h5py
import numpy as np
import pytest

from neurito.data import describe, load
from neurito.data.readers.steinmetz import TICK
from neurito.errors import NeuritoError

RNG = np.random.default_rng(0)
N, BINS = 6, 250
STIMULUS = 3.0 + 4.0 * np.arange(N) + RNG.uniform(0, 0.1, N)
CUE = STIMULUS + RNG.uniform(0.4, 0.8, N)
LEFT, RIGHT = np.array([0, 0.25, 0.5, 1, 0, 0]), np.array([1, 0, 0.25, 0, 0, 0.5])
SPIKES = [np.sort(RNG.uniform(0, 30, 600)) for _ in range(4)]
RATE = 2500.0


def session(path, *, rate=1 / RATE, two_times=False, wheel=True):
    """As published: the period stands where the rate should, or two times stand for all."""
    pynwb = pytest.importorskip("pynwb")
    file = pynwb.NWBFile("test", "id", datetime.datetime(2016, 12, 14, tzinfo=datetime.UTC))
    group = file.create_electrode_group("Probe1", "a", "b", file.create_device("0"))
    for location in ("VISp", "CA1"):
        file.add_electrode(location=location, group=group)
    file.add_unit_column("phy_annotations", "2 = good")
    for i, times in enumerate(SPIKES):
        file.add_unit(spike_times=times, phy_annotations=[2, 1, 3, 2][i], electrodes=[i // 2])
    columns = {
        "visual_stimulus_time": STIMULUS, "visual_stimulus_left_contrast": LEFT,
        "visual_stimulus_right_contrast": RIGHT, "go_cue": CUE, "response_choice": np.sign(LEFT - RIGHT),
    }  # fmt: skip
    for name in columns:
        file.add_trial_column(name, "of the task")
    for i in range(N):
        file.add_trial(
            start_time=STIMULUS[i] - 1,
            stop_time=STIMULUS[i] + 2.5,
            **{k: float(v[i]) for k, v in columns.items()},
        )
    if wheel:
        position = 100 * np.cumsum(np.ones(int(30 * RATE))) / RATE  # 100 ticks/s
        times = np.arange(position.size) / RATE
        clock = {"timestamps": times} if two_times else {"rate": rate, "starting_time": 0.0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file.add_acquisition(
                pynwb.TimeSeries(name="wheel_position", data=position[:, None], unit="ticks", **clock)
            )
    with pynwb.NWBHDF5IO(path, "w") as io, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        io.write(file)
    if two_times:
        with h5py.File(path, "a") as stored:
            series = stored["acquisition/wheel_position"]
            attributes = dict(series["timestamps"].attrs)
            del series["timestamps"]
            series.create_dataset("timestamps", data=times[[0, -1]]).attrs.update(attributes)
    return path


@pytest.mark.parametrize("clock", [{}, {"rate": RATE}, {"two_times": True}])
def test_nwb(tmp_path, clock):
    trials = load(session(tmp_path / "sub-Cori_ses-20161214.nwb", **clock))
    assert (trials.n_trials, trials.n_bins, trials.bin_width) == (N, BINS, 0.01)
    assert trials.main.names == ("0", "2", "3")  # units of several neurons are left out
    edges = STIMULUS[2] - 0.5 + 0.01 * np.arange(BINS + 1)
    np.testing.assert_array_equal(trials.main.values[2, :, 1], np.histogram(SPIKES[2], edges)[0])
    np.testing.assert_allclose(trials.heads["wheel"].values, 100 * TICK, rtol=1e-4)
    assert trials.heads["wheel"].unit == "mm/s"
    assert not trials.heads["wheel"].read.any()
    check_inputs(trials)
    assert trials.metadata["response_choice"].tolist() == np.sign(LEFT - RIGHT).tolist()


def check_inputs(trials):
    """Contrasts from the stimulus on, the cue from its time on."""
    assert trials.input_names == ("contrast_left", "contrast_right", "go_cue")
    np.testing.assert_array_equal(trials.inputs[:, :50], 0)
    np.testing.assert_allclose(trials.inputs[:, 50:, 0], np.repeat(LEFT[:, None], 200, 1))
    np.testing.assert_allclose(trials.inputs[:, 50:, 1], np.repeat(RIGHT[:, None], 200, 1))
    first = trials.inputs[..., 2].argmax(1)
    np.testing.assert_allclose(first * 0.01 - 0.5, CUE - STIMULUS, atol=0.006)
    assert (np.diff(trials.inputs[..., 2], axis=1) >= 0).all()


def test_other_options(tmp_path):
    path = session(tmp_path / "x.nwb")
    trials = load(path, bin_width=0.02, window=(-0.2, 1.0), units="location == 'VISp'")
    assert (trials.n_bins, trials.main.names) == (60, ("0", "1"))
    assert trials.inputs[:, 10:, 1].max() == 1
    assert load(path, format="nwb", bin_width=0.1, intervals="none").n_trials == 1
    assert "visual_stimulus_left_contrast" in describe(path)
    with pytest.raises(NeuritoError, match="align does not apply to sessions of Steinmetz"):
        load(path, align="go_cue")
    with pytest.raises(NeuritoError, match="has no series 'wheel_position'"):
        load(session(tmp_path / "y.nwb", wheel=False))


def release():
    """One session of the teaching release, as plain arrays."""
    return {
        "spks": RNG.poisson(0.1, (4, N, BINS)).astype(np.int8),
        "wheel": RNG.integers(-3, 4, (1, N, BINS)).astype(np.int8),
        "contrast_left": LEFT,
        "contrast_right": RIGHT,
        "gocue": (CUE - STIMULUS)[:, None],
        "response": np.sign(LEFT - RIGHT),
        "brain_area": np.array(["VISp", "VISp", "CA1", "root"]),
        "bin_size": 0.01,
    }


def test_plain_npz(tmp_path):
    content = release()
    np.savez(tmp_path / "session.npz", **content)
    trials = load(tmp_path / "session.npz")
    assert (trials.n_trials, trials.n_bins, trials.bin_width) == (N, BINS, 0.01)
    np.testing.assert_array_equal(trials.main.values, content["spks"].transpose(1, 2, 0))
    np.testing.assert_array_equal(trials.heads["wheel"].values[..., 0], content["wheel"][0])
    assert trials.main.names == ("VISp_0", "VISp_1", "CA1_2", "root_3")
    check_inputs(trials)
    assert trials.metadata["response"].tolist() == content["response"].tolist()
    assert trials.session_names == ("session",)
    assert load(tmp_path / "session.npz", rebin=2).bin_width == 0.02
    assert "spks" in describe(tmp_path / "session.npz")


def test_pickled_release_is_refused(tmp_path, monkeypatch):
    """Nothing in it is run; the error says how to make a plain file."""
    path = tmp_path / "steinmetz_part0.npz"
    np.savez(path, dat=np.array([release(), release()], object))
    with pytest.raises(
        NeuritoError, match=r"are not read; if you trust it, save each as plain arrays"
    ) as error:
        load(path)
    message = str(error.value)
    assert "\n" not in message
    monkeypatch.chdir(tmp_path)
    exec(message.split("plain arrays: ")[1], {"numpy": np})
    assert load(tmp_path / "session.npz").n_trials == N
    assert "pickled" in describe(path)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"gocue": np.zeros(3)}, {}, "gocue has 3 values for 6 trials"),
        ({"wheel": np.zeros((1, N, 9))}, {}, r"wheel has shape \(1, 6, 9\)"),
        ({"brain_area": np.array(["VISp"])}, {}, "1 brain areas for 4 neurons"),
        ({"spks": np.zeros((4, N))}, {}, r"spks have shape \(4, 6\)"),
        ({}, {"bin_width": 0.02}, r"has bins of 0.01 s; leave bin_width out, rebin=N"),
        ({}, {"units": ["0"]}, "units does not apply to binned trials"),
        ({"spks": np.full((4, N, BINS), 0.5)}, {}, "0.5 at trial 0, bin 0, channel 'VISp_0' is no count"),
    ],
)
def test_bad_files(tmp_path, change, options, message):
    np.savez(tmp_path / "x.npz", **release() | change)
    with pytest.raises(NeuritoError, match=message) as error:
        load(tmp_path / "x.npz", **options)
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)
