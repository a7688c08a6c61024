"""From a recording to a run, and what is asked of it."""

import json
import signal

import numpy as np
import pytest
import xarray as xr

from neurito import Trials
from neurito.cli.recording import Cutting


def test_a_fit_leaves_everything_in_its_folder(fitted):
    assert {p.name for p in fitted.iterdir()} == {
        "checkpoint.safetensors", "config.json", "history.json", "model.json", "model.safetensors", "scores.json",
    }  # fmt: skip
    config = json.loads((fitted / "config.json").read_text())
    assert config["recording"]["split"]["hold_out"] == 0.3
    assert config["recording"]["load"]["bin_width"] == 0.02
    scores = json.loads((fitted / "scores.json").read_text())["validation"]
    assert scores["co_bps"]["unit"] == "bits/spike"
    assert "held-out" in scores["co_bps"]["meaning"]


def test_evaluate_cuts_the_same_split(neurito, fitted, recording):
    before = json.loads((fitted / "scores.json").read_text())["validation"]
    code, out, _ = neurito("evaluate", fitted)
    assert code == 0
    assert "bits/spike" in out
    after = json.loads((fitted / "scores.json").read_text())
    assert after["validation"] == before
    code, out, _ = neurito("evaluate", fitted, recording, "--part", "test")
    assert code == 0
    assert "velocity_r2_from_latents" in out
    assert set(json.loads((fitted / "scores.json").read_text())) == {"validation", "test"}


def test_the_same_command_goes_on_from_the_checkpoint(neurito, fitted, recording, data, tiny):
    before = (fitted / "model.safetensors").read_bytes()
    code, out, _ = neurito("fit", recording, *data, *tiny, "--hold-out", "0.3", "--run", fitted)
    assert code == 0
    assert "resuming at step 2 of 2" in out
    assert "6 train, 2 validation, 2 test trials; 2 of 6 channels held out" in out
    assert (fitted / "model.safetensors").read_bytes() == before


def test_the_config_of_a_run_repeats_it(neurito, fitted):
    code, out, _ = neurito("fit", "--config", fitted / "config.json", "--run", fitted, "--no-figures")
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
    assert list(made.heads) == ["spikes", "true_rates", "true_latents"]
    assert not made.heads["true_rates"].score.any()
    assert made.main.values.shape == (2, 12, 6)


def test_figures(neurito, fitted, tmp_path):
    assert neurito("plot", fitted, "--trial", "1", "--out", "figures")[0] == 0
    for name in ("training", "rates", "latents", "generated"):
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = neurito("plot", fitted, "--trial", "2")
    assert code == 2
    assert "this part has trials 0 to 1" in err


def test_info(neurito, fitted, recording):
    code, out, _ = neurito("info", fitted)
    assert code == 0
    assert "low-rank-rnn (rank 1, units 4" in out
    assert "Poisson spikes" in out
    code, out, _ = neurito("info", recording)
    assert code == 0
    assert "velocity" in out


@pytest.mark.parametrize("system", ["oscillator", "lorenz", "coupled_oscillators", "linear_gaussian"])
def test_simulate(neurito, tmp_path, system):
    trials = ["--conditions", "2", "--trials-per-condition", "2"] if system == "lorenz" else ["--trials", "4"]
    assert neurito("simulate", system, "--out", "x.h5", *trials, "--bins", "6", "--seed", "3")[0] == 0
    made = Trials.load(tmp_path / "x.h5")
    assert (made.n_trials, made.n_bins) == (4, 6)
    rates = made.heads["true_rates"]
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
    code, out, err = neurito("fit", recording, *data, *tiny, "--hold-out", "0.3", "--run", "run")
    assert code == 130
    assert "stopped at step 1 of 2" in out
    assert err == "neurito: interrupted; the same command goes on from its last checkpoint\n"
    monkeypatch.setattr(trainer.Progress, "update", update)
    code, out, _ = neurito("fit", recording, *data, *tiny, "--hold-out", "0.3", "--run", "run")
    assert code == 0
    assert "resuming at step 1 of 2" in out


def test_a_silent_neuron_is_a_warning(neurito, tmp_path, tiny):
    counts = np.random.default_rng(0).poisson(0.6, (10, 12, 6))
    counts[..., 2] = 0
    np.save(tmp_path / "x.npy", counts)
    options = ["--axes", "trial time channel", "--bin-width", "0.02", "--hold-out", "0.3", *tiny]
    code, _, err = neurito("fit", "x.npy", *options)
    assert code == 0
    assert err == "neurito: warning: head 'spikes': 1 of 6 channels never fire (2)\n"
    assert (tmp_path / "runs" / "x-low-rank-rnn" / "model.json").is_file()


def test_no_validation_part(neurito, recording, data, tiny):
    options = ["--fractions", "0.6", "0", "0.4", "--hold-out", "0.3", "--run", "run"]
    code, out, _ = neurito("fit", recording, *data, *tiny, *options)
    assert code == 0
    assert "on the training trials" in out


def test_parts_named_by_metadata():
    trials = Trials.from_array(np.ones((4, 3, 2)), bin_width=0.1)
    named = trials.with_metadata(split=["train", "val", "test", "train"])
    parts = Cutting().split(named)
    assert [part.ids.tolist() for part in parts] == [[0, 3], [1], [2]]
    other = trials.with_metadata(
        split=["left", "right", "left", "left"]
    )  # a column that means something else
    assert Cutting(fractions=(0.5, 0.5)).split(other).train.n_trials == 2
