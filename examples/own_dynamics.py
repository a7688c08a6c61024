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

import jax.numpy as jnp
import numpy as np

import neurito
from neurito import Trials, plots

SMALL = os.environ.get("NEURITO_EXAMPLES") == "small"  # to see that it runs, not to learn from
OUT = Path("demo/own_dynamics")
shutil.rmtree(OUT, ignore_errors=True)  # a fit of before would be gone on with
OUT.mkdir(parents=True)

# %% [markdown]
# ## The theory
#
# The state x of the area adds up evidence u, forgets it with a leak, and treats strong evidence as little better than
# middling evidence:
#
# dx = (-leak x + drive tanh(saturation u)) dt + noise dW
#
# with time in units of 0.1 s. Does the area integrate (a small leak) or follow the stimulus (a large one)? Where does
# evidence saturate? Numbers in a class are parameters, and what they are set to is where the fit starts: here at a
# network that forgets within 50 ms and treats evidence nearly linearly.


# %%
class Integrator(neurito.Drift):
    """A leaky integrator of saturating evidence."""

    leak: float = 2.0
    drive: float = 0.5
    saturation: float = 1.0
    dim: int = 1

    def __call__(self, t, x, u):
        """The slope of x."""
        return -self.leak * x + self.drive * jnp.tanh(self.saturation * u)


# %% [markdown]
# ## A recording
#
# Twelve channels (fluorescence, say) that follow x linearly, in noise. In every trial there is evidence of one of six
# strengths for 0.4 s. The equation is solved in steps of 1 ms, ten to a bin of the recording.

# %%
TRUTH = {"leak": 0.5, "drive": 1.0, "saturation": 3.0, "noise": 0.5}
TAU, WIDTH, STEPS = 0.1, 0.01, 10


def simulate(n_trials: int, n_bins: int = 80, seed: int = 0) -> tuple[Trials, np.ndarray]:
    """The recording, and the states behind it (trial, time, 1)."""
    rng = np.random.default_rng(seed)
    strength = rng.permutation(np.resize([-0.8, -0.3, -0.1, 0.1, 0.3, 0.8], n_trials))
    evidence = np.zeros((n_trials, n_bins, 1))
    evidence[:, 20:60] = strength[:, None, None]
    h = WIDTH / TAU / STEPS
    states = np.empty((n_trials, n_bins, 1))
    x = 0.3 * rng.standard_normal((n_trials, 1))
    for t in range(n_bins):
        states[:, t] = x
        for _ in range(STEPS):
            slope = -TRUTH["leak"] * x + TRUTH["drive"] * np.tanh(TRUTH["saturation"] * evidence[:, t])
            x = x + h * slope + TRUTH["noise"] * np.sqrt(h) * rng.standard_normal(x.shape)
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


trials, states = simulate(64 if SMALL else 300)
parts = trials.split()
print(trials.summary())

# %% [markdown]
# ## The fit
#
# The drift is handed over as it is. Signals are linear in x and Gaussian, so that the particles can be moved
# optimally (`guide="optimal"`): no network has to learn how to read the recording, and a minute is enough.

# %%
model = neurito.UserSDE(
    drift=Integrator,
    latents=1,
    time_constant=TAU,
    readout="affine",
    guide="optimal",
    objective="vsmc",
    resampling="systematic",
    particles=4 if SMALL else 16,
    keep=1.0,
)
run = neurito.fit(
    model,
    parts,
    epochs=40 if SMALL else 60,
    batch_size=16,
    learning_rate=5e-2,
    final_learning_rate=1e-3,
    optimiser="adam",
    clip=100.0,
    run=OUT / "run",
)

# %% [markdown]
# ## What the theory's numbers are
#
# Fitted against true. A state has no unit of its own: twice as large, with half the readout, it fits alike, and so
# does its mirror image. The leak and the saturation do not depend on that, nor does the size of the drive in units of
# the noise, and these three can be compared.


# %%
def told(leak: float, drive: float, saturation: float, noise: float) -> dict[str, float]:
    """What does not depend on the unit of x."""
    return {
        "leak (per 0.1 s)": float(leak),
        "saturation": abs(float(saturation)),
        "drive / noise": abs(float(drive)) / float(noise),
    }


found = {name: run.parameters[f"dynamics.drift.{name}"] for name in ("leak", "drive", "saturation")}
start = told(Integrator.leak, Integrator.drive, Integrator.saturation, model.diffusion_sd)
fitted = told(**found, noise=run.parameters["dynamics.diffusion.sd"][0])
true = told(**TRUTH)
print(f"{'':<18}{'start':>8}{'fitted':>8}{'true':>8}")
for name in true:
    print(f"{name:<18}{start[name]:8.2f}{fitted[name]:8.2f}{true[name]:8.2f}")

# %% [markdown]
# ## Where the dynamics lead
#
# The change of x in a bin against x, without evidence: one stable state, and a slope that is the leak.

# %%
test = parts.test
posterior = neurito.infer(run, test)
figure = plots.flow(run, posterior, input=np.zeros(1))
figure.savefig(OUT / "flow.png")
figure

# %% [markdown]
# ## What happened in the test trials
#
# The inferred states, averaged over the trials of each strength of evidence: evidence eight times as strong leads only
# about three times as far.

# %%
figure = plots.trajectories(posterior, test, "evidence")
figure.savefig(OUT / "trajectories.png")
figure

# %% [markdown]
# One trial, with the true state (dashed).

# %%
figure = plots.latents(posterior, test, true=states[test.ids])
figure.savefig(OUT / "latents.png")
figure

# %%
_, _, r2 = plots.aligned(posterior.latent_mean.values, states[test.ids])
results = {"start": start, "fitted": fitted, "true": true, "R2 of the states": r2}
(OUT / "results.json").write_text(json.dumps(results, indent=1))
print(f"R2 of the inferred states in {test.n_trials} test trials: {r2:.3f}")
