# %% [markdown]
"""# Dynamics of your own

A theory of how a brain area decides, written as an equation in three lines, fitted to a recording, and what the fit
says of the theory's numbers. The recording is simulated from the same equation, so that they can be compared with the
truth. `python examples/own_dynamics.py` does the same and leaves everything in `demo/own_dynamics`.
"""

# %%
import json
import os
import shutil
from pathlib import Path

import numpy as np

import neurito
from neurito import Trials, plots

SMALL = os.environ.get("NEURITO_EXAMPLES") == "small"  # a few seconds, to see that it runs
OUT = Path("demo/own_dynamics")
shutil.rmtree(OUT, ignore_errors=True)  # a fit of before would be gone on with
OUT.mkdir(parents=True)

# %% [markdown]
# ## The theory
#
# The state x of the area is pulled into one of two choices, near plus and minus the root of a, and pushed by evidence
# u, to which it is sensitive by b:
#
# dx = (a x - x³ + b u) dt + s dW
#
# with time in units of 0.1 s. Whether evidence is integrated (a near 0) or the area commits itself early (a large) is
# what an experimenter would like to know of a. Numbers in a class are parameters, and what they are set to is where
# the fit starts.


# %%
class TwoChoices(neurito.Drift):
    """A state between two choices, pushed by evidence."""

    a: float = 0.5
    b: float = 0.5
    dim: int = 1

    def __call__(self, t, x, u):
        """The slope of x."""
        return self.a * x - x**3 + self.b * u


# %% [markdown]
# ## A recording
#
# Twelve channels (fluorescence, say) that follow x linearly, in noise. In every trial there is evidence of one of six
# strengths for 0.6 s. The equation is solved in steps of 1 ms, twenty to a bin of the recording.

# %%
TRUTH = {"a": 1.5, "b": 1.0, "s": 0.5}
TAU, WIDTH, SUBSTEPS = 0.1, 0.02, 20


def simulate(n_trials: int, n_bins: int, seed: int = 0) -> tuple[Trials, np.ndarray]:
    """The recording, and the states behind it (trial, time, 1)."""
    rng = np.random.default_rng(seed)
    strength = rng.permutation(np.resize([-0.8, -0.4, -0.1, 0.1, 0.4, 0.8], n_trials))
    evidence = np.zeros((n_trials, n_bins, 1))
    evidence[:, 10:40] = strength[:, None, None]
    h = WIDTH / TAU / SUBSTEPS
    states = np.empty((n_trials, n_bins, 1))
    x = 0.3 * rng.standard_normal((n_trials, 1))
    for t in range(n_bins):
        states[:, t] = x
        for _ in range(SUBSTEPS):
            slope = TRUTH["a"] * x - x**3 + TRUTH["b"] * evidence[:, t]
            x = x + h * slope + TRUTH["s"] * np.sqrt(h) * rng.standard_normal(x.shape)
    signals = states @ rng.standard_normal((1, 12)) + 0.7 * rng.standard_normal((n_trials, n_bins, 12))
    trials = Trials.from_array(
        signals,
        bin_width=WIDTH,
        kind="continuous",
        inputs=evidence,
        unit="dF/F",
        metadata={"evidence": strength},
    )
    return trials, states


trials, states = simulate(24 if SMALL else 150, 45 if SMALL else 60)
parts = trials.split()
print(trials.summary())

# %% [markdown]
# ## The fit
#
# The drift is handed over as it is. Signals are linear in x and Gaussian, so that the particles can be moved
# optimally (`guide="optimal"`): no network has to learn how to read the recording, and a minute is enough. Two steps
# to a bin keep the solver's error small.

# %%
model = neurito.UserSDE(
    drift=TwoChoices,
    latents=1,
    time_constant=TAU,
    substeps=2,
    readout="affine",
    guide="optimal",
    objective="vsmc",
    resampling="systematic",
    particles=2 if SMALL else 8,
    keep=1.0,
)
run = neurito.fit(
    model,
    parts,
    epochs=2 if SMALL else 60,
    batch_size=16,
    learning_rate=2e-2,
    final_learning_rate=1e-3,
    schedule="exponential",
    optimiser="radam",
    clip=100.0,
    run=OUT / "run",
)

# %% [markdown]
# ## What the theory's numbers are
#
# Fitted against true. A state has no sign of its own (x and -x, with b and -b, fit alike), hence the absolute value
# of b; its scale is set by the equation, in which x³ has no factor.

# %%
fitted = {
    "a": float(run.parameters["dynamics.drift.a"]),
    "b": abs(float(run.parameters["dynamics.drift.b"])),
    "s": float(run.parameters["dynamics.diffusion.sd"][0]),
}
starts = {"a": TwoChoices.a, "b": TwoChoices.b, "s": model.diffusion_sd}
meaning = {"a": "commitment", "b": "sensitivity to evidence", "s": "noise"}
print(f"{'':<28}{'start':>8}{'fitted':>8}{'true':>8}")
for name in TRUTH:
    print(f"{name} ({meaning[name]})".ljust(28) + f"{starts[name]:8.2f}{fitted[name]:8.2f}{TRUTH[name]:8.2f}")
print(f"choices at x = ±{np.sqrt(max(fitted['a'], 0)):.2f}, in truth ±{np.sqrt(TRUTH['a']):.2f}")

# %% [markdown]
# ## Where the dynamics lead
#
# The change of x in a bin, without evidence: it crosses zero upwards between the choices and downwards at each of
# them.

# %%
test = parts.test
posterior = neurito.infer(run, test)
figure = plots.flow(run, posterior, input=np.zeros(1))
figure.savefig(OUT / "flow.png")
figure

# %% [markdown]
# ## What happened in the test trials
#
# The inferred states, averaged over the trials of each strength of evidence; and those of one trial with the true
# state (dashed).

# %%
figure = plots.trajectories(posterior, test, "evidence")
figure.savefig(OUT / "trajectories.png")
figure

# %%
figure = plots.latents(posterior, test, true=states[test.ids])
figure.savefig(OUT / "latents.png")
figure

# %%
_, _, r2 = plots.aligned(posterior.latent_mean.values, states[test.ids])
found = {"start": starts, "fitted": fitted, "true": TRUTH, "R2 of the states": r2}
(OUT / "results.json").write_text(json.dumps(found, indent=1))
print(f"R2 of the inferred states in {test.n_trials} test trials: {r2:.3f}")
