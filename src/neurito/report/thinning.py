"""What of a large run a page shows, and how its numbers are packed."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from neurito.data.trials import Trials

TRIALS, BINS, CHANNELS = 30, 600, 32
"""Most trials and bins that are shown; channels that are shown even if fewer trials are then."""
ENTRIES = 320_000
"""Most values (trial, time, channel) that are shown: about 4 MB of a page with means by condition."""


@dataclass(frozen=True)
class Thinned:
    """What is shown.

    Attributes:
        trials: a few trials, of no more bins than are shown; every channel.
        channels: how many channels are to be shown.
        said: what was left out, in words; empty = nothing.
    """

    trials: Trials
    channels: int
    said: str


def thinned(trials: Trials, head: str) -> Thinned:
    """A few trials, evenly from all conditions, and so many channels that a page stays small.

    Args:
        trials: what there is.
        head: the signal that is shown.
    """
    channels = trials.head(head).n_channels
    bins = min(trials.n_bins, BINS)
    most = max(1, ENTRIES // (bins * min(channels, CHANNELS)))
    count = min(trials.n_trials, TRIALS, most)
    shown = max(1, min(channels, ENTRIES // (bins * count)))
    order = np.argsort(_condition(trials), kind="stable")
    rows = np.sort(order[np.linspace(0, trials.n_trials - 1, count).round().astype(int)])
    some = trials[rows] if count < trials.n_trials else trials
    if bins < trials.n_bins:
        some = some.select(time=slice(0, bins))
    what = "neurons" if trials.head(head).kind == "counts" else "channels"
    parts = [
        f"{count} of {trials.n_trials} trials" if count < trials.n_trials else "",
        f"{shown} of {channels} {what} (those whose inferred activity varies most)"
        if shown < channels
        else "",
        f"the first {bins} of {trials.n_bins} bins" if bins < trials.n_bins else "",
    ]
    return Thinned(some, shown, ", ".join(filter(None, parts)))


def _condition(trials: Trials) -> Int[np.ndarray, " trial"]:
    """A number per trial, alike in trials of one condition; zero where none is known."""
    for name in conditions(trials):
        found: Int[np.ndarray, " trial"] = np.unique(trials.metadata[name].astype(str), return_inverse=True)[
            1
        ]
        return found
    return np.zeros(trials.n_trials, int)


def conditions(trials: Trials) -> list[str]:
    """Names of metadata that sort trials into a few groups, one called condition first."""
    few = [
        name
        for name, column in trials.metadata.items()
        if name != "split" and 1 < len(np.unique(column.astype(str))) <= min(20, trials.n_trials)
    ]
    return sorted(few, key=lambda name: "cond" not in name.lower())


def packed(values: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """An array as base64 of 8 or 16 bits per value, with the largest code for NaN.

    Whole numbers from 0 stay exact; others are rounded to 1/65534 of their range.

    Args:
        values: any shape.
    """
    there = np.isfinite(values)
    some = values[there]
    low, high = (float(some.min()), float(some.max())) if some.size else (0.0, 0.0)
    whole = low >= 0 and high < 65535 and bool((some == np.rint(some)).all())
    if whole:
        low, step, kind = 0.0, 1.0, np.dtype("u1" if high < 255 else "<u2")
    else:
        step, kind = max((high - low) / 65534, 1e-30), np.dtype("<u2")
    missing = np.iinfo(kind).max
    codes = np.full(values.shape, missing, kind)
    codes[there] = np.rint((some.astype(np.float64) - low) / step).astype(kind)
    return {
        "shape": list(values.shape),
        "bytes": kind.itemsize,
        "low": low,
        "step": step,
        "data": base64.b64encode(codes.tobytes()).decode("ascii"),
    }
