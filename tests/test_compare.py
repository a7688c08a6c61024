"""Runs side by side."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from tests.baselines.recording import recording

import neurito
from neurito import Comparison, LinearDynamics, NeuritoError, Run, Smoothing, Training
from neurito.errors import NeuritoWarning
from neurito.fitting.run import write_json
from neurito.models import fitted
from neurito.models.layout import Layout

TRIALS = recording(0, 12)


def run(
    folder: Path,
    model: object = None,
    seed: int = 0,
    data: str = "a",
    history: tuple[dict, ...] = ({"step": 40, "seconds": 3.0},),
    **scores: float | None,
) -> Path:
    """A run folder as fits write it, with these scores on validation trials."""
    model = model or LinearDynamics()
    folder.mkdir(parents=True)
    fitted.write(folder, model, Layout.of(TRIALS), {"w": np.zeros((3, 4)), "b": np.zeros(2)}, {})
    training = vars(Training(seed=seed))
    write_json(
        folder / "config.json",
        {"model": model.name, "options": vars(model), "training": training, "data": "x"},
    )
    write_json(folder / "history.json", list(history))
    if scores:
        about = {"unit": "", "meaning": "", "data": data}
        write_json(
            folder / "scores.json", {"validation": {k: {"value": v, **about} for k, v in scores.items()}}
        )
    return folder


@pytest.fixture
def runs(tmp_path):
    """Two configurations of one model with three and two seeds, and a baseline."""
    two, three = LinearDynamics(latents=2), LinearDynamics(latents=3)
    return [
        *(run(tmp_path / f"two{s}", two, s, co_bps=0.2 + 0.1 * s, d_h=0.3, ess=0.5) for s in range(3)),
        *(run(tmp_path / f"three{s}", three, s, co_bps=0.5 + 0.2 * s, d_h=0.4, ess=0.5) for s in (1, 2)),
        run(tmp_path / "flach", Smoothing(), co_bps=0.1, reconstruction=3.0),
    ]


def test_rows_are_configurations_best_first(runs):
    found = Comparison.of(runs)
    assert [row.label for row in found.rows] == ["linear latents=3", "linear latents=2", "smoothing"]
    assert found.scores == ("co_bps", "d_h")  # what was read, and ess, are no scores
    first, second, third = found.cells
    assert first[1:] == ["0.8 (0.7 to 0.9)", "0.4 (0.4 to 0.4)", "best", "2", "14", "3 s", "40"]
    # Seeds 1 and 2: .3 - .7 and .4 - .9.
    assert second[1:] == [
        "0.3 (0.2 to 0.4)",
        "0.3 (0.3 to 0.3)",
        "-0.45 (-0.5 to -0.4), 2 seeds",
        "3",
        "14",
        "3 s",
        "40",
    ]
    assert third[1:] == ["0.1", "-", "-0.7 (-0.8 to -0.6), 2 seeds", "1", "14", "3 s", "40"]


def test_lower_may_be_better_and_an_ideal_best(runs, tmp_path):
    found = Comparison.of(runs, scores=("d_h", "co_bps"))
    assert [row.label for row in found.rows] == ["linear latents=2", "linear latents=3", "smoothing"]
    some = [
        run(tmp_path / f"c{i}", LinearDynamics(latents=i), coverage_90=c) for i, c in ((1, 0.99), (2, 0.85))
    ]
    assert Comparison.of(some).rows[0].label == "linear latents=2"
    with pytest.raises(NeuritoError, match="no run has a score 'co_bits': did you mean 'co_bps'"):
        Comparison.of(runs, scores=("co_bits",))


def test_formats(runs, tmp_path):
    found = Comparison.of(runs)
    lines = found.text().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("model ")
    assert len({line.index("3 s") for line in lines[1:]}) == 1  # in columns
    found.save(tmp_path / "t.csv")
    (first, second, third) = csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text()))
    assert float(first["co_bps"]) == pytest.approx(0.8)
    assert (float(second["co_bps_min"]), float(second["co_bps_max"])) == (0.2, 0.4)
    assert third["d_h"] == ""
    found.save(tmp_path / "t.md")
    assert (
        (tmp_path / "t.md").read_text().splitlines()[2].startswith("| linear latents=3 | 0.8 (0.7 to 0.9) |")
    )
    found.save(tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "prefers-color-scheme: dark" in page
    assert not [word for word in ("http", "src=", "<link", "<script") if word in page]
    assert page.count("<tr") == 4
    with pytest.raises(NeuritoError, match=r"give a name that ends in \.html, \.csv or \.md"):
        found.save(tmp_path / "t.pdf")
    assert not list(tmp_path.glob(".*"))


def test_names_of_any_script_are_escaped(tmp_path):
    folders = [run(tmp_path / name, co_bps=i, seed=i) for i, name in enumerate(("läuf<b>", "走る|&"))]
    other = run(tmp_path / "autre", co_bps=0.5)
    write_json(other / "config.json", json.loads((other / "config.json").read_text()) | {"data": "y"})
    found = Comparison.of([*folders, other])
    assert found.cells[0][0] in (
        f"linear ({folders[0]})",
        f"linear ({other})",
    )  # other training trials: another row
    assert "läuf&lt;b&gt;" in found.html()
    assert "走る\\|&" in Comparison.of([folders[1], other]).markdown()


def test_incomplete_runs(tmp_path):
    good = run(tmp_path / "good", co_bps=0.5)
    bare = run(tmp_path / "bare", LinearDynamics(latents=4), history=())
    half = run(tmp_path / "half", co_bps=0.1)
    (half / "model.safetensors").unlink()
    with pytest.warns(NeuritoWarning) as said:
        found = Comparison.of([good, bare, half, tmp_path / "nowhere"])
    words = " ".join(str(one.message) for one in said)
    assert "left out" in words
    assert "has no model.safetensors; the fit did not finish" in words
    assert "no such run folder" in words
    assert f"{bare}: has no scores on the validation trials" in words
    assert [cells[1:] for cells in found.cells] == [
        ["0.5", "best", "1", "14", "3 s", "40"],
        ["-", "-", "1", "14", "-", "-"],
    ]
    with pytest.raises(NeuritoError, match="no such run folder"):
        Comparison.of([tmp_path / "nowhere"])
    with pytest.raises(NeuritoError, match="no run is given"):
        Comparison.of([])


def test_a_single_run(tmp_path):
    found = Comparison.of([run(tmp_path / "one", co_bps=0.5, bound=None)])
    assert found.columns == ("model", "co_bps", "seeds", "parameters", "time", "steps")
    assert found.cells == [["linear", "0.5", "1", "14", "3 s", "40"]]


def test_no_scores_at_all(tmp_path):
    with pytest.warns(NeuritoWarning, match="has no scores"):
        found = Comparison.of([run(tmp_path / name, seed=i) for i, name in enumerate("ab")])
    assert found.columns == ("model", "seeds", "parameters", "time", "steps")
    assert found.cells[0][:2] == ["linear", "2"]


def test_other_trials_are_told(tmp_path):
    some = [run(tmp_path / d, LinearDynamics(latents=i), data=d, co_bps=0.1) for i, d in ((1, "a"), (2, "b"))]
    with pytest.warns(NeuritoWarning, match="scored on different validation trials"):
        Comparison.of(some)


def test_parameters_are_those_of_the_run(tmp_path):
    trained = neurito.fit(Smoothing(sd=0.04), TRIALS, run=tmp_path / "run")
    size = sum(value.size for value in trained.parameters.values())
    with pytest.warns(NeuritoWarning, match="has no scores"):
        (row,) = Comparison.of([tmp_path / "run"]).rows
    assert row.runs[0].parameters == size
    assert row.label == "smoothing"
    assert Run.load(tmp_path / "run").history[-1]["seconds"] == row.runs[0].seconds
