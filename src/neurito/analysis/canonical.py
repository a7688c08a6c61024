r"""The canonical form of a network, in which its fixed points are the zeros of a sum of ramps.

    G(z) = F(z) - z = L z + l + sum_i v_i phi_i(P_i z + q_i),    phi_i = clip(., 0, w_i) or tanh

A clipped unit stays one ramp (two ramps would hide that they cancel); the rows P_i have length one and their first
component is positive, so equal units, and units that look both ways from one plane, become one.  Where all leaks
are equal, the latents are rotated to the right singular vectors of m, which saves up to a quarter of the boxes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from neurito.analysis.network import Network
from neurito.errors import NeuritoError

RAMPS, SIGMOIDS = 0, 1
UNIT_ROUND = 2.0**-53
FLOOR = 1e-9  # of the widest side: where cutting stops
_MIX = np.cos(np.arange(1.0, 65.0))  # a direction in no special relation to anything


@dataclass(frozen=True, eq=False)
class Form:
    """G on a box, with the pads that make its bounds hold in floating point.

    Attributes:
        kind: RAMPS or SIGMOIDS.
        P, v: (R, N).
        q, w: (N,); w is infinite for a relu.
        planes: (2, N) the number of the plane of each unit's lower and upper kink; equal planes share a number.
        L, l: (R, R) and (R,).
        box: (2, R) where zeros are looked for, or None where they may be anywhere.
        basis: (R, R) with z = basis x, x the coordinates here.
        spread: (N,) by how much the merged units of each differed.
    """

    kind: int
    P: Float[np.ndarray, "latent unit"]
    v: Float[np.ndarray, "latent unit"]
    q: Float[np.ndarray, " unit"]
    w: Float[np.ndarray, " unit"]
    planes: Int[np.ndarray, "2 unit"]
    L: Float[np.ndarray, "latent latent"]
    l: Float[np.ndarray, " latent"]  # noqa: E741
    box: Float[np.ndarray, "2 latent"] | None
    basis: Float[np.ndarray, "latent latent"]
    spread: Float[np.ndarray, " unit"]

    @property
    def rank(self) -> int:
        """R."""
        return int(self.l.size)

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

    @cached_property
    def pads(self) -> tuple[np.ndarray, np.ndarray]:
        """What rounding may add to a unit's argument (N,) and to G (R,) on the box."""
        from neurito.analysis.points import pads

        assert self.box is not None
        return pads(*self.plain, float(np.abs(self.box).max()))[:2]

    @cached_property
    def plain(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Units (2R + 3, N) = P, v, q, w, spread; L; l: in one memory layout, so that kernels are compiled once."""
        R, N = self.P.shape
        units = np.empty((2 * R + 3, N))
        units[:R], units[R : 2 * R] = self.P, self.v
        units[2 * R], units[2 * R + 1], units[2 * R + 2] = self.q, self.w, self.spread
        return units, np.array(self.L, order="C"), np.array(self.l)

    def problem(self) -> tuple[np.ndarray | float, ...]:
        """What the compiled search reads: `plain` with the pads in place of the spread, planes, guard, total."""
        (pad, guard), (units, L, offset) = self.pads, self.plain
        units = units.copy()
        units[-1] = pad
        return units, np.array(self.planes, order="C"), L, offset, guard, self.total

    def look(
        self, x: Float[np.ndarray, "point latent"], error: Float[np.ndarray, " point"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """G, what rounding is likely to leave of it at a zero, dG/dx, and whether a kink passes through (`points`)."""
        from neurito.analysis.points import look

        return look(self.kind, *self.plain, np.array(x, order="C"), error)

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
    a, m, n = network.leak, network.m, network.n
    L, l = np.diag(a - 1.0), np.array(network.constant)  # noqa: E741
    P, v, basis = m.T, n, np.eye(network.rank)
    if np.ptp(a) == 0.0 and network.units >= network.rank > 1:
        basis = np.linalg.eigh(m.T @ m)[1][:, ::-1]
        P, v, l = basis.T @ P, basis.T @ v, basis.T @ l  # noqa: E741
    kind, w, q = RAMPS, np.full(network.units, np.inf), network.drive - network.h
    match network.activation:
        case "identity":
            L, l = L + v @ P.T, l + v @ q  # noqa: E741
            P, v, q, w = P[:, :0], v[:, :0], q[:0], w[:0]
        case "clipped_relu":  # relu(x + h) - relu(x) = sgn(h) clip(x - min(-h, 0), 0, |h|)
            q, w = network.drive + np.maximum(network.h, 0.0), np.abs(network.h)
            v = v * np.sign(network.h)
        case "tanh":
            kind, w = SIGMOIDS, np.ones(network.units)
    form = merged(
        Form(kind, P, v, q, w, np.zeros((2, q.size), np.int64), L, l, None, basis, np.zeros(q.size))
    )
    if network.activation not in ("clipped_relu", "tanh"):
        return form
    if np.any(np.abs(a) >= 1.0):
        raise NeuritoError(
            f"leak={a.tolist()}: the fixed points of a {network.activation} network are bounded only where |leak| < 1"
        )
    return replace(form, box=root(form, a))


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


def merged(form: Form) -> Form:
    """Drops units that do nothing, turns rows to length one and one side, joins equal units, numbers the planes."""
    from neurito.analysis.orient import orient

    P, v, q, w, L, l = (np.array(x, order="C") for x in (form.P, form.v, form.q, form.w, form.L, form.l))  # noqa: E741
    while (idle := orient(form.kind, P, v, q, w, L, l)).any():
        l = l + v[:, idle] @ form.phi(q)[idle]  # noqa: E741   those without output add nothing
        P, v, q, w = (np.array(x[..., ~idle], order="C") for x in (P, v, q, w))
    spread = np.zeros(q.size)
    lower, upper = _planes(P, q, w) if form.kind == RAMPS else _planes(P, q, np.full(q.size, np.inf))
    if lower.max(initial=-1) + 1 < q.size:  # some planes are shared: perhaps equal units
        order, group = _equal(np.stack([lower.astype(float), np.where(np.isfinite(w), w, -1.0)]))
        first = order[group]
        far = np.abs(P - P[:, first]).sum(0) * 1e3 + np.abs(q - q[first])
        joint = np.zeros((3, *v.shape))
        for k, rows in enumerate((v, np.abs(v), np.broadcast_to(far, v.shape))):
            np.add.at(joint[k].T, first, rows.T)
        keep = np.zeros(q.size, bool)
        keep[order] = np.any(np.abs(joint[0]) > 4 * UNIT_ROUND * joint[1], axis=0)[order]
        P, q, w, v, spread = P[:, keep], q[keep], w[keep], joint[0][:, keep], joint[2][0, keep]
        lower, upper = lower[keep], upper[keep]
    return replace(form, P=P, v=v, q=q, w=w, L=L, l=l, planes=np.stack([lower, upper]), spread=spread)


def _planes(P: np.ndarray, q: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of each unit's lower and upper plane; equal planes share a number, -1 is no plane."""
    finite = np.isfinite(w)
    columns = np.vstack([P, q])
    if not finite.any():
        return _equal(columns)[1], np.full(q.size, -1)
    other = np.vstack([P[:, finite], (q - w)[finite]])
    number = _equal(np.hstack([columns, other]))[1]
    upper = np.full(q.size, -1)
    upper[finite] = number[q.size :]
    return number[: q.size], upper


def _equal(columns: Float[np.ndarray, "row column"]) -> tuple[np.ndarray, np.ndarray]:
    """First column of each group of columns equal to 14 digits, and every column's group."""
    scale = np.maximum(np.abs(columns).max(1, initial=0.0), 1e-300)
    line = np.sort((_MIX[: scale.size] / scale if scale.size <= _MIX.size else 0.0 * scale) @ columns)
    if (line[1:] - line[:-1]).min(initial=np.inf) > 1e-12:  # equal columns would meet on any line
        each = np.arange(line.size)
        return each, each
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
    """One face of a cube: fixed coordinate and sign, with the form of G on it in the other coordinates.

    Attributes:
        form: R coordinates, the last one s (but for the face s = 1: all are y).
        axis: the coordinate y_axis = sign that is fixed, or -1 for s = 1.
        sign: +1 or -1.
    """

    form: Form
    axis: int
    sign: float

    def lift(self, x: Float[np.ndarray, "... latent"]) -> tuple[np.ndarray, np.ndarray]:
        """The point y (..., R) and s (...) of the cube's surface."""
        if self.axis < 0:
            return x, np.ones(x.shape[:-1])
        y = np.empty_like(x)
        y[..., : self.axis], y[..., self.axis + 1 :] = x[..., : self.axis], x[..., self.axis : -1]
        y[..., self.axis] = self.sign
        return y, x[..., -1]


def faces(
    form: Form, scale: float, s: tuple[float, float], lid: bool, decided: bool = True
) -> Iterator[Face]:
    """The faces of the cube |y| <= 1 (times s in `s`) for the homogeneous form of G with z = scale y / s.

        Gh(y, s) = scale L y + l s + sum_i v_i phi_i(scale P_i y + q_i s),   phi_i(t x) = t phi_i(x), t > 0

    Args:
        form: relus only.
        scale: lengths of z that y = 1 stands for at s = 1.
        s: range of s on the 2R sides.
        lid: the face s = 1 as well.
        decided: also the sides that plainly hold no zero (0 <= s <= 1 only).
    """
    from neurito.analysis.points import pads

    R = form.rank
    whole = replace(form, P=scale * form.P, L=scale * form.L)
    fields = dict(vars(whole))
    # as large on all faces
    pad, guard, slope, push = pads(*whole.plain, max(1.0, abs(s[0]), abs(s[1])) * (1.0 + 1e-9))
    shared = {
        "pads": (pad, guard),
        "total": slope + push,
        "width": whole.width,
        "side": max(2.0, s[1] - s[0]) * (1.0 + 1e-9),
    }

    def face(axis: int, sign: float, **parts: Any) -> Face:
        side = Form.__new__(Form)  # `replace` would cost more than looking at the box
        vars(side).update(fields, **parts, **shared)
        return Face(side, axis, sign)

    box = np.empty((2, R))
    box[0], box[1] = -1.0 - 1e-9, 1.0 + 1e-9
    if lid:
        yield face(-1, 1.0, box=box.copy(), plain=whole.plain)
    box[:, -1] = s
    kept = np.ones(2 * R, bool)
    if not decided:
        from neurito.analysis.sides import undecided

        kept = undecided(*whole.plain, pad, guard, 1e-9)
    for axis in range(R):
        if not kept[2 * axis : 2 * axis + 2].any():
            continue
        rest = [j for j in range(R) if j != axis]
        P, L = np.empty_like(whole.P), np.empty_like(whole.L)
        P[:-1], P[-1], L[:, :-1], L[:, -1] = whole.P[rest], form.q, whole.L[:, rest], form.l
        for sign, needed in zip((1.0, -1.0), kept[2 * axis : 2 * axis + 2], strict=True):
            if needed:
                yield face(axis, sign, P=P, L=L, box=box, q=sign * whole.P[axis], l=sign * whole.L[:, axis])
