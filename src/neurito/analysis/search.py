"""Runs branch and bound on all cores, in slices, so that it can report, stop and go on later."""

import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int8

from neurito.analysis.canonical import FLOOR, Form

FIRST_SLICE = 4000  # boxes looked at before threads are worth starting
SLICE = 20000  # boxes between two reports of one core: some hundredths of a second
CHUNK = 512  # open boxes handed to a core at a time


def crowd(rank: int) -> int:
    """Crossing units up to which a box is not searched along one direction (`descent`): all, in one or two latents."""
    return 16 if rank > 2 else 2**31


@dataclass(frozen=True)
class Progress:
    """How far a search is: share of the volume settled (0 to 1), boxes looked at, boxes per second, seconds."""

    share: float
    boxes: int
    rate: float
    seconds: float


@dataclass(frozen=True)
class Limits:
    """When to stop: boxes, seconds; on how many cores to run; whom to tell.

    Attributes:
        boxes: at most about so many.
        seconds: at most about so long.
        workers: threads; None is all cores this process may use.
        report: called now and then.
    """

    boxes: float | int = np.inf
    seconds: float | int = np.inf
    workers: int | None = None
    report: Callable[[Progress], None] | None = None

    @property
    def cores(self) -> int:
        """Threads to use."""
        if self.workers is not None:
            return max(self.workers, 1)
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


NO_LIMITS = Limits()


@dataclass(eq=False)
class Budget:
    """What is left of some limits, over the parts of one search.

    Attributes:
        limits: as given.
        parts: how many searches share them,
        part: which of them is running,
        spent: boxes that those before it looked at.
        interrupted: the keyboard stopped one of them.
    """

    limits: Limits
    parts: int = 1
    part: int = 0
    spent: int = 0
    interrupted: bool = False
    begin: float = field(default_factory=time.monotonic)

    def over(self, boxes: int) -> bool:
        """Is it time to stop, when this part has looked at so many boxes?"""
        limits = self.limits
        return (
            self.interrupted
            or self.spent + boxes >= limits.boxes
            or (limits.seconds < np.inf and time.monotonic() - self.begin >= limits.seconds)
        )

    def slice(self, boxes: int, most: int) -> int:
        """How many boxes the next slice may look at."""
        return max(int(min(most, self.limits.boxes - self.spent - boxes)), 1)

    def tell(self, share: float, boxes: int) -> None:
        """Reports, when this part has settled a share of its volume."""
        seconds, boxes = time.monotonic() - self.begin, self.spent + boxes
        if self.limits.report is not None:
            whole = (self.part + share) / self.parts
            self.limits.report(Progress(whole, boxes, boxes / max(seconds, 1e-9), seconds))


@dataclass(eq=False)
class Findings:
    """What a search found, in the coordinates of its form.

    Attributes:
        zeros: (zero, R + 3): coordinates, bound of their error, likely error, certificate.
        states: (pattern, N) activities of singular pieces that zeros may fill.
        tiny: (box, 2, R) boxes at the smallest size, still undecided.
        open: (box, 2, R) boxes not yet looked at; empty when the search is finished.
        boxes, solves: how many boxes were looked at, linear systems solved.
        interrupted: stopped by the keyboard.
    """

    zeros: Float[np.ndarray, "zero column"]
    states: Int8[np.ndarray, "pattern unit"]
    tiny: Float[np.ndarray, "tiny 2 latent"]
    open: Float[np.ndarray, "open 2 latent"]
    boxes: int = 0
    solves: int = 0
    interrupted: bool = False
    _parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    def add(self, part: tuple[np.ndarray, ...]) -> None:
        """Takes in the findings of one slice, other than its open boxes."""
        _, zeros, states, tiny, counters = part
        boxes, solves, n_zeros, n_states, n_tiny = counters.tolist()
        self._parts.append((zeros[:n_zeros], states[:n_states, : self.states.shape[1]], tiny[:n_tiny]))
        self.boxes += boxes
        self.solves += solves

    def gathered(self) -> "Findings":
        """All slices in one; equal patterns once."""
        if len(self._parts) == 1 and not len(self.zeros) and not len(self.states) and not len(self.tiny):
            self.zeros, self.states, self.tiny = self._parts[0]
        elif self._parts:
            zeros, states, tiny = (list(x) for x in zip(*self._parts, strict=True))
            self.zeros = np.concatenate([self.zeros, *zeros])
            self.states = np.concatenate([self.states, *states])
            self.tiny = np.concatenate([self.tiny, *tiny])
        self._parts.clear()
        if len(self.states) > 1:
            self.states = np.unique(self.states, axis=0)
        return self


# from open boxes, and how many to look at, to a slice's findings
Work = Callable[[np.ndarray, int], tuple[np.ndarray, ...]]


def explore(form: Form, boxes: Float[np.ndarray, "box 2 latent"], budget: Budget) -> Findings:
    """Every zero of a form in some boxes inside its own.

    Args:
        form: what to solve.
        boxes: where.
        budget: when to stop.

    Returns:
        The findings; those of a stopped search hold the open boxes, with which another can go on.
    """
    from neurito.analysis.boxes import PLANAR, SPATIAL, branch

    assert form.box is not None
    some, far, floor = crowd(form.rank), float(np.abs(form.box).max()), FLOOR * form.side
    search = branch(form.kind, SPATIAL if form.rank > 2 or some < form.q.size else PLANAR)

    def work(chunk: np.ndarray, limit: int) -> tuple[np.ndarray, ...]:
        chunk = np.ascontiguousarray(chunk)
        return search(form.units, form.planes, form.L, form.l, far, floor, chunk, limit, some)

    return work_through(work, boxes, form.q.size, budget)


def work_through(
    work: Work, boxes: Float[np.ndarray, "box 2 latent"], units: int, budget: Budget
) -> Findings:
    """Runs a compiled search over boxes, first here, then on all cores, until nothing is open or a limit is met."""
    R = boxes.shape[2]
    findings = Findings(np.empty((0, R + 3)), np.empty((0, max(units, 1)), np.int8), boxes[:0], boxes)
    if not len(boxes) or budget.over(0):
        return findings
    volume = _volume(boxes) if budget.limits.report else 1.0

    def tell(waiting: np.ndarray) -> None:
        if budget.limits.report:
            budget.tell(1.0 - _volume(waiting) / volume if volume > 0.0 else 1.0, findings.boxes)

    try:
        part = work(boxes, budget.slice(0, FIRST_SLICE))
        findings.add(part)
        findings.open = part[0]
        tell(findings.open)
        if len(findings.open) and budget.limits.cores > 1:
            _spread(findings, work, budget, tell)
        while len(findings.open) and not budget.over(findings.boxes):
            part = work(findings.open, budget.slice(findings.boxes, SLICE))
            findings.add(part)
            findings.open = part[0]
            tell(findings.open)
    except KeyboardInterrupt:
        budget.interrupted = True
    findings.interrupted = budget.interrupted
    budget.spent += findings.boxes
    return findings.gathered()


def _spread(findings: Findings, work: Work, budget: Budget, tell: Callable[[np.ndarray], None]) -> None:
    """Works through the open boxes on several cores; what is open when it ends is in the findings again."""
    running: dict[Future[tuple[np.ndarray, ...]], np.ndarray] = {}
    cores = budget.limits.cores
    with ThreadPoolExecutor(cores) as pool:
        try:
            while running or (len(findings.open) and not budget.over(findings.boxes)):
                while len(findings.open) and len(running) < cores and not budget.over(findings.boxes):
                    share = min(-(-len(findings.open) // (cores - len(running))), CHUNK)
                    step = max(len(findings.open) // share, 1)
                    chosen = np.zeros(len(findings.open), bool)
                    chosen[: share * step : step] = True  # large and small boxes alike
                    chunk, findings.open = findings.open[chosen], findings.open[~chosen]
                    running[pool.submit(work, chunk, budget.slice(findings.boxes, SLICE))] = chunk
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    part = future.result()
                    del running[future]
                    findings.add(part)
                    findings.open = np.concatenate([findings.open, part[0]])
                tell(np.concatenate([findings.open, *running.values()]))
        except KeyboardInterrupt:
            budget.interrupted = True
            for future in running:  # slices are short: let them end, lose nothing
                part = future.result()
                findings.add(part)
                findings.open = np.concatenate([findings.open, part[0]])


def _volume(boxes: Float[np.ndarray, "box 2 latent"]) -> float:
    return float(np.prod(boxes[:, 1] - boxes[:, 0], axis=1).sum())
