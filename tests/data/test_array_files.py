"""NumPy, MATLAB and HDF5 files of binned arrays, and the layouts of LFADS."""

import h5py
import numpy as np
import pytest
import scipy.io

from neurito.data import describe, load
from neurito.errors import NeuritoError, NeuritoWarning

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(1.0, (8, 30, 5)) + 1.0  # trial, time, channel
HAND = RNG.normal(size=(8, 30, 2))
TIME = 3.0 + 0.05 * np.arange(30)


def test_npy_needs_axes_and_width(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, COUNTS.transpose(0, 2, 1))
    with pytest.raises(
        NeuritoError, match=r"8 trials x 5 bins x 30 channels .* or 8 trials x 30 bins x 5 channels"
    ):
        load(path)
    with pytest.raises(NeuritoError, match="how wide its bins are; give bin_width=SECONDS"):
        load(path, axes="trial channel time")
    trials = load(path, axes="trial channel time", bin_width=0.05)
    np.testing.assert_array_equal(trials.main.values, COUNTS)
    assert trials.main.kind == "counts"
    np.save(path, COUNTS[0])
    with pytest.raises(NeuritoError, match=r"30 bins x 5 channels .* or 5 bins x 30 channels"):
        load(path, bin_width=0.05)
    assert load(path, axes="time channel", bin_width=0.05, rebin=3).n_bins == 10


def test_npz_with_everything(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(
        path,
        spikes=COUNTS.transpose(0, 2, 1),
        hand=HAND,
        cue=HAND[..., 0],
        condition=np.repeat(["a", "b"], 4),
        n_trials=8,
        n_neurons=5,
        bin_width_ms=50,
        lengths=np.arange(23, 31),
    )
    trials = load(
        path,
        key="spikes",
        behaviour=["hand"],
        inputs=["cue"],
        metadata=["condition"],
        lengths="lengths",
        unit="n",
    )
    np.testing.assert_array_equal(trials.lengths, np.arange(23, 31))
    np.testing.assert_array_equal(trials.main.values[7], COUNTS[7])
    np.testing.assert_array_equal(trials.heads["hand"].values[7], HAND[7].astype(np.float32))
    np.testing.assert_array_equal(trials.inputs[7, :, 0], HAND[7, :, 0].astype(np.float32))
    assert trials.metadata["condition"].tolist() == ["a"] * 4 + ["b"] * 4
    assert trials.bin_width == 0.05
    assert trials.main.unit == "n"
    text = describe(path)
    assert "spikes      (8, 5, 30) float64" in text
    assert f"neurito.load('{path}')" in text
    for options, message in (
        ({"key": "spike"}, "no array 'spike'; did you mean 'spikes'"),
        ({"behaviour": ["hnd"]}, "no array 'hnd'; did you mean 'hand'"),
        ({"metadata": ["hand"]}, "'hand' has 480 values"),
        ({"behaviour": ["condition"]}, "does not fit 8 trials of 30 bins"),
        ({"times": "lengths"}, "no vector of 30 times"),
        ({"axes": "trial channel"}, "must name time"),
        ({"align": "go"}, "align does not apply to NumPy's npy and npz; that takes key, axes"),
    ):
        with pytest.raises(NeuritoError, match=message):
            load(path, **{"key": "spikes", **options})


def test_times_tell_the_axis_and_the_width(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, signal=HAND[0].T, time=TIME)
    trials = load(path)
    np.testing.assert_array_equal(trials.main.values[0], HAND[0].astype(np.float32))
    assert trials.bin_width == pytest.approx(0.05)
    assert trials.start[0] == 3.0
    with pytest.raises(NeuritoError, match=r"0.05 s apart, not 0.1; leave bin_width out"):
        load(path, bin_width=0.1)
    np.savez(path, signal=HAND[0], clock=TIME[::-1])
    with pytest.raises(NeuritoError, match="do not increase"):
        load(path, times="clock", axes="time channel")


def test_several_arrays_need_a_key(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=HAND[0], b=HAND[1], c=np.ones(3))
    with pytest.raises(NeuritoError, match=r"several arrays, a \(30, 2\), b \(30, 2\); give key=NAME"):
        load(path)
    assert "--key a" in describe(path)
    np.savez(path, c=np.ones(3))
    with pytest.raises(NeuritoError, match="no array of two or three axes"):
        load(path)


def test_missing_values_are_said(tmp_path):
    path = tmp_path / "x.npz"
    values = HAND.copy()
    values[2, 3, 1] = np.nan
    np.savez(path, x=values)
    with pytest.raises(NeuritoError, match=f"{path}: head 'signal': nan at trial 2, bin 3, channel '1'"):
        load(path, axes="trial time channel", bin_width=0.1, name="signal")
    trials = load(path, axes="trial time channel", bin_width=0.1, missing="nan")
    assert (~trials.main.read).sum() == 1


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(NeuritoError, match="pickled Python objects"):
        load(path)
    np.savez(tmp_path / "x.npz", x=np.array([{"a": 1}], object))
    with pytest.raises(NeuritoError, match="pickled Python objects"):
        load(tmp_path / "x.npz")
    path.write_bytes(b"\x80\x04\x95")
    with pytest.raises(NeuritoError, match="is a Python pickle"):
        load(path)


def test_damaged_numpy_files(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, spikes=COUNTS, n_trials=8, n_neurons=5, dt=0.1)
    whole = path.read_bytes()
    for cut in (len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:cut])
        with pytest.raises(NeuritoError, match="is damaged"):
            load(path)
    path.write_bytes(whole[:300] + b"\0" * 300 + whole[600:])
    with pytest.raises(NeuritoError, match="is damaged"):
        load(path)
    np.save(tmp_path / "x.npy", HAND[0])
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:200])
    with pytest.raises(NeuritoError, match="is damaged"):
        load(tmp_path / "x.npy", axes="time channel", bin_width=0.1)


def test_matlab_5(tmp_path):
    path = tmp_path / "x.mat"
    cell = np.empty((1, 3), object)
    for i, n in enumerate((20, 30, 25)):
        cell[0, i] = COUNTS[i, :n].T
    scipy.io.savemat(
        path,
        {
            "time": TIME[None],
            "session": {"hand": HAND[0].T, "who": "rat"},
            "ragged": cell,
            "trials": np.array([({"a": 1},)], object),
            "counts": COUNTS[0].T,
        },
    )
    trials = load(path, key="counts", behaviour=["session/hand"])
    np.testing.assert_array_equal(trials.main.values[0], COUNTS[0])
    np.testing.assert_array_equal(trials.heads["hand"].values[0], HAND[0].astype(np.float32))
    assert trials.bin_width == pytest.approx(0.05)
    unequal = load(path, key="ragged", bin_width=0.1)
    np.testing.assert_array_equal(unequal.lengths, [20, 30, 25])
    np.testing.assert_array_equal(unequal.main.values[0, :20], COUNTS[0, :20])
    assert "ragged      3 arrays (5, *)" in describe(path)
    assert "session/who rat" in describe(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(NeuritoError, match="is damaged, or no MATLAB file"):
        load(path)


def test_structures_of_trials(tmp_path):
    path = tmp_path / "x.mat"
    trials = np.zeros((1, 3), [("spikes", object), ("hand", object)])
    for i, n in enumerate((20, 30, 25)):
        trials[0, i] = (COUNTS[i, :n].T, HAND[i, :n].T)
    scipy.io.savemat(path, {"trial": trials})
    found = load(path, bin_width=0.1, behaviour=["trial/hand"])
    np.testing.assert_array_equal(found.lengths, [20, 30, 25])
    np.testing.assert_array_equal(found.heads["hand"].values[2, :25], HAND[2, :25].astype(np.float32))


def matlab_73(path):
    """As MATLAB writes it: transposed, a header before the HDF5 part, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in {"counts": COUNTS[0].T, "time": TIME[None]}.items():
            file[name] = array.T
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
        file["info/who"] = np.array([[ord(c)] for c in "rat"], np.uint16)
        file["info/who"].attrs["MATLAB_class"] = np.bytes_("char")
        cell = file.create_dataset("ragged", (3, 1), h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        for i, n in enumerate((20, 30, 25)):
            file[f"#refs#/{i}"] = COUNTS[i, :n]  # (5, n) in MATLAB
            cell[i, 0] = file[f"#refs#/{i}"].ref
    raw = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b" ") + raw[512:])


def test_matlab_73(tmp_path):
    path = tmp_path / "x.mat"
    matlab_73(path)
    trials = load(path, key="counts")
    np.testing.assert_array_equal(trials.main.values[0], COUNTS[0])
    assert trials.bin_width == pytest.approx(0.05)
    unequal = load(path, key="ragged", bin_width=0.1)
    np.testing.assert_array_equal(unequal.lengths, [20, 30, 25])
    np.testing.assert_array_equal(unequal.main.values[2, :25], COUNTS[2, :25])
    text = describe(path)
    assert "counts      (5, 30) float64" in text
    assert "info/who    rat" in text
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(NeuritoError, match="is damaged"):
        load(path)


def test_hdf5_of_padded_trials(tmp_path):
    """A padded array and the trials it was made from: lengths and layout are known."""
    path = tmp_path / "x.h5"
    lengths = [25, 30, 28, 30, 30, 30, 30, 30, 30, 30, 29, 30]
    with h5py.File(path, "w") as file:
        padded = np.zeros((12, 5, 30))
        for i, n in enumerate(lengths):
            padded[i, :, :n] = COUNTS[i % 8, :n].T
            file[f"trials/trial_{i}"] = padded[i, :, :n]
        file["all"] = padded
        file.create_group("about").attrs.update(n_neurons=5, n_time_bins=30, bin_size_seconds=0.02)
    one, other = load(path), load(path, key="all")
    assert one.fingerprint() == other.fingerprint()
    np.testing.assert_array_equal(one.lengths, lengths)
    np.testing.assert_array_equal(one.main.values[9, :30], COUNTS[1])
    assert "trials      12 arrays (5, *) float64" in describe(path)


def test_labelled_hdf5(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = HAND
        for dim, label in zip(file["x"].dims, ("trials", "bins", "neurons"), strict=True):
            dim.label = label
        file["names"] = ["a", "b"]
        file.attrs["dt"] = 0.1
    np.testing.assert_array_equal(load(path).main.values, HAND.astype(np.float32))
    with h5py.File(path, "r+") as file:
        file.attrs["bin_width"] = 0.2
    with pytest.raises(NeuritoError, match=r"bin_width says 0\.2 s and dt 0\.1 s; give bin_width"):
        load(path)
    assert load(path, bin_width=0.2).bin_width == 0.2


def test_truncated_hdf5(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = HAND
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(NeuritoError, match=r"is damaged, or no HDF5 file \(it is cut short"):
        load(path)


def lfads(path, per_second: bool = True) -> np.ndarray:
    rates = np.full((8, 30, 5), COUNTS.mean())
    with h5py.File(path, "w") as file:
        for part, rows in (("train", slice(0, 6)), ("valid", slice(6, 8))):
            file[f"{part}_data"] = COUNTS[rows].astype(np.float32)
            file[f"{part}_truth"] = rates[rows] / (0.01 if per_second else 1)
            file[f"{part}_lowd"] = HAND[rows]
            file[f"{part}_inds"] = np.arange(8)[::-1][rows]
        file["n_trials_per_init_cond"] = [4]
    return rates


@pytest.mark.parametrize("per_second", [True, False])
def test_lfads(tmp_path, per_second):
    path = tmp_path / "x.h5"
    rates = lfads(path, per_second)
    trials = load(path, bin_width=0.01)
    np.testing.assert_array_equal(trials.main.values, COUNTS)
    truth = trials.heads["truth_rates"]
    assert truth.unit == "spikes/s"
    assert not (truth.read | truth.score).any()
    np.testing.assert_allclose(truth.values, rates / 0.01, rtol=1e-6)
    np.testing.assert_array_equal(trials.heads["truth_latents"].values, HAND.astype(np.float32))
    assert trials.metadata["condition"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    split = trials.split(by="split")
    assert (split.train.n_trials, split.validation.n_trials, split.test) == (6, 2, None)
    with pytest.raises(NeuritoError, match="give bin_width=SECONDS"):
        load(path)
    if per_second:
        with pytest.warns(NeuritoWarning, match="neither per bin nor per second at bin_width=0.05"):
            assert load(path, bin_width=0.05).heads["truth_rates"].unit == "unknown"
    assert "LFADS" in describe(path)


def test_lfads_with_heldout_neurons_and_bins(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for part, rows in (("train", slice(0, 6)), ("valid", slice(6, 8))):
            file[f"{part}_recon_data"] = COUNTS[rows]
            file[f"{part}_encod_data"] = COUNTS[rows, :20, :3]
            file[f"{part}_behavior"] = HAND[rows]
    trials = load(path, bin_width=0.01)
    read = np.zeros((8, 30, 5), bool)
    read[:, :20, :3] = True
    np.testing.assert_array_equal(trials.main.read, read)
    assert trials.main.score.all()
    assert not trials.heads["behaviour"].read.any()
    with h5py.File(path, "r+") as file:
        file["valid_encod_data"][0, 0, 0] += 1
    with pytest.raises(NeuritoError, match="is no corner of recon_data"):
        load(path, bin_width=0.01)
    assert (
        load(path, format="hdf5", key="train_recon_data", axes="trial time channel", bin_width=1.0).n_trials
        == 6
    )
