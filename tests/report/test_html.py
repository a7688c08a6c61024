"""What notebooks show of specifications, fitted models, baselines, runs and recordings."""

import numpy as np

import neurito
from neurito import LinearDynamics, Run, Trials


def test_a_run_in_a_notebook(run):
    found = Run.load(run)
    text = found._repr_html_()
    for said in (
        "<b>linear</b>",
        "6 channels, counts",
        "latents",
        "bootstrap",
        "Poisson",
        "best bound",
        "Lauf é",
    ):
        assert said in text
    assert len(text) < 4000
    assert "<table>" in found.fitted._repr_html_()
    assert "folder" not in found.fitted._repr_html_()


def test_a_specification_in_a_notebook():
    text = LinearDynamics(latents=7)._repr_html_()
    assert ">latents<" in text
    assert ">7<" in text
    assert "particles" not in text


def test_a_baseline_and_a_recording_in_a_notebook():
    trials = Trials.from_array(np.ones((4, 5, 2)), bin_width=0.02, names=["<a>", "b"])
    run = neurito.fit(neurito.MeanRate(), trials, progress=False)
    assert "not saved" in run._repr_html_()
    assert "2 neurons" in trials._repr_html_()
