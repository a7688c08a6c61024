"""What fitted stochastic differential equations say: oscillators, coupling, and what each term of the drift adds."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from neurito.analysis.alignment import Match, align, match
from neurito.analysis.curvature import Chosen, Curvature, curvature
from neurito.analysis.oscillation import (
    Ensemble,
    cycles_of,
    ensemble,
    measured,
    oscillation,
    oscillators_in,
    single,
)
from neurito.analysis.terms import Shares, shares
from neurito.core.drifts import HarmonicOscillators, Hybrid
from neurito.core.dynamics import SDE
from neurito.core.scan import Objective
from neurito.data.files import atomic_write, known_ending
from neurito.data.trials import Trials
from neurito.errors import NeuritoError
from neurito.inference.engine import engine_of
from neurito.inference.results import infer
from neurito.models.fitted import Fitted, HasFitted, fitted_of

FORMATS = (".json", ".csv")
_CHUNK = 32  # trials whose curvature is computed at a time


@dataclass(frozen=True, eq=False)
class Drifts:
    """The drifts of runs fitted to one recording, in the coordinates of the first.

    Attributes:
        names: of the runs.
        model: the first one's.
        oscillators: what oscillates, or None where the drift has no oscillators.
        unit: of the coupling.
        r2: of every run, how much of the variance of the first one's latents a linear map of its own explains.
        shares: of every run, the size of each term of its drift.
        curvature: of a single run's bound, if asked for.
    """

    names: tuple[str, ...]
    model: str
    oscillators: Ensemble | None
    unit: str
    r2: Float[np.ndarray, " run"]
    shares: tuple[Shares, ...]
    curvature: Curvature | None

    @property
    def share(self) -> Float[np.ndarray, "run term"]:
        """Of every run, the share of each term in its drift, all latents together."""
        return np.stack([one.total for one in self.shares])

    def text(self) -> str:
        """Tables for the terminal."""
        lines = [f"{self.model}: {', '.join(self.names)}"]
        if len(self.names) > 1:
            explained = ", ".join(f"{value:.2f}" for value in self.r2[1:])
            lines += [f"latents explain those of {self.names[0]} (R2, linear): {explained}"]
        if self.oscillators is not None:
            lines += ["", *_oscillators(self.oscillators, self.unit, self._source())]
        if self.curvature is not None and self.curvature.undetermined:
            lines += ["", f"no standard errors: {_flat(self.curvature)}"]
        return "\n".join([*lines, "", *_shares(self)])

    def _source(self) -> str:
        if len(self.names) > 1:
            return (
                f"mean ± standard deviation over {len(self.names)} runs; in brackets the share with that sign"
            )
        if self.curvature is not None:
            return "± standard error from the bound's curvature; in brackets the probability of the sign"
        return "one run: give more seeds, or --curvature, for their spread"

    def to_json(self) -> dict[str, Any]:
        """Everything as lists and numbers."""
        found: dict[str, Any] = {"runs": self.names, "model": self.model, "latent_r2": self.r2.tolist()}
        if (e := self.oscillators) is not None:
            found["oscillators"] = {
                "mean": {k: v.tolist() for k, v in e.mean._asdict().items()},
                "spread": {k: _numbers(v) for k, v in e.spread._asdict().items()},
                "same_sign": _numbers(e.agreement),
                "correlation": e.correlation.tolist(),
                "units": {"frequency": "Hz", "growth": "1/s", "radius": "latent", "coupling": self.unit},
            }
        if (c := self.curvature) is not None:
            found["curvature"] = {
                "parameters": c.names,
                "hessian": c.hessian.tolist(),
                "eigenvalues": c.eigenvalues.tolist(),
                "undetermined": c.undetermined,
            }
        found["drift"] = [
            {
                "run": run,
                "terms": one.names,
                "share": one.total.tolist(),
                "share_per_latent": one.share.tolist(),
                "rms_per_second": one.size.tolist(),
                "rms_of_the_sum": one.drift.tolist(),
            }
            for run, one in zip(self.names, self.shares, strict=True)
        ]
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One number each: quantity, of which oscillator (and from which), mean, spread, same_sign."""
        found: list[dict[str, Any]] = []
        if (e := self.oscillators) is not None:
            for name, mean in e.mean._asdict().items():
                spread = getattr(e.spread, name)
                for where in np.ndindex(*mean.shape):
                    own = {
                        "quantity": name,
                        "of": where[0] + 1,
                        "from": where[1] + 1 if len(where) > 1 else "",
                    }
                    own |= {"mean": mean[where], "spread": spread[where]}
                    found.append(own | {"same_sign": e.agreement[where] if len(where) > 1 else ""})
        share = self.share
        spreads = share.std(0, ddof=1) if len(share) > 1 else np.full(share.shape[1], np.nan)
        for term, mean, spread in zip(self.shares[0].names, share.mean(0), spreads, strict=True):
            row = {"quantity": "share of the drift", "of": term, "from": "", "mean": mean, "spread": spread}
            found.append(row | {"same_sign": ""})
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `.json` (everything) or `.csv` (`rows`).

        Raises:
            NeuritoError: another ending, or a folder that cannot be written.
        """
        path = known_ending(Path(path), FORMATS)
        with atomic_write(path) as temporary:
            if path.suffix == ".json":
                temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n")
                return
            rows = self.rows()
            with temporary.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)


def drifts(
    runs: Mapping[str, Fitted | HasFitted],
    trials: Trials,
    *,
    samples: int = 16,
    seed: int = 0,
    errors: bool = False,
    objective: Objective | None = None,
    particles: int | None = None,
) -> Drifts:
    """Interprets the drifts of runs of one model on the same trials.

    Latents of the runs are inferred and aligned with the first one's: oscillators are paired by their correlation in
    time, and their coupling matrices brought into one order with one choice of signs.

    Args:
        runs: fitted models by name, for instance seeds of one.
        trials: on which latents are inferred; for `errors` those of the fit.
        samples: posterior trajectories per trial.
        seed: of the particles.
        errors: for a single run, standard errors of the oscillators from the curvature of its bound.
        objective: bound whose curvature is taken; None = that of the fit.
        particles: K for it; None = as in training.

    Raises:
        NeuritoError: no runs, dynamics without a drift, drifts of different kinds or sizes, standard errors of several
            runs or of a drift without oscillators, trials that do not fit.
    """
    fitted = {name: fitted_of(run) for name, run in runs.items()}
    if not fitted:
        raise NeuritoError("no runs: give at least one")
    _one_kind(fitted)
    first, *_ = fitted.values()
    oscillating = oscillators_in(first.model.dynamics)
    if errors and (len(fitted) > 1 or oscillating is None):
        which = f"{len(fitted)} runs were given" if len(fitted) > 1 else "this drift has none"
        raise NeuritoError(f"standard errors are those of the oscillators of a single run: {which}")
    states, sized = [], []
    for run in runs.values():
        z = np.asarray(
            infer(run, trials, samples=samples, keep_samples=samples, seed=seed)["latent_sample"], np.float64
        )
        states.append(z)
        sized.append(shares(fitted_of(run).model.dynamics, z, trials.dt, trials.inputs))  # type: ignore[arg-type]
    r2 = np.array([align(z.mean(2), states[0].mean(2)).r2 for z in states])
    found = curved = None
    if oscillating is not None:
        dynamics: list[Any] = [one.model.dynamics for one in fitted.values()]
        cycles = [cycles_of(d, z).mean(2) for d, z in zip(dynamics, states, strict=True)]
        turned = not isinstance(oscillating, HarmonicOscillators)
        matches = [match(one, cycles[0], turned) for one in cycles]
        each = [measured(d, c) for d, c in zip(dynamics, cycles, strict=True)]
        found = ensemble(each, matches)
        sized = [_ordered(one, m) for one, m in zip(sized, matches, strict=True)]
        if errors:
            prefix = f"dynamics.drift{'.known' if isinstance(first.model.dynamics.drift, Hybrid) else ''}"  # type: ignore[attr-defined]
            curved, jacobian = laplace(first, trials, prefix, seed, objective, particles)
            scale = each[0].coupling / np.asarray(oscillation(dynamics[0]).coupling)
            found = single(each[0], _scaled(jacobian, curved, scale))
    unit = "1/s" if oscillating is None or not isinstance(oscillating, HarmonicOscillators) else "1/s²"
    return Drifts(tuple(fitted), first.specification.name, found, unit, r2, tuple(sized), curved)


def laplace(
    fitted: Fitted,
    trials: Trials,
    prefix: str = "dynamics.drift",
    seed: int = 0,
    objective: Objective | None = None,
    particles: int | None = None,
) -> tuple[Curvature, Any]:
    """The curvature of a fitted model's bound in some of its parameters, and derivatives of its oscillation by them.

    Args:
        fitted: the model.
        trials: those it was fitted to.
        prefix: name of the parameters.
        seed: of the particles.
        objective: of the bound; None = that of the fit.
        particles: K; None = as in training.
    """
    engine = engine_of(fitted, trials, particles, None)
    inference = replace(engine.inference, adapted=False)
    if objective is not None:
        resampling = inference.resampling if objective == "vsmc" else "none"
        inference = replace(inference, objective=objective, resampling=resampling)
    chosen, n = Chosen(fitted.model, prefix), trials.n_trials
    size = min(n, _CHUNK)

    def batches() -> Any:
        for start in range(0, n, size):
            rows = np.arange(start, start + size)
            index = jnp.asarray(np.minimum(rows, n - 1), jnp.int32)
            batch = engine.data.take(index, jnp.zeros_like(index), index, engine.data.n_bins)
            yield replace(batch, weight=jnp.asarray(rows < n, batch.weight.dtype))

    found = curvature(chosen, batches(), jax.random.key(seed), inference)
    return found, chosen.jacobian(lambda model: oscillation(model.dynamics))


def _scaled(jacobian: Any, curved: Curvature, scale: np.ndarray) -> Any:
    errors = jacobian._replace(**{k: curved.errors(v) for k, v in jacobian._asdict().items()})
    return errors._replace(coupling=errors.coupling * np.where(np.isfinite(scale), np.abs(scale), 1.0))


def _one_kind(fitted: Mapping[str, Fitted]) -> None:
    """Raises NeuritoError unless all are SDEs with the same kind of drift and as many latents."""
    kinds = {}
    for name, one in fitted.items():
        if not isinstance(one.model.dynamics, SDE):
            raise NeuritoError(
                f"{name}: {one.specification.name} has no drift; co-sde, neural-sde and sde have"
            )
        drift = one.model.dynamics.drift
        known = type(drift.known).__name__ + " + " if isinstance(drift, Hybrid) else ""
        last = drift.learned if isinstance(drift, Hybrid) else drift
        kinds[name] = f"{known}{type(last).__name__} with {drift.dim} states"
    first, *others = kinds
    for name in others:
        if kinds[name] != kinds[first]:
            raise NeuritoError(
                f"{name}: its drift is {kinds[name]}, that of {first} {kinds[first]}; compare runs of one model"
            )


def _ordered(one: Shares, found: Match) -> Shares:
    """Shares with the latents in the order of the first run's oscillators."""
    n = len(found.order)
    columns = found.order if one.size.shape[1] == n else np.concatenate([found.order, found.order + n])
    return Shares(one.names, one.size[:, columns], one.drift[columns])


def _flat(found: Curvature) -> str:
    return (
        f"minus the bound has no positive curvature in {found.undetermined} of {len(found.names)} directions, so the "
        "fit is at no maximum that the data determine; fit longer, take more particles, or compare seeds"
    )


def _numbers(values: np.ndarray) -> Any:
    """Lists, None for NaN, which JSON does not know."""
    return [_numbers(v) for v in values] if values.ndim else None if np.isnan(values) else float(values)


def _pm(mean: float, spread: float) -> str:
    return f"{mean:.3g}" if np.isnan(spread) else f"{mean:.3g} ± {spread:.2g}"


def _oscillators(found: Ensemble, unit: str, source: str) -> list[str]:
    several = len(found.correlation) > 1
    head = ["", "frequency (Hz)", "growth (1/s)", "radius", *(["match"] if several else [])]
    rows = [
        [
            str(i + 1),
            *(
                _pm(getattr(found.mean, k)[i], getattr(found.spread, k)[i])
                for k in ("frequency", "growth", "radius")
            ),
            *([f"{found.correlation[1:, i].min():.2f}"] if several else []),
        ]
        for i in range(found.units)
    ]
    lines = [f"oscillators, {source}", *_table([head, *rows])]
    if several:
        lines.append("  match: least correlation of a run's oscillator with the first run's")
    numbers = [str(j + 1) for j in range(found.units)]
    cells = [[numbers[i], *(_cell(found, i, j) for j in range(found.units))] for i in range(found.units)]
    return [*lines, "", f"coupling from column to row, {unit}", *_table([["", *numbers], *cells])]


def _cell(found: Ensemble, i: int, j: int) -> str:
    sure = found.agreement[i, j]
    text = _pm(found.mean.coupling[i, j], found.spread.coupling[i, j])
    return text if np.isnan(sure) else f"{text} ({sure:.2f})"


def _shares(found: Drifts) -> list[str]:
    share, first = found.share, found.shares[0]
    spread = share.std(0, ddof=1) if len(share) > 1 else np.full(share.shape[1], np.nan)
    per_latent = np.mean([one.share for one in found.shares], 0)
    many = per_latent.shape[1] if per_latent.shape[1] <= 12 else 0
    head = ["", "in total", *(f"z{j + 1}" for j in range(many))]
    rows = [
        [name, _pm(share[:, k].mean(), spread[k]), *(f"{per_latent[k, j]:.2f}" for j in range(many))]
        for k, name in enumerate(first.names)
    ]
    return ["share of the drift: root mean square of each term over the sum of all", *_table([head, *rows])]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
