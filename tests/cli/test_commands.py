"""From a recording to a run, and what is asked of it."""

import json
import signal

import numpy as np
import pytest
import xarray as xr

from neurito import Trials
from neurito.cli import main
from neurito.cli.recording import Cutting

UNSCORED = ["--no-scores", "--score", "none"]


def test_a_fit_and_its_scores(neurito, recording, data, tiny, tmp_path):
    run = tmp_path / "runs" / "session-low-rank-rnn"
    code, out, _ = neurito("fit", recording, *data, *tiny)
    assert code == 0
    assert "6 train, 2 validation, 2 test trials; 2 of 6 channels held out" in out
    assert {p.name for p in run.iterdir()} == {
        "checkpoint.safetensors", "config.json", "history.json", "model.json", "model.safetensors", "scores.json",
    }  # fmt: skip
    config = json.loads((run / "config.json").read_text())
    assert config["recording"]["split"]["hold_out"] == 0.3
    assert config["recording"]["load"]["bin_width"] == 0.02
    before = json.loads((run / "scores.json").read_text())["validation"]
    assert before["co_bps"]["unit"] == "bits/spike"
    assert "held-out" in before["co_bps"]["meaning"]

    code, out, _ = neurito("evaluate", run)
    assert code == 0
    assert "bits/spike" in out
    assert json.loads((run / "scores.json").read_text())["validation"] == before
    code, out, _ = neurito("evaluate", run, recording, "--part", "test")
    assert code == 0
    assert "velocity_r2_from_latents" in out
    assert set(json.loads((run / "scores.json").read_text())) == {"validation", "test"}
    code, out, _ = neurito("info", run)
    assert code == 0
    assert "low-rank-rnn (rank 1, units 4" in out
    assert "on the test trials" in out


def test_the_same_command_goes_on_from_the_checkpoint(neurito, fitted, recording, data, tiny):
    before = (fitted / "model.safetensors").read_bytes()
    code, out, _ = neurito("fit", recording, *data, *tiny, *UNSCORED, "--run", fitted)
    assert code == 0
    assert "resuming at step 2 of 2" in out
    assert (fitted / "model.safetensors").read_bytes() == before


def test_the_config_of_a_run_repeats_it(neurito, fitted):
    options = ["--run", fitted, "--no-figures", "--no-scores"]
    code, out, _ = neurito("fit", "--config", fitted / "config.json", *options)
    assert code == 0
    assert "resuming at step 2 of 2" in out


def test_infer_and_forecast(neurito, fitted, tmp_path):
    assert neurito("infer", fitted, "--out", "posterior.nc", "--keep-samples", "2", "--part", "test")[0] == 0
    with xr.open_dataset(tmp_path / "posterior.nc", engine="h5netcdf") as found:
        assert dict(found.sizes) == {
            "trial": 2,
            "time": 12,
            "latent": 1,
            "quantile": 3,
            "channel": 6,
            "sample": 2,
        }
        assert found.rate_mean.attrs["units"] == "spikes/s"
    assert neurito("forecast", fitted, "--bins", "3", "--out", "f.nc", "--part", "test")[0] == 0
    with xr.open_dataset(tmp_path / "f.nc", engine="h5netcdf") as found:
        assert found.rate_mean.shape == (2, 15, 6)
        assert np.isfinite(found.rate_mean).all()


def test_generate(neurito, fitted, tmp_path):
    code, out, _ = neurito("generate", fitted, "--out", "made.h5", "--trials", "2", "--seed", "1")
    assert code == 0
    assert "2 of 12 bins" in out
    made = Trials.load(tmp_path / "made.h5")
    assert list(made.heads) == ["spikes", "truth_rates", "truth_latents"]
    assert not made.heads["truth_rates"].score.any()
    assert made.main.values.shape == (2, 12, 6)


def test_a_model_with_inputs(neurito, tiny, tmp_path):
    assert neurito("simulate", "reach", "--trials", "8", "--bins", "30", "--out", "reach.h5")[0] == 0
    code, _, _ = neurito("fit", "reach.h5", *tiny, *UNSCORED, "--optimiser", "adam", "--run", "run")
    assert code == 0
    code, _, err = neurito("generate", "run", "--out", "made.h5")
    assert code == 2
    assert "give DATA, whose inputs drive it" in err
    assert neurito("generate", "run", "reach.h5", "--trials", "3", "--out", "made.h5")[0] == 0
    made, data = (Trials.load(tmp_path / name) for name in ("made.h5", "reach.h5"))
    assert made.n_trials == 3
    np.testing.assert_array_equal(made.inputs, data.inputs[:3])
    code, _, err = neurito("forecast", "run", "--bins", "2", "--out", "f.nc")
    assert code == 2
    assert "--future-inputs last or zero" in err
    assert neurito("forecast", "run", "--bins", "2", "--out", "f.nc", "--future-inputs", "last")[0] == 0


def test_figures(neurito, fitted, tmp_path):
    assert neurito("plot", fitted, "--trial", "1", "--out", "figures")[0] == 0
    for name in ("training", "rates", "latents", "generated"):
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = neurito("plot", fitted, "--trial", "2")
    assert code == 2
    assert "this part has trials 0 to 1" in err


@pytest.mark.parametrize("system", ["oscillator", "lorenz", "coupled_oscillators", "linear_gaussian"])
def test_simulate(neurito, tmp_path, system):
    trials = ["--conditions", "2", "--trials-per-condition", "2"] if system == "lorenz" else ["--trials", "4"]
    assert neurito("simulate", system, "--out", "x.h5", *trials, "--bins", "6", "--seed", "3")[0] == 0
    made = Trials.load(tmp_path / "x.h5")
    assert (made.n_trials, made.n_bins) == (4, 6)
    rates = made.heads["truth_rates"]
    assert rates.values.shape == made.main.values.shape
    if made.main.kind == "counts":
        assert rates.unit == "spikes/s"
        assert np.isclose(rates.values.mean() * made.bin_width, made.main.values.mean(), rtol=0.5)


def test_an_interrupted_fit_says_how_to_go_on(neurito, recording, data, tiny, monkeypatch, tmp_path):
    from neurito.fitting import trainer

    update = trainer.Progress.update

    def interrupt(*arguments):
        update(*arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(trainer.Progress, "update", interrupt)
    code, out, err = neurito("fit", recording, *data, *tiny, *UNSCORED, "--run", "run")
    assert code == 130
    assert "stopped at step 1 of 2" in out
    assert err == "neurito: interrupted; the same command goes on from its last checkpoint\n"
    monkeypatch.setattr(trainer.Progress, "update", update)
    code, out, _ = neurito("fit", recording, *data, *tiny, *UNSCORED, "--run", "run")
    assert code == 0
    assert "resuming at step 1 of 2" in out


def test_no_validation_part(neurito, recording, data, tiny, tmp_path):
    code, out, _ = neurito("fit", recording, *data, *tiny, "--no-scores", "--fractions", "0.6", "0", "0.4")
    assert code == 0
    assert "6 train, 4 test trials" in out
    config = json.loads((tmp_path / "runs" / "session-low-rank-rnn" / "config.json").read_text())
    assert config["training"]["score"] == "none"


def test_warnings_are_lines_on_stderr(capsys, recording, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", str(recording), *data, "--rank", "200"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "neurito: warning: head 'spikes': 1 of 6 channels never fire (1)",
        "neurito: rank=200 exceeds units=128: a network's rank is at most its size",
    ]


def test_parts_named_by_metadata():
    trials = Trials.from_array(np.ones((4, 3, 2)), bin_width=0.1)
    named = trials.with_metadata(split=["train", "val", "test", "train"])
    parts = Cutting().split(named)
    assert [part.ids.tolist() for part in parts] == [[0, 3], [1], [2]]
    other = trials.with_metadata(
        split=["left", "right", "left", "left"]
    )  # a column that means something else
    assert Cutting(fractions=(0.5, 0.5)).split(other).train.n_trials == 2
