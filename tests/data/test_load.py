"""Choosing the reader by content, and every file that cannot be read."""

import dataclasses
import inspect
import subprocess
import sys

import h5py
import numpy as np
import pytest

import neurito.data
from neurito.data import Trials, describe, load
from neurito.data.load import FORMATS, _reader
from neurito.data.options import Options
from neurito.errors import NeuritoError, NeuritoWarning


def test_every_option_is_in_the_signature_explained_and_used():
    fields = {field.name for field in dataclasses.fields(Options)}
    assert set(inspect.signature(load).parameters) == fields | {"path", "format", "rebin"}
    assert all(f"        {name}: " in load.__doc__ for name in inspect.signature(load).parameters)
    taken = {option for name in FORMATS for option in _reader(name).TAKES}
    assert taken == fields


def test_content_counts_and_not_the_name(tmp_path):
    trials = Trials.from_array(np.ones((2, 3, 2)), bin_width=0.1)
    path = tmp_path / "trials.csv"
    trials.save(path)
    assert load(path).fingerprint() == trials.fingerprint()
    assert "saved by Trials.save" in describe(path)
    path = tmp_path / "x.mat"
    with path.open("wb") as file:
        np.save(file, np.ones((7, 3)))
    with pytest.raises(
        NeuritoError, match="no MATLAB file"
    ):  # MATLAB's oldest files have no mark but their name
        load(path, format="matlab")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; did you mean 'recordin.npy'"),
        (b"", "is empty"),
        (b"\x00\x01\x02\x03" * 50, "is of no known format"),
        (b"\xff\xfe\x00" * 5000, "is of no known format"),
        (b"\x80\x04abc", "is a Python pickle"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "is damaged, or no HDF5 file"),
        (b"\x93NUMPY" + b"\0" * 10, "is damaged, or no NumPy file"),
        (b"PK\x03\x04" + b"\0" * 100, "is damaged, or no NumPy file"),
        (b"MATLAB 5.0 MAT-file".ljust(200), "is damaged, or no MATLAB file"),
        (b"MATLAB 7.3 MAT-file".ljust(600), "is damaged"),
        (b"<Start settings>\n", "header does not say clockrate"),
        (b"just one line of words\n", "has no rows below its names"),
    ],
)
def test_what_cannot_be_read(tmp_path, content, message):
    (tmp_path / "recordin.npy").write_bytes(b"x")
    path = tmp_path / "recording.npy"
    if content is not None:
        path.write_bytes(content)
    for read in (load, describe):
        with pytest.raises(NeuritoError, match=message) as error:
            read(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)


def test_folders_and_misspelt_formats(tmp_path):
    with pytest.raises(NeuritoError, match="is a folder; give a file in it"):
        load(tmp_path)
    with pytest.raises(NeuritoError, match="no such file; check the folder"):
        load(tmp_path / "a" / "b.npy")
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(NeuritoError, match="format='nbw' is unknown; did you mean 'nwb'"):
        load(tmp_path / "x.csv", format="nbw")
    with pytest.raises(NeuritoError, match="is damaged, or no NWB file"):
        load(tmp_path / "x.csv", format="nwb")
    with pytest.raises(NeuritoError, match="empty list of files"):
        load([])


def test_several_files(tmp_path):
    paths = []
    for i, bins in enumerate((4, 6)):
        paths.append(tmp_path / f"{i}.csv")
        rows = [f"{0.1 * t:.1f},{t},{i}" for t in range(bins)]
        paths[-1].write_text("time,unit_1,unit_2\n" + "\n".join(rows))
    with pytest.warns(NeuritoWarning, match="never fire"):
        load(paths[0])
    trials = load(paths)  # together no neuron is silent
    assert (trials.n_trials, trials.session_names) == (2, ("session 0",))
    np.testing.assert_array_equal(trials.lengths, [4, 6])
    np.testing.assert_array_equal(load(paths, rebin=2).main.values[1, :, 0], [1, 5, 9])


def test_several_sessions(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for name, units in (("mon", 2), ("tue", 3)):
        paths.append(tmp_path / f"{name}.csv")
        spikes = zip(rng.integers(0, units, 200), np.sort(rng.uniform(0, 9, 200)), strict=True)
        paths[-1].write_text("unit,time\n" + "\n".join(f"{u},{t}" for u, t in spikes))
    trials = load(paths, bin_width=0.5)
    assert trials.session_names == ("mon", "tue")
    assert trials.session.tolist() == [0, 1]
    assert trials.main.n_channels == 3
    assert not trials.main.read[0, :, 2].any()


def test_hdf5_of_one_flat_array(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.ones(3)
    with pytest.raises(NeuritoError, match="no array of two or three axes"):
        load(path)
    assert "no array of two or three axes" in describe(path)


def test_nothing_heavy_is_imported():
    heavy = "{'jax', 'h5py', 'scipy', 'pandas', 'pynwb', 'pynapple', 'matplotlib'}"
    code = f"import sys, neurito.data; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names():
    assert {"Head", "Splits", "Trials", "describe", "load"} <= set(neurito.data.__all__)
