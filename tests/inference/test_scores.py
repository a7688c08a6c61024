"""Scores, on data that the scored model itself has made."""

from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import pytest

from neurito import Fitted, LinearDynamics, LowRankRNN, Run, Training, Trials, evaluate, generate, infer
from neurito.data.head import Head
from neurito.errors import NeuritoWarning
from neurito.evaluation import bits_per_spike, rates_r2
from neurito.inference.scores import SCORES, _warn_degenerate, about
from neurito.models import Layout

RNG = np.random.default_rng(0)


def model(specification, values, **options):
    """A model at its start, which is as good as any other here."""
    layout = Layout.of(Trials.from_array(values, bin_width=0.05, **options))
    return Fitted(specification, layout, specification.build(layout, jax.random.key(3)))


@pytest.fixture(scope="module")
def spiking():
    """A model of spikes, and trials of it with behaviour that follows its latents."""
    rates = np.linspace(0.1, 2, 8)
    fitted = model(
        LowRankRNN(rank=1, units=4, guide="bootstrap", particles=8, initial_sd=0.5, noise_sd=0.5),
        RNG.poisson(rates, (5, 20, 8)),
    )
    made = generate(fitted, 24, 20, seed=1)
    noise = 0.05 * RNG.standard_normal((24, 20, 1))
    constant = np.zeros((24, 20, 1))
    behaviour = Head.of(np.concatenate([made.latents + noise, constant], -1), "continuous", read=False)
    truth = Head.of(made.mean / 0.05, "continuous", read=False, score=False)
    trials = (
        made.trials.with_head("hand", behaviour).with_head("truth_rates", truth).hold_out(0.25).forward(3)
    )
    return fitted, trials[:12], trials[12:]


def test_scores_of_spikes(spiking):
    fitted, train, test = spiking
    found = evaluate(fitted, test, train)
    assert all(about(name).unit and about(name).meaning for name in found)
    assert set(found) == {
        "bound", "bound_with_unread", "co_bps", "fp_bps", "coverage_90", "pit_distance", "reconstruction",
        "reconstruction_copy", "truth_r2",
        "ess", "ess_low", "hand_r2_from_rates", "hand_r2_from_latents", "generated_rate", "generated_isi_mean",
        "generated_isi_cv", "generated_correlation", "generated_power", "generated_coherence",
    }  # fmt: skip
    posterior = infer(fitted, test)
    assert found["bound"] == pytest.approx(float(posterior.log_likelihood.mean()) / 20)
    assert found["bound_with_unread"] < found["bound"]
    expected = posterior.rate_mean.values * 0.05
    spikes, late = test.main, np.arange(20)[:, None] >= 17
    held = spikes.score & ~spikes.read & ~late
    assert found["co_bps"] == pytest.approx(bits_per_spike(expected, spikes.values, held))
    ahead = spikes.score & late & np.ones((12, 1, 1), bool)
    assert found["fp_bps"] == pytest.approx(bits_per_spike(expected, spikes.values, ahead))
    assert found["generated_rate"] > 0.9  # the model has made the data itself
    assert found["truth_r2"] == pytest.approx(
        rates_r2(test.heads["truth_rates"].values, posterior.rate_mean.values).mean
    )
    assert found["coverage_90"] == pytest.approx(0.9, abs=0.05)  # the model has made the data itself
    assert found["pit_distance"] < 0.06
    assert 0 < found["ess_low"] < found["ess"] < 1
    assert found["hand_r2_from_latents"] > 0.3  # of the dimension that varies


def test_a_run_scores_as_its_fitted_model(spiking):
    fitted, _, test = spiking
    assert evaluate(Run(fitted, Training()), test) == evaluate(fitted, test)


def test_what_there_is_nothing_to_say_about(spiking):
    fitted, _, test = spiking
    silent = np.where(test.main.read, test.main.values, 0)
    spikes = replace(test.main, values=silent)
    with pytest.warns(NeuritoWarning, match="no spike among what is scored"):
        found = evaluate(fitted, test.with_head("spikes", spikes))
    assert np.isnan(found["co_bps"])
    assert np.isfinite(found["bound"])


def test_trials_of_one_bin(spiking):
    fitted, _, test = spiking
    found = evaluate(fitted, test.select(time=slice(0, 1)))
    assert np.isfinite(found["bound"])
    assert "generated_rate" not in found


def test_sessions():
    parts = [
        replace(
            Trials.from_array(RNG.poisson(np.linspace(low, 2, 4), (6, 12, 4)), bin_width=0.05),
            session_names=(n,),
        )
        for n, low in (("monday", 0.5), ("tuesday", 1.0))
    ]
    trials = Trials.concatenate(parts, channels="pad")
    layout = Layout.of(trials)
    specification = LowRankRNN(rank=1, units=4, guide="bootstrap", particles=4)
    fitted = Fitted(specification, layout, specification.build(layout, jax.random.key(0)))
    assert evaluate(fitted, trials)["generated_rate"] > 0.5  # mean over sessions


@pytest.fixture(scope="module")
def signalling():
    """A model of a signal that turns slowly."""
    fitted = model(
        LinearDynamics(latents=2, particles=4, noise_sd=0.5),
        RNG.standard_normal((1, 50, 3)),
        kind="continuous",
    )
    turn = 0.97 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    return replace(fitted, model=eqx.tree_at(lambda m: m.dynamics.A, fitted.model, jax.numpy.asarray(turn)))


def test_scores_of_a_signal(signalling):
    made = generate(signalling, 1, 1500, burn_in=100, seed=5).trials
    found = evaluate(signalling, made)
    assert set(found) == {"bound", "ess", "ess_low", "d_stsp", "d_h"}
    assert found["d_h"] < 0.2  # the model has made the data itself
    assert abs(found["d_stsp"]) < 0.1
    noise = Trials.from_array(RNG.standard_normal((1, 1500, 3)), bin_width=0.05)
    other = evaluate(signalling, noise)
    assert other["d_h"] > 1.5 * found["d_h"]
    assert other["bound"] < found["bound"]


def test_trials_of_a_signal(signalling):
    made = generate(signalling, 10, 40, seed=5).trials.hold_out(channels=[2])
    found = evaluate(signalling, made)
    assert found["d_stsp"] < 0.5
    assert found["d_h"] < 0.2
    assert found["unread_r2"] < 1
    gap = made.main.values.copy()
    gap[3, 4, 1] = np.nan
    head = Head.of(gap, "continuous", missing="nan", read=made.main.read)
    with pytest.warns(NeuritoWarning, match="d_h cannot be had: data: NaN"):
        found = evaluate(signalling, made.with_head(made.name, head))
    assert np.isnan(found["d_h"])
    assert np.isfinite(found["d_stsp"])


def test_degenerate_weights():
    with pytest.warns(NeuritoWarning, match=r"1\.20 of 60 particles"):
        _warn_degenerate(0.02, 60)
    _warn_degenerate(0.5, 2)
    _warn_degenerate(0.5, 60)


def test_meanings():
    assert about("hand_velocity_r2_from_rates").meaning.startswith("hand_velocity decoded linearly")
    assert about("nothing").unit == ""
    assert all(score.unit and score.meaning for score in SCORES.values())
