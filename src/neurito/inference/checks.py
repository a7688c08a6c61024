"""Predictive checks of a fitted model: draws of the recording, given its own trials and from the model alone."""

from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Shaped

from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest
from neurito.evaluation.calibration import sample_pit
from neurito.evaluation.predictive import Group, PredictiveCheck, SetRanks, compared
from neurito.evaluation.statistics import WINDOW, Battery, Statistic
from neurito.inference import posterior as compiled
from neurito.inference.engine import engine_of
from neurito.inference.results import generate
from neurito.models.fitted import Fitted, HasFitted, fitted_of

_VALUES = 1 << 17  # single values whose PITs are told
_NUMBERS = 1 << 23  # values drawn at a time
_TOGETHER = 25  # draws from one run of the particles: more runs are nearer to independent draws

Draws = Float[np.ndarray, "draw trial time channel"]


def check(
    model: Fitted | HasFitted,
    trials: Trials,
    *,
    draws: int = 200,
    head: str | None = None,
    condition: str = "",
    window: float = WINDOW,
    particles: int | None = None,
    seed: int = 0,
    mesh: Mesh | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PredictiveCheck:
    """Compares a recording with draws from a fitted model, by the statistics of the field and value by value.

    Three parts, those that there are: *held out*, what is scored and not read, drawn given the rest of each trial;
    *read*, drawn given itself, which is a weaker test, as the latents were fitted to it; *simulated*, all of it against
    simulations of the model, which see no data but the inputs.

    Args:
        model: a run or its fitted model.
        trials: the recording, best its test part, with held-out channels marked as unread.
        draws: data sets drawn for each comparison; p-values are no smaller than 1 / (draws + 1).
        head: the signal; None = the main one.
        condition: metadata column for PSTHs and Fano factors; empty = one called condition or conditions, if any.
        window: seconds, in which spikes are counted for Fano factors and PSTHs.
        particles: K; None = as in training.
        seed: of everything.
        mesh: devices.
        progress: is told how many data sets of how many are drawn.

    Raises:
        NeuritoError: the trials do not fit the model, bins differ in width, or nothing is left to compare.
    """
    fitted = fitted_of(model)
    name = head or fitted.specification.observed(fitted.layout)[0]
    if name not in fitted.model.heads:
        raise NeuritoError(f"head={name!r} is not observed: {nearest(name, fitted.model.heads)}")
    if draws < 19:
        raise NeuritoError(f"draws={draws}: at least 19 are needed for a 90 % interval; 200 do well")
    if not trials.regular:
        raise NeuritoError("checks need bins of one width, and these differ: rebin the recording")
    signal = trials.head(name)
    known = ~np.isnan(signal.values) & trials.exists[..., None]
    read = known & signal.read
    unread = known & signal.score & ~signal.read
    labels = _labels(trials, condition)
    what = "counts" if signal.kind == "counts" else "values"
    parts: dict[str, tuple[str, Bool[np.ndarray, "trial time channel"]]] = {
        "held out": (f"{what} that were not read, drawn given the rest of each trial", unread),
        "read": (
            f"{what} that were read, drawn given themselves: p-values are less extreme than uniform",
            read,
        ),
    }
    simulated = {
        "simulated": (f"all {what}, drawn from the model alone, with the same inputs", read | unread)
    }
    notes = []
    free = fitted.specification.generative and name == fitted.specification.observed(fitted.layout)[0]
    if not free:
        notes.append(
            f"{fitted.specification.name} does not simulate {name!r}: there is no comparison with simulations"
        )
    jobs = [(parts, _replicas(fitted, trials, name, draws, particles, seed, mesh))]
    if free:
        jobs.append((simulated, _simulations(fitted, trials, draws, seed)))
    total, done = draws * len(jobs), 0
    groups: dict[str, Group] = {}
    for wanted, drawn in jobs:
        sides = {
            key: _Side(signal.values, mask, _battery(trials, name, mask, labels, window), seed)
            for key, (_, mask) in wanted.items()
            if mask.any()
        }
        for y in drawn:
            for side in sides.values():
                side.add(y)
            done += len(y)
            if progress is not None:
                progress(done, total)
        groups |= {key: side.group(key, wanted[key][0]) for key, side in sides.items()}
    if not groups:
        raise NeuritoError(f"head {name!r}: nothing is read or scored that could be compared")
    return PredictiveCheck(fitted.specification.name, name, draws, groups, tuple(notes))


class _Side:
    """The recording's part and the draws for it, as they come in."""

    def __init__(
        self, values: np.ndarray, mask: Bool[np.ndarray, "trial time channel"], battery: Battery, seed: int
    ) -> None:
        there = np.flatnonzero(mask)
        if len(there) > _VALUES:
            there = np.sort(np.random.default_rng(seed).choice(there, _VALUES, replace=False))
        self.there, self.battery, self.seed = there, battery, seed
        self.values = values.reshape(-1)[there]
        self.observed = list(battery.of(values[None]))
        self.statistics: list[list[Statistic]] = []
        self.drawn: list[np.ndarray] = []

    def add(self, y: Draws) -> None:
        """Takes in some draws."""
        self.statistics.append(list(self.battery.of(y)))
        self.drawn.append(y.reshape(len(y), -1)[:, self.there])

    def group(self, name: str, meaning: str) -> Group:
        """What it comes to."""
        drawn = np.concatenate(self.drawn)
        return Group(
            name,
            meaning,
            len(self.battery.channels),
            sample_pit(drawn, self.values, self.seed),
            SetRanks.of(self.values, drawn, self.seed),
            compared(self.observed, self.statistics, self.seed),
        )


def _battery(
    trials: Trials,
    name: str,
    mask: Bool[np.ndarray, "trial time channel"],
    labels: Shaped[np.ndarray, " trial"] | None,
    window: float,
) -> Battery:
    head = trials.head(name)
    return Battery(mask, trials.bin_width, head.kind == "counts", head.names, head.unit, labels, window)


def _labels(trials: Trials, condition: str) -> Shaped[np.ndarray, " trial"] | None:
    """The condition of every trial."""
    if condition and condition not in trials.metadata:
        known = ", ".join(trials.metadata) or "none"
        raise NeuritoError(f"condition={condition!r} is no metadata of the trials; there are: {known}")
    by = condition or next((key for key in trials.metadata if key.lower() in ("condition", "conditions")), "")
    return np.asarray(trials.metadata[by]).astype(str) if by else None


def _pieces(draws: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Number of each piece of the draws, how many are drawn, always as many, and how many of them are wanted."""
    most = max(1, min(_TOGETHER, _NUMBERS // size))
    count = -(-draws // -(-draws // most))
    for number, start in enumerate(range(0, draws, count)):
        yield number, count, min(count, draws - start)


def _replicas(
    fitted: Fitted, trials: Trials, head: str, draws: int, particles: int | None, seed: int, mesh: Mesh | None
) -> Iterator[Draws]:
    """Draws of the recording given what is read of each trial."""
    shape = trials.head(head).values.shape
    key = jax.random.key(seed)
    engine = engine_of(fitted, trials, particles, mesh, min(draws, _TOGETHER))
    arrays, static = engine.split
    for number, count, wanted in _pieces(draws, int(np.prod(shape))):
        out = np.empty((count, *shape), np.float32)
        for rows, index in engine.chunks(count):
            got = compiled.replicas(
                arrays, engine.data, index, jax.random.fold_in(key, number), static=static,
                inference=engine.inference, samples=count, head=head, mesh=engine.mesh,
            )  # fmt: skip
            out[:, rows] = np.moveaxis(np.asarray(got)[: rows.stop - rows.start], 2, 0)
        yield out[:wanted]


def _simulations(fitted: Fitted, trials: Trials, draws: int, seed: int) -> Iterator[Draws]:
    """Draws of the recording from the model alone, with its inputs and sessions."""
    head = fitted.specification.observed(fitted.layout)[0]
    shape = trials.head(head).values.shape
    for number, count, wanted in _pieces(draws, int(np.prod(shape))):
        yield simulated(fitted, trials, seed + number * len(trials.session_names), count)[:wanted]


def simulated(fitted: Fitted, trials: Trials, seed: int, draws: int = 1) -> Draws:
    """As many trials of the model, so many times, with the same inputs, read out as in the same sessions.

    Args:
        fitted: the model.
        trials: the recording.
        seed: of the draws; each session takes one, from this on.
        draws: how often.
    """
    sessions = fitted.layout.sessions
    out = np.empty(
        (draws, *trials.head(fitted.specification.observed(fitted.layout)[0]).values.shape), np.float32
    )
    for session in np.unique(trials.session):
        rows = np.flatnonzero(trials.session == session)
        drawn = generate(
            fitted,
            draws * len(rows),
            trials.n_bins,
            inputs=None if trials.inputs is None else np.tile(trials.inputs[rows], (draws, 1, 1)),
            seed=seed + int(session),
            session=sessions.index(trials.session_names[session]) if len(sessions) > 1 else 0,
        )
        out[:, rows] = drawn.trials.main.values.reshape(draws, len(rows), *out.shape[2:])
    return out
