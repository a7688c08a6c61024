"""Branch and bound over boxes of latent space: every zero of G in some boxes, or what is left to look at.

    G(z) = L z + l + sum_i v_i phi_i(P_i z + q_i),    phi = clip(., 0, w_i) or tanh

A box goes when a certificate says that it holds no zero; it ends as a leaf when its zeros are known; else it is cut
in two.  Depth first, so memory stays small; units that no longer cross a kink are added up once per cut.  All
bounds carry pads for rounding (see `canonical`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from neurito.analysis.compiled import COMPILED, cached, compiled, sources
from neurito.analysis.descent import descend, desk

if COMPILED:
    from neurito.analysis.loops import (
        along,
        gather,
        inverse,
        pull,
        ramps,
        ranges,
        scatter,
        settle,
        sigmoids,
        slopes,
        solve,
        weigh,
    )
else:
    from neurito.analysis.vectors import (
        along,
        gather,
        inverse,
        pull,
        ramps,
        ranges,
        scatter,
        settle,
        sigmoids,
        slopes,
        solve,
        weigh,
    )

RAMPS, SIGMOIDS = 0, 1
AFFINE, PATTERN, KRAWCZYK = 0, 1, 2  # the certificate of a point
CUT = 0.4871  # not a half: symmetric networks have points on the planes in the middle
SINGULAR = 1e11
PLANES = 3  # a box that at most so many planes cross is a leaf
FEW = 16  # crossing units that a leaf may have
ROUND = 1e-14


@compiled
def outside(A: ndarray, g: ndarray, r: ndarray, D: ndarray, guard: ndarray) -> bool:
    """Is some component of G away from zero on the whole box?"""
    for j in range(g.size):
        reach = D[j] + guard[j]
        for m in range(g.size):
            reach += abs(A[j, m]) * r[m]
        if abs(g[j]) > reach:
            return True
    return False


@compiled
def direction(
    A: ndarray, g: ndarray, r: ndarray, v: ndarray, d: ndarray, n: int, y: ndarray, S: ndarray, t: ndarray
) -> None:
    """y = S^-1 g, S = A diag(r^2) A' + v diag(d^2) v': the direction in which zero is farthest from G(box)."""
    R = g.size
    for j in range(R):
        for m in range(j + 1):
            S[j, m] = 0.0
            for i in range(R):
                S[j, m] += A[j, i] * A[m, i] * r[i] * r[i]
    scatter(v, d, n, S, t)
    trace = 0.0
    for j in range(R):
        trace += S[j, j]
    for j in range(R):
        S[j, j] += 1e-12 * trace + 1e-300
        y[j] = g[j]
    solve(S, y)


@compiled
def beyond(A: ndarray, g: ndarray, r: ndarray, y: ndarray, deviation: float, guard: ndarray) -> bool:
    """Is y'G away from zero on the whole box, when its units deviate by no more than `deviation`?"""
    ahead, reach = 0.0, deviation
    for m in range(g.size):
        slope = 0.0
        for j in range(g.size):
            slope += y[j] * A[j, m]
        reach += abs(slope) * r[m]
        ahead += y[m] * g[m]
        reach += abs(y[m]) * (guard[m] + ROUND * abs(g[m]))
    return ahead > reach * (1.0 + ROUND)


@compiled
def conditioned(C: ndarray, size: float) -> bool:
    """Is the matrix, a sum of terms of that size, far enough from a singular one for its inverse to mean something?"""
    for j in range(C.shape[0]):
        row = 0.0
        for m in range(C.shape[0]):
            row += abs(C[j, m])
        if not row * size < SINGULAR:
            return False
    return True


@compiled
def contract(
    A: ndarray,
    C: ndarray,
    g: ndarray,
    c: ndarray,
    r: ndarray,
    v: ndarray,
    d: ndarray,
    n: int,
    guard: ndarray,
    lo: ndarray,
    hi: ndarray,
    weight: ndarray,
    t: ndarray,
    shift: ndarray,
    reach: ndarray,
) -> float:
    """Shrinks lo, hi to c - C g +- (|C v| d + |I - C A| r); returns the part of the volume left, -1 for none.

    `weight` gets, per unit, the largest share of a side that its deviation costs.
    """
    R = g.size
    for k in range(n):
        weight[k] = 0.0
    part = 1.0
    for j in range(R):
        radius = along(v, C[j], d, n, t)
        if r[j] > 0.0:
            weigh(t, d, n, 1.0 / r[j], weight)
        move = 0.0
        for m in range(R):
            product, size = 0.0, 0.0
            for i in range(R):
                product += C[j, i] * A[i, m]
                size += abs(C[j, i] * A[i, m])
            radius += (abs((1.0 if m == j else 0.0) - product) + ROUND * size) * r[m]
            radius += abs(C[j, m]) * (guard[m] + ROUND * abs(g[m]))
            move += C[j, m] * g[m]
        radius += ROUND * (abs(c[j]) + abs(move))
        shift[j], reach[j] = move, radius
        low, high = max(lo[j], c[j] - move - radius), min(hi[j], c[j] - move + radius)
        if low > high:
            return -1.0
        if r[j] > 0.0:
            part *= (high - low) / (2.0 * r[j])
        lo[j], hi[j] = low, high
    return part


@compiled
def krawczyk(
    units: ndarray,
    n: int,
    A0: ndarray,
    b0: ndarray,
    c: ndarray,
    r: ndarray,
    x: ndarray,
    rho: ndarray,
    guard: ndarray,
    C: ndarray,
    A: ndarray,
    g: ndarray,
    D: ndarray,
    rows: ndarray,
) -> bool:
    """Has z - C G(z) exactly one fixed point in c +- r, and that inside?  rho belongs to r; g gets G(c)."""
    R = c.size
    s, mid, d, t = rows[0], rows[1], rows[2], rows[3]
    slopes(x, rho, n, s, mid, d)
    for j in range(R):
        g[j] = b0[j]
        for m in range(R):
            A[j, m] = A0[j, m]
            g[j] += A0[j, m] * c[m]
    gather(units[:R], units[R : 2 * R], s, mid, d, n, A, g, D, t)
    for j in range(R):
        radius = along(units[R : 2 * R], C[j], d, n, t)
        move = 0.0
        for m in range(R):
            product = 0.0
            for i in range(R):
                product += C[j, i] * A[i, m]
            radius += abs((1.0 if m == j else 0.0) - product) * r[m]
            move += C[j, m] * g[m]
            radius += abs(C[j, m]) * ROUND * abs(A[m, j]) * r[j]
        if not radius < 0.99 * r[j]:
            return False
        for m in range(R):
            radius += abs(C[j, m]) * (guard[m] + ROUND * abs(g[m]))
        if not abs(move) + radius < r[j]:
            return False
    return True


@compiled
def crossed(
    planes: ndarray,
    ids: ndarray,
    x: ndarray,
    rho: ndarray,
    w: ndarray,
    n: int,
    which: ndarray,
    found: ndarray,
) -> tuple[int, int]:
    """The units with a kink inside and the planes they belong to; too many planes: -1."""
    units, count = 0, 0
    for k in range(n):
        low, high = x[k] - rho[k], x[k] + rho[k]
        first, second = low < 0.0 < high, low < w[k] < high
        if not (first or second):
            continue
        if units == which.size:
            return -1, 0
        which[units] = k
        units += 1
        for side in range(2):
            if not (first if side == 0 else second):
                continue
            plane = planes[side, ids[k]]
            known = False
            for i in range(count):
                known |= found[i] == plane
            if not known:
                if count == PLANES:
                    return -1, 0
                found[count] = plane
                count += 1
    return units, count


@compiled
def side_of(low: float, high: float, kink: float, plane: int, found: ndarray, count: int, bits: int) -> bool:
    """Is the argument above its kink, in the pattern of sides that `bits` stands for?"""
    if low >= kink:
        return True
    if high <= kink:
        return False
    for i in range(count):
        if found[i] == plane:
            return (bits >> i) & 1 == 1
    return False


@compiled
def leaf(
    units: ndarray,
    ids: ndarray,
    planes: ndarray,
    n: int,
    A0: ndarray,
    b0: ndarray,
    c: ndarray,
    r: ndarray,
    x: ndarray,
    rho: ndarray,
    which: ndarray,
    n_which: int,
    found: ndarray,
    count: int,
    guard: ndarray,
    out: ndarray,
    n_out: int,
    small: tuple[Any, ...],
    states: ndarray,
    n_states: int,
    everything: ndarray,
    total: float,
    counters: ndarray,
) -> tuple[int, int]:
    """Solves each pattern of sides of the planes that cross the box.

    Accepted zeros go to `out` (z, bound of the error, what the error is likely to be, certificate).  Patterns whose
    matrix is singular and that cannot be excluded go to `states`: one activity (0 off, 1 linear, 2 saturated) per
    unit of the network.
    """
    R = c.size
    A, C, W, S, At, g, y, z, D, t = small
    P, v, q, w, pad = units[:R], units[R : 2 * R], units[2 * R], units[2 * R + 1], units[2 * R + 2]
    # what does not depend on the pattern
    for j in range(R):
        g[j] = b0[j]
        for m in range(R):
            At[j, m] = A0[j, m]
    pointer = 0
    for k in range(n):
        if pointer < n_which and which[pointer] == k:
            pointer += 1
            continue
        if x[k] - rho[k] >= w[k]:
            for j in range(R):
                g[j] += v[j, k] * w[k]
        elif x[k] - rho[k] >= 0.0:
            for j in range(R):
                g[j] += v[j, k] * q[k]
                for m in range(R):
                    At[j, m] += v[j, k] * P[m, k]
    activity = np.zeros(max(n_which, 1), np.int8)
    for bits in range(1 << count):
        valid = True
        for j in range(R):
            y[j] = g[j]
            for m in range(R):
                A[j, m] = At[j, m]
        for i in range(n_which):
            k = which[i]
            low, high = x[k] - rho[k], x[k] + rho[k]
            above = side_of(low, high, 0.0, planes[0, ids[k]], found, count, bits)
            past = side_of(low, high, w[k], planes[1, ids[k]], found, count, bits)
            if past and not above:
                valid = False
                break
            activity[i] = 2 if past else (1 if above else 0)
            if past:
                for j in range(R):
                    y[j] += v[j, k] * w[k]
            elif above:
                for j in range(R):
                    y[j] += v[j, k] * q[k]
                    for m in range(R):
                        A[j, m] += v[j, k] * P[m, k]
        if not valid:
            continue
        counters[1] += 1
        if not (inverse(A, C, W) and conditioned(C, total)):
            for j in range(R):
                z[j] = y[j]
                D[j] = 0.0
                for m in range(R):
                    z[j] += A[j, m] * c[m]
            if outside(A, z, r, D, guard):
                continue
            direction(A, z, r, v, D, 0, t, S, D)
            if beyond(A, z, r, t, 0.0, guard):
                continue
            if n_states < states.shape[0]:
                classify(everything, c, states[n_states])
                for i in range(n_which):
                    states[n_states, ids[which[i]]] = activity[i]
            n_states += 1
            continue
        for j in range(R):
            z[j] = 0.0
            for m in range(R):
                z[j] -= C[j, m] * y[m]
        for j in range(R):  # residual, and its size before cancellation
            t[j] = y[j]
            D[j] = guard[j] + ROUND * abs(y[j])
            for m in range(R):
                t[j] += A[j, m] * z[m]
                D[j] += ROUND * abs(A[j, m] * z[m])
        fits = True
        worst, likely = 0.0, 0.0
        usual = 8.0 / (everything.shape[1] + 32.0)
        for j in range(R):
            move, error, typical = 0.0, 0.0, 0.0
            for m in range(R):
                move += C[j, m] * t[m]
                error += 2.0 * abs(C[j, m]) * (abs(t[m]) + D[m])
                typical += abs(C[j, m]) * usual * guard[m]
            z[j] -= move
            W[0, j] = error
            worst, likely = max(worst, error), max(likely, typical)
            fits &= abs(z[j] - c[j]) <= r[j] + error + ROUND * abs(c[j])
        for i in range(n_which):
            if not fits:
                break
            k = which[i]
            current, tolerance = q[k], pad[k]
            for j in range(R):
                current += P[j, k] * z[j]
                tolerance += abs(P[j, k]) * W[0, j]
            fits &= activity[i] == 0 or current >= (w[k] if activity[i] == 2 else 0.0) - tolerance
            fits &= activity[i] == 2 or current <= (w[k] if activity[i] == 1 else 0.0) + tolerance
        if fits:
            for j in range(R):
                out[n_out, j] = z[j]
            out[n_out, R], out[n_out, R + 1] = worst, likely
            out[n_out, R + 2] = AFFINE if count == 0 else PATTERN
            n_out += 1
    return n_out, n_states


@compiled
def classify(units: ndarray, c: ndarray, state: ndarray) -> None:
    """The activity of every unit of the network at c: 0 off, 1 linear, 2 saturated."""
    R = c.size
    for k in range(units.shape[1]):
        current = units[2 * R, k]
        for j in range(R):
            current += units[j, k] * c[j]
        state[k] = 0 if current < 0.0 else (1 if current < units[2 * R + 1, k] else 2)


@compiled
def fill_row(to: ndarray, row: ndarray) -> None:
    """to = row, without the checks that an assignment of slices would compile."""
    for i in range(row.size):
        to[i] = row[i]


@compiled
def fill(to: ndarray, rows: ndarray) -> None:
    """to = rows."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            to[i, j] = rows[i, j]


def _entry(digest: str) -> Callable[..., tuple[ndarray, ...]]:
    @cached
    def search(
        kind: int, problem: tuple[Any, ...], floor: float, boxes: ndarray, limit: int, crowd: int
    ) -> tuple[ndarray, ...]:
        """Works through `boxes`, and the boxes they are cut into, until `limit` of them have been looked at.

        Args:
            kind: RAMPS or SIGMOIDS.
            problem: units (2R + 3, N) = P, v, q, w, pad; planes (2, N); L (R, R); l (R,); guard (R,); the size
            of the terms that slopes of G are sums of.
            floor: sides are cut down to this length.
            boxes: (box, 2, R) lowest and highest corners.
            limit: how many boxes.
            crowd: crossing units up to which a direction is not worth its own descent.

        Returns:
            Boxes still open; zeros (z, bound of the error, likely error, certificate); singular patterns; boxes too
            small to be cut further; counters: boxes, linear solves, singular patterns.
        """
        digest  # noqa: B018  a closed-over value is part of numba's cache key: no stale machine code
        everything, planes, L, offset, guard, total = problem
        R, N = offset.size, everything.shape[1]
        cap = boxes.shape[0] + 4096
        slots = int(4.6 * math.log(N + 1.0)) + 4
        lo, hi, slot = np.empty((cap, R)), np.empty((cap, R)), np.zeros(cap, np.int64)
        units_at, ids_at = np.empty((slots, 2 * R + 3, N)), np.empty((slots, N), np.int64)
        size, A_at, b_at = np.empty(slots, np.int64), np.empty((slots, R, R)), np.empty((slots, R))
        fill(units_at[0], everything)
        fill(A_at[0], L)
        fill_row(b_at[0], offset)
        size[0] = N
        for k in range(N):
            ids_at[0, k] = k
        rows = np.empty((12, max(N, 1)))
        x, rho, s, mid, d, t, weight = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
        A, C, W, S = np.empty((R, R)), np.empty((R, R)), np.empty((R, R)), np.empty((R, R))
        g, D, y, c, r, shift, reach, wide = (
            np.empty(R), np.empty(R), np.empty(R), np.empty(R), np.empty(R), np.empty(R), np.empty(R), np.empty(R),
        )  # fmt: skip
        small = (
            np.empty((R, R)), np.empty((R, R)), np.empty((R, R)), np.empty((R, R)), np.empty((R, R)),
            np.empty(R), np.empty(R), np.empty(R), np.empty(R), np.empty(R),
        )  # fmt: skip
        work = desk(R, max(N, 1))
        which, found = np.empty(FEW, np.int64), np.empty(PLANES, np.int64)
        out, n_out = np.empty((1024, R + 3)), 0
        states, n_states = np.empty((256, max(N, 1)), np.int8), 0
        tiny, n_tiny = np.empty((1024, 2, R)), 0
        counters = np.zeros(3, np.int64)
        top = boxes.shape[0]
        for i in range(top):
            fill_row(lo[i], boxes[i, 0])
            fill_row(hi[i], boxes[i, 1])
        while (
            top > 0
            and counters[0] < limit
            and top + 100 < cap
            and n_out + 32 < out.shape[0]
            and n_states + 32 < states.shape[0]
            and n_tiny < tiny.shape[0]
        ):
            top -= 1
            counters[0] += 1
            here = int(slot[top])
            n = int(size[here])
            units, A0, b0, ids = units_at[here], A_at[here], b_at[here], ids_at[here]
            P, v, q, w, pad = units[:R], units[R : 2 * R], units[2 * R], units[2 * R + 1], units[2 * R + 2]
            done = False
            regular = False
            while True:
                for j in range(R):
                    c[j], r[j] = 0.5 * (lo[top, j] + hi[top, j]), 0.5 * (hi[top, j] - lo[top, j])
                ranges(P, q, pad, c, r, n, x, rho)
                crossing = ramps(x, rho, w, n, s, mid, d) if kind == RAMPS else sigmoids(x, rho, n, s, mid, d)
                for j in range(R):
                    shift[j] = b0[j]
                    for m in range(R):
                        A[j, m] = A0[j, m]
                        shift[j] += A0[j, m] * c[m]
                    g[j] = shift[j]
                gather(P, v, s, mid, d, n, A, g, D, t)
                done = outside(A, g, r, D, guard)
                if done:
                    break
                direction(A, g, r, v, d, n, y, S, t)
                done = beyond(A, g, r, y, along(v, y, d, n, t), guard)
                if done:
                    break
                if kind == RAMPS:
                    if crossing <= which.size:
                        n_which, count = crossed(planes, ids, x, rho, w, n, which, found)
                        if n_which >= 0:
                            n_out, n_states = leaf(
                                units, ids, planes, n, A0, b0, c, r, x, rho, which, n_which, found, count,
                                guard, out, n_out, small, states, n_states, everything, total, counters,
                            )  # fmt: skip
                            done = True
                            break
                    if COMPILED and crossing > crowd:
                        slack = 0.0
                        for j in range(R):
                            slack += abs(y[j]) * (2.0 * guard[j] + ROUND * (abs(g[j]) + abs(shift[j])))
                        after = descend(
                            P, x, rho, w, t, n, y, A0, shift, slack, c, r, lo, hi, top, work, counters
                        )
                        if after >= 0:
                            for i in range(top, after):
                                slot[i] = here
                            top = after
                            done = True
                            break
                regular = inverse(A, C, W) and conditioned(C, total)
                counters[1] += 1
                if not regular:
                    for k in range(n):
                        weight[k] = d[k]
                    break
                part = contract(A, C, g, c, r, v, d, n, guard, lo[top], hi[top], weight, t, shift, reach)
                done = part < 0.0
                if done:
                    break
                if kind == SIGMOIDS:
                    near = True
                    for j in range(R):
                        wide[j] = 1.5 * r[j]
                        near &= abs(shift[j]) + reach[j] < wide[j]
                    if near:
                        for k in range(n):
                            rho[k] *= 1.5
                        if krawczyk(units, n, A0, b0, c, wide, x, rho, guard, C, A, g, D, rows[7:11]):
                            counters[1] += 1
                            widest = 0.0
                            for j in range(R):
                                out[n_out, j] = c[j]
                                for m in range(R):
                                    out[n_out, j] -= C[j, m] * g[m]
                                widest = max(widest, wide[j])
                            out[n_out, R], out[n_out, R + 1], out[n_out, R + 2] = widest, 0.0, KRAWCZYK
                            n_out += 1
                            done = True
                            break
                        for k in range(n):
                            rho[k] /= 1.5
                if part > 0.5:
                    break
            if done:
                continue
            best, side, longest = -1.0, -1, 0.0
            for j in range(R):
                length = hi[top, j] - lo[top, j]
                longest = max(longest, length)
                gain = length * pull(P, weight, rho, n, j)
                if gain > best and length > floor:
                    best, side = gain, j
            if side < 0:
                fill_row(tiny[n_tiny, 0], lo[top])
                fill_row(tiny[n_tiny, 1], hi[top])
                n_tiny += 1
                continue
            if kind == RAMPS and crossing < 0.8 * n:
                slot_next = here + 1
                fill(A_at[slot_next], A0)
                fill_row(b_at[slot_next], b0)
                size[slot_next] = settle(
                    x,
                    rho,
                    w,
                    n,
                    units_at[slot_next],
                    ids_at[slot_next],
                    A_at[slot_next],
                    b_at[slot_next],
                    units,
                    ids,
                )
                here = slot_next
            cut = lo[top, side] + CUT * (hi[top, side] - lo[top, side])
            fill_row(lo[top + 1], lo[top])
            fill_row(hi[top + 1], hi[top])
            hi[top, side] = lo[top + 1, side] = cut
            slot[top] = slot[top + 1] = here
            top += 2
        left = np.empty((top, 2, R))
        for i in range(top):
            fill_row(left[i, 0], lo[i])
            fill_row(left[i, 1], hi[i])
        counters[2] = n_states
        return left, out[:n_out], states[:n_states], tiny[:n_tiny], counters

    return search


branch = _entry(sources())
