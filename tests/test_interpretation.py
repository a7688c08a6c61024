"""Fitted SDEs interpreted: runs that are the same but for order and signs agree, others do not."""

import csv
import json
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest

from neurito import NeuritoError, Trials
from neurito.core import runtime
from neurito.interpretation import drifts
from neurito.models import CoupledOscillatorSDE, Layout, LinearDynamics, NeuralSDE
from neurito.models.fitted import Fitted
from neurito.plots.drifts import drift as draw

RNG = np.random.default_rng(0)
TRIALS = Trials.from_array(RNG.poisson(0.5, (4, 10, 3)), bin_width=0.02)
SMALL = {"hidden": 3, "context": 3, "control": 3}


@pytest.fixture(autouse=True, scope="module")
def _quickly_compiled():
    runtime.start()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def started(specification, seed=0):
    layout = Layout.of(TRIALS)
    return Fitted(specification, layout, specification.build(layout, jax.random.key(seed)))


@pytest.fixture(scope="module")
def hybrid():
    return started(CoupledOscillatorSDE(oscillators=2, neural=(3,), **SMALL))


@pytest.fixture(scope="module")
def found(hybrid):
    faster = eqx.tree_at(lambda m: m.dynamics.drift.known.omega, hybrid.model, replace_fn=lambda w: 1.2 * w)
    other = Fitted(hybrid.specification, hybrid.layout, faster)
    return drifts({"a": hybrid, "b": other}, TRIALS, samples=4)


def test_runs_are_aligned_and_summed_up(found, hybrid):
    omega = np.asarray(hybrid.model.dynamics.drift.known.omega)
    tau = hybrid.model.dynamics.time_constant
    np.testing.assert_allclose(found.oscillators.mean.frequency, 1.1 * omega / (2 * np.pi * tau), rtol=1e-5)
    assert found.r2[0] == pytest.approx(1.0)
    assert found.oscillators.agreement.shape == (2, 2)
    assert found.shares[0].names == ("oscillators", "coupling", "learned")
    np.testing.assert_allclose(found.share.sum(1), 1.0)
    assert found.share[0, 2] == 0.0  # a learned term starts silent
    text = found.text()
    assert "mean ± standard deviation over 2 runs" in text
    assert "share of the drift" in text


def test_files_hold_what_was_found(found, tmp_path: Path):
    found.save(tmp_path / "d.json")
    found.save(tmp_path / "d.csv")
    read = json.loads((tmp_path / "d.json").read_text())
    np.testing.assert_allclose(read["oscillators"]["mean"]["frequency"], found.oscillators.mean.frequency)
    with (tmp_path / "d.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 + 4 + 3
    assert {row["quantity"] for row in rows} == {
        "frequency",
        "growth",
        "radius",
        "coupling",
        "share of the drift",
    }
    with pytest.raises(NeuritoError, match=r"\.json or \.csv"):
        found.save(tmp_path / "d.txt")


def test_the_figure_says_what_is_sure(found):
    figure = draw(found)
    frequencies, coupling, shares, *_ = figure.axes
    np.testing.assert_allclose(frequencies.lines[0].get_ydata(), found.oscillators.mean.frequency)
    assert coupling.get_xlabel() == "from oscillator"
    assert len(coupling.texts) == 2
    assert [label.get_text() for label in shares.get_yticklabels()] == list(found.shares[0].names)
    assert "one dot per run" in figure.get_supxlabel().replace("\n", " ")


def test_one_run_has_standard_errors_or_says_why_not(hybrid):
    found = drifts({"a": hybrid}, TRIALS, samples=4, errors=True, particles=2)
    assert found.curvature.names == (
        *["dynamics.drift.known.sigma"] * 2,
        *["dynamics.drift.known.omega"] * 2,
        *["dynamics.drift.known.K"] * 4,
    )
    known = np.isfinite(found.oscillators.spread.frequency).all()
    assert known == (found.curvature.undetermined == 0)
    assert ("no standard errors" in found.text()) != known


def test_other_drifts_are_aligned_linearly():
    model = started(NeuralSDE(latents=2, drift_widths=(3,), **SMALL))
    found = drifts({"a": model, "b": model}, TRIALS, samples=2)
    assert found.oscillators is None
    np.testing.assert_allclose(found.r2, 1.0)
    assert found.share.tolist() == [[1.0], [1.0]]
    assert len(draw(found).axes) == 1
    with pytest.raises(NeuritoError, match="single run"):
        drifts({"a": model}, TRIALS, errors=True)


def test_what_has_no_drift_or_another_is_said(hybrid):
    with pytest.raises(NeuritoError, match="linear has no drift"):
        drifts({"a": started(LinearDynamics(latents=2))}, TRIALS)
    other = started(CoupledOscillatorSDE(oscillators=3, **SMALL))
    with pytest.raises(NeuritoError, match="compare runs of one model"):
        drifts({"a": hybrid, "b": other}, TRIALS)
    with pytest.raises(NeuritoError, match="no runs"):
        drifts({}, TRIALS)
