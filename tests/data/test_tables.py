"""Tables of text: binned, and of spike times."""

import numpy as np
import pytest

from neurito.data import describe, load
from neurito.errors import NeuritoError

RNG = np.random.default_rng(0)


def write(path, columns: dict, separator: str = ",") -> None:
    rows = [separator.join(columns)] + [
        separator.join(map(str, row)) for row in zip(*columns.values(), strict=True)
    ]
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def table(tmp_path):
    columns = {
        "timestamp": np.round(2282.6 + 0.001 * np.arange(40), 6),
        "hand_x": RNG.normal(size=40),
        "hand_y": RNG.normal(size=40),
        "unit_1": RNG.poisson(1, 40),
        "unit_2": RNG.poisson(1, 40),
    }
    write(tmp_path / "x.csv", columns)
    return tmp_path / "x.csv", columns


def test_a_table(table):
    path, columns = table
    trials = load(path, behaviour=["hand_*"], rebin=5)
    assert trials.main.names == ("unit_1", "unit_2")
    assert trials.bin_width == pytest.approx(0.005)
    np.testing.assert_array_equal(trials.main.values[0, :, 0], columns["unit_1"].reshape(8, 5).sum(1))
    np.testing.assert_allclose(
        trials.heads["hand"].values[0, :, 1], columns["hand_y"].reshape(8, 5).mean(1), rtol=1e-5
    )
    assert trials.start[0] == pytest.approx(2282.6)
    hand = load(path, key="hand_*", inputs=["unit_1"])
    assert (hand.name, hand.main.kind, hand.input_names) == ("signal", "continuous", ("unit_1",))
    assert "40 rows, 5 columns" in describe(path)
    with pytest.raises(NeuritoError, match="no column 'hnd_x'; did you mean 'hand_x'"):
        load(path, behaviour=["hnd_x"])
    with pytest.raises(NeuritoError, match=r"0\.001 s apart, not 0.02; leave bin_width out, rebin=N joins"):
        load(path, bin_width=0.02)
    with pytest.raises(NeuritoError, match="no column 'timestmp'; did you mean 'timestamp'"):
        load(path, times="timestmp")


@pytest.mark.parametrize("separator", [",", "\t", ";", " "])
def test_trials_of_unequal_length(tmp_path, separator):
    path = tmp_path / "x.txt"
    trial = np.repeat([3, 1, 2], [5, 7, 4])
    values = RNG.poisson(1, 16) + 1
    write(path, {"trial": trial, "a": values, "b": values * 2}, separator)
    trials = load(path, bin_width=0.1)
    np.testing.assert_array_equal(trials.lengths, [5, 7, 4])
    assert trials.metadata["trial"].tolist() == [3, 1, 2]
    np.testing.assert_array_equal(trials.main.values[1, :, 1], 2 * values[5:12])
    with pytest.raises(NeuritoError, match="give bin_width=SECONDS"):
        load(path)


def test_irregular_rows(tmp_path):
    path = tmp_path / "x.csv"
    write(path, {"time": [0, 1, 3, 4], "a": [0.5, 1, 2, 3]})
    np.testing.assert_allclose(load(path).dt[0], [1, 2, 1, 1])
    write(path, {"time": [0, 1, 1, 4], "a": [0.5, 1, 2, 3]})
    with pytest.raises(NeuritoError, match=r"column 'time' do not increase: 1 s at 1, then 1 s"):
        load(path)


def test_bad_tables(tmp_path):
    path = tmp_path / "x.csv"
    for text, message in (
        ("a,b\n", "has no rows below its names"),
        ("a,b\n1,2\n3,x\n", "column 'b' holds words, such as '2'"),
        ("a,b\n1,2\n3,4,5\n", "is no table of text"),
        ("a,b\n1,2\n3,\n", "nan at trial 0, bin 1, channel 'b'"),
    ):
        path.write_text(text)
        with pytest.raises(NeuritoError, match=message):
            load(path, bin_width=0.1)
    path.write_text("a,b\n1,2\n3,\n")
    assert not load(path, bin_width=0.1, missing="nan").main.read[0, 1, 1]


def test_spike_table(tmp_path):
    path = tmp_path / "spikes.csv"
    times, unit = np.sort(RNG.uniform(5, 15, 500)), RNG.choice([3, 7, 20], 500)
    write(path, {"unit": unit, "time": times})
    trials = load(path, bin_width=0.1)
    assert trials.main.names == ("3", "7", "20")
    np.testing.assert_array_equal(trials.main.values.sum((0, 1)), np.bincount(unit)[[3, 7, 20]])
    some = load(path, bin_width=0.1, units=["7"], intervals=np.array([[6, 8], [9.0, 10]]))
    np.testing.assert_array_equal(some.lengths, [20, 10])
    assert some.main.values[1, :10].sum() == ((unit == 7) & (times >= 9) & (times < 10)).sum()
    around = load(path, bin_width=0.1, intervals=np.array([[4.7, 6.0], [14.0, 17.0]])).main
    assert around.read[0, :13].all()  # 0.3 s before the first spike, at 50 spikes/s of all units
    assert (around.values[0, :2] == 0).all()
    np.testing.assert_array_equal(around.read[1, :, 0], 14 + 0.1 * np.arange(30) < times[-1] + 0.4)
    text = describe(path)
    assert "3 with 500 spikes" in text
    with pytest.raises(NeuritoError, match="give bin_width=SECONDS"):
        load(path)
    with pytest.raises(NeuritoError, match="no unit '8'"):
        load(path, bin_width=0.1, units=["8"])


def test_spike_table_in_ticks_with_other_names(tmp_path):
    path = tmp_path / "spikes.tsv"
    ticks = np.sort(RNG.integers(0, 300_000, 200))
    write(path, {"sample": ticks, "who": RNG.choice(["a", "b"], 200)}, "\t")
    trials = load(path, format="spike_table", columns=("who", "sample"), clock=30_000.0, bin_width=0.5)
    assert trials.main.values.sum() == 200
    assert trials.n_bins in (20, 21)
    with pytest.raises(NeuritoError, match="no column of units; choose from sample, who by columns="):
        load(path, format="spike_table", bin_width=0.5)
    with pytest.raises(NeuritoError, match="no column of times 'sampl'; did you mean 'sample'"):
        load(path, format="spike_table", bin_width=0.5, columns=("who", "sampl"))
    with pytest.raises(NeuritoError, match="columns does not apply to a table of text: rows are bins"):
        load(path, columns=("who", "sample"), bin_width=0.5)
    write(path, {"unit": [0, 1], "time": [1.0, np.nan]})
    with pytest.raises(NeuritoError, match="time in row 1 is not finite"):
        load(path, bin_width=0.5)
