"""Branch and bound over boxes of latent space: every zero of G in some boxes, or what is left to look at.

    G(z) = L z + l + sum_i v_i phi_i(P_i z + q_i),    phi = clip(., 0, w_i) or tanh

A box goes when a certificate says that it holds no zero (`bounds`, `descent`); it ends as a leaf when its zeros are
known (`leaves`); else it is cut in two.  Depth first, so memory stays small; units that no longer cross a kink are
added up once per cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy import ndarray

from neurito.analysis.bounds import (
    ROUND,
    beyond,
    conditioned,
    contract,
    direction,
    fill,
    fill_row,
    krawczyk,
    outside,
    rounding,
)
from neurito.analysis.canonical import RAMPS, SIGMOIDS
from neurito.analysis.compiled import COMPILED, cached, compiled, sources
from neurito.analysis.descent import descend, desk
from neurito.analysis.leaves import BOXES, FEW, KRAWCZYK, PLANES, SOLVES, STATES, TINY, ZEROS, crossed, leaf
from neurito.analysis.sums import along, gather, inverse, pull, ramps, ranges, scatter, settle, sigmoids

CUT = 0.4871  # not a half: symmetric networks have points on the planes in the middle
# Is a box also looked at along a direction of its own?  In a plane that hardly ever sees more than the axes do.
PLANAR, SPATIAL = 0, 1
LANES = 16  # loops over units run in whole vectors: those left over would be looked at one by one


@compiled
def completed(units: ndarray, n: int) -> int:
    """Adds units that do nothing until n, which is returned, is a multiple of LANES."""
    R = units.shape[0] // 2 - 1
    while n % LANES:
        for row in range(2 * R):
            units[row, n] = 0.0
        units[2 * R, n], units[2 * R + 1, n], units[2 * R + 2, n] = -2.0, 1.0, 1.0  # off: -2 +- 1 < 0
        n += 1
    return n


def _entry(digest: str, kind: int, space: int) -> Callable[..., tuple[ndarray, ...]]:
    # closed-over values are constants to numba, which leaves out what they rule out, and part of its cache's key:
    # one kernel per kind of search, and no stale machine code
    @cached
    def search(
        units: ndarray,
        planes: ndarray,
        L: ndarray,
        offset: ndarray,
        far: float,
        floor: float,
        boxes: ndarray,
        limit: int,
        crowd: int,
    ) -> tuple[ndarray, ...]:
        """Works through `boxes`, and the boxes they are cut into, until `limit` of them have been looked at.

        Args:
            units: (2R + 3, N) P, v, q, w, and by how much the merged units of each differed.
            planes: (2, N) the number of the plane of each unit's lower and upper kink.
            L: (R, R).
            offset: l (R,).
            far: the largest coordinate.
            floor: sides are cut down to this length.
            boxes: (box, 2, R) lowest and highest corners.
            limit: how many boxes.
            crowd: crossing units up to which a direction is not worth its own descent (SPATIAL).

        Returns:
            Boxes still open; zeros (z, bound of the error, likely error, certificate); singular patterns; boxes too
            small to be cut further; counters: boxes, linear solves, and how many rows of each of the last three
            tables are in use.
        """
        digest  # noqa: B018
        R, N = offset.size, units.shape[1]
        cap = boxes.shape[0] + 1024
        slots = int(4.6 * math.log(N + 1.0)) + 4
        # whole vectors; eight more, or rows of 512 would compete for the same cache lines
        room = LANES * (-(-N // LANES)) + 8
        lo, hi, slot = np.empty((cap, R)), np.empty((cap, R)), np.empty(cap, np.int64)
        # units, and the sum of those sorted out, at each depth of sorting
        units_at, ids_at = np.empty((slots, 2 * R + 3, room)), np.empty((slots, N), np.int64)
        size, A_at, b_at = np.empty(slots, np.int64), np.empty((slots, R, R)), np.empty((slots, R))
        rows, matrices, vectors = np.empty((11, room)), np.empty((4, R, R)), np.empty((11, R))
        x, rho, s, mid, d, t, weight = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
        A, C, W, S = matrices[0], matrices[1], matrices[2], matrices[3]
        g, D, y, c, r, guard = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4], vectors[5]
        shift, reach, wide = vectors[6], vectors[7], vectors[8]
        small = (A, C, W, g, vectors[9], vectors[10], D)
        which, found, activity = np.empty(FEW, np.int64), np.empty(PLANES, np.int64), np.empty(FEW, np.int64)
        out, states, tiny = np.empty((256, R + 3)), np.empty((256, room), np.int8), np.empty((256, 2, R))
        counters = np.zeros(5, np.int64)
        fill(units_at[0], units)
        fill(A_at[0], L)
        fill_row(b_at[0], offset)
        total = rounding(units, L, offset, far, units_at[0, 2 * R + 2], guard)
        size[0] = completed(units_at[0], N) if kind == RAMPS else N
        for k in range(N):
            ids_at[0, k] = k
        if kind == RAMPS and space == SPATIAL:
            work = desk(R, room)
        top = boxes.shape[0]
        for i in range(top):
            slot[i] = 0
            fill_row(lo[i], boxes[i, 0])
            fill_row(hi[i], boxes[i, 1])
        while (
            top > 0
            and counters[BOXES] < limit
            and top + 100 < cap
            and counters[ZEROS] + 32 < out.shape[0]
            and counters[STATES] + 32 < states.shape[0]
            and counters[TINY] < tiny.shape[0]
        ):
            top -= 1
            counters[BOXES] += 1
            here = int(slot[top])
            n = int(size[here])
            U, A0, b0, ids = units_at[here], A_at[here], b_at[here], ids_at[here]
            P, v, q, w, pad = U[:R], U[R : 2 * R], U[2 * R], U[2 * R + 1], U[2 * R + 2]
            done = False
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
                if space == SPATIAL:
                    for j in range(R):
                        for m in range(R):
                            S[j, m] = 0.0
                    scatter(v, d, n, S, t)
                    direction(A, g, r, y, S)
                    done = beyond(A, g, r, y, along(v, y, d, n, t), guard)
                    if done:
                        break
                if kind == RAMPS:
                    if crossing <= FEW:
                        few, count = crossed(planes, ids, x, rho, w, n, which, found)
                        if few >= 0:
                            for i in range(few):
                                s[which[i]], mid[which[i]] = 0.0, 0.0
                            fill(S, A0)
                            gather(P, v, s, mid, d, n, S, shift, D, t)  # those that do not cross are exact
                            leaf(
                                U, ids, planes, S, shift, c, r, x, rho, which, few, found, count, guard, total,
                                small, activity, units, out, states, counters,
                            )  # fmt: skip
                            done = True
                            break
                    if COMPILED and space == SPATIAL and crossing > crowd:
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
                counters[SOLVES] += 1
                if not (inverse(A, C, W) and conditioned(C, total)):
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
                        if krawczyk(U, n, A0, b0, c, wide, x, rho, guard, C, A, g, D, rows[7:11]):
                            counters[SOLVES] += 1
                            row, widest = out[counters[ZEROS]], 0.0
                            for j in range(R):
                                row[j] = c[j]
                                for m in range(R):
                                    row[j] -= C[j, m] * g[m]
                                widest = max(widest, wide[j])
                            row[R], row[R + 1], row[R + 2] = widest, 0.0, KRAWCZYK
                            counters[ZEROS] += 1
                            done = True
                            break
                        for k in range(n):
                            rho[k] /= 1.5
                if part > 0.5:
                    break
            if done:
                continue
            best, side = -1.0, -1
            for j in range(R):
                length = hi[top, j] - lo[top, j]
                gain = length * pull(P, weight, rho, n, j)
                if gain > best and length > floor:
                    best, side = gain, j
            if side < 0:
                fill_row(tiny[counters[TINY], 0], lo[top])
                fill_row(tiny[counters[TINY], 1], hi[top])
                counters[TINY] += 1
                continue
            if kind == RAMPS and crossing <= min(n - LANES, 0.8 * n):
                here += 1
                fill(A_at[here], A0)
                fill_row(b_at[here], b0)
                few = settle(x, rho, w, n, units_at[here], ids_at[here], A_at[here], b_at[here], U, ids)
                size[here] = completed(units_at[here], few)
            cut = lo[top, side] + CUT * (hi[top, side] - lo[top, side])
            fill_row(lo[top + 1], lo[top])
            fill_row(hi[top + 1], hi[top])
            hi[top, side] = lo[top + 1, side] = cut
            slot[top] = slot[top + 1] = here
            top += 2
        left_open = np.empty((top, 2, R))
        for i in range(top):
            fill_row(left_open[i, 0], lo[i])
            fill_row(left_open[i, 1], hi[i])
        return left_open, out, states, tiny, counters

    return search


@cache
def branch(kind: int, space: int) -> Callable[..., tuple[ndarray, ...]]:
    """The search for one kind of form (RAMPS, SIGMOIDS), with (SPATIAL) or without (PLANAR) directions."""
    return _entry(sources(), kind, space)
