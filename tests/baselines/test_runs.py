"""Baselines as runs: fitted, saved, inferred, scored and refused like any model."""

import json

import numpy as np
import pytest
from tests.baselines.recording import counts, recording

import neurito
from neurito import GPFA, FactorAnalysis, MeanRate, NeuritoError, Run, Smoothing, Trials
from neurito.baselines import kinds, named
from neurito.data.head import Head
from neurito.models.fitted import Fitted

QUICK = GPFA(latents=2, iterations=5)


def splits():
    """Training and validation trials, with different ids."""
    trials = recording(0, 60)
    hand = Head.of(np.cumsum(trials.main.values[..., :1], 1), "continuous", read=False)
    return trials.with_head("hand", hand).forward(4).split((0.6, 0.4, 0))


def test_a_run_folder(tmp_path):
    parts = splits()
    run = neurito.fit(Smoothing(), parts, run=tmp_path / "run", provenance={"note": "läuft"})
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "config.json", "history.json", "model.json", "model.safetensors",
    }  # fmt: skip
    assert json.loads((tmp_path / "run" / "config.json").read_text())["options"] == {"sd": 0.0, "ridge": 0.01}
    again = Run.load(tmp_path / "run")
    assert again.fitted.specification == run.fitted.specification
    assert again.fitted.specification.sd > 0  # chosen
    a, b = (neurito.infer(r, parts.validation) for r in (run, again))
    assert a.identical(b)
    neurito.fit(Smoothing(), parts, run=tmp_path / "run")  # the same again
    with pytest.raises(NeuritoError, match=r"holds a fit with another options \(sd=0.0, now 0.05\)"):
        neurito.fit(Smoothing(sd=0.05), parts, run=tmp_path / "run")
    assert again.training == run.training
    with pytest.raises(NeuritoError, match="holds smoothing, which is no model"):
        Fitted.load(tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(NeuritoError, match=r"has no model\.safetensors"):
        Run.load(tmp_path / "run")


@pytest.mark.parametrize(
    "baseline", [MeanRate(), Smoothing(sd=0.04), FactorAnalysis(factors=2, sd=0.04), QUICK]
)
def test_what_is_saved_is_what_was_fitted(baseline, tmp_path):
    parts = splits()
    run = neurito.fit(baseline, parts, run=tmp_path)
    again = Run.load(tmp_path)
    for name, value in run.parameters.items():
        np.testing.assert_array_equal(value, again.parameters[name], err_msg=name)
    a, b = (r.fitted.predict(parts.validation).expected for r in (run, again))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_the_posterior_and_the_scores_of_gpfa():
    parts = splits()
    run = neurito.fit(QUICK, parts)
    found = neurito.infer(run, parts.validation, quantiles=(0.1, 0.5, 0.9))
    assert set(found) == {"rate_mean", "rate_quantile", "latent_mean", "latent_sd", "latent_quantile"}
    assert found.rate_mean.dims == ("trial", "time", "channel")
    assert found.rate_quantile.dims == ("trial", "time", "quantile", "channel")
    assert found.rate_mean.attrs["units"] == "spikes/s"
    expected = run.fitted.predict(parts.validation).expected
    np.testing.assert_allclose(found.rate_mean.values, expected / 0.02, rtol=1e-5)
    scores = neurito.evaluate(run, parts.validation, parts.train)
    assert {
        "co_bps", "fp_bps", "reconstruction", "reconstruction_copy", "hand_r2_from_rates", "hand_r2_from_latents"
    } <= set(scores)  # fmt: skip
    assert not [name for name in scores if name.startswith(("bound", "generated", "ess", "d_"))]
    assert scores["co_bps"] > 0.1
    assert scores == neurito.evaluate(run.fitted, parts.validation, parts.train)


def test_what_a_baseline_cannot_do():
    parts = splits()
    run = neurito.fit(FactorAnalysis(factors=2, sd=0.04), parts)
    for ask in (
        lambda: neurito.generate(run, 2, 5),
        lambda: neurito.forecast(run, parts.validation, 5),
        lambda: neurito.log_likelihood(run, parts.validation, seed=0),
    ):
        with pytest.raises(NeuritoError, match="factor-analysis is a baseline: it has no dynamics"):
            ask()


def test_names():
    assert named("gpfa") is GPFA
    assert list(kinds())[-4:] == ["mean-rate", "smoothing", "factor-analysis", "gpfa"]
    with pytest.raises(NeuritoError, match="did you mean 'smoothing'"):
        named("smoothin")


def test_padded_trials_end():
    trials = Trials.from_array(counts(), bin_width=0.02, kind="counts", lengths=[30] * 35 + [20] * 5)
    run = neurito.fit(Smoothing(sd=0.04), trials)
    found = neurito.infer(run, trials).rate_mean.values
    assert np.isnan(found[-1, 20:]).all()
    assert np.isfinite(found[-1, :20]).all()


def test_a_refused_fit_does_not_occupy_its_folder(tmp_path):
    with pytest.raises(NeuritoError, match="factors=9"):
        neurito.fit(FactorAnalysis(factors=9, sd=0.04), splits(), run=tmp_path)
    neurito.fit(FactorAnalysis(factors=2, sd=0.04), splits(), run=tmp_path)
    assert neurito.Run.load(tmp_path).fitted.specification.factors == 2
