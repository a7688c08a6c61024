"""A recording and a model so small that a fit is mostly compilation, which the tests of one process share."""

from typing import Any

import numpy as np

from neurito.data import Trials
from neurito.fitting import Run, fit
from neurito.models import LinearDynamics

SPEC = LinearDynamics(latents=2, particles=3)
OPTIONS: dict[str, Any] = {
    "epochs": 6, "batch_size": 4, "steps_per_call": 2, "evaluations": 6, "learning_rate": 0.02,
    "final_learning_rate": 0.01, "progress": False,
}  # fmt: skip
STEPS = 12
"""Of `run`: 8 trials in batches of 4, six times."""


def recording(trials: int = 12, bins: int = 10, seed: int = 0, **options: Any) -> Trials:
    """Noisy rotations in three channels."""
    rng = np.random.default_rng(seed)
    angle = 0.5 * np.arange(bins) + rng.uniform(0, 6, (trials, 1))
    values = np.stack([np.cos(angle), np.sin(angle), np.cos(angle + 1)], -1)
    values = values + 0.3 * rng.normal(size=values.shape)
    return Trials.from_array(values, **{"bin_width": 0.01, **options})


TRAIN, VALIDATION = recording()[:8], recording()[8:]


def run(*arguments: Any, **options: Any) -> Run:
    """A fit of a few steps."""
    spec, train, validation = (*arguments, *(SPEC, TRAIN, VALIDATION)[len(arguments) :])
    return fit(spec, train, validation, **{**OPTIONS, **options})


def history(run: Run) -> list[dict[str, float]]:
    """Without the clock."""
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in run.history]


def same(a: Run, b: Run) -> None:
    """The two fits agree to the last bit."""
    assert history(a) == history(b)
    assert a.parameters.keys() == b.parameters.keys()
    for name, value in a.parameters.items():
        np.testing.assert_array_equal(value, b.parameters[name], err_msg=name)
