"""All fixed points of a network with a certificate: search, then sort what was found."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from neurito.analysis.canonical import EDGE, FLOOR, RAMPS, UNIT_ROUND, Face, Form, canonical, faces
from neurito.analysis.degenerate import (
    Piece,
    Star,
    candidate,
    clusters,
    first_of,
    likely_error,
    pieces,
    star,
    surrounding,
    to_finite,
    touched,
)
from neurito.analysis.network import Network
from neurito.analysis.search import Budget, Findings, Limits, explore

CERTIFICATES = ("affine", "pattern", "Krawczyk", "star", "none")
STAR_CERTIFICATE, NO_CERTIFICATE = 3, 4


@dataclass(frozen=True, eq=False)
class Part:
    """One region of the search: a box in the form's own coordinates, or a side of a cube around it (see `Face`)."""

    form: Form
    face: Face | None = None


@dataclass(eq=False)
class Zeros:
    """Zeros of G in the network's coordinates, and what else there is.

    Attributes:
        z: (point, R).
        slopes: (point, R, R) dG/dz; of one of the pieces where a kink passes through.
        adjacent: dG/dz of every affine piece (piece, R, R) that meets at such a point.
        on_boundary: (point,) whether a kink passes through.
        index: (point,) sign det(I - J), the sum over the neighbourhood on a boundary; 99 if unknown.
        certificate: (point,) number in CERTIFICATES.
        truncated: (point,) whether some adjacent pieces were left out.
        continua: pieces of continua, as (support points, directions, rays to infinity).
        infinity: (direction, R) unit vectors along which fixed points run off to infinity.
        unresolved: (box, 2, R) in the network's coordinates (hulls where these are rotated).
        notes: what kept the search from being complete.
    """

    z: Float[np.ndarray, "point latent"]
    slopes: Float[np.ndarray, "point latent latent"]
    adjacent: dict[int, Float[np.ndarray, "_piece latent latent"]]
    on_boundary: Bool[np.ndarray, " point"]
    index: Int[np.ndarray, " point"]
    certificate: Int[np.ndarray, " point"]
    truncated: Bool[np.ndarray, " point"]
    continua: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    infinity: Float[np.ndarray, "direction latent"]
    unresolved: Float[np.ndarray, "box 2 latent"]
    notes: list[str] = field(default_factory=list)


UNKNOWN_INDEX = 99


def parts_of(form: Form, every: bool = False) -> tuple[list[Part], float]:
    """Where to search: the form's box; for all of space, a cube, and the sides of one that stand for what is outside.

    Args:
        form: what is to be solved.
        every: also the sides that plainly hold no zero of it (for the search of anything else).

    Returns:
        The parts, and the length of z that y = 1 on the sides stands for.
    """
    if form.box is not None:
        return [Part(form)], 1.0
    from neurito.analysis.sides import undecided

    # about as far out as most planes: the cube is then small, and its sides still look like the form far away
    scale = 2.0 * float(np.abs(form.q).sum()) / max(form.q.size, 1) or float(np.abs(form.l).max()) or 1.0
    box, kept = np.empty((2, form.rank)), np.ones(2 * form.rank, bool)
    box[0], box[1] = -scale * (1.0 + EDGE), scale * (1.0 + EDGE)
    if not every:
        undecided(form.units, form.L, form.l, scale, EDGE, kept)
    parts = [Part(form.on(box))]
    if kept.any():
        parts.extend(Part(face.form, face) for face in faces(form, scale, (-EDGE, 1.0 + EDGE), kept))
    return parts, scale


def search_all(parts: Sequence[Part], before: Sequence[Findings] | None, limits: Limits) -> list[Findings]:
    """Explores every part, or goes on where `before` stopped."""
    budget, found = Budget(limits, len(parts)), []
    for k, part in enumerate(parts):
        budget.part = k
        assert part.form.box is not None
        if before is None:
            found.append(explore(part.form, part.form.box[None], budget))
        else:
            found.append(_joined(before[k], explore(part.form, before[k].open, budget)))
    return found


def _joined(old: Findings, new: Findings) -> Findings:
    states = [s for s in (old.states, new.states) if len(s)] or [old.states]
    return Findings(
        np.concatenate([old.zeros, new.zeros]),
        np.concatenate(states),
        np.concatenate([old.tiny, new.tiny]),
        new.open,
        old.boxes + new.boxes,
        old.solves + new.solves,
        new.interrupted,
    )


@dataclass(eq=False)
class Points:
    """Candidates for zeros of a form, in its coordinates: where, how far off, by which certificate, and dG/dx there."""

    x: Float[np.ndarray, "point latent"]
    error: Float[np.ndarray, " point"]
    certificate: Int[np.ndarray, " point"]
    slope: Float[np.ndarray, "point latent latent"]
    kinked: Bool[np.ndarray, " point"]

    def __getitem__(self, which: np.ndarray) -> "Points":
        """Some of them."""
        return Points(*(column[which] for column in vars(self).values()))

    @staticmethod
    def joined(batches: Sequence["Points"]) -> "Points":
        """One after the other."""
        if len(batches) == 1:
            return batches[0]
        return Points(
            *(np.concatenate(columns) for columns in zip(*(vars(b).values() for b in batches), strict=True))
        )


def _looked(
    form: Form, x: np.ndarray, error: np.ndarray, certificate: np.ndarray, proved: bool = False
) -> Points:
    """Points with their slopes, without those at which G is not zero (a pattern's solution may lie outside it)."""
    zero, slope, kinked = form.look(x, error)
    points = Points(x, error, certificate, slope, kinked)
    return points if proved or zero.all() else points[zero]


def assemble(form: Form, parts: Sequence[Part], scale: float, found: Sequence[Findings]) -> Zeros:
    """Sorts what the search found into points, continua, directions at infinity and what is unresolved."""
    R, Q = form.rank, form.basis
    batches: list[Points] = []
    continua, infinity, unresolved = [], [], []
    doubtful = 0
    for part, findings in zip(parts, found, strict=True):
        zeros, tiny = findings.zeros, findings.tiny
        if not (len(zeros) or len(tiny) or len(findings.states)):
            continue
        x, error = zeros[:, :R], zeros[:, R + 1]
        if form.kind != RAMPS:
            x, error = _newton(form, x, zeros[:, R])
        here = [_looked(part.form, x, error, zeros[:, R + 2].astype(int))]
        floor = FLOOR * part.form.side
        hulls = list(clusters(tiny, floor)) if len(tiny) else []
        for piece in pieces(part.form, findings.states) if len(findings.states) else ():
            if len(piece.directions):
                continua.append(_lifted(part, piece, scale))
            else:  # zeros touch this pattern in one point: let the point's neighbourhood decide
                hulls.append(np.stack([piece.points[0] - floor, piece.points[0] + floor]))
        for hull in hulls:
            at = candidate(part.form, hull)
            if at is None:
                unresolved.append(_hull_of(part, hull, scale))
            else:
                by_star = np.array([STAR_CERTIFICATE])
                here.append(_looked(part.form, at[0][None], np.array([at[1]]), by_star, proved=True))
        points = Points.joined(here)
        if part.face is None:
            batches.append(points)
            continue
        s = part.face.lift(points.x)[1]
        points, s = points[s >= -ON_INFINITY], s[s >= -ON_INFINITY]
        z, far = to_finite(part.face, points.x, scale)
        error = points.error * np.where(far, 1.0, scale / np.where(far, 1.0, s))
        error *= 1.0 + np.abs(z).max(1, initial=0.0) / scale
        batches.append(_looked(form, z[~far], error[~far], points.certificate[~far], proved=True))
        for direction, at_far in zip(z[far], points.x[far], strict=True):
            lower, upper = touched(part.form, at_far, np.asarray(1e-14))
            if (lower | upper).any() and star(part.form, at_far, lower, upper).isolated is None:
                doubtful += 1
            infinity.append(direction / np.linalg.norm(direction))
    if not batches:
        batches.append(_looked(form, np.empty((0, R)), np.empty(0), np.empty(0, int)))
    points = Points.joined(batches)
    once = first_of(points.x, 16 * points.error + 4 * UNIT_ROUND * np.abs(points.x).max(1, initial=0.0))
    zeros_found = _classified(form, points if len(once) == len(points.x) else points[once])
    zeros_found.continua = [
        end for end in zeros_found.continua if not any(_lies_on(end[0][0], p @ Q.T) for p, _, _ in continua)
    ]
    zeros_found.continua.extend((p @ Q.T, d @ Q.T, r @ Q.T) for p, d, r in continua)
    if doubtful:
        zeros_found.notes.append(f"{doubtful} directions at infinity could not be told from continua")
    if infinity:
        zeros_found.infinity = distinct_directions(np.array(infinity) @ Q.T)
    if unresolved:
        left = np.array(unresolved)
        centre, half = left.mean(1) @ Q.T, 0.5 * np.ptp(left, 1) @ np.abs(Q.T)
        zeros_found.unresolved = np.concatenate(
            [zeros_found.unresolved, np.stack([centre - half, centre + half], 1)]
        )
    return zeros_found


ON_INFINITY = 1e-10


def _classified(form: Form, points: Points) -> Zeros:
    """Neighbourhoods of the points: slopes, index; drops points that are part of a continuum."""
    R, Q = form.rank, form.basis
    x, certificate = points.x, points.certificate
    index = np.sign(np.linalg.det(-points.slope)).astype(int)
    order = np.arange(len(x))
    adjacent: dict[int, np.ndarray] = {}
    truncated = np.zeros(len(x), bool)
    unresolved, ends = [], []
    if points.kinked.any():
        keep = np.ones(len(x), bool)
        for k in np.flatnonzero(points.kinked).tolist():
            lower, upper = touched(form, x[k], points.error[k])
            seen: Star = star(form, x[k], lower, upper)
            if seen.isolated is False:
                keep[k] = False
                ends.append((x[k][None] @ Q.T, np.empty((0, R)), seen.rays @ Q.T))
                continue
            adjacent[k], whole = surrounding(form, x[k], lower, upper)
            truncated[k] = not whole
            certificate[k] = STAR_CERTIFICATE
            index[k] = UNKNOWN_INDEX if seen.index is None else seen.index
            if seen.isolated is None:
                certificate[k] = NO_CERTIFICATE
                unresolved.append(np.stack([x[k], x[k]]))
        order = order[keep]
    z = x[order] @ Q.T
    by = np.lexsort(np.round(z, 9).T[::-1])
    order = order[by]
    return Zeros(
        z[by],
        Q @ points.slope[order] @ Q.T,
        {new: Q @ adjacent[old] @ Q.T for new, old in enumerate(order.tolist()) if old in adjacent},
        points.kinked[order],
        index[order],
        certificate[order],
        truncated[order],
        ends,
        np.empty((0, R)),
        np.array(unresolved).reshape(-1, 2, R) @ Q.T,
    )


def distinct_directions(d: Float[np.ndarray, "direction latent"]) -> Float[np.ndarray, "direction latent"]:
    """Unit vectors, each once."""
    return d[first_of(d, np.full(len(d), 1e-9))]


def _newton(form: Form, x: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The unique zeros within `radius` of x, to rounding, and their likely error."""
    start = x
    for _ in range(50):
        step = np.linalg.solve(form.slope(x), form(x)[..., None])[..., 0] if len(x) else x
        x = np.clip(x - step, start - radius[:, None], start + radius[:, None])
        if not len(x) or np.abs(step).max() <= 4 * UNIT_ROUND * np.abs(x).max():
            break
    inverse = np.abs(np.linalg.inv(form.slope(x))) if len(x) else np.empty((0, form.rank, form.rank))
    return x, np.einsum("prs,ps->pr", inverse, likely_error(form, x)).max(1, initial=0.0)


def _lies_on(z: np.ndarray, points: np.ndarray) -> bool:
    """Is z near the smallest ball around some points, that is, is its continuum listed already?"""
    if not len(points):
        return False
    centre = points.mean(0)
    radius = np.linalg.norm(points - centre, axis=1).max()
    return bool(np.linalg.norm(z - centre) <= radius * (1.0 + 1e-6) + 1e-9)


def _lifted(part: Part, piece: Piece, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A piece of a continuum in the form's own coordinates: support points, directions, rays to infinity."""
    if part.face is None:
        return piece.points, piece.directions, np.empty((0, part.form.rank))
    z, far = to_finite(part.face, piece.points, scale)
    rays = z[far] / np.maximum(np.linalg.norm(z[far], axis=1, keepdims=True), 1e-300)
    points = z[~far]
    spread = np.vstack([points - points[:1], rays])
    size, axes = np.linalg.svd(spread, full_matrices=False)[1:] if len(spread) else (np.zeros(0), spread)
    wide = size > 1e-9 * max(float(np.abs(spread).max(initial=0.0)), 1e-300)
    return points, axes[wide], rays


def _hull_of(part: Part, hull: np.ndarray, scale: float) -> np.ndarray:
    """A box of a face in the form's coordinates (its corners' hull; large where it reaches towards infinity)."""
    if part.face is None:
        return hull
    corners = np.array(np.meshgrid(*hull.T)).reshape(part.form.rank, -1).T
    y, s = part.face.lift(corners)
    z = scale * y / np.maximum(s, ON_INFINITY)[:, None]
    return np.stack([z.min(0), z.max(0)])


def solve(
    network: Network, limits: Limits, before: Sequence[Findings] | None = None
) -> tuple[Zeros, list[Findings]]:
    """All zeros of F(z) - z, and the searches behind them (which hold the boxes left open)."""
    form = canonical(network)
    parts, scale = parts_of(form)
    found = search_all(parts, before, limits)
    return assemble(form, parts, scale, found), found
