"""What is saved comes back bit for bit; damage is noticed."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurito.data import Head, Trials
from neurito.errors import NeuritoError


def some(seed: int, n: int = 3, bins: int = 5, *, full: bool = True) -> Trials:
    rng = np.random.default_rng(seed)
    values = rng.poisson(1.0, (n, bins, 2)).astype(float)
    values[rng.random(values.shape) < 0.2] = np.nan
    if not full:
        return Trials.from_array(np.ones((n, bins, 2)), bin_width=0.1)
    return Trials(
        {
            "spikes/a": Head.of(values, "counts", read=rng.random(2) < 0.5, missing="nan", names=["µ", "b"]),
            "hand": Head.of(rng.normal(size=(n, bins, 1)), unit="mm/s", read=False),
        },
        dt=rng.random(bins) + 0.1,
        start=rng.random(n),
        exists=np.arange(bins) < rng.integers(1, bins + 1, n)[:, None],
        inputs=rng.normal(size=(n, bins, 1)),
        input_names=("cue",),
        session=rng.integers(0, 2, n),
        session_names=("mon", "tue"),
        metadata={
            "side": np.array(["left", "ä"])[rng.integers(0, 2, n)],
            "r/t": rng.random(n),
            "good": rng.random(n) < 0.5,
        },
        ids=np.arange(n) + 7,
        origin=rng.integers(0, 9, n),
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_round_trip(tmp_path_factory, seed, full):
    path = tmp_path_factory.mktemp("trials") / "trials.h5"
    trials = some(seed, full=full)
    trials.save(path)
    again = Trials.load(path)
    assert again.fingerprint() == trials.fingerprint()
    for name, head in trials.heads.items():
        for part in ("values", "read", "score"):
            one, other = getattr(head, part), getattr(again.heads[name], part)
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes()
        assert (head.kind, head.names, head.unit) == (
            again.heads[name].kind,
            again.heads[name].names,
            again.heads[name].unit,
        )
    for name, column in trials.metadata.items():
        assert again.metadata[name].dtype == column.dtype
        np.testing.assert_array_equal(again.metadata[name], column)
    assert list(path.parent.iterdir()) == [path]


def test_the_fingerprint_sees_everything():
    values = np.random.default_rng(0).poisson(1.0, (3, 5, 2)) + 1.0
    trials = Trials.from_array(values, bin_width=0.1, inputs=values)
    changed = [
        trials,
        trials[::-1],
        trials.hold_out(channels=0),
        trials.forward(1),
        trials.with_inputs(None),
        trials.with_metadata(more=[1, 2, 3]),
        trials.with_head("more", trials.main),
        trials.select(time=slice(0, 4)),
        Trials.from_array(values, bin_width=0.2, inputs=values),
        Trials.from_array(values, bin_width=0.1, inputs=values, names=["a", "b"]),
    ]
    assert len({other.fingerprint() for other in changed}) == len(changed)


def test_what_repeats_is_stored_once(tmp_path):
    trials = Trials.from_array(np.random.default_rng(0).poisson(1, (50, 100, 20)), bin_width=0.1)
    trials.save(tmp_path / "trials.h5")
    with h5py.File(tmp_path / "trials.h5") as file:
        assert file["dt"].size == file["exists"].size == file["heads/0/read"].size == 1


def test_what_cannot_be_read(tmp_path):
    path = tmp_path / "trials.h5"
    with pytest.raises(NeuritoError, match="no such file"):
        Trials.load(path)
    with pytest.raises(NeuritoError, match="is a folder"):
        Trials.load(tmp_path)
    path.write_text("x")
    with pytest.raises(NeuritoError, match="is damaged or no HDF5 file"):
        Trials.load(path)
    some(0).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(NeuritoError, match="is damaged"):
        Trials.load(path)
    some(0).save(path)
    with h5py.File(path, "r+") as file:
        del file["heads/0/values"]
    with pytest.raises(NeuritoError, match="is damaged"):
        Trials.load(path)
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99
    with pytest.raises(NeuritoError, match="version 99 is newer"):
        Trials.load(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(NeuritoError, match="no file of trials"):
        Trials.load(path)


def test_failed_writes_leave_nothing(tmp_path):
    some(0).save(tmp_path / "trials.h5")
    before = (tmp_path / "trials.h5").read_bytes()
    with pytest.raises(NeuritoError, match="could not be written"):
        some(0).save(tmp_path / "nowhere" / "trials.h5")
    bad = some(0).with_metadata(z=np.array([1 + 1j, 2, 3]))
    bad.metadata["z"] = np.array([1, "x", None], object)  # type: ignore[index]
    with pytest.raises(TypeError):
        bad.save(tmp_path / "trials.h5")
    assert (tmp_path / "trials.h5").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
