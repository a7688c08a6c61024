"""Ablations: how much of a run's score its latent dynamics carry."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.compare import Comparison, Row, Scored, shown
from neurito.core.drifts import Drift
from neurito.core.dynamics import SDE, Dynamics, FullRankRNN, Langevin, Linear, LowRankRNN, ReleasedLangevin
from neurito.core.dynamics.gru import GatedGenerator
from neurito.core.dynamics.memoryless import Memoryless
from neurito.core.dynamics.potentials import Flat
from neurito.core.guides import Bootstrap
from neurito.data.trials import Splits, Trials
from neurito.errors import NeuritoError, warn
from neurito.evaluation import rates
from neurito.fitting.run import Run, read_json, write_json
from neurito.fitting.trainer import fit
from neurito.inference.results import infer
from neurito.inference.scores import TRUTH, _bits
from neurito.models import LangevinFlow, Layout, Specification
from neurito.models.fitted import Fitted, fitted_of
from neurito.models.latent_sde import LatentSDE

SCORES = ("co_bps", "fp_bps", "unread_r2", "truth_r2")
FULL = "full"
NO_FORCE = "no force, refitted"
MEMORYLESS = "encoder and decoder only, refitted"
STILLED = "no force, same fit"
PRIOR = "prior noise, same fit"
SINGLE = "one posterior sample, same fit"


def ablate(
    run: Run | str | os.PathLike[str],
    parts: Splits,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    part: str = "validation",
    samples: int = 50,
    progress: bool | None = None,
    stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Scores a run with its latent dynamics, and with parts of them taken away.

    Refitted with the run's own options, a fit per seed: the model as it is; without force, where it can be switched
    off (LangevinFlow, latent SDEs); with memoryless dynamics, so that encoder and decoder are all there is. Evaluated
    only, with the parameters of the full fits: the force set to 0 under the same guide; latents drawn from the prior
    in place of the posterior; one posterior sample in place of many. Whatever is fitted and scored is kept in
    RUN/ablations and used again by the next call.

    Args:
        run: a finished run, or its folder.
        parts: the trials that it was fitted to, and those to score.
        seeds: of the fits; the run itself stands for its own seed.
        part: which trials are scored: train, validation or test.
        samples: posterior samples of every variant but the last.
        progress: as in `fit`.
        stop: asked after every fit; True ends the ablation as Ctrl-C does.

    Returns:
        One row per variant, best first.

    Raises:
        NeuritoError: the run is not saved, is a baseline, or was fitted to other trials; nothing unread and no true
            rates are there to be scored.

    Warns:
        NeuritoWarning: a variant cannot be built for this model and is left out.
    """
    run = run if isinstance(run, Run) else Run.load(run)
    specification = fitted_of(run).specification
    trials = _checked(run, specification, parts, seeds, part)
    assert run.folder is not None
    folder = run.folder / "ablations"
    folder.mkdir(exist_ok=True)
    store = _Store.open(folder / "scores.json", {"data": trials.fingerprint(), "samples": samples})
    fits = _Fits(run, folder, parts, progress, stop)
    rows: dict[str, list[Scored]] = {}
    for variant, seed, place, model, draws in _plan(fits, specification, seeds, samples):
        found = store.scores(variant, seed, partial(_score, model, trials, draws))
        scored = replace(Scored.read(place, part), seed=seed, scores=found)
        rows.setdefault(variant, []).append(scored)
    ordered = [Row(variant, tuple(runs)) for variant, runs in rows.items()]
    names = tuple(name for name in SCORES if any(row.values(name) for row in ordered))
    if not names:
        raise NeuritoError(f"no score could be had on the {part} trials; see the warnings above")
    ordered.sort(key=lambda row: -(row.mean(names[0]) if row.values(names[0]) else float("inf")))  # type: ignore[operator]
    return Comparison(tuple(ordered), names, part)


def _score(model: Callable[[], Fitted], trials: Trials, samples: int) -> dict[str, float]:
    """What `evaluate` says of what was not read, without its simulations and bounds, which take most of its time."""
    fitted = model()
    name = fitted.specification.observed(fitted.layout)[0]
    head = trials.head(name)
    mean = infer(fitted, trials, samples=samples, quantiles=()).rate_mean.values
    unread = head.score & ~head.read & trials.exists[..., None]
    scores: dict[str, float] = {}
    if head.kind == "counts":
        scores = _bits(mean * trials.dt[..., None], trials, name)
    elif unread.any():
        scores["unread_r2"] = float(np.nanmean(rates.r_squared(head.values, mean, unread)))
    truth = trials.heads.get(TRUTH)
    if truth is not None and truth.values.shape == head.values.shape:
        scores["truth_r2"] = rates.rates_r2(truth.values, mean).mean
    return scores


def _checked(
    run: Run, specification: Specification, parts: Splits, seeds: Sequence[int], part: str
) -> Trials:
    """The trials to score, if all is well."""
    if run.folder is None:
        raise NeuritoError("the run is not saved, and its ablations are kept beside it: fit with run=FOLDER")
    if part not in Splits._fields:
        raise NeuritoError(f"part={part!r}: give one of {', '.join(Splits._fields)}")
    if not seeds or len(set(seeds)) < len(seeds):
        raise NeuritoError(f"seeds={tuple(seeds)}: give one or more different numbers")
    trials: Trials | None = getattr(parts, part)
    if trials is None:
        raise NeuritoError(
            f"there are no {part} trials: split the recording so that there are, or give another part"
        )
    config = read_json(run.folder / "config.json")
    for name, given in (("data", parts.train), ("validation", parts.validation)):
        if config.get(name) != (None if given is None else given.fingerprint()):
            what = "training" if name == "data" else name
            raise NeuritoError(
                f"{shown(run.folder)}: was fitted to other {what} trials than those given; give the same recording, "
                "split and held out in the same way"
            )
    name = specification.observed(fitted_of(run).layout)[0]
    head = trials.head(name)
    if not (head.score & ~head.read & trials.exists[..., None]).any() and TRUTH not in trials.heads:
        raise NeuritoError(
            f"everything in {name!r} is read, and no true rates are known: hold out channels or forward bins when "
            "fitting, so that there is something to score"
        )
    return trials


@dataclass(frozen=True)
class _Fits:
    """The run, and the fits beside it."""

    run: Run
    folder: Path
    parts: Splits
    progress: bool | None
    stop: Callable[[], bool] | None

    def place(self, name: str, seed: int) -> Path:
        """Where a fit is."""
        own = name == "full" and seed == self.run.training.seed
        return self.run.folder if own and self.run.folder is not None else self.folder / f"{name}-seed{seed}"

    def fitted(self, name: str, specification: Specification, seed: int) -> Fitted:
        """A fit, finished if it was not; one that is done is read from its checkpoint."""
        place = self.place(name, seed)
        if place == self.run.folder:
            return fitted_of(self.run)
        assert self.run.folder is not None
        config = read_json(self.run.folder / "config.json")
        about = {key: config[key] for key in ("recording", "neurito") if key in config}
        training = replace(self.run.training, seed=seed)
        train, validation = self.parts.train, self.parts.validation
        done = fit(
            specification,
            train,
            validation,
            run=place,
            training=training,
            progress=self.progress,
            provenance=about,
        )
        if self.stop is not None and self.stop():
            raise KeyboardInterrupt
        return fitted_of(done)


_Planned = tuple[str, int, Path, Callable[[], Fitted], int]


def _plan(
    fits: _Fits, specification: Specification, seeds: Sequence[int], samples: int
) -> Iterator[_Planned]:
    """Every variant and seed: its name, where its fit is, how to have it, and posterior samples."""
    refits = {FULL: ("full", specification), MEMORYLESS: ("memoryless", memoryless(specification))}
    quiet = without_force(specification)
    if quiet is not None:
        refits[NO_FORCE] = ("no-force", quiet)
    layout = Layout.of(fits.parts.train)
    for variant, (name, words) in refits.items():
        if variant != FULL and not _possible(variant, partial(words.build, layout, jax.random.key(0))):
            continue
        for seed in seeds:
            done = fits.fitted(name, words, seed)
            place = fits.place(name, seed)
            yield variant, seed, place, partial(_same, done), samples
            if variant == FULL:
                yield SINGLE, seed, place, partial(_same, done), 1
                yield PRIOR, seed, place, partial(from_prior, done), samples
                if _possible(STILLED, partial(stilled, done)):
                    yield STILLED, seed, place, partial(stilled, done), samples


def _same(fitted: Fitted) -> Fitted:
    return fitted


def _possible(variant: str, build: Callable[[], Any]) -> bool:
    """Whether a model can be built; says so where not."""
    try:
        build()
    except NeuritoError as error:
        warn(f"left out, {variant}: {error}")
        return False
    return True


@dataclass(frozen=True)
class _Store:
    """Scores by variant and seed, on disk as soon as they are known."""

    file: Path
    about: dict[str, Any]
    found: dict[str, dict[str, dict[str, float]]]

    @classmethod
    def open(cls, file: Path, about: dict[str, Any]) -> "_Store":
        """What is there, if it is of the same trials."""
        before = read_json(file) if file.is_file() else {}
        same = isinstance(before, dict) and all(before.get(key) == value for key, value in about.items())
        return cls(file, about, before["scores"] if same else {})

    def scores(self, variant: str, seed: int, take: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Of one variant, taken if they are not known."""
        known = self.found.setdefault(variant, {})
        if str(seed) not in known:
            taken = take()
            known[str(seed)] = {n: taken[n] for n in SCORES if n in taken and not np.isnan(taken[n])}
            write_json(self.file, {**self.about, "scores": self.found})
        return known[str(seed)]


def without_force(specification: Specification) -> Specification | None:
    """The same model without force on its latents; None where what forces them would be learned again."""
    if not isinstance(specification, LangevinFlow | LatentSDE):
        return None
    return _changed(specification, "no-force", _still)


def memoryless(specification: Specification) -> Specification:
    """The same model with dynamics that remember nothing, as wide as what its decoder saw."""
    return _changed(specification, "memoryless", _forgetful)


def _forgetful(dynamics: Dynamics) -> Dynamics:
    return Memoryless(dynamics.visible_dim)


def _changed(
    specification: Specification, suffix: str, change: Callable[[Dynamics], Dynamics]
) -> Specification:
    """The same options, with other dynamics."""
    kind = _kind(type(specification), suffix, change)
    return kind(**{f.name: getattr(specification, f.name) for f in dataclasses.fields(specification)})


@cache
def _kind(
    kind: type[Specification], suffix: str, change: Callable[[Dynamics], Dynamics]
) -> type[Specification]:
    def dynamics(self: Specification, layout: Layout, key: PRNGKeyArray) -> Dynamics:
        return change(kind.dynamics(self, layout, key))

    words = {"name": f"{kind.name}-{suffix}", "dynamics": dynamics, "__doc__": kind.__doc__}
    return cast(type[Specification], type(kind.__name__, (kind,), words))


def from_prior(fitted: Fitted) -> Fitted:
    """The model whose inference draws latents from the prior, whatever the data."""
    words = replace(fitted.specification, objective="elbo", resampling="none", adapted=False)
    # The encoder stays, for decoders that copy from it.
    model = eqx.tree_at(lambda m: m.guide, fitted.model, Bootstrap())
    return replace(fitted, specification=words, model=model)


def stilled(fitted: Fitted) -> Fitted:
    """The fitted model with the force on its latents set to 0.

    Langevin dynamics lose potential, active and gyroscopic force; SDEs their drift; networks their recurrent weights,
    not their leak; linear dynamics their matrix.

    Raises:
        NeuritoError: the dynamics are of a kind in which force has no meaning.
    """
    model = eqx.tree_at(lambda m: m.dynamics, fitted.model, _still(fitted.model.dynamics))
    return replace(fitted, model=model)


class _Still(Drift):
    """f = 0, seen as the drift that it replaces is."""

    drift: Drift
    dim: int = eqx.field(static=True)

    def __init__(self, drift: Drift) -> None:
        self.drift, self.dim = drift, drift.dim

    @property
    def decoded(self) -> bool:  # type: ignore[override]
        """As the drift."""
        return self.drift.decoded

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """0."""
        return jnp.zeros_like(x)

    def visible(self, x: Float[Array, "... dim"]) -> Float[Array, "... visible"]:
        """As the drift."""
        return self.drift.visible(x)

    @property
    def visible_dim(self) -> int:
        """As the drift."""
        return self.drift.visible_dim


def _still(dynamics: Dynamics) -> Dynamics:
    """Dynamics without force."""

    def put(where: Callable[[Any], Any], value: Any) -> Any:
        return eqx.tree_at(where, dynamics, value, is_leaf=lambda x: x is None)

    def zero(where: Callable[[Any], Any]) -> Any:
        return eqx.tree_at(where, dynamics, replace_fn=jnp.zeros_like)

    match dynamics:
        case Langevin():
            return put(lambda d: (d.potential, d.active, d.gyroscope), (Flat(), None, None))
        case ReleasedLangevin():
            return put(lambda d: d.potential, Flat())
        case SDE():
            return put(lambda d: d.drift, _Still(dynamics.drift))
        case LowRankRNN():
            return zero(lambda d: d.n)
        case FullRankRNN():
            return zero(lambda d: d.J)
        case Linear():
            return zero(lambda d: d.A)
        case GatedGenerator():
            g = dynamics.units
            weights = (dynamics.gates.W.at[:g].set(0), dynamics.candidate.W.at[:g].set(0))
            return put(lambda d: (d.gates.W, d.candidate.W), weights)
    raise NeuritoError(f"{type(dynamics).__name__} has no force that could be switched off")
