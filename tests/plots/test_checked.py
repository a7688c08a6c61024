"""Figures of predictive checks and of simulation-based calibration: what is drawn, labels and units."""

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from tests.plots.reading import drawn

from neurito.errors import NeuritoError
from neurito.evaluation import Ranks, sample_pit
from neurito.evaluation.predictive import Group, PredictiveCheck, SetRanks, compared
from neurito.evaluation.statistics import Battery
from neurito.plots.checked import check
from neurito.plots.ranked import ranks
from neurito.plots.style import MODEL, TRUTH

RNG = np.random.default_rng(0)


def found(counts: bool) -> PredictiveCheck:
    shape = (10, 24, 5)
    draws = RNG.poisson(0.5, (40, *shape)).astype(float) if counts else RNG.standard_normal((40, *shape))
    data = draws[0] + 3 * (np.arange(5) == 4)  # one channel is out of its interval
    condition = np.arange(10) % 2
    battery = Battery(np.ones(shape, bool), 0.02, counts, tuple("abcde"), "µV", condition)
    statistics = compared(list(battery.of(data[None])), [list(battery.of(draws[1:]))])
    flat = draws[1:].reshape(39, -1)
    group = Group(
        "held out", "counts that were not read", 5, sample_pit(flat, data.ravel()),
        SetRanks.of(data.ravel(), flat), statistics,
    )  # fmt: skip
    return PredictiveCheck("low-rank-rnn", "spikes", 39, {"held out": group})


@pytest.mark.parametrize("counts", [True, False])
def test_a_check(counts):
    one = found(counts)
    figure = check(one)
    text = drawn(figure)
    assert "low-rank-rnn, held out: counts that were not read; 39 draws" in text
    wanted = {"data (spikes/s)", "(spikes/s)²/Hz", "interval (s)"} if counts else {"data (µV)", "µV²/Hz"}
    labels = drawn(figure, whole=True) | {"interval (s)"}
    assert wanted <= labels
    assert {"lag (s)", "frequency (Hz)", "PIT (0 to 1)", "level of the interval"} <= labels
    first = one.groups["held out"].statistics[0]
    dots = {
        matplotlib.colors.to_hex(one.get_facecolor()[0]).upper(): np.asarray(one.get_offsets())
        for one in figure.axes[0].collections
        if isinstance(one, PathCollection)
    }
    assert set(dots) == {MODEL, TRUTH}
    np.testing.assert_allclose(
        np.sort(np.concatenate(list(dots.values()))[:, 0]), np.sort(first.observed), rtol=1e-6
    )
    np.testing.assert_allclose(dots[TRUTH][-1], [first.observed[4], first.draws.mean(0)[4]], rtol=1e-6)
    power = [s.name for s in one.groups["held out"].statistics].index("power")
    curve = figure.axes[power].lines[-1].get_ydata()
    np.testing.assert_allclose(curve, one.groups["held out"].statistics[power].observed[:-1])
    with pytest.raises(NeuritoError, match="group='raed'"):
        check(one, "raed")


def test_rank_histograms():
    right = Ranks(RNG.integers(0, 64, (320, 2)), 63, ("z1 in bin 0", "mean of z1"))
    narrow = Ranks(np.where(RNG.random((320, 2)) < 0.5, 0, 63), 63, right.names)
    figure = ranks({"exact": right, "narrow": narrow}, bins=16)
    text = drawn(figure)
    assert "rank (share)" in text
    assert [axis.texts[-1].get_text() for axis in figure.axes[::2]] == ["exact", "narrow"]
    assert "320 a histogram" in text
    bars = figure.axes[0].patches[1]
    np.testing.assert_allclose(bars.get_data().values, right.histogram(16)[:, 0])
    band = figure.axes[0].patches[0].get_data()
    np.testing.assert_allclose(band.values, right.band(0.99, 16).high)
    np.testing.assert_allclose(band.baseline, right.band(0.99, 16).low)
    colours = [matplotlib.colors.to_hex(axis.patches[1].get_facecolor()).upper() for axis in figure.axes]
    assert colours[2:] == [TRUTH, TRUTH]
    assert "mean of z1" in drawn(ranks(right, names=["mean of z1"]))
    with pytest.raises(NeuritoError, match="names='z9' is not ranked"):
        ranks(right, names=["z9"])
