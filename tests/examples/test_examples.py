"""The example notebooks run as scripts, in a few seconds where they are asked to be small, and write true numbers."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurito
from neurito.evaluation import co_bps

FOLDER = Path(__file__).parents[2] / "examples"
NOTEBOOKS = ("nwb_session", "own_dynamics", "three_systems")


def ran(name: str, home: Path) -> tuple[Path, dict[str, Any], str]:
    """What a notebook wrote, its results, and what it printed; compiled in a hurry."""
    settings = {"NEURITO_EXAMPLES": "small", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")],
        cwd=home,
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    out = home / "demo" / name
    for figure in out.glob("*.png"):
        assert figure.read_bytes().startswith(b"\x89PNG")
    return out, json.loads((out / "results.json").read_text()), done.stdout


def stored(run: Path, score: str) -> float:
    """A score of the test trials in a run folder."""
    return json.loads((run / "scores.json").read_text())["test"][score]["value"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_opens_as_a_notebook(name):
    text = (FOLDER / f"{name}.py").read_text("utf-8")
    first, *cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    assert first == ""
    prose = [cell.startswith(" [markdown]\n") for cell in cells]
    assert prose[0]
    assert sum(prose) >= 5
    assert not any(a and b for a, b in itertools.pairwise(prose))  # prose leads to code
    for cell, is_prose in zip(cells[1:], prose[1:], strict=True):
        if is_prose:
            assert all(line.startswith("#") for line in cell.splitlines()[1:] if line)


def test_an_nwb_file_from_start_to_end(tmp_path):
    out, found, said = ran("nwb_session", tmp_path)
    trials = neurito.load(out / "session.nwb", bin_width=0.01, units="quality == 'good'")
    assert trials.main.values.shape == (32, 100, 60)
    assert np.unique(trials.metadata["target"]).tolist() == list(range(0, 360, 45))
    assert "quality" in said
    assert found["co_bps of the true rates"] > found["co_bps of the smoothed counts"] > 0.2
    assert found["co_bps of the true rates"] > found["co_bps of LangevinFlow"]
    assert stored(out / "smoothing", "co_bps") == pytest.approx(found["co_bps of the smoothed counts"], 1e-4)
    assert stored(out / "smoothing", "hand_r2_from_rates") > 0.5
    assert {one.name for one in out.glob("*.png")} == {"rates.png", "psths.png", "trajectories.png"}
    page = (out / "report.html").read_text("utf-8")
    assert "langevin-flow" in page
    assert f"{stored(out / 'smoothing', 'co_bps'):.4g}" in page


def test_dynamics_of_ones_own(tmp_path):
    out, found, said = ran("own_dynamics", tmp_path)
    assert found["true"] == {"leak (per 0.1 s)": 0.5, "saturation": 3.0, "drive / noise": 2.0}
    for name, start in found["start"].items():
        fitted = found["fitted"][name]
        assert f"{name:<18}{start:8.2f}{fitted:8.2f}{found['true'][name]:8.2f}" in said
    leak, drive = (
        {w: found[w][name] for w in ("start", "fitted", "true")}
        for name in ("leak (per 0.1 s)", "drive / noise")
    )
    for one in (leak, drive):
        assert abs(one["fitted"] - one["true"]) < 0.5 * abs(one["start"] - one["true"])
    assert found["R2 of the states"] > 0.5
    assert {one.name for one in out.glob("*.png")} == {"flow.png", "latents.png", "trajectories.png"}


def test_three_systems_on_one_recording(tmp_path):
    out, found, said = ran("three_systems", tmp_path)
    runs = ("low-rank-rnn", "langevin-flow", "neural-sde", "smoothing")
    assert set(found) == {*runs, "true rates"}
    for name in runs:
        assert found[name]["co_bps"] < found["true rates"]["co_bps"]
        assert name in said
    assert stored(out / "smoothing", "co_bps") == pytest.approx(found["smoothing"]["co_bps"], 1e-4)
    table = (out / "table.md").read_text().splitlines()
    assert table[0].startswith("| model | co_bps | coverage_90 |")
    order = [line.split("|")[1].split()[0] for line in table[2:]]
    scores = [stored(out / name, "co_bps") for name in order]
    assert scores == sorted(scores, reverse=True)
    trials = neurito.load(out / "lorenz.h5")
    test = trials.hold_out(0.25).split().test
    assert found["true rates"]["co_bps"] > co_bps(np.full(test.main.values.shape, 0.07), test)
