"""Cycles of a network, F^k(z) = z, with a certificate that none of that length is missing."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float

from neurito.analysis.canonical import FLOOR, RAMPS, UNIT_ROUND, Form, canonical, faces
from neurito.analysis.degenerate import (
    ON_RAY,
    STAR,
    candidate,
    clusters,
    first_of,
    likely_error,
    neighbourhood,
    to_finite,
    touched,
)
from neurito.analysis.exact import Part, parts_of
from neurito.analysis.network import Network
from neurito.analysis.search import NO_LIMITS, Budget, Findings, Limits, work_through
from neurito.errors import NeuritoError


@dataclass(frozen=True, eq=False)
class Orbits:
    """Cycles of one length.

    Attributes:
        period: k.
        points: (cycle, k, R) the states a cycle runs through.
        multipliers: (cycle, R) eigenvalues of the product of the k Jacobians.
        on_boundary: (cycle,) whether a kink passes through one of its states (the multipliers are then those of
            one side).
        complete: a proof that there are no others (fixed points and shorter cycles were met and left out).
        index_sum: sum of sign det(I - DF^k) over all zeros of F^k(z) - z; 1 for bounded networks; None where a
            fixed point lies on many kinks.
        unresolved: how many boxes could not be decided.
        boxes, solves: the work done.
        interrupted: the keyboard stopped the search.
    """

    period: int
    points: Float[np.ndarray, "cycle step latent"]
    multipliers: Complex[np.ndarray, "cycle latent"]
    on_boundary: Bool[np.ndarray, " cycle"]
    complete: bool
    index_sum: int | None
    unresolved: int
    boxes: int
    solves: int
    interrupted: bool = False

    @property
    def stability(self) -> list[str]:
        """stable, saddle or unstable, per cycle."""
        from neurito.analysis.stability import stability_of

        return [stability_of(values) for values in self.multipliers]


def cycles_of(network: Network, period: int, limits: Limits = NO_LIMITS) -> Orbits:
    """Every cycle of `period` steps.

    Args:
        network: relu (all of space), clipped relu or tanh.
        period: 2 or more.
        limits: when to stop.

    Raises:
        NeuritoError: a period below 2.
    """
    if period < 2:
        raise NeuritoError(
            f"period={period}: a cycle has two or more states; fixed_points finds those with one"
        )
    form = canonical(network)
    parts, scale = parts_of(form, every=True)
    budget = Budget(limits, len(parts))
    found = []
    for k, part in enumerate(parts):
        budget.part = k
        found.append(_search(form, part, scale if part.face else 1.0, period, budget))
    return _orbits(network, form, parts, scale, found, period)


def _search(form: Form, part: Part, scale: float, period: int, budget: Budget) -> Findings:
    """Zeros of F^k(z) - z in one part."""
    from neurito.analysis.orbits import branch

    problem, box = _problem(form, part, scale), part.form.box
    assert box is not None
    floor = FLOOR * part.form.side

    search = branch(form.kind)

    def work(chunk: np.ndarray, limit: int) -> tuple[np.ndarray, ...]:
        return search(period, problem, floor, np.ascontiguousarray(chunk), limit)

    return work_through(work, box[None], 0, budget)


def _problem(form: Form, part: Part, scale: float) -> tuple[np.ndarray, ...]:
    """What the compiled search reads: the map in (y, s), and where the box lies in it."""
    R = form.rank
    P, v = np.vstack([scale * form.P, form.q]), form.v / scale
    linear = np.column_stack([form.L + np.eye(R), form.l / scale])
    size = np.abs(P).sum(0)
    guards = np.stack(
        [
            8 * (R + 8) * UNIT_ROUND * np.abs(linear).sum(1)
            + 2 * (v.shape[1] + 32) * UNIT_ROUND * (np.abs(v) @ size),
            2 * (v.shape[1] + 32) * UNIT_ROUND * (np.abs(v) @ form.width) + np.abs(v) @ form.spread,
        ]
    )
    embed, offset = np.zeros((R + 1, R)), np.zeros(R + 1)
    if part.face is None:
        embed[:R] = np.eye(R)
        offset[R] = 1.0
    else:
        rest = [j for j in range(R) if j != part.face.axis]
        embed[rest, np.arange(R - 1)] = 1.0
        embed[R, R - 1] = 1.0
        offset[part.face.axis] = part.face.sign
    arrays = (P, v, form.w, size + form.spread * 2.0**46, linear, guards, embed, offset)
    return tuple(np.array(a, order="C") for a in arrays)  # one memory layout: compiled once


def _orbits(
    network: Network, form: Form, parts: list[Part], scale: float, found: list[Findings], period: int
) -> Orbits:
    R = form.rank
    points, open_boxes = [np.empty((0, R))], 0
    unresolved, at_kinks = 0, False
    for part, findings in zip(parts, found, strict=True):
        x = findings.zeros[:, :R]
        open_boxes += len(findings.open)
        floor = FLOOR * part.form.side
        for hull in clusters(findings.tiny, floor) if len(findings.tiny) else ():
            settled = _only_a_fixed_point(part.form, hull, period)
            at_kinks |= settled
            unresolved += not settled
        if part.face is not None:
            s = part.face.lift(x)[1]
            x, far = to_finite(part.face, x[s > -1e-10], scale)
            unresolved += int(far.sum())  # a cycle of directions: not followed up
            x = x[~far]
        points.append(x)
    x, error = _refined(form, np.concatenate(points), period)
    keep = (
        first_of(x, 16 * error + 4 * UNIT_ROUND * np.abs(x).max(1, initial=0.0))
        if len(x)
        else np.empty(0, int)
    )
    x, error = x[keep], error[keep]
    path, product = _path(form, x, period)
    signs = np.sign(np.linalg.det(np.eye(R) - product)) if len(x) else np.empty(0)
    taken, chosen = np.zeros(len(x), bool), []
    width = float(np.abs(x).max(initial=0.0)) * 1e-9 + 1e-300
    for k in np.argsort(np.round(x[:, 0], 9), kind="stable") if len(x) else ():
        if taken[k]:
            continue
        same = np.abs(path[k, :, None] - x[None]).max(-1) <= 64 * error[k] + width
        taken |= same.any(0)
        if np.abs(path[k, 1:period] - x[k]).max(1).min() > 64 * error[k] + width:  # no shorter period
            chosen.append(k)
            unresolved += int(
                (~same[:period].any(1)).sum()
            )  # a state of the cycle that the search did not meet
    Q = form.basis
    lower, upper = touched(form, path[chosen, :period], np.repeat(error[chosen, None], period, 1))
    return Orbits(
        period,
        path[chosen, :period] @ Q.T,
        np.linalg.eigvals(product[chosen]).astype(complex) if chosen else np.empty((0, R), complex),
        (lower | upper).any((1, 2)),
        open_boxes == 0 and unresolved == 0,
        None if at_kinks else int(signs.sum()),
        unresolved,
        sum(f.boxes for f in found),
        sum(f.solves for f in found),
        any(f.interrupted for f in found),
    )


def _only_a_fixed_point(form: Form, hull: np.ndarray, period: int) -> bool:
    """Is the one zero in a cluster of undecided boxes a fixed point, with no cycle of this length next to it?

    Around a fixed point on kinks the map is homogeneous: a cycle nearby means a ray of cycles, which is looked for
    on a cube's surface (see `degenerate`).
    """
    at = candidate(form, hull)
    if at is None:
        return False
    lower, upper = touched(form, at[0], np.asarray(at[1]))
    local = neighbourhood(form, at[0], lower, upper)
    for face in faces(local, 1.0, (-0.1, 0.1)):
        found = _search(local, Part(face.form, face), 1.0, period, Budget(STAR))
        sigma = face.lift(found.zeros[:, : form.rank])[1]
        if (
            len(found.open)
            or len(found.tiny)
            or np.any(np.abs(sigma) <= ON_RAY + found.zeros[:, form.rank + 1])
        ):
            return False
    return True


def _path(form: Form, x: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray]:
    """States after 0 to k steps (point, k + 1, R) and the Jacobians of F^k."""
    states, product = [x], np.broadcast_to(np.eye(form.rank), (len(x), form.rank, form.rank))
    for _ in range(period):
        product = (form.slope(states[-1]) + np.eye(form.rank)) @ product
        states.append(states[-1] + form(states[-1]))
    return np.stack(states, 1), product


def _refined(form: Form, x: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps on F^k(z) - z; zeros of it, with their likely error."""
    eye = np.eye(form.rank)
    if not len(x):
        return x, np.empty(0)
    for _ in range(2 if form.kind == RAMPS else 30):
        path, product = _path(form, x, period)
        better = x - np.linalg.solve(product - eye, (path[:, -1] - x)[..., None])[..., 0]
        gain = np.abs(_path(form, better, period)[0][:, -1] - better).max(1) < np.abs(path[:, -1] - x).max(1)
        x = np.where(gain[:, None], better, x)
        if not gain.any():
            break
    path, product = _path(form, x, period)
    slack = np.zeros_like(x)
    for step in range(period):
        slack = np.einsum("prs,ps->pr", np.abs(form.slope(path[:, step]) + eye), slack) + likely_error(
            form, path[:, step]
        )
    inverse = np.abs(np.linalg.inv(product - eye))
    error = np.einsum("prs,ps->pr", inverse, slack).max(1)
    zero = np.all(np.abs(path[:, -1] - x) <= 8 * slack, axis=1)
    return x[zero], error[zero]
