# %% [markdown]
"""# Three systems on one recording

A low-rank RNN, LangevinFlow and a latent stochastic differential equation, fitted to the same spikes with the same
encoder, guide, decoder and objective: what differs is only what the latents are believed to do. `python
examples/three_systems.py` does the same and leaves everything in `demo/three_systems`.
"""

# %%
import json
import os
import shlex
import shutil
from pathlib import Path

import neurito
from neurito import plots
from neurito.cli import main
from neurito.data.simulators import lorenz
from neurito.evaluation import co_bps, rates_r2

SMALL = os.environ.get("NEURITO_EXAMPLES") == "small"  # to see that it runs, not to learn from
SAMPLES = 8 if SMALL else 32  # of the posterior, per trial
OUT = Path("demo/three_systems")
FILE = OUT / "lorenz.h5"
shutil.rmtree(OUT, ignore_errors=True)  # a fit of before would be gone on with
OUT.mkdir(parents=True)


def terminal(line: str) -> None:
    """Runs a command of neurito as a terminal would."""
    print(f"\n$ neurito {line}")
    if main(shlex.split(line)):
        raise SystemExit(f"failed: neurito {line}")


# %% [markdown]
# ## The recording
#
# Fifty neurons driven by the Lorenz system, ten initial states, Poisson spikes at 7 spikes/s. The system is
# stochastic here: trials that start in the same state drift apart, and averaging over them would blur what happened
# in each.

# %%
truth = lorenz(
    conditions=10,
    trials_per_condition=4 if SMALL else 20,
    neurons=12 if SMALL else 50,
    bins=40 if SMALL else 100,
    base_rate=4.0,
    noise=0.5,
    seed=1,
)
truth.trials.save(FILE)
parts = truth.trials.hold_out(0.25).split()
print(truth.trials.summary())

# %% [markdown]
# ## Three fits, and a baseline
#
# Each command reads the same file, holds out the same quarter of the neurons and splits the trials in the same way.

# %%
SHARED = (
    "--guide control --readout mlp --particles 1 --objective elbo --resampling none --keep 0.7 "
    "--batch-size 32 --learning-rate 0.003 --final-learning-rate 0.00003 --schedule cosine --optimiser adamw "
    "--weight-decay 0.01 --clip 1"
)
SHARED += (
    " --encoder cnn --kernels 5 1 --widths 4 --control 8 --context 8 --decoder 8 --epochs 4"
    if SMALL
    else " --encoder gru --control 64 --context 64 --epochs 80"
)
SYSTEMS = {
    "low-rank-rnn": f"--rank 4 --units {8 if SMALL else 64} {SHARED}",
    "langevin-flow": f"--latents 4 {'--anharmonic 0 --active 0' if SMALL else ''} {SHARED}",
    "neural-sde": f"--latents 4 --drift-widths {8 if SMALL else 64} {SHARED}",
    "smoothing": "--sd 0.05" if SMALL else "",  # else the width that does best on the validation trials
}
RUNS = {name: OUT / name for name in SYSTEMS}
for name, options in SYSTEMS.items():
    terminal(
        f"fit {FILE} --model {name} {options} --hold-out 0.25 --run {RUNS[name]} --no-scores --no-figures --quiet"
    )
    terminal(f"evaluate {RUNS[name]} --part test --samples {SAMPLES}")

# %% [markdown]
# ## Side by side
#
# Best first by `co_bps`: bits by which each spike of the held-out neurons is better predicted than at mean rates.
# `--seed 1`, `--seed 2` and so on with every fit would give the spread over seeds and paired differences in the same
# table; with one fit each, small differences mean nothing.

# %%
folders = " ".join(map(str, RUNS.values()))
terminal(f"compare {folders} --part test --scores co_bps coverage_90 --out {OUT / 'table.md'}")

# %%
figure = plots.comparison(neurito.Comparison.of(RUNS.values(), "test", ("co_bps", "coverage_90")))
figure.savefig(OUT / "comparison.png")
figure

# %% [markdown]
# ## Against the truth
#
# The simulation knows what a recording never says: the rates behind the spikes. They give a ceiling for `co_bps`, and
# an R2 of the inferred rates, mean over all neurons.

# %%
test = parts.test
true_rates = truth.rates[test.ids]
posteriors = {
    name: neurito.infer(neurito.Run.load(folder), test, samples=SAMPLES) for name, folder in RUNS.items()
}
found = {
    name: {
        "co_bps": co_bps(posterior.rate_mean.values * test.bin_width, test),
        "R2 of the rates": rates_r2(true_rates, posterior.rate_mean.values).mean,
    }
    for name, posterior in posteriors.items()
}
found["true rates"] = {"co_bps": co_bps(true_rates * test.bin_width, test), "R2 of the rates": 1.0}
(OUT / "results.json").write_text(json.dumps(found, indent=1))
for name, scores in found.items():
    print(f"{name:<14}" + "".join(f"  {score} {value:6.3f}" for score, value in scores.items()))

# %% [markdown]
# ## One trial
#
# What the best of the three makes of a single trial: held-out neurons fired a few spikes or none, and still their
# rates follow the truth (dashed).

# %%
best = max(("low-rank-rnn", "langevin-flow", "neural-sde"), key=lambda name: found[name]["co_bps"])
figure = plots.rates(posteriors[best], test, true=true_rates)
figure.savefig(OUT / "rates.png")
print(best)
figure
