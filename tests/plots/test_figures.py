"""Every figure can be drawn of spikes and of signals, says its units, and needs no display."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from tests.plots.reading import drawn

from neurito import Trials, plots

RNG = np.random.default_rng(0)


def posterior(trials, latents):
    """What `infer` gives, of made-up numbers."""
    n, bins, channels = trials.main.values.shape
    z = RNG.standard_normal((n, bins, latents)).cumsum(1)
    rate = RNG.gamma(2, 5, (n, bins, channels))
    over = np.where(trials.exists, 0, np.nan)[..., None]
    fields = {
        "latent_mean": (("trial", "time", "latent"), z + over),
        "latent_sd": (("trial", "time", "latent"), 0.1 + 0 * z + over),
        "rate_mean": (("trial", "time", "channel"), rate + over),
        "rate_quantile": (
            ("trial", "time", "quantile", "channel"),
            np.stack([0.5 * rate, rate, 2 * rate], 2) + over[..., None],
        ),
    }
    return xr.Dataset(fields, coords={"quantile": [0.025, 0.5, 0.975]})


def spikes(kind="counts", **options):
    values = [RNG.poisson(0.3, (length, 6)) for length in (30, 24, 30)]
    if kind == "continuous":
        values = [RNG.standard_normal(v.shape) for v in values]
    return Trials.from_array(values, bin_width=0.02, kind=kind, **options)


@pytest.mark.parametrize("score", ["bound", "co_bps"])
def test_training(score):
    history = [{"step": i, "bound": -20 + 1 / (i + 1), "score": -19.0, "ess": 0.5} for i in range(30)]
    text = drawn(plots.training(history, score))
    assert "nats per bin" in text
    assert ("bits per spike" in text) == (score == "co_bps")
    history = [row | {"score": float("nan")} for row in history[:1]]
    drawn(plots.training(history))


@pytest.mark.parametrize("trial", [0, 1])
@pytest.mark.parametrize("kind", ["counts", "continuous"])
def test_rates(kind, trial):
    trials = spikes(kind, unit="mV" if kind == "continuous" else None).hold_out(channels=[1])
    found = posterior(trials, 2)
    figure = plots.rates(found, trials, trial, true=found.rate_mean.values + 1)
    text = drawn(figure)
    assert "time in the trial (s)" in text
    assert ("spikes/s" if kind == "counts" else "mV") in text
    assert "1 (held out)" in text
    assert len(drawn(plots.rates(found, trials, trial, channels=[4]))) < len(text)


@pytest.mark.parametrize("latents", [1, 2, 3, 8])
@pytest.mark.parametrize("known", [False, True])
def test_latents(latents, known):
    trials = spikes()
    found = posterior(trials, latents)
    true = 2 * found.latent_mean.values + 1 if known else None
    text = drawn(plots.latents(found, trials, 1, true=true))
    assert "time in trial 1 (s)" in text
    assert ("R2 = 1.000" in text) == known


def test_alignment_is_linear_regression():
    z = RNG.standard_normal((4, 10, 2))
    z[3, 5:] = np.nan  # where a trial is over
    turn = np.array([[0.0, 2.0], [-1.0, 0.5]])
    true = np.nan_to_num(z) @ turn + 3
    mapped, sd, r2 = plots.aligned(z, true, np.full(z.shape, 0.1))
    there = ~np.isnan(z)
    np.testing.assert_allclose(mapped[there], true[there])
    np.testing.assert_allclose(sd[0, 0], 0.1 * np.linalg.norm(turn, axis=0))
    assert r2 == pytest.approx(1)
    assert plots.aligned(RNG.standard_normal((4, 100, 2)), RNG.standard_normal((4, 100, 2)))[2] < 0.2


@pytest.mark.parametrize("kind", ["counts", "continuous"])
def test_generated(kind):
    text = drawn(plots.generated(spikes(kind), spikes(kind)))
    assert "frequency (Hz)" in text
    assert ("mean inter-spike interval" in text) == (kind == "counts")
    one = Trials.from_array(RNG.standard_normal((1, 300, 1)), bin_width=0.01)
    drawn(plots.generated(one, one))


def test_pieces_of_a_recording_say_where_they_begin():
    trials = Trials.from_array(RNG.poisson(1.0, (1, 60, 5)), bin_width=0.02).windows(20)
    assert "trial 0, from bin 40" in drawn(plots.rates(posterior(trials, 2), trials, 2))


def test_no_window_and_no_global_state():
    program = (
        "import os, sys; os.environ.pop('DISPLAY', None); import matplotlib\n"
        "settings = lambda: {k: dict.__getitem__(matplotlib.rcParams, k) for k in matplotlib.rcParams}\n"
        "before = settings()\n"
        "from neurito import plots\n"
        "plots.training([{'step': 1, 'bound': 0.0, 'score': 0.0, 'ess': 1.0}])\n"
        "print('matplotlib.pyplot' in sys.modules, before == settings())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False True\n"
