r"""The canonical form of a network, in which its fixed points are the zeros of a sum of ramps.

    G(z) = F(z) - z = L z + l + sum_i v_i phi_i(P_i z + q_i),    phi_i = clip(., 0, w_i) or tanh

A clipped unit stays one ramp (two ramps would hide that they cancel); the rows P_i have length one and their first
component is positive, so equal units, and units that look both ways from one plane, become one.  Where all leaks
are equal, the latents are rotated to the right singular vectors of m, which saves up to a quarter of the boxes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from neurito.analysis.network import Network
from neurito.errors import NeuritoError

RAMPS, SIGMOIDS = 0, 1
UNIT_ROUND = 2.0**-53
FLOOR = 1e-9  # of the widest side: where cutting stops


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

    @property
    def width(self) -> Float[np.ndarray, " unit"]:
        """Widths, 0 for units without an upper kink."""
        return np.where(np.isfinite(self.w), self.w, 0.0)

    @property
    def total(self) -> float:
        """The size of the terms that slopes of G are sums of: what a slope of zero has to be compared with."""
        return float((np.abs(self.L).sum(1) + np.abs(self.v) @ np.abs(self.P).sum(0)).max())

    def pads(self, box: Float[np.ndarray, "2 latent"]) -> tuple[np.ndarray, np.ndarray]:
        """What rounding may add to a unit's argument (N,) and to G (R,) on `box`."""
        R, N = self.P.shape
        far = np.abs(box).max()
        size = np.abs(self.P).sum(0) * far + np.abs(self.q)
        pad = 8 * (R + 8) * UNIT_ROUND * size + self.spread
        guard = 8 * (R + 8) * UNIT_ROUND * (np.abs(self.L).sum(1) * far + np.abs(self.l))
        guard += 2 * (N + 32) * UNIT_ROUND * (np.abs(self.v) @ (size + self.width))
        return pad, guard + np.abs(self.v) @ self.spread

    def problem(self, box: Float[np.ndarray, "2 latent"]) -> tuple[np.ndarray | float, ...]:
        """What the compiled kernel reads."""
        pad, guard = self.pads(box)
        units = np.vstack([self.P, self.v, self.q, self.w, pad])
        L, offset = np.array(self.L, order="C"), np.array(self.l)  # one memory layout: compiled once
        return units, np.array(self.planes, order="C"), L, offset, guard, self.total

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
        basis = np.linalg.svd(m, full_matrices=False)[2].T
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
    P, v, q, w, L, l = form.P, form.v, form.q, form.w, form.L, form.l  # noqa: E741
    length = np.sqrt((P * P).sum(0))
    still = length <= 1e-14 * max(float(length.max(initial=0.0)), 1e-300)
    if still.any():
        phi = np.tanh(q) if form.kind == SIGMOIDS else np.minimum(np.maximum(q, 0.0), w)
        l = l + v[:, still] @ phi[still]  # noqa: E741
    keep = ~still & (w > 0.0) & np.any(v != 0.0, 0)
    P, v, q, w, length = P[:, keep], v[:, keep], q[keep], w[keep], length[keep]
    P = P / length
    if form.kind == RAMPS:
        v, q, w = v * length, q / length, w / length
    else:
        P, q = P * length, q  # tanh has a scale of its own
    lead = np.argmax(np.abs(P) > 1e-9 * np.abs(P).max(0, initial=0.0), axis=0) if P.size else np.zeros(0, int)
    back = P[lead, np.arange(q.size)] < 0.0
    if back.any():
        if form.kind == SIGMOIDS:
            v = np.where(back, -v, v)
            q = np.where(back, -q, q)
        else:
            relu, ramp = back & np.isinf(w), back & np.isfinite(w)
            L = L + v[:, relu] @ P[:, relu].T  # relu(x) = relu(-x) + x
            l = l + v[:, relu] @ q[relu] + v[:, ramp] @ w[ramp]  # noqa: E741  clip(x) = w - clip(w - x)
            v = np.where(ramp, -v, v)
            q = np.where(relu, -q, np.where(ramp, np.where(ramp, w, 0.0) - q, q))
        P = np.where(back, -P, P)
    order, group = _equal(np.vstack([P, q, np.where(np.isfinite(w), w, -1.0)]))
    spread = np.zeros(order.size)
    if order.size < q.size:
        far = np.abs(P - P[:, order[group]]).sum(0) + np.abs(q - q[order[group]])
        if np.any(far > 0.0):
            np.maximum.at(
                spread, group, far * (1.0 + (np.abs(form.box).max() if form.box is not None else 1e3))
            )
        total = np.zeros((v.shape[0], order.size))
        np.add.at(total.T, group, v.T)
        size = np.zeros_like(total)
        np.add.at(size.T, group, np.abs(v).T)
        P, q, w, v = P[:, order], q[order], w[order], total
        keep = np.any(np.abs(v) > 4 * UNIT_ROUND * size, 0)
        P, q, w, v, spread = P[:, keep], q[keep], w[keep], v[:, keep], spread[keep]
    planes = np.zeros((2, q.size), np.int64)
    if form.kind == RAMPS and q.size:
        upper = np.where(np.isfinite(w), w, 0.0)
        _, number = _equal(np.hstack([np.vstack([P, q]), np.vstack([P, q - upper])]))
        planes = number.reshape(2, -1)
    return replace(form, P=P, v=v, q=q, w=w, L=L, l=l, planes=planes, spread=spread)


def _equal(columns: Float[np.ndarray, "row column"]) -> tuple[np.ndarray, np.ndarray]:
    """First column of each group of columns equal to 14 digits, and every column's group."""
    scale = np.maximum(np.abs(columns).max(1, initial=0.0), 1e-300)[:, None]
    keys = np.round(columns / scale, 14) + 0.0
    _, first, group = np.unique(keys.T, axis=0, return_index=True, return_inverse=True)
    return first, group.reshape(-1)


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
        return np.insert(x[..., :-1], self.axis, self.sign, axis=-1), x[..., -1]


def faces(form: Form, scale: float, s: tuple[float, float], lid: bool) -> Iterator[Face]:
    """The faces of the cube |y| <= 1 (times s in `s`) for the homogeneous form of G with z = scale y / s.

        Gh(y, s) = scale L y + l s + sum_i v_i phi_i(scale P_i y + q_i s),   phi_i(t x) = t phi_i(x), t > 0

    Args:
        form: relus only.
        scale: lengths of z that y = 1 stands for at s = 1.
        s: range of s on the 2R sides.
        lid: the face s = 1 as well.
    """
    R = form.rank
    P, L = scale * form.P, scale * form.L
    if lid:
        yield Face(replace(form, P=P, L=L, box=np.array([[-1.0] * R, [1.0] * R]) * (1.0 + 1e-9)), -1, 1.0)
    low, high = np.full(R, -1.0 - 1e-9), np.full(R, 1.0 + 1e-9)
    low[-1], high[-1] = s
    others = np.arange(R)
    for axis in range(R):
        rest = others[others != axis]
        side = replace(
            form,
            P=np.vstack([P[rest], form.q]),
            L=np.column_stack([L[:, rest], form.l]),
            box=np.stack([low, high]),
        )
        for sign in (1.0, -1.0):
            yield Face(replace(side, q=sign * P[axis], l=sign * L[:, axis]), axis, sign)
