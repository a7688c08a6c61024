"""Latent trajectories."""

from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurito.data.trials import Trials
from neurito.evaluation.rates import r_squared
from neurito.plots.style import CYCLE, DATA, MODEL, STYLE, TRUTH, blank, called, caption


def latents(
    posterior: Any,
    trials: Trials,
    trial: int = 0,
    *,
    true: Float[np.ndarray, "trial time latent"] | None = None,
    most: int = 30,
) -> Figure:
    """Latent trajectories in time and in the plane.

    Args:
        posterior: what `neurito.infer` gave for these trials.
        trials: the recording.
        trial: which trial to draw in time.
        true: the true latents, where they are known; the inferred ones are then mapped onto them linearly.
        most: how many trials to draw in the plane.
    """
    z, sd = posterior.latent_mean.values, posterior.latent_sd.values
    note = ""
    if true is not None:
        z, sd, r2 = aligned(z, true, sd)
        note = (
            f" Inferred latents are mapped onto the true ones (dashed) by linear regression, R2 = {r2:.3f}."
        )
    n, dimensions = int(trials.lengths[trial]), z.shape[2]
    time, rows = trials.time[trial, :n], min(dimensions, 6)
    with mpl.rc_context(STYLE):
        figure = blank(7.0, max(2.6, 0.75 * rows + 0.9))
        grid = figure.add_gridspec(rows, 2, width_ratios=[1.35, 1])
        first: Axes | None = None
        for i in range(rows):
            axis = figure.add_subplot(grid[i, 0], sharex=first)
            first = first or axis
            colour = CYCLE[i % len(CYCLE)] if true is None else MODEL
            middle, spread = z[trial, :n, i], sd[trial, :n, i]
            axis.fill_between(time, middle - 2 * spread, middle + 2 * spread, color=colour, alpha=0.25, lw=0)
            axis.plot(time, middle, color=colour)
            if true is not None:
                axis.plot(time, true[trial, :n, i], color=TRUTH, ls="--", lw=1)
            axis.set_ylabel(f"latent {i + 1}")
            axis.tick_params(labelbottom=i == rows - 1)
        axis.set_xlabel(f"time in {called(trials, trial)} (s)")
        _plane(figure.add_subplot(grid[:, 1]), z, trials, trial, true, most)
        more = "" if dimensions <= rows else f" The first {rows} of {dimensions} latents."
        plane = "the plane of the first two principal components" if dimensions > 2 else "the plane"
        plane = "the next bin against this one" if dimensions == 1 else plane
        caption(
            figure,
            f"Left: posterior mean of the latents, bands of 2 sd, arbitrary units.{more} Right: trajectories in "
            f"{plane}, this trial in blue{' among others' if len(z) > 1 else ''}, dots where they start.{note}",
        )
        return figure


def aligned(
    latents: Float[np.ndarray, "trial time latent"],
    true: Float[np.ndarray, "trial time true_latent"],
    sd: Float[np.ndarray, "trial time latent"] | None = None,
) -> tuple[Float[np.ndarray, "trial time true_latent"], Float[np.ndarray, "trial time true_latent"], float]:
    """Inferred latents mapped onto true ones by linear regression.

    Args:
        latents: inferred, NaN where a trial is over.
        true: as known from the simulation.
        sd: standard deviations of the inferred ones.

    Returns:
        Mapped latents, their standard deviations (latents taken as independent), R2 over all latents.
    """
    there = ~np.isnan(latents).any(-1)
    design = np.concatenate([latents, np.ones((*latents.shape[:2], 1), latents.dtype)], -1)
    weights = np.linalg.lstsq(design[there], true[there])[0]
    mapped = design @ weights
    spread = np.zeros_like(mapped) if sd is None else np.sqrt(sd**2 @ weights[:-1] ** 2)
    return mapped, spread, float(np.mean(r_squared(true[there], mapped[there])))


def _plane(axis: Axes, z: np.ndarray, trials: Trials, trial: int, true: np.ndarray | None, most: int) -> None:
    """Trajectories of many trials, one of them picked out."""
    there = z[~np.isnan(z).any(-1)]
    centre, basis = there.mean(0), np.eye(z.shape[2])[:, :2]
    if z.shape[2] > 2:
        basis = np.linalg.svd(there - centre, full_matrices=False)[2][:2].T

    def flat(x: np.ndarray) -> np.ndarray:
        return np.stack([x[:-1, 0], x[1:, 0]], 1) if x.shape[1] == 1 else (x - centre) @ basis

    paths = [(row, flat(z[row, : trials.lengths[row]])) for row in range(min(len(z), most)) if row != trial]
    for _, path in paths:
        axis.plot(*path.T, color=DATA, lw=0.4, alpha=0.5)
        axis.plot(*path[:1].T, ".", color=DATA, ms=2)
    if true is not None:
        axis.plot(*flat(true[trial, : trials.lengths[trial]]).T, color=TRUTH, ls="--", lw=1)
    path = flat(z[trial, : trials.lengths[trial]])
    axis.plot(*path.T, color=MODEL)
    axis.plot(*path[:1].T, "o", color=MODEL, ms=4)
    names = ("component 1", "component 2") if z.shape[2] > 2 else ("latent 1", "latent 2")
    if z.shape[2] == 1:
        names = ("latent in this bin", "latent in the next bin")
    axis.set(xlabel=names[0], ylabel=names[1])
    axis.set_aspect("equal", adjustable="datalim")
