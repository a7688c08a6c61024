"""The numbers behind the figures of a page, as plain data for its script."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from neurito.core.parameters import resolve
from neurito.data.trials import Head, Trials
from neurito.errors import NeuritoError
from neurito.evaluation.calibration import coverage
from neurito.evaluation.rates import pearson
from neurito.evaluation.spikes import spike_statistics
from neurito.fitting.run import Run
from neurito.inference import results
from neurito.inference.scores import TRUTH
from neurito.models.fitted import Fitted
from neurito.plots.calibrated import LEVELS, predictive_pit
from neurito.plots.conditions import averages, told_apart
from neurito.plots.fields import landscape
from neurito.plots.signals import telling
from neurito.report.model import latent_names
from neurito.report.thinning import conditions, packed

QUANTILES = tuple(sorted({0.025, 0.975, *LEVELS}))
"""Of the rates: a 95 % band, and even ones for calibration."""
SIMULATED = 40
"""Most channels whose simulations are compared with the data."""
GROUPINGS = 2
"""Most columns of metadata by which activity is averaged."""
POSITIONS, POINTS = 5, 61
"""Most positions among which a plane of the potential is chosen; points along each."""


def signals(
    run: Run, trials: Trials, posterior: Any, channels: int
) -> tuple[list[dict[str, Any]], Int[np.ndarray, " shown"]]:
    """What was recorded and inferred of every head that the model observes.

    Args:
        run: the run.
        trials: those that are shown.
        posterior: what was inferred of them, at `QUANTILES`.
        channels: how many channels of the main head to show.

    Returns:
        the data, and which channels of the main head they are of.
    """
    main, *others = run.fitted.specification.observed(run.fitted.layout)
    head = trials.head(main)
    mean = posterior.rate_mean.values
    flat = mean[trials.exists]
    rows = np.arange(head.n_channels)
    if channels < head.n_channels:
        rows = np.array(telling(flat, held_out(head), head.kind == "counts", channels), int)
    truth = trials.heads.get(TRUTH)
    true = truth.values if truth is not None and truth.values.shape == head.values.shape else None
    found = [_signal(main, trials, mean, posterior.rate_quantile, rows, true)]
    for name in others:
        every = np.arange(trials.head(name).n_channels)[:16]
        found.append(
            _signal(
                name, trials, posterior[f"{name}_mean"].values, posterior[f"{name}_quantile"], every, None
            )
        )
    return found, rows


def held_out(head: Head) -> np.ndarray:
    """Channels (channel,) that are scored and nowhere read."""
    return np.asarray(~head.read.any((0, 1)) & head.score.any((0, 1)))


def _signal(
    name: str,
    trials: Trials,
    mean: Float[np.ndarray, "trial time channel"],
    quantiles: Any,
    rows: Int[np.ndarray, " shown"],
    true: np.ndarray | None,
) -> dict[str, Any]:
    head = trials.head(name)
    low, high = (quantiles.sel(quantile=q, method="nearest").values[..., rows] for q in (0.025, 0.975))
    counts = head.kind == "counts"
    return {
        "name": name,
        "counts": counts,
        "unit": "spikes/s" if counts else head.unit or "signal",
        "channels": [head.names[i] for i in rows],
        "held": held_out(head)[rows].tolist(),
        "values": packed(head.values[..., rows]),
        "mean": packed(mean[..., rows]),
        "low": packed(low),
        "high": packed(high),
        "true": None if true is None else packed(true[..., rows]),
        "psths": {by: _psths(name, trials, mean, rows, true, by) for by in conditions(trials)[:GROUPINGS]},
    }


def _psths(
    name: str,
    trials: Trials,
    mean: Float[np.ndarray, "trial time channel"],
    rows: Int[np.ndarray, " shown"],
    true: np.ndarray | None,
    by: str,
) -> dict[str, Any]:
    """Averages of a signal over the trials of each condition."""
    found = averages(mean, trials, by, true=true, head=name)
    labels = [label for label, _, _ in told_apart(trials, by)]
    some = np.flatnonzero(np.isin(found.labels, labels))
    return {
        "labels": [str(label) for label in found.labels[some]],
        "all": len(found.labels),
        "time": _list(found.time),
        "inferred": packed(found.inferred[some][..., rows]),
        "target": packed(found.target[some][..., rows]),
        "r2": _list(found.r2[rows]),
        "against": found.against,
    }


def latents(run: Run, posterior: Any, most: int = 16) -> dict[str, Any] | None:
    """Posterior means and standard deviations of the latents; None where a baseline has none."""
    if "latent_mean" not in posterior:
        return None
    mean = posterior.latent_mean.values[..., :most]
    names = latent_names(run.fitted, posterior.sizes["latent"])[:most]
    sd = posterior.latent_sd.values[..., :most] if "latent_sd" in posterior else np.zeros_like(mean)
    return {"names": names, "all": posterior.sizes["latent"], "mean": packed(mean), "sd": packed(sd)}


def index(trials: Trials) -> dict[str, Any]:
    """Labels, groups, times and unread ends of the trials."""
    head = trials.main
    read = np.any(head.read, axis=2)
    last = np.where(np.any(read, axis=1), trials.n_bins - np.argmax(read[:, ::-1], 1), 0)
    groups = {name: trials.metadata[name].astype(str).tolist() for name in conditions(trials)}
    piece = [f", from bin {start}" if trials.origin.any() else "" for start in trials.origin]
    return {
        "labels": [f"trial {i}{text}" for i, text in zip(trials.ids, piece, strict=True)],
        "groups": groups,
        "bins": trials.lengths.tolist(),
        "read": last.tolist(),
        "time": packed((trials.time if not trials.regular else trials.time[:1]).astype(np.float64)),
        "width": packed((trials.dt if not trials.regular else trials.dt[:1]).astype(np.float64)),
    }


def course(history: Sequence[Mapping[str, Any]], score: str) -> dict[str, Any] | None:
    """The course of a fit; None where there was none."""
    rows = [row for row in history if {"step", "bound"} <= row.keys()]
    if not rows:
        return None
    keys = {"step": "step", "bound": "bound", "values": "score", "ess": "ess"}
    return {"score": score} | {key: [_plain(row.get(own)) for row in rows] for key, own in keys.items()}


def simulated(
    run: Run, trials: Trials, head: str, rows: Int[np.ndarray, " shown"], seed: int
) -> dict[str, Any] | None:
    """Spike statistics, or spectra, of simulations beside those of the data; None where the model has none.

    Args:
        run: the run.
        trials: those that are shown.
        head: what is compared.
        rows: channels that are shown.
        seed: of the simulations.
    """
    fitted = run.fitted
    if not isinstance(fitted, Fitted) or not fitted.specification.generative or trials.n_bins < 8:
        return None
    own = trials[trials.session == trials.session[0]]
    sessions = fitted.layout.sessions
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), SIMULATED)).astype(int)]
    try:
        drawn = results.generate(
            fitted,
            own.n_trials,
            own.n_bins,
            inputs=own.inputs,
            seed=seed,
            session=sessions.index(own.session_names[own.session[0]]) if len(sessions) > 1 else 0,
        ).trials.main.values[..., some]
    except NeuritoError as error:
        return {"failed": str(error)}
    values = own.head(head).values[..., some]
    drawn = np.where(np.isnan(values), np.nan, drawn)
    names = [own.head(head).names[i] for i in some]
    if own.head(head).kind == "counts":
        found, made = (spike_statistics(x, own.bin_width) for x in (values, drawn))
        pairs = {
            "mean rate (spikes/s)": (found.rate, made.rate),
            "mean inter-spike interval (s)": (found.isi_mean, made.isi_mean),
            "variability of intervals (CV)": (found.isi_cv, made.isi_cv),
        }
        frequency, spectra = found.frequency, [np.nanmean(x.power, 1) for x in (found, made)]
        unit = "(spikes/s)²/Hz"
    else:
        from scipy.signal import welch

        length = int(own.lengths.min())
        pairs = {"standard deviation": (np.nanstd(values, (0, 1)), np.nanstd(drawn, (0, 1)))}
        segment = min(length, 256)
        powers = [
            welch(np.nan_to_num(x[:, :length]), 1 / own.bin_width, nperseg=segment, axis=1)
            for x in (values, drawn)
        ]
        frequency, spectra = powers[0][0], [np.median(p.mean(0), 1) for _, p in powers]
        unit = f"{own.head(head).unit}²/Hz" if own.head(head).unit else "power per Hz"
    return {
        "names": names,
        "pairs": {
            name: {"data": _list(x), "model": _list(y), "r": _plain(pearson(x, y))}
            for name, (x, y) in pairs.items()
        },
        "frequency": _list(frequency[1:-1]),
        "power": [_list(x[1:-1]) for x in spectra],
        "unit": unit,
    }


def calibrated(run: Run, trials: Trials, posterior: Any, head: str) -> dict[str, Any] | None:
    """The histogram of PITs of counts that were not read; None where there are none."""
    signal = trials.head(head)
    unread = signal.score & ~signal.read & trials.exists[..., None]
    if signal.kind != "counts" or not unread.any():
        return None
    pit = predictive_pit(posterior, trials, run.fitted, head=head)
    return {
        "density": _list(np.histogram(pit, 20, (0, 1), density=True)[0]),
        "count": len(pit),
        "coverage": [[level, covered] for level, covered in coverage(pit).items()],
    }


def flow(run: Run, posterior: Any, input_: np.ndarray | None = None) -> dict[str, Any] | None:
    """Where the state goes in a bin, on a grid around the data; None beyond three latents.

    Args:
        run: the run.
        posterior: latents, which set the grid.
        input_: a constant input; None = none.
    """
    from neurito.analysis.fitted import map_of

    if not isinstance(run.fitted, Fitted) or run.fitted.model.dynamics.latent_dim not in (2, 3):
        return None
    z = posterior.latent_mean.values
    z = z[np.isfinite(z).all(-1)]
    low, high = np.quantile(z, [0.002, 0.998], axis=0)
    room = 0.1 * (high - low) + 1e-9
    sides = 17 if z.shape[1] == 2 else 7
    axes = [np.linspace(a - r, b + r, sides) for a, b, r in zip(low, high, room, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    count = len(run.fitted.layout.inputs)
    if input_ is None and count:
        input_ = np.zeros(count)
    step = map_of(resolve(run.fitted.model.dynamics), run.fitted.layout.bin_width, input_)
    arrows = step(grid) - grid
    return {
        "at": np.round(grid, 5).tolist(),
        "to": np.round(arrows, 6).tolist(),
        "spacing": float(np.mean([np.diff(a)[0] for a in axes])),
    }


def potential(run: Run, posterior: Any) -> dict[str, Any] | None:
    """The potential of Langevin dynamics on the planes of their first positions; None of other dynamics.

    Args:
        run: the run.
        posterior: latents, which say where to look.
    """
    try:
        first = landscape(run, posterior, points=POINTS)
    except NeuritoError:
        return None
    dim = first.positions.shape[2]
    pairs = list(itertools.combinations(range(min(dim, POSITIONS)), 2))
    planes = [landscape(run, posterior, axes=pair, points=POINTS) for pair in pairs] or [first]
    return {
        "all": dim,
        "temperature": _plain(first.temperature),
        "planes": [
            {"axes": one.axes, "sides": [_list(side) for side in one.sides], "energy": packed(one.energy)}
            for one in planes
        ],
    }


def _plain(value: Any) -> float | None:
    """A number that JSON knows."""
    return None if value is None or not np.isfinite(value) else float(f"{float(value):.6g}")


def _list(values: Any) -> list[float | None]:
    return [_plain(x) for x in np.asarray(values, float)]
