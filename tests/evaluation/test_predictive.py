import csv
import io
import json

import numpy as np
import pytest

from neurito.errors import NeuritoError
from neurito.evaluation import sample_pit
from neurito.evaluation.predictive import Compared, Group, PredictiveCheck, SetRanks, compared
from neurito.evaluation.statistics import Battery

RNG = np.random.default_rng(0)
SHAPE = (20, 30, 6)
BATTERY = Battery(np.ones(SHAPE, bool), 0.02, True, tuple("abcdef"))


def poisson(draws: int) -> np.ndarray:
    return RNG.poisson(0.3, (draws, *SHAPE)).astype(np.float32)


def checked(observed: np.ndarray, draws: np.ndarray) -> dict[str, Compared]:
    found = compared(
        list(BATTERY.of(observed[None])), [list(BATTERY.of(part)) for part in np.array_split(draws, 2)]
    )
    return {one.name: one for one in found}


def test_data_of_the_model_itself_are_not_extreme() -> None:
    """Over data sets p-values are uniform: neither too small nor too near 1."""
    draws = poisson(99)
    p = {name: [] for name in ("rate", "Fano factor", "correlation", "synchrony", "autocorrelation")}
    of_all = []
    drawn = list(BATTERY.of(draws))
    for data in poisson(30):
        found = {one.name: one for one in compared(list(BATTERY.of(data[None])), [drawn])}
        for name, kept in p.items():
            kept.append(found[name].mean_p)
        of_all.append(found["correlation"].uniformity.p)
    for values in (*p.values(), of_all):
        assert 0.3 < np.mean(values) < 0.7
        assert np.mean(np.array(values) < 0.05) < 0.2


def test_wrong_models_are_caught_by_what_is_wrong_with_them() -> None:
    draws = poisson(199)  # p of 0.005 at least
    bursty = RNG.poisson(0.3 * RNG.gamma(0.25, 4, SHAPE)).astype(np.float32)
    found = checked(bursty, draws)
    assert found["Fano factor"].mean_p <= 0.01
    assert found["Fano factor"].outside == 1
    together = RNG.poisson(0.3 * RNG.gamma(4, 0.25, (*SHAPE[:2], 1)) + np.zeros(6)).astype(np.float32)
    found = checked(together, draws)
    assert max(found[name].mean_p for name in ("correlation", "synchrony")) <= 0.01
    assert found["correlation"].uniformity.p <= 0.01
    slow = RNG.poisson(np.repeat(0.3 * RNG.gamma(2, 0.5, (20, 6, 6)), 5, axis=1)).astype(np.float32)
    assert checked(slow, draws)["autocorrelation"].p[0] <= 0.01


def test_dependent_values_are_tested_as_one_draw_among_others() -> None:
    """A level shared by all values of a data set: a test that takes them as independent would reject it."""
    p, inside = [], []
    for _ in range(60):
        level = RNG.standard_normal((60, 1))
        values = level + 0.5 * RNG.standard_normal((60, 400))
        found = SetRanks.of(values[0], values[1:])
        p.append(found.uniformity().p)
        covered = found.coverage((0.9,))[0.9]
        inside.append(covered.low <= covered.found <= covered.high)
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) < 0.1) < 0.25
    assert np.mean(inside) > 0.75
    assert SetRanks.of(values[0] + 20, values[1:]).uniformity().p < 0.05


def test_ranks_are_randomised_pits() -> None:
    draws = RNG.poisson(0.4, (50, 20_000)).astype(float)
    found = SetRanks.of(draws[0], draws[1:])
    assert found.histogram.shape == (50, 50)
    assert (found.histogram.sum(1) == 20_000).all()
    assert (found.histogram.sum(0) == 20_000).all()
    pit = np.histogram(sample_pit(draws[1:], draws[0]), 50, (0, 1))[0]
    np.testing.assert_allclose(found.histogram[0], pit, atol=6 * 20)
    assert found.coverage((0.8,))[0.8].found == pytest.approx(0.8, abs=0.01)
    assert found.uniformity().distance < 0.02
    over = RNG.poisson(2.0, 20_000).astype(float)
    assert SetRanks.of(over, draws[1:]).coverage((0.8,))[0.8].found < 0.6


def test_entries_without_a_value_are_left_out() -> None:
    draws = poisson(30)
    draws[3, :, :, 2] = 0  # no interval in one draw
    found = checked(poisson(1)[0], draws)
    assert found["interval"].entries == tuple("abdef")
    assert found["rate"].entries == tuple("abcdef")


def small() -> PredictiveCheck:
    data, draws = poisson(1)[0], poisson(60)
    flat = draws.reshape(60, -1)
    group = Group(
        "held out", "counts of tests", 6, sample_pit(flat, data.ravel()), SetRanks.of(data.ravel(), flat),
        tuple(checked(data, draws).values()),
    )  # fmt: skip
    return PredictiveCheck("a-model", "spikes", 60, {"held out": group}, ("a note",))


def test_what_is_printed_and_written(tmp_path) -> None:
    found = small()
    text = str(found)
    assert "rate             spikes/s" in text
    assert "90 %: 0." in text
    assert text.endswith("a note")
    found.save(tmp_path / "check.json")
    kept = json.loads((tmp_path / "check.json").read_text())
    rate = kept["groups"][0]["statistics"]["rate"]
    assert [one["entry"] for one in rate["entries"]] == list("abcdef")
    one = found.groups["held out"].statistics[0]
    assert rate["entries"][1]["observed"] == pytest.approx(one.observed[1])
    assert rate["entries"][1]["low_90"] < one.draws.mean(0)[1] < rate["entries"][1]["high_90"]
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    assert len(rows) == sum(len(s.entries) for s in found.groups["held out"].statistics)
    assert rows[0]["statistic"] == "rate"
    assert float(rows[0]["p"]) == pytest.approx(one.p[0])
    with pytest.raises(NeuritoError, match=r"check\.txt: checks are written as"):
        found.save(tmp_path / "check.txt")
