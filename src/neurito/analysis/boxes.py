"""Branch and bound over boxes of latent space: every zero of G in some boxes, or what is left to look at.

    G(z) = L z + l + sum_i v_i phi_i(P_i z + q_i),    phi = clip(., 0, w_i) or tanh

A box goes when a certificate says that it holds no zero (`bounds`, `descent`); it ends as a leaf when its zeros are
known (`leaves`); else it is cut in two.  Depth first, so memory stays small; units that no longer cross a kink are
added up once per cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

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
)
from neurito.analysis.compiled import COMPILED, cached, sources
from neurito.analysis.descent import descend, desk
from neurito.analysis.leaves import FEW, KRAWCZYK, PLANES, crossed, leaf
from neurito.analysis.sums import along, gather, inverse, pull, ramps, ranges, settle, sigmoids

RAMPS = 0  # kind of a form; SIGMOIDS otherwise
CUT = 0.4871  # not a half: symmetric networks have points on the planes in the middle


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
        cap = boxes.shape[0] + 1024
        slots = int(4.6 * math.log(N + 1.0)) + 4
        lo, hi, slot = np.empty((cap, R)), np.empty((cap, R)), np.empty(cap, np.int64)
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
        out, n_out = np.empty((256, R + 3)), 0
        states, n_states = np.empty((256, max(N, 1)), np.int8), 0
        tiny, n_tiny = np.empty((256, 2, R)), 0
        counters = np.zeros(3, np.int64)
        top = boxes.shape[0]
        for i in range(top):
            slot[i] = 0
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
                if R > 2 or crossing > crowd:  # in a plane it hardly ever sees more than the axes do
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
                if kind != RAMPS:
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
