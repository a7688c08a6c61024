"""The training loop."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from neurito.baselines import Baseline
from neurito.core import priors, runtime
from neurito.core.batch import Batch
from neurito.data.trials import Splits, Trials
from neurito.errors import NeuritoError
from neurito.evaluation.bits import co_bps
from neurito.fitting import checkpoint, steps
from neurito.fitting.baselines import fit_baseline
from neurito.fitting.drawing import Sampler
from neurito.fitting.packing import Packing
from neurito.fitting.progress import Progress
from neurito.fitting.run import Run, configuration, write_json
from neurito.fitting.training import Training
from neurito.inference import results
from neurito.models import Layout, Specification
from neurito.models.fitted import Fitted
from neurito.models.prepare import padded, to_batch

_GIVE_UP = 8  # restorations in a row
_LONG = 1.0  # seconds of a stretch after which memory is given back, which takes milliseconds
_SAMPLES = 16  # of the posterior, for selection, which costs as much as many steps

_unpacked = jax.jit(Packing.unpack, static_argnums=0)  # one program, not one per parameter


def fit(
    specification: Specification | Baseline,
    trials: Trials | Splits,
    validation: Trials | None = None,
    *,
    run: str | Path | None = None,
    training: Training | None = None,
    rule: optax.GradientTransformation | None = None,
    schedule: str | Callable[[int], float] | None = None,
    progress: bool | None = None,
    provenance: dict[str, Any] | None = None,
    **options: Any,
) -> Run:
    """Fits a model to a recording.

    Maximises the bound per bin over everything read or scored in the training trials, and keeps the parameters with
    the best validation score. The same call on the same run folder resumes where it was, to the same numbers.

    Args:
        specification: the model in words, for instance `LowRankRNN(rank=3)`; or a baseline, `Smoothing()`.
        trials: training trials, or all three parts of `Trials.split`.
        validation: validation trials, which share no bin with the training trials; None = no selection.
        run: folder for configuration, history, checkpoint and model; None = nothing is written.
        training: options; or give them by name, the others being those that the model recommends.
        rule: an Optax optimiser in place of the named one, without a learning rate of its own.
        schedule: as in `Training`, or step -> learning rate, for instance an Optax schedule.
        progress: None = a bar on a terminal, lines elsewhere; False = nothing.
        provenance: plain data that the saved model carries along (data file, its hash).
        **options: fields of `Training`.

    Raises:
        NeuritoError: options or data do not fit; the fit diverges whatever the step.
    """
    if isinstance(trials, Splits):
        validation = trials.validation if validation is None else validation
        trials = trials.train
    if isinstance(schedule, str):
        options, schedule = {**options, "schedule": schedule}, None
    training = training or Training(**getattr(specification, "recommended", {}))
    training = dataclasses.replace(training, **_checked(options))
    if validation is not None:
        _disjoint(trials, validation)
    if isinstance(specification, Baseline):
        folder = None if run is None else Path(run)
        return fit_baseline(specification, trials, validation, training, folder, provenance or {})
    if validation is not None and training.score == "bound" and not specification.generative:
        raise NeuritoError(
            f"score='bound': {specification.name} has no bound; hold out neurons and set score='co_bps', or 'none'"
        )
    job = _Job(specification, trials, validation, training, rule, schedule, progress)
    return job.run(None if run is None else Path(run), provenance or {})


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    from neurito.errors import nearest

    known = [f.name for f in dataclasses.fields(Training)]
    for key in options:
        if key not in known:
            raise NeuritoError(f"fit has no option {key!r}: {nearest(key, known)}")
    return options


def _disjoint(train: Trials, other: Trials) -> None:
    """Raises NeuritoError if two parts share a bin of the same trial."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for id_, origin, length in zip(train.ids, train.origin, train.lengths, strict=True):
        spans.setdefault(int(id_), []).append((int(origin), int(origin + length)))
    for id_, origin, length in zip(other.ids, other.origin, other.lengths, strict=True):
        for start, end in spans.get(int(id_), []):
            if start < origin + length and origin < end:
                raise NeuritoError(
                    f"training and validation share trial {id_} (bins {max(start, origin)} to "
                    f"{min(end, origin + length) - 1}): split the recording with Trials.split"
                )


def _parameters(here: checkpoint.Checkpoint) -> checkpoint.Checkpoint:
    """Where a fit is without its optimiser, which is twice as large as the parameters."""
    return here._replace(state=here.state._replace(optimiser=None))


class _Job:
    """One fit in progress."""

    def __init__(
        self,
        specification: Specification,
        trials: Trials,
        validation: Trials | None,
        training: Training,
        rule: optax.GradientTransformation | None,
        schedule: Callable[[int], float] | None,
        progress: bool | None,
    ) -> None:
        self.mesh = runtime.mesh(training.devices or specification.devices, training.device or None)
        if specification.devices and self.mesh.size > specification.devices:
            raise NeuritoError(
                f"devices={self.mesh.size}: {specification.name} with these options can use {specification.devices}"
            )
        self.specification, self.training = specification, training
        self.layout = Layout.of(trials)
        self.inference = specification.inference()
        heads = specification.observed(self.layout)
        if validation is not None:
            self.layout.check(validation, heads)
        seed_model, self.key, _ = jax.random.split(jax.random.key(training.seed), 3)
        model = specification.build(self.layout, seed_model)
        self.packing = Packing.of(model, specification.fixed)
        self.priors = specification.prior()
        priors.check(model, self.priors)
        vector, rest = self.packing.pack(model)
        self.rule = rule or steps.optimiser(training.optimiser, training.weight_decay, training.clip)
        self.schedule = schedule
        self.sampler = Sampler.of(
            trials.lengths,
            training.window,
            training.windows_per_epoch,
            training.batch_size,
            self.mesh.size,
            training.seed,
        )
        self.bins = training.window or trials.n_bins
        stretch = training.steps_per_call
        self.total = -(-training.epochs * self.sampler.steps_per_epoch // stretch) * stretch
        self.everywhere = NamedSharding(self.mesh, PartitionSpec())
        self.rest = self.put(rest)
        self.state: steps.State = self.put(steps.State(vector, self.rule.init(vector)))
        data = to_batch(trials, heads, padded(trials.n_trials))
        if training.window and (trials.lengths >= training.window).all() and data.exists is not None:
            data = dataclasses.replace(data, exists=None)  # no window reaches beyond a trial's end
        self.data: Batch = self.put(data)
        self.validation = validation
        self.identity = {
            **configuration(specification, training),
            "data": trials.fingerprint(),
            "validation": None if validation is None else validation.fingerprint(),
        }
        self.progress = progress
        self.head = heads[0]

    def put(self, tree: Any) -> Any:
        """Copies to every device of the mesh, so that the first call compiles for all that follow."""
        return jax.device_put(tree, self.everywhere)

    def fitted(self, vector: Any) -> Fitted:
        """The model of a parameter vector."""
        return Fitted(
            self.specification, self.layout, _unpacked(self.packing, jnp.asarray(vector), self.rest)
        )

    def run(self, folder: Path | None, provenance: dict[str, Any]) -> Run:
        notes: dict[str, Any] = {
            "step": 0, "attempt": 0, "scale": 1.0, "best": None, "since": 0, "seconds": 0.0, "history": [],
        }  # fmt: skip
        here = checkpoint.Checkpoint(self._on_host(), np.asarray(self.state.vector), notes)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            found = checkpoint.load(folder, self.state, self.identity)
            if found is not None:
                self.state, here = self.put(found.state), found
            write_json(folder / "config.json", {**self.identity, **provenance})
        show = Progress(self.total, here.notes["step"], self.progress)
        if here.notes["step"]:
            show.say(f"resuming at step {here.notes['step']} of {self.total}")
        before, failures, clock = _parameters(here), 0, time.monotonic() - here.notes["seconds"]
        took = math.inf
        try:
            while here.notes["step"] < self.total and not self._patient_enough(here.notes):
                if took > _LONG:
                    runtime.trim()  # what was there before, what the compiler left, what a long stretch freed
                start = time.monotonic()
                log = self._stretch(here.notes)
                took = time.monotonic() - start
                finite = np.isfinite(log.bound) & np.isfinite(log.gradient)
                if not finite.all():
                    failures += 1
                    scale = here.notes["scale"] / 2
                    if failures > _GIVE_UP:
                        raise NeuritoError(
                            f"the fit diverges at step {here.notes['step']} even at {scale:.3g} times the learning "
                            "rate: lower learning_rate, set clip=1, or look at the data's scale"
                        )
                    if (
                        failures > 1 or not finite[0]
                    ):  # the state itself is to blame: one stretch further back
                        here = self._renewed(before)
                    attempt = here.notes["attempt"] + 1
                    here = here._replace(notes={**here.notes, "attempt": attempt, "scale": scale})
                    show.say(
                        f"step {here.notes['step']}: the bound is not finite; restored the last good state, "
                        f"learning rate now {scale:.3g} of the schedule"
                    )
                    self.state = self.put(here.state)
                    continue
                failures = 0
                # One assignment: an interruption finds everything before a stretch, or everything after it.
                before, here = _parameters(here), self._after(here, log, time.monotonic() - clock)
                if here.notes["history"] != before.notes["history"]:
                    self._save(here, folder)
                show.update(
                    here.notes["step"], float(log.bound.mean()), here.notes["best"], float(log.ess.mean())
                )
        except KeyboardInterrupt:
            self._save(here, folder)
            where = "" if folder is None else f"; the same command resumes it from {folder}"
            show.say(f"stopped at step {here.notes['step']} of {self.total}{where}")
            if folder is None:
                raise
        finally:
            show.close()
            runtime.trim()
        run = Run(self.fitted(here.best), self.training, here.notes["history"], folder)
        if folder is not None:
            run.save(folder, data=self.identity["data"], **provenance)
        return run

    def _on_host(self) -> steps.State:
        state: steps.State = jax.tree.map(np.asarray, self.state)
        return state

    def _renewed(self, here: checkpoint.Checkpoint) -> checkpoint.Checkpoint:
        """Where a fit was, with an optimiser that has seen nothing: the one that it had may be to blame too."""
        fresh = jax.tree.map(np.asarray, self.rule.init(jnp.asarray(here.state.vector)))
        return here._replace(state=here.state._replace(optimiser=fresh))

    def _save(self, here: checkpoint.Checkpoint, folder: Path | None) -> None:
        if folder is not None:
            here.save(folder, self.identity)

    def _after(self, here: checkpoint.Checkpoint, log: steps.Log, seconds: float) -> checkpoint.Checkpoint:
        """Where the fit is after a stretch: moved on, and scored if a score is due."""
        training, stretch = self.training, self.training.steps_per_call
        step, state = here.notes["step"] + stretch, self._on_host()
        notes = {**here.notes, "step": step, "seconds": seconds}
        between = max(self.total // stretch // training.evaluations, 1) * stretch
        if step % between and step < self.total:
            return checkpoint.Checkpoint(state, here.best, notes)
        score = self._score()
        if score is not None and np.isnan(score):
            score = -np.inf
        best = here.best
        if score is None or notes["best"] is None or score > notes["best"]:
            best, notes["best"], notes["since"] = np.asarray(state.vector), score, 0
        else:
            notes["since"] += 1
        entry = {
            "step": step,
            "seconds": seconds,
            "learning_rate": float(notes["scale"] * self._rates(step - 1, 1)[0]),
            "bound": float(log.bound.mean()),
            "score": float("nan") if score is None else score,
            "ess": float(log.ess.mean()),
            "gradient": float(log.gradient.mean()),
        }
        notes["history"] = [*notes["history"], entry]
        return checkpoint.Checkpoint(state, best, notes)

    def _rates(self, first: int, count: int) -> np.ndarray:
        """The learning rates of a stretch of steps."""
        if self.schedule is not None:
            return np.array([float(self.schedule(step)) for step in range(first, first + count)])
        return self.training.rates(first, count, self.total)

    def _patient_enough(self, notes: dict[str, Any]) -> bool:
        return bool(self.training.patience and notes["since"] >= self.training.patience)

    def _stretch(self, notes: dict[str, Any]) -> steps.Log:
        """One compiled call; the state moves on."""
        first, count = notes["step"], self.training.steps_per_call
        training, dtype = self.training, self.state.vector.dtype
        ramp = self.specification.kl_weight * training.kl_ramp(first, count, self.total)
        draw = self.sampler.draw(first, count)
        K = training.particles(first, self.total, self.inference.particles)
        numbers = np.arange(first, first + count, dtype=np.int32)
        rates = (notes["scale"] * self._rates(first, count)).astype(dtype)
        key = jax.random.fold_in(self.key, notes["attempt"])
        self.state, log = steps.train(
            self.state,
            self.rest,
            self.data,
            steps.Rows(*jax.device_put((numbers, rates, ramp.astype(dtype), *draw))),
            self.put(key),
            packing=self.packing,
            inference=dataclasses.replace(self.inference, particles=K),
            rule=self.rule,
            bins=self.bins,
            mesh=self.mesh,
            dropout=self.specification.dropout(),
            priors=self.priors,
        )
        return jax.tree.map(np.asarray, log)

    def _score(self) -> float | None:
        """What selects: higher is better; None without selection."""
        if self.validation is None or self.training.score == "none":
            return None
        fitted = self.fitted(self.state.vector)
        if self.training.score == "bound":
            return results.bound_per_bin(
                fitted, self.validation, seed=self.training.seed, covered="train", mesh=self.mesh
            )
        seed = self.training.seed
        expected = results.expected_counts(
            fitted, self.validation, seed=seed, samples=_SAMPLES, mesh=self.mesh
        )
        return float(co_bps(expected, self.validation, self.head))
