"""What is special: points on kinks, continua of fixed points, clusters of boxes that could not be decided.

Around a point x* of G(x*) = 0 that lies on kinks, G(x* + d) = H(d) for small d, with H homogeneous: a ray H(d) = 0
means that x* is not alone, none that it is.  H is searched on the surface of a cube, where H(y) + sigma e = 0 is
solved with e at random and sigma as one more unknown: sigma = 0 is a ray, and the solutions with sigma > 0 are those
of H(d) = -e, whose signs add up to the index of x*.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from neurito.analysis.canonical import RAMPS, UNIT_ROUND, Face, Form, faces, merged, stacked
from neurito.analysis.search import Budget, Limits, explore

ON_RAY = 1e-10  # |sigma| below which a solution is a ray
EXTENT = 1e-6  # of the searched region: what is shorter is a point, not a continuum
SINGULAR = 1e-11
STAR = Limits(boxes=300_000, workers=1)
MANY = 2000  # undecided boxes beyond which they are not looked at one by one


@dataclass(frozen=True, eq=False)
class Piece:
    """A polytope of zeros: those of one affine piece of the map.

    Attributes:
        points: (point, R) its support points in the directions +-`directions`.
        directions: (dimension, R) orthonormal.
    """

    points: Float[np.ndarray, "point latent"]
    directions: Float[np.ndarray, "dimension latent"]


@dataclass(frozen=True)
class Star:
    """The neighbourhood of a zero on kinks.

    Attributes:
        isolated: True or False with a proof, None where the search was not conclusive.
        index: sum of sign det(I - J) over the solutions of H(d) = -e; None unless isolated.
        rays: (ray, R) directions along which zeros go on.
    """

    isolated: bool | None
    index: int | None
    rays: Float[np.ndarray, "ray latent"]


def likely_error(form: Form, x: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... latent"]:
    """What rounding is likely to leave of G at a zero."""
    size = np.abs(x) @ form.steep + np.abs(form.q) + form.width
    return 16 * UNIT_ROUND * (size @ np.abs(form.v).T + np.abs(x) @ np.abs(form.L).T + np.abs(form.l))


def touched(
    form: Form, x: Float[np.ndarray, "... latent"], error: Float[np.ndarray, "..."]
) -> tuple[Bool[np.ndarray, "... unit"], Bool[np.ndarray, "... unit"]]:
    """Which lower and upper kinks pass through x, as far as `error` and rounding let one tell."""
    if form.kind != RAMPS:
        none = np.zeros((*x.shape[:-1], form.q.size), bool)
        return none, none
    size = np.abs(x) @ form.steep + np.abs(form.q) + form.width
    slack = 8 * np.asarray(error)[..., None] * form.reach + 16 * UNIT_ROUND * size + form.spread
    current = x @ form.P + form.q
    return np.abs(current) <= slack, np.abs(current - form.w) <= slack


def activity(
    form: Form,
    x: Float[np.ndarray, " latent"],
    lower: Bool[np.ndarray, " unit"],
    upper: Bool[np.ndarray, " unit"],
) -> Float[np.ndarray, "latent latent"]:
    """dG/dx without the units whose kink passes through x, those at their upper kink counted as linear."""
    current = x @ form.P + form.q
    on = ((current > 0.0) & (current < form.w) & ~lower) | upper
    return form.L + (form.v * on) @ form.P.T


def neighbourhood(form: Form, x: Float[np.ndarray, " latent"], lower: np.ndarray, upper: np.ndarray) -> Form:
    """H(d) + e at a zero on the kinks given by `lower` and `upper`, e at random and as large as H on the cube."""
    sides = np.where(upper, -1.0, 1.0)[lower | upper]
    P, v = form.P[:, lower | upper], form.v[:, lower | upper] * sides
    A = activity(form, x, lower, upper)
    size = np.abs(A).sum(1) + np.abs(v) @ np.abs(P).sum(0)
    generator = np.random.default_rng(0)
    sign = generator.choice([-1.0, 1.0], form.rank)
    e = np.where(size > 0.0, size, 1.0) * generator.uniform(0.5, 1.0, form.rank) * sign
    return merged(RAMPS, stacked(P, v, 0.0, np.inf), A, e, form.basis)


def star(form: Form, x: Float[np.ndarray, " latent"], lower: np.ndarray, upper: np.ndarray) -> Star:
    """Looks at the directions around a zero on the kinks given by `lower` and `upper`."""
    R, local = form.rank, neighbourhood(form, x, lower, upper)
    rays, undecided, solutions = [], False, []
    for face in faces(local, 1.0, (-2.05, 2.05)):
        assert face.form.box is not None
        found = explore(face.form, face.form.box[None], Budget(STAR))
        undecided |= len(found.open) > 0
        y, sigma = face.lift(found.zeros[:, :R])
        on_ray = np.abs(sigma) <= ON_RAY + found.zeros[:, R + 1]
        rays.extend(y[on_ray])
        positive = ~on_ray & (sigma > 0.0)
        solutions.extend(y[positive] / sigma[positive, None])
        for points in (*(p.points for p in pieces(face.form, found.states)), *found.tiny):
            y, sigma = face.lift(points)
            if sigma.min() <= 1e-6 and sigma.max() >= -1e-6:
                rays.append(y.mean(0))
            else:
                undecided = True
    directions = np.array(rays).reshape(-1, R)
    if len(rays):
        return Star(False, None, directions)
    if undecided:
        return Star(None, None, directions)
    if not solutions:
        return Star(True, 0, directions)
    signs = np.sign(np.linalg.det(-local.slope(distinct(np.array(solutions), 1e-9))))
    return Star(True, int(signs.sum()), directions)


def distinct(x: Float[np.ndarray, "point latent"], tolerance: float) -> Float[np.ndarray, "point latent"]:
    """Points without those within `tolerance` (relative to the largest coordinate) of an earlier one."""
    return x[first_of(x, np.full(len(x), tolerance * max(float(np.abs(x).max(initial=0.0)), 1e-300)))]


def first_of(
    x: Float[np.ndarray, "point latent"], radius: Float[np.ndarray, " point"]
) -> Int[np.ndarray, " kept"]:
    """Indices of points that lie within nobody's radius but their own, the first of each group."""
    line = np.sort(x @ np.cos(np.arange(1.0, x.shape[1] + 1.0)))
    if (line[1:] - line[:-1]).min(initial=np.inf) > x.shape[1] * radius.max(initial=0.0):
        return np.arange(len(x))  # neighbours would meet on any line
    if len(x) <= 64:
        near = np.abs(x[:, None] - x[None]).max(-1) <= np.maximum(radius[:, None], radius[None])
        group = np.argmax(near, axis=1)
        for _ in range(len(x)):
            follow = group[group]
            if np.array_equal(follow, group):
                break
            group = follow
        return np.unique(group)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    near_pairs = cKDTree(x).query_pairs(float(radius.max()), p=np.inf, output_type="ndarray")
    i, j = near_pairs.T
    close = np.abs(x[i] - x[j]).max(1) <= np.maximum(radius[i], radius[j])
    graph = coo_array((np.ones(close.sum()), (i[close], j[close])), shape=(len(x), len(x)))
    _, label = connected_components(graph, directed=False)
    return np.unique(label, return_index=True)[1]


def pieces(form: Form, states: Int8[np.ndarray, "pattern unit"]) -> Iterator[Piece]:
    """The zeros of each singular pattern inside the form's box: a polytope, a single point, or nothing.

    A piece without directions is a pattern that zeros only touch, in one point.
    """
    assert form.box is not None
    scale = form.side
    for state in states[:, : form.q.size]:
        on, full = state == 1, state == 2
        A = form.L + (form.v * on) @ form.P.T
        b = form.l + form.v[:, on] @ form.q[on] + form.v[:, full] @ form.w[full]
        U, size, Vt = np.linalg.svd(A)
        rank = int((size > SINGULAR * form.total).sum())
        start = -Vt[:rank].T @ ((U.T @ b)[:rank] / size[:rank])
        if np.any(np.abs(A @ start + b) > 1e3 * likely_error(form, start) + 1e-12 * np.abs(b).max()):
            continue
        # rows C (start + N t) <= bound: sides of the box, kinks
        current_rows, bound = [np.eye(form.rank), -np.eye(form.rank)], [form.box[1], -form.box[0]]
        off = state == 0
        finite = on & np.isfinite(form.w)
        for rows, limit in (
            (form.P[:, off], -form.q[off]),
            (-form.P[:, on], form.q[on]),
            (form.P[:, finite], form.w[finite] - form.q[finite]),
            (-form.P[:, full], form.q[full] - form.w[full]),
        ):
            current_rows.append(rows.T)
            bound.append(limit)
        C, limits = np.vstack(current_rows), np.concatenate(bound)
        N = Vt[rank:]
        limits = limits - C @ start + 1e-11 * (scale + np.abs(limits))
        ends = _extremes(C @ N.T, limits)
        if ends is None:
            continue
        points = start + ends @ N
        spread = np.linalg.svd(points - points.mean(0))[1:]
        wide = int((spread[0] > EXTENT * scale).sum())
        if wide == 0:
            yield Piece(points.mean(0)[None], np.empty((0, form.rank)))
        else:
            yield Piece(distinct(points, 1e-12), spread[1][:wide])


def _extremes(C: Float[np.ndarray, "row dim"], limits: Float[np.ndarray, " row"]) -> np.ndarray | None:
    """Points of {t: C t <= limits} farthest along +- each axis; None where there are none."""
    if C.shape[1] == 1:
        slope = C[:, 0]
        flat = np.abs(slope) <= 1e-13 * max(float(np.abs(slope).max()), 1e-300)
        if np.any(limits[flat] < 0.0):
            return None
        up, down = slope > 0.0, slope < 0.0
        high = (limits[up & ~flat] / slope[up & ~flat]).min(initial=np.inf)
        low = (limits[down & ~flat] / slope[down & ~flat]).max(initial=-np.inf)
        return None if low > high else np.array([[low], [high]])
    from scipy.optimize import linprog

    ends = []
    for axis in np.eye(C.shape[1]):
        for sign in (1.0, -1.0):
            answer = linprog(sign * axis, C, limits, bounds=(None, None), method="highs")
            if answer.status != 0:
                return None
            ends.append(answer.x)
    return np.array(ends)


def clusters(
    tiny: Float[np.ndarray, "box 2 latent"], floor: float
) -> Iterator[Float[np.ndarray, "2 latent"]]:
    """Hulls of the groups of undecided boxes that lie together."""
    if len(tiny) > MANY:
        yield from tiny[: MANY + 1]
        return
    centres = tiny.mean(1)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    i, j = cKDTree(centres).query_pairs(4 * floor, p=np.inf, output_type="ndarray").T
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(tiny), len(tiny)))
    count, label = connected_components(graph, directed=False)
    for k in range(count):
        group = tiny[label == k]
        yield np.stack([group[:, 0].min(0), group[:, 1].max(0)])


def candidate(
    form: Form, hull: Float[np.ndarray, "2 latent"]
) -> tuple[Float[np.ndarray, " latent"], float] | None:
    """The zero in a cluster of undecided boxes and its error, if it is one that all kinks through the cluster share.

    Such a zero solves the affine map of any pattern there, and lies on all the planes.
    """
    if form.kind != RAMPS:
        return None
    centre, half = hull.mean(0), 0.5 * np.ptp(hull, 0)
    current, reach = centre @ form.P + form.q, half @ np.abs(form.P) * (1.0 + 1e-9) + 1e-15
    lower, upper = np.abs(current) <= reach, np.abs(current - form.w) <= reach
    rows, value = [form.slope(centre)], [form(centre)]
    for which, kink in ((lower, 0.0), (upper, form.w[upper])):
        rows.append(form.P[:, which].T)
        value.append(current[which] - kink)
    A, b = np.vstack(rows), np.concatenate(value)
    step, _, _, size = np.linalg.lstsq(A, b, rcond=1e-10)
    x = centre - step
    if np.any(np.abs(x - centre) > 3 * half + 1e-12):
        return None
    error = 64 * UNIT_ROUND * float(np.abs(hull).max())
    error += 4 * float(likely_error(form, x).max() / size[size > 1e-10 * size[0]].min())
    on_lower, on_upper = touched(form, x, np.asarray(error))
    if np.any(np.abs(form(x)) > 64 * likely_error(form, x) + error * form.total):
        return None
    return (x, error) if np.array_equal(on_lower, lower) and np.array_equal(on_upper, upper) else None


def surrounding(
    form: Form, x: Float[np.ndarray, " latent"], lower: np.ndarray, upper: np.ndarray, most: int = 256
) -> tuple[Float[np.ndarray, "piece latent latent"], bool]:
    """dG/dx in every affine piece that meets at x, and whether `most` was enough.

    The planes are added one at a time; a piece is cut in two if a point of it on the plane is found (linear
    programming; for one and two latents, the angles of the planes).
    """
    kinks = np.flatnonzero(lower | upper)
    numbers = np.where(upper[kinks], form.planes[1, kinks], form.planes[0, kinks])
    planes, belongs = np.unique(numbers, return_inverse=True)
    normals = form.P[:, kinks[[int(np.argmax(belongs == i)) for i in range(len(planes))]]].T
    insides, whole = _chambers(normals, most)
    sides = np.where(upper[kinks], -1.0, 1.0)
    base = activity(form, x, lower, upper)
    above = (insides @ normals.T > 0.0)[:, belongs]
    weights = form.v[:, kinks] * sides
    return base + np.einsum("rk,ck,sk->crs", weights, above.astype(float), form.P[:, kinks]), whole


def _chambers(
    normals: Float[np.ndarray, "plane latent"], most: int
) -> tuple[Float[np.ndarray, "piece latent"], bool]:
    """A direction inside each chamber that planes through the origin cut space into."""
    R = normals.shape[1]
    if R == 1:
        return np.array([[1.0], [-1.0]]), True
    if R == 2:
        edges = np.arctan2(-normals[:, 0], normals[:, 1])
        edges = np.sort(np.concatenate([edges, edges + np.pi]) % (2 * np.pi))
        middle = 0.5 * (edges + np.append(edges[1:], edges[0] + 2 * np.pi))
        middle = middle[np.ptp(np.stack([edges, np.append(edges[1:], edges[0] + 2 * np.pi)]), 0) > 1e-12]
        return np.column_stack([np.cos(middle), np.sin(middle)])[:most], len(middle) <= most
    from scipy.optimize import linprog

    def inside(signs: list[float]) -> np.ndarray | None:
        rows = np.column_stack([-np.array(signs)[:, None] * normals[: len(signs)], np.ones(len(signs))])
        bounds = [(-1.0, 1.0)] * R + [(None, 1.0)]
        answer = linprog(
            np.append(np.zeros(R), -1.0), rows, np.zeros(len(signs)), bounds=bounds, method="highs"
        )
        return answer.x[:R] if answer.status == 0 and answer.x[-1] > 1e-9 else None

    found: list[tuple[list[float], np.ndarray]] = [([], np.zeros(R))]
    for normal in normals:
        grown = []
        for signs, point in found:
            for sign in (1.0, -1.0):
                at = point if sign * (normal @ point) > 1e-9 else inside([*signs, sign])
                if at is not None:
                    grown.append(([*signs, sign], at))
        if len(grown) > most:
            return np.array([point for _, point in grown[:most]]), False
        found = grown
    return np.array([point for _, point in found]), True


def to_finite(
    face: Face, x: Float[np.ndarray, "point latent"], scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Points of a face in the network's coordinates, and where they are at infinity (then: directions)."""
    y, s = face.lift(x)
    far = s <= ON_RAY
    return np.where(far[..., None], y, scale * y / np.where(far, 1.0, s)[..., None]), far
