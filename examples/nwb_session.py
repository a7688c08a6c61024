# %% [markdown]
"""# A lab's NWB file, from start to end

Read, look, fit, score, infer, draw, and a page to mail around. The file is made here, so that the truth behind the
spikes is known and every claim can be checked; with a file of your own, skip the cell that writes it and change the
options below it. `python examples/nwb_session.py` does the same and leaves everything in `demo/nwb_session`.
"""

# %%
import json
import os
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

import neurito
from neurito import plots
from neurito.cli import main
from neurito.data.simulators import Simulation, teacher
from neurito.evaluation import co_bps, rates_r2

SMALL = os.environ.get("NEURITO_EXAMPLES") == "small"  # to see that it runs, not to learn from
SAMPLES = 8 if SMALL else 32  # of the posterior, per trial
OUT = Path("demo/nwb_session")
FILE, RUN, BASELINE = OUT / "session.nwb", OUT / "langevin-flow", OUT / "smoothing"
shutil.rmtree(OUT, ignore_errors=True)  # a fit of before would be gone on with
OUT.mkdir(parents=True)


def terminal(line: str) -> None:
    """Runs a command of neurito as a terminal would."""
    print(f"\n$ neurito {line}")
    if main(shlex.split(line)):
        raise SystemExit(f"failed: neurito {line}")


# %% [markdown]
# ## The experiment
#
# A reaching task. A cue, 0.25 s after the start of a trial, shows one of eight directions for 0.25 s; a network of 60
# neurons with two latents turns it into a state that stays near the cued direction. The hand follows the state. A
# sorter would also have left units that are noise: five of them fire at random.


# %%
def write(simulation: Simulation, path: Path) -> None:
    """Writes a session as labs do: sorted units, a table of trials, the hand."""
    rng = np.random.default_rng(0)
    counts = simulation.trials.main.values.astype(int)
    n_trials, n_bins, n_neurons = counts.shape
    width = simulation.trials.bin_width
    start = 1.0 + np.arange(n_trials) * (n_bins * width + 0.5)
    left = start[:, None] + width * np.arange(n_bins)  # edges of the bins
    session = NWBFile("reaches to eight targets", "session-1", datetime(2026, 1, 5, 9, 30, tzinfo=UTC))
    session.add_unit_column("quality", "of the sorting: good or noise")
    for neuron in range(n_neurons):
        at = np.repeat(left.ravel(), counts[..., neuron].ravel())
        session.add_unit(spike_times=np.sort(at + width * rng.uniform(0.01, 0.99, at.size)), quality="good")
    for _ in range(5):
        at = rng.uniform(0, start[-1] + 1, rng.poisson(4 * start[-1]))
        session.add_unit(spike_times=np.sort(at), quality="noise")
    session.add_trial_column("cue_time", "when the target appears")
    session.add_trial_column("target", "direction, degrees")
    for begin, target in zip(start, simulation.trials.metadata["target"], strict=True):
        end = begin + n_bins * width
        session.add_trial(start_time=begin, stop_time=end, cue_time=begin + 0.25, target=45 * int(target))
    hand = 4.0 * simulation.latents + 0.3 * rng.standard_normal(simulation.latents.shape)
    times = left.ravel() + width / 2
    session.add_acquisition(
        TimeSeries(name="hand", data=hand.reshape(-1, 2), unit="cm", timestamps=times, description="position")
    )
    with NWBHDF5IO(path, "w") as file:
        file.write(session)


truth = teacher(
    "reach",
    trials=32 if SMALL else 160,
    bins=100,
    seed=1,
    observation="poisson",
    gain=2.0,
    bias=-3.0,
)
write(truth, FILE)

# %% [markdown]
# ## Look
#
# `info` says what is inside and how it may be loaded.

# %%
terminal(f"info {FILE}")

# %% [markdown]
# ## Read
#
# Spikes in bins of 10 ms, trials aligned to the cue, good units only. The hand comes along as behaviour: it is never
# read by a model, only decoded afterwards. In Python and on the command line the options have the same names.

# %%
trials = neurito.load(
    FILE,
    bin_width=0.01,
    align="cue_time",
    window=(-0.25, 0.75),
    units="quality == 'good'",
    behaviour=["hand"],
)
parts = trials.hold_out(0.25).split()  # 64 % of the trials train, 16 % select, 20 % test
print(trials.summary())
trials

# %% [markdown]
# ## Fit
#
# LangevinFlow with three positions, and a baseline to be measured against: smoothed counts and a regression. A
# quarter of the neurons is held out: the models learn how these follow from the latents, and in the test they have to
# be predicted from the other neurons alone. Nothing tells the models of targets or cues.

# %%
READ = (
    f"{FILE} --bin-width 0.01 --align cue_time --data.window -0.25 0.75 --data.units \"quality == 'good'\" "
    "--behaviour hand --hold-out 0.25"
)
size = (
    "--latents 2 --encoder cnn --kernels 5 1 --widths 4 --control 8 --context 8 --decoder 8 --anharmonic 0 --active 0 "
    "--epochs 4"
    if SMALL
    else "--latents 3 --control 64 --context 64 --epochs 200"
)
quick = "--no-scores --no-figures --quiet"
kernel = "--sd 0.05" if SMALL else ""  # else the width that does best on the validation trials
terminal(f"fit {READ} --model langevin-flow {size} --batch-size 32 --run {RUN} {quick}")
terminal(f"fit {READ} --model smoothing {kernel} --run {BASELINE} {quick}")

# %% [markdown]
# ## Score
#
# On the test trials, which nobody has looked at so far. The score that counts is `co_bps`: how many bits each spike
# of the held-out neurons costs less than it would at their mean rates.

# %%
for run in (RUN, BASELINE):
    terminal(f"evaluate {run} --part test --samples {SAMPLES}")
terminal(f"compare {RUN} {BASELINE} --part test --scores co_bps coverage_90 hand_r2_from_rates")

# %% [markdown]
# ## Infer, and draw
#
# Rates of every neuron in every test trial, with uncertainty, in an xarray; beside them the true rates (dashed),
# which a real lab would not have. The averages over the trials of each target are what an experimenter would look at
# first.

# %%
fitted, test = neurito.Run.load(RUN), parts.test
posterior = neurito.infer(fitted, test, samples=SAMPLES)
true_rates = truth.rates[test.ids]
figure = plots.rates(posterior, test, true=true_rates)
figure.savefig(OUT / "rates.png")
figure

# %%
figure = plots.psths(posterior, test, "target", true=true_rates)
figure.savefig(OUT / "psths.png")
figure

# %% [markdown]
# The model was told of no target: that directions stand apart at all is read off the spikes.

# %%
figure = plots.trajectories(posterior, test, "target")
figure.savefig(OUT / "trajectories.png")
figure

# %% [markdown]
# ## The page
#
# Everything about the run in one file, to look through in a browser and to mail around.

# %%
terminal(f"report {RUN} --part test --beside {BASELINE} --out {OUT / 'report.html'}")

# %% [markdown]
# ## What was found
#
# No model can beat the true rates; how much of the way from mean rates to them each one goes is the result.

# %%
smoothed = neurito.infer(neurito.Run.load(BASELINE), test)
found = {
    "co_bps of the smoothed counts": co_bps(smoothed.rate_mean.values * test.bin_width, test),
    "co_bps of LangevinFlow": co_bps(posterior.rate_mean.values * test.bin_width, test),
    "co_bps of the true rates": co_bps(true_rates * test.bin_width, test),
    "R2 of the rates, smoothed counts": rates_r2(true_rates, smoothed.rate_mean.values).mean,
    "R2 of the rates, LangevinFlow": rates_r2(true_rates, posterior.rate_mean.values).mean,
}
(OUT / "results.json").write_text(json.dumps(found, indent=1))
for name, value in found.items():
    print(f"{name:<34} {value:6.3f}")
