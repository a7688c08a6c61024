"""A small recording: two slow latents seen by ten neurons, the last three of which are held out."""

from typing import Any

import numpy as np

from neurito import Trials

HELD_OUT = np.arange(7, 10)


def counts(trials: int = 40, bins: int = 30, seed: int = 0) -> np.ndarray:
    """Poisson counts."""
    rng = np.random.default_rng(seed)
    time = np.arange(bins)
    phase = rng.uniform(0, 2 * np.pi, (trials, 1))
    latents = np.stack([np.sin(0.25 * time + phase), np.cos(0.15 * time - phase)], -1)
    loading = np.random.default_rng(9).normal(0, 0.8, (2, 10))
    return rng.poisson(0.5 * np.exp(latents @ loading)).astype(float)


def recording(seed: int = 0, trials: int = 40, **options: Any) -> Trials:
    """The last three neurons are scored and not read."""
    values = counts(trials, seed=seed)
    return Trials.from_array(values, bin_width=0.02, kind="counts", **options).hold_out(channels=HELD_OUT)
