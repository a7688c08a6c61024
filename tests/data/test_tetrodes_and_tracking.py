"""Spikes sorted with MatClust, and position from video, on small files of the same make."""

import numpy as np
import pytest
import scipy.io

from neurito.data import describe, load
from neurito.errors import NeuritoError, NeuritoWarning

RNG = np.random.default_rng(0)
UNITS = {(1, 1): 300, (1, 3): 50, (3, 1): 120}


def cells(n: int) -> np.ndarray:
    found = np.empty((1, n), object)
    for i in range(n):
        found[0, i] = np.zeros((0, 0))
    return found


def write_spikes(path, clock: float = 1.0) -> dict[tuple[int, int], np.ndarray]:
    times = {where: np.sort(RNG.uniform(100, 200, n)) for where, n in UNITS.items()}
    tetrodes = cells(3)
    tetrodes[0, 0], tetrodes[0, 2] = cells(3), cells(1)
    for (tetrode, unit), spikes in times.items():
        tetrodes[0, tetrode - 1][0, unit - 1] = {
            "time": clock * spikes[:, None],
            "timerange": clock * np.array([[100.0, 200.0]]),
            "meanrate": len(spikes) / 100,
        }
    outer = cells(1)
    outer[0, 0] = tetrodes
    scipy.io.savemat(path, {"spikes": outer})
    return times


def write_track(path, *, lights: int = 1, scale: str = "0") -> tuple[np.ndarray, np.ndarray]:
    ticks = 30_000 * 99 + 500 * np.arange(6200)
    position = RNG.integers(1, 600, (6200, 2))
    record = [("time", "<u4"), ("xloc", "<u2"), ("yloc", "<u2"), ("xloc2", "<u2"), ("yloc2", "<u2")]
    table = np.zeros(6200, record)
    table["time"], table["xloc"], table["yloc"] = ticks, *position.T
    if lights == 2:
        table["xloc2"] = 1
    fields = "".join(f"<{name} {'uint32' if name == 'time' else 'uint16'}>" for name, _ in record)
    header = (
        f"<Start settings>\nclockrate: 30000\npixel scale: {scale} pix/cm\nFields: {fields}\n<End settings>\n"
    )
    path.write_bytes(header.encode() + table.tobytes())
    return ticks / 30_000, position


def test_spikes_of_tetrodes(tmp_path):
    path = tmp_path / "spikes.mat"
    times = write_spikes(path)
    trials = load(path, bin_width=0.5)
    assert trials.main.names == ("1.1", "1.3", "3.1")
    assert (trials.n_trials, trials.n_bins, trials.start[0]) == (1, 200, 100.0)
    for i, spikes in enumerate(times.values()):
        np.testing.assert_array_equal(
            trials.main.values[0, :, i], np.histogram(spikes, 100 + 0.5 * np.arange(201))[0]
        )
    assert load(path, bin_width=0.5, units="tetrode == 1").main.n_channels == 2
    assert "3 with 470 spikes" in describe(path)


def test_units_of_time_are_checked(tmp_path):
    path = tmp_path / "spikes.mat"
    write_spikes(path, clock=30_000.0)
    with pytest.raises(
        NeuritoError, match=r"times are 3e\+04 times longer than mean rates say; give clock=30000"
    ):
        load(path, bin_width=0.5)
    assert load(path, bin_width=0.5, clock=30_000.0).n_bins == 200


def test_spikes_with_position(tmp_path):
    times, position = write_track(tmp_path / "x.videoPositionTracking")
    write_spikes(tmp_path / "spikes.mat")
    trials = load(tmp_path / "spikes.mat", bin_width=0.5, behaviour_file=tmp_path / "x.videoPositionTracking")
    head = trials.heads["position"]
    assert (head.names, head.unit) == (("x", "y"), "pixel")
    assert not head.read.any()
    inside = (times >= 110) & (times < 110.5)
    np.testing.assert_allclose(head.values[0, 20], position[inside].mean(0), rtol=1e-4)
    with pytest.raises(NeuritoError, match="no series 'positon'; did you mean 'position'"):
        load(
            tmp_path / "spikes.mat",
            bin_width=0.5,
            behaviour=["positon"],
            behaviour_file=tmp_path / "x.videoPositionTracking",
        )
    with pytest.raises(NeuritoError, match="no series on a clock"):
        load(tmp_path / "spikes.mat", bin_width=0.5, behaviour_file=tmp_path / "spikes.mat")


def test_position_from_a_table(tmp_path):
    write_spikes(tmp_path / "spikes.mat")
    rows = [f"{t},{t * 2},{t * 3}" for t in np.arange(95, 205, 0.1)]
    (tmp_path / "hand.csv").write_text("time,hand_x,hand_y\n" + "\n".join(rows))
    trials = load(tmp_path / "spikes.mat", bin_width=0.5, behaviour_file=tmp_path / "hand.csv")
    assert trials.heads["hand"].names == ("hand_x", "hand_y")
    np.testing.assert_allclose(trials.heads["hand"].values[0, 10, 0], 2 * 105.2, rtol=1e-3)


def test_position(tmp_path):
    path = tmp_path / "x.videoPositionTracking"
    _, position = write_track(path, scale="2")
    trials = load(path)
    assert trials.bin_width == pytest.approx(1 / 60, rel=1e-4)
    np.testing.assert_allclose(trials.main.values[0], position / 2)
    assert trials.main.unit == "cm"
    assert trials.start[0] == pytest.approx(99 - 1 / 120)
    write_track(path, lights=2)
    assert load(path, bin_width=0.1).main.names == ("x", "y", "x2")
    assert "60 samples/s" in describe(path)


def test_bad_tracking(tmp_path):
    path = tmp_path / "x.videoPositionTracking"
    write_track(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.warns(NeuritoWarning, match="cut short inside a record; the last 7 bytes"):
        assert load(path, bin_width=1 / 60).n_trials == 1
    path.write_bytes(whole[: whole.index(b"<End") + len(b"<End settings>\n")])
    with pytest.raises(NeuritoError, match="no records with a time"):
        load(path, bin_width=0.1)
    path.write_bytes(whole.replace(b"clockrate", b"clock"))
    with pytest.raises(NeuritoError, match="header does not say clockrate"):
        load(path, bin_width=0.1)
