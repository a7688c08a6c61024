r"""The canonical form of a network, in which its fixed points are the zeros of a sum of ramps.

    G(z) = F(z) - z = L z + l + sum_i v_i phi_i(P_i z + q_i),    phi_i = clip(., 0, w_i) or tanh

A clipped unit stays one ramp (two ramps would hide that they cancel); the rows P_i have length one and their first
component is positive, so equal units, and units that look both ways from one plane, become one.  Where all leaks
are equal, the latents are rotated to the right singular vectors of m, which saves up to a quarter of the boxes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int

from neurito.analysis.network import Network
from neurito.errors import NeuritoError

RAMPS, SIGMOIDS = 0, 1
UNIT_ROUND = 2.0**-53
FLOOR = 1e-9  # of the widest side: where cutting stops
EDGE = 1e-9  # by how much faces of a cube overlap


@dataclass(frozen=True, eq=False)
class Form:
    """G, and the box in which its zeros are looked for.

    Attributes:
        kind: RAMPS or SIGMOIDS.
        units: (2R + 3, N) the rows of P (R) and v (R), then q, w (infinite for a relu) and `spread`: one array, as
            the kernels read it.
        planes: (2, N) the number of the plane of each unit's lower and upper kink; equal planes share a number.
        L, l: (R, R) and (R,).
        box: (2, R) where zeros are looked for, or None where they may be anywhere.
        basis: (R, R) with z = basis x, x the coordinates here.
    """

    kind: int
    units: Float[np.ndarray, "row unit"]
    planes: Int[np.ndarray, "2 unit"]
    L: Float[np.ndarray, "latent latent"]
    l: Float[np.ndarray, " latent"]  # noqa: E741
    box: Float[np.ndarray, "2 latent"] | None
    basis: Float[np.ndarray, "latent latent"]

    @property
    def rank(self) -> int:
        """R."""
        return self.l.size

    @property
    def P(self) -> Float[np.ndarray, "latent unit"]:  # noqa: N802
        """Input weights."""
        return self.units[: self.rank]

    @property
    def v(self) -> Float[np.ndarray, "latent unit"]:
        """Output weights."""
        return self.units[self.rank : 2 * self.rank]

    @property
    def q(self) -> Float[np.ndarray, " unit"]:
        """Minus the place of each unit's lower kink."""
        return self.units[-3]

    @property
    def w(self) -> Float[np.ndarray, " unit"]:
        """Widths."""
        return self.units[-2]

    @property
    def spread(self) -> Float[np.ndarray, " unit"]:
        """By how much the merged units of each differed."""
        return self.units[-1]

    @cached_property
    def width(self) -> Float[np.ndarray, " unit"]:
        """Widths, 0 for units without an upper kink."""
        return np.where(np.isfinite(self.w), self.w, 0.0)

    @cached_property
    def steep(self) -> Float[np.ndarray, "latent unit"]:
        """|P|."""
        return np.abs(self.P)

    @cached_property
    def total(self) -> float:
        """The size of the terms that slopes of G are sums of: what a slope of zero has to be compared with."""
        return float((np.abs(self.L).sum(1) + np.abs(self.v) @ self.reach).max())

    @cached_property
    def reach(self) -> Float[np.ndarray, " unit"]:
        """By how much a unit's argument changes when all coordinates change by one."""
        return self.steep.sum(0)

    @cached_property
    def side(self) -> float:
        """The longest side of the box."""
        assert self.box is not None
        return float((self.box[1] - self.box[0]).max())

    def on(self, box: Float[np.ndarray, "2 latent"]) -> "Form":
        """The same on a box."""
        return Form(self.kind, self.units, self.planes, self.L, self.l, box, self.basis)

    def look(
        self, x: Float[np.ndarray, "point latent"], error: Float[np.ndarray, " point"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Whether G is zero at some points, as far as rounding and their error let one tell; dG/dx; is it a kink?"""
        from neurito.analysis.points import look

        zero, kinked = np.empty(len(x), bool), np.empty(len(x), bool)
        x, error = np.ascontiguousarray(x), np.ascontiguousarray(error)
        return zero, look(self.kind)(self.units, self.L, self.l, x, error, zero, kinked), kinked

    def phi(self, x: Float[np.ndarray, "... unit"]) -> Float[np.ndarray, "... unit"]:
        """The units' activities from their arguments."""
        return np.tanh(x) if self.kind == SIGMOIDS else np.minimum(np.maximum(x, 0.0), self.w)

    def __call__(self, x: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... latent"]:
        """G(x)."""
        return x @ self.L.T + self.l + self.phi(x @ self.P + self.q) @ self.v.T

    def slope(self, x: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... latent latent"]:
        """dG/dx; on a kink, the side below."""
        current = x @ self.P + self.q
        if self.kind == SIGMOIDS:
            on = 1.0 - np.tanh(current) ** 2
        else:
            on = ((current > 0.0) & (current < self.w)).astype(np.float64)
        return self.L + (on[..., None, :] * self.v) @ self.P.T


def canonical(network: Network) -> Form:
    """The canonical form of a network.

    Raises:
        NeuritoError: a bounded network with a leak of one or more: nothing holds its fixed points together.
    """
    a, h, R = network.leak, network.h, network.rank
    L, l = np.diag(a - 1.0), network.constant  # noqa: E741
    P, v, basis = network.m.T, network.n, np.eye(R)
    if network.units >= R > 1 and (a == a[0]).all():
        basis = np.linalg.eigh(P @ network.m)[1][:, ::-1]
        P, v, l = basis.T @ P, basis.T @ v, basis.T @ l  # noqa: E741
    match network.activation:
        case "clipped_relu":  # relu(x + h) - relu(x) = sgn(h) clip(x - min(-h, 0), 0, |h|)
            units = stacked(P, v * np.sign(h), network.drive + np.maximum(h, 0.0), np.abs(h))
            form = merged(RAMPS, units, L, l, basis)
        case "tanh":
            form = merged(SIGMOIDS, stacked(P, v, network.drive - h, 1.0), L, l, basis)
        case "relu":
            return merged(RAMPS, stacked(P, v, network.drive - h, np.inf), L, l, basis)
        case "identity":
            l = l + v @ (network.drive - h)  # noqa: E741
            return merged(RAMPS, np.empty((2 * R + 3, 0)), L + v @ P.T, l, basis)
    if (np.abs(a) >= 1.0).any():
        raise NeuritoError(
            f"leak={a.tolist()}: the fixed points of a {network.activation} network are bounded only where |leak| < 1"
        )
    return form.on(root(form, a))


def stacked(P: np.ndarray, v: np.ndarray, q: np.ndarray | float, w: np.ndarray | float) -> np.ndarray:
    """The rows of `Form.units` (2R + 3, N)."""
    R, N = P.shape
    units = np.empty((2 * R + 3, N))
    units[:R], units[R : 2 * R], units[-3], units[-2], units[-1] = P, v, q, w, 0.0
    return units


def root(form: Form, leak: Float[np.ndarray, " latent"]) -> Float[np.ndarray, "2 latent"]:
    """A box that holds every cycle of a bounded network: |(1 - a) z - l| is at most what the units can sum to."""
    low = np.minimum(form.v * form.w, 0.0).sum(1) if form.kind == RAMPS else -np.abs(form.v).sum(1)
    high = np.maximum(form.v * form.w, 0.0).sum(1) if form.kind == RAMPS else np.abs(form.v).sum(1)
    if np.any(leak < 0.0):  # the terms a^k of z = sum_k a^k (...) change sign
        low, high = np.minimum(low + form.l, -high - form.l), np.maximum(high + form.l, -low - form.l)
        low, high = low / (1.0 - np.abs(leak)), high / (1.0 - np.abs(leak))
    else:
        low, high = (low + form.l) / (1.0 - leak), (high + form.l) / (1.0 - leak)
    slack = 1e-9 * max(float((high - low).max()), float(np.abs([low, high]).max()), 1e-300)
    return np.stack([low - slack, high + slack])


def merged(kind: int, units: np.ndarray, L: np.ndarray, l: np.ndarray, basis: np.ndarray) -> Form:  # noqa: E741
    """Drops units that do nothing, turns rows to length one and one side, joins equal units, numbers the planes.

    Args:
        kind: RAMPS or SIGMOIDS.
        units: (2R + 3, N) as in `Form`; overwritten.
        L: (R, R); overwritten.
        l: (R,).
        basis: (R, R) as in `Form`.
    """
    from neurito.analysis.orient import orient

    l, N = np.array(l), units.shape[1]  # noqa: E741
    idle, line = np.empty(N, bool), np.empty(2 * N)
    while (count := orient(kind, units, L, l, idle, line)) < 0:
        silent = Form(kind, units, np.empty((2, N), int), L, l, None, basis)
        l += (silent.v * silent.phi(silent.q))[:, idle].sum(1)  # noqa: E741   those without output add nothing
        units, idle = np.ascontiguousarray(units[:, ~idle]), idle[~idle]
        N = idle.size
    line = line[:count]
    line.sort()
    if (line[1:] - line[:-1]).min(initial=np.inf) > 1e-13 * (
        l.size + 9
    ):  # equal planes would meet on any line
        planes = np.arange(2 * N).reshape(2, N)
    else:
        units, planes = _joined(kind, units)
    return Form(kind, units, planes, L, l, None, basis)


def _joined(kind: int, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units that are equal as one, and the numbers of their planes."""
    R = len(units) // 2 - 1
    P, v, q, w = units[:R], units[R : 2 * R], units[-3], units[-2]
    finite = np.isfinite(w) & (kind == RAMPS)
    planes = np.full((2, q.size), -1)
    columns = np.hstack([np.vstack([P, q]), np.vstack([P[:, finite], (q - w)[finite]])])
    number = _equal(columns)[1]
    planes[0], planes[1, finite] = number[: q.size], number[q.size :]
    order, group = _equal(np.stack([planes[0].astype(float), np.where(np.isfinite(w), w, -1.0)]))
    first = order[group]
    far = np.abs(P - P[:, first]).sum(0) * 1e3 + np.abs(q - q[first])
    joint = np.zeros((3, *v.shape))
    for k, rows in enumerate((v, np.abs(v), np.broadcast_to(far, v.shape))):
        np.add.at(joint[k].T, first, rows.T)
    keep = np.zeros(q.size, bool)
    keep[order] = np.any(np.abs(joint[0]) > 4 * UNIT_ROUND * joint[1], axis=0)[order]
    units = units.copy()
    units[R : 2 * R], units[-1] = joint[0], joint[2, 0]
    return np.ascontiguousarray(units[:, keep]), np.ascontiguousarray(planes[:, keep])


def _equal(columns: Float[np.ndarray, "row column"]) -> tuple[np.ndarray, np.ndarray]:
    """First column of each group of columns equal to 14 digits, and every column's group."""
    scale = np.maximum(np.abs(columns).max(1, initial=0.0), 1e-300)
    keys = np.round(columns / scale[:, None], 14)
    order = np.lexsort(keys)
    ordered = keys[:, order]
    starts = np.ones(order.size, bool)
    starts[1:] = np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)
    group = np.empty(order.size, np.int64)
    group[order] = np.cumsum(starts) - 1
    return order[starts], group


@dataclass(frozen=True, eq=False)
class Face:
    """One side of the cube |y| <= 1, s in some range, that stands for all of space (z = scale y / s).

    Attributes:
        form: of G in the R other coordinates, the last of which is s.
        axis, sign: y_axis = sign on it.
    """

    form: Form
    axis: int
    sign: float

    def lift(self, x: Float[np.ndarray, "... latent"]) -> tuple[np.ndarray, np.ndarray]:
        """The point y (..., R) and s (...) of the cube's surface."""
        y = np.empty_like(x)
        y[..., : self.axis], y[..., self.axis + 1 :] = x[..., : self.axis], x[..., self.axis : -1]
        y[..., self.axis] = self.sign
        return y, x[..., -1]


def faces(
    form: Form, scale: float, s: tuple[float, float], kept: Bool[np.ndarray, " side"] | None = None
) -> Iterator[Face]:
    """The sides y_j = +1, -1 of the cube |y| <= 1 for the homogeneous form of G with z = scale y / s.

        Gh(y, s) = scale L y + l s + sum_i v_i relu(scale P_i y + q_i s)

    Args:
        form: relus only.
        scale: lengths of z that y = 1 stands for at s = 1.
        s: its range.
        kept: which of them; all if not given.
    """
    R = form.rank
    box = np.empty((2, R))
    box[0], box[1] = -1.0 - EDGE, 1.0 + EDGE
    box[:, -1] = s
    for axis, sign in product(range(R), (1.0, -1.0)):
        if kept is not None and not kept[2 * axis + (sign < 0.0)]:
            continue
        rest = [j for j in range(R) if j != axis]
        units = form.units.copy()
        units[: R - 1], units[R - 1] = scale * form.P[rest], form.q
        units[2 * R] = sign * scale * form.P[axis]
        # not `column_stack`: another memory layout would have the kernels compiled again
        L = np.empty((R, R))
        L[:, :-1], L[:, -1] = scale * form.L[:, rest], form.l
        push = sign * scale * form.L[:, axis]
        yield Face(Form(form.kind, units, form.planes, L, push, box, form.basis), axis, sign)
