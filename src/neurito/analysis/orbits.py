"""Branch and bound for cycles: every zero of F^k(z) - z in some boxes.

The affine enclosures of k steps are composed: on a box the state after t steps is c_t + M_t delta +- E_t, where
delta runs over the box.  The state carries one more entry s, by which thresholds are multiplied: s = 1 for bounded
networks; for relus (y, s) runs over a cube's surface, which stands for all of space.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy import ndarray

from neurito.analysis.bounds import ROUND, beyond, conditioned, contract, direction, fill, fill_row, outside
from neurito.analysis.boxes import CUT
from neurito.analysis.canonical import RAMPS, SIGMOIDS
from neurito.analysis.compiled import cached, compiled, sources
from neurito.analysis.leaves import AFFINE, BOXES, KRAWCZYK, PATTERN, SOLVES, TINY, ZEROS
from neurito.analysis.sums import along, carry, inverse, ramps, sigmoids, slopes, spans

KINKS = 3  # a box with at most so many kinks, over all steps, is a leaf
SLIGHT = 2.0**-46


@compiled
def compose(
    kind: int,
    steps: int,
    problem: tuple[Any, ...],
    c: ndarray,
    r: ndarray,
    states: tuple[Any, ...],
    x: ndarray,
    rho: ndarray,
    rows: ndarray,
    pulls: ndarray,
    kinks: ndarray,
) -> int:
    """Encloses k steps on a box; returns the number of kinks crossed (more than KINKS: not all are listed).

    states: centres (k + 1, S), matrices (k + 1, S, R), deviations (k + 1, S).
    kinks: (KINKS, 3) step, unit, lower or upper.
    """
    P, v, w, size, linear, guards, embed, offset = problem
    centre, matrix, spread = states
    R, S, n = r.size, P.shape[0], P.shape[1]
    s, mid, d, t = rows[0], rows[1], rows[2], rows[3]
    for a in range(S):
        centre[0, a], spread[0, a] = offset[a], 0.0
        for m in range(R):
            centre[0, a] += embed[a, m] * c[m]
            matrix[0, a, m] = embed[a, m]
    for m in range(R):
        pulls[m] = 0.0
    crossed = 0
    J, guard = np.empty((R, S)), np.empty(R)
    for step in range(steps):
        now, mats, dev = centre[step], matrix[step], spread[step]
        far = spans(P, size, now, mats, dev, r, SLIGHT, n, x[step], rho[step])
        if kind == RAMPS:
            ramps(x[step], rho[step], w, n, s, mid, d)
            for k in range(n):
                low, high = x[step, k] - rho[step, k], x[step, k] + rho[step, k]
                if low < 0.0 < high:
                    if crossed < KINKS:
                        kinks[crossed, 0], kinks[crossed, 1], kinks[crossed, 2] = step, k, 0
                    crossed += 1
                if low < w[k] < high:
                    if crossed < KINKS:
                        kinks[crossed, 0], kinks[crossed, 1], kinks[crossed, 2] = step, k, 1
                    crossed += 1
        else:
            sigmoids(x[step], rho[step], n, s, mid, d)
            crossed += n
        fill(J, linear)
        for j in range(R):
            guard[j] = guards[0, j] * far + guards[1, j]
        nxt, nmat, ndev = centre[step + 1], matrix[step + 1], spread[step + 1]
        carry(P, v, s, mid, d, x[step], rho[step], n, J, now, mats, dev, guard, pulls, r, nxt, nmat, ndev, t)
        nxt[R], ndev[R] = now[R], 0.0  # s stays
        for m in range(R):
            nmat[R, m] = mats[R, m]
    return crossed


@compiled
def unique(
    steps: int,
    problem: tuple[Any, ...],
    c: ndarray,
    r: ndarray,
    states: tuple[Any, ...],
    x: ndarray,
    rho: ndarray,
    rows: ndarray,
    C: ndarray,
    radii: ndarray,
) -> bool:
    """Is z - C (F^k(z) - z) a contraction of c +- r into itself?  tanh: the slopes of all steps, as intervals."""
    P, v, _, _, linear, guards, embed, offset = problem
    _, matrix, _ = states
    R, S, n = r.size, P.shape[0], P.shape[1]
    s, value, d, t = rows[0], rows[1], rows[2], rows[3]
    J, lean, rad, rad2 = np.empty((R, S)), np.empty((R, S)), radii[0], radii[1]
    point = np.empty((2, S))
    for a in range(S):
        point[0, a] = offset[a]
        for m in range(R):
            point[0, a] += embed[a, m] * c[m]
            matrix[0, a, m], rad[a, m] = embed[a, m], 0.0
    error = np.zeros(R)
    for step in range(steps):
        slopes(x[step], rho[step], n, s, value, d)  # slopes on the range of the step
        now, nxt = point[step % 2], point[(step + 1) % 2]
        far = 0.0
        for a in range(S):
            far = max(far, abs(now[a]))
        for k in range(n):
            argument = 0.0
            for a in range(S):
                argument += P[a, k] * now[a]
            value[k] = math.tanh(argument)
        for j in range(R):
            total = guards[0, j] * far + guards[1, j]
            grown = 0.0
            for a in range(S):
                J[j, a], lean[j, a] = linear[j, a], 0.0
                for k in range(n):
                    J[j, a] += v[j, k] * s[k] * P[a, k]
                    lean[j, a] += abs(v[j, k] * P[a, k]) * d[k] / rho[step, k]
            nxt[j] = 0.0
            for a in range(S):
                nxt[j] += linear[j, a] * now[a]
            for k in range(n):
                nxt[j] += v[j, k] * value[k]
            for a in range(R):
                grown += (abs(J[j, a]) + lean[j, a]) * error[a]
            t[j] = grown + total
        nxt[R] = now[R]
        for j in range(R):
            error[j] = t[j]
            for m in range(R):
                matrix[step + 1, j, m], rad2[j, m] = 0.0, 0.0
                for a in range(S):
                    matrix[step + 1, j, m] += J[j, a] * matrix[step, a, m]
                    rad2[j, m] += abs(J[j, a]) * rad[a, m] + lean[j, a] * (
                        abs(matrix[step, a, m]) + rad[a, m]
                    )
        for m in range(R):
            matrix[step + 1, R, m], rad2[R, m] = matrix[step, R, m], 0.0
        fill(rad, rad2)
    last = point[steps % 2]
    for j in range(R):
        radius, move = 0.0, 0.0
        for m in range(R):
            product = 0.0
            for i in range(R):
                product += C[j, i] * (matrix[steps, i, m] - embed[i, m])
                radius += abs(C[j, i]) * rad[i, m] * r[m]
            radius += abs((1.0 if m == j else 0.0) - product) * r[m]
            start = offset[m]
            for i in range(R):
                start += embed[m, i] * c[i]
            move += C[j, m] * (last[m] - start)
            radius += abs(C[j, m]) * error[m]
        if not abs(move) + radius < r[j]:
            return False
    return True


@compiled
def leaf(
    steps: int,
    problem: tuple[Any, ...],
    c: ndarray,
    r: ndarray,
    x: ndarray,
    rho: ndarray,
    kinks: ndarray,
    count: int,
    work: tuple[Any, ...],
    out: ndarray,
    total: float,
    counters: ndarray,
) -> bool:
    """Solves each pattern of sides of the kinks crossed; returns whether one is singular and may hold zeros."""
    P, v, w, _, linear, guards, embed, offset = problem
    A, C, W, M, M2, b, b2, g, z = work
    R, S, n = r.size, P.shape[0], P.shape[1]
    doubtful = False
    for bits in range(1 << count):
        for a in range(S):
            b[a] = offset[a]
            for m in range(R):
                M[a, m] = embed[a, m]
        valid = True
        for step in range(steps):
            for j in range(R):
                b2[j] = 0.0
                for a in range(S):
                    b2[j] += linear[j, a] * b[a]
                for m in range(R):
                    M2[j, m] = 0.0
                    for a in range(S):
                        M2[j, m] += linear[j, a] * M[a, m]
            for k in range(n):
                low = x[step, k] - rho[step, k]
                above, past = low >= 0.0, low >= w[k]
                for i in range(count):
                    if kinks[i, 0] == step and kinks[i, 1] == k:
                        if kinks[i, 2] == 0:
                            above = (bits >> i) & 1 == 1
                        else:
                            past = (bits >> i) & 1 == 1
                if past and not above:
                    valid = False
                if past:
                    for j in range(R):
                        b2[j] += v[j, k] * w[k]
                elif above:
                    for j in range(R):
                        for a in range(S):
                            b2[j] += v[j, k] * P[a, k] * b[a]
                        for m in range(R):
                            for a in range(S):
                                M2[j, m] += v[j, k] * P[a, k] * M[a, m]
            if not valid:
                break
            for j in range(R):
                b[j] = b2[j]
                for m in range(R):
                    M[j, m] = M2[j, m]
        if not valid:
            continue
        counters[SOLVES] += 1
        far = 0.0
        for j in range(R):
            g[j] = b[j] - offset[j]
            for m in range(R):
                A[j, m] = M[j, m] - embed[j, m]
                g[j] += A[j, m] * c[m]
            far = max(far, abs(b[j]) + abs(offset[j]))
        if not (inverse(A, C, W) and conditioned(C, total)):
            for j in range(R):
                b2[j] = 0.0
            if not outside(A, g, r, b2[:R], guards[1] + guards[0] * far):
                doubtful = True
            continue
        fits, likely = True, 0.0
        for j in range(R):
            z[j] = c[j]
            error = 0.0
            for m in range(R):
                z[j] -= C[j, m] * g[m]
                error += abs(C[j, m]) * (guards[1, m] + guards[0, m] * far + ROUND * abs(g[m]))
            likely = max(likely, error)
            fits &= abs(z[j] - c[j]) <= r[j] + 4.0 * error + ROUND * abs(c[j])
        if fits:  # whether the pattern is the zero's own is seen when its residual is checked
            row = out[counters[ZEROS]]
            fill_row(row, z)
            row[R], row[R + 1], row[R + 2] = likely, likely, AFFINE if count == 0 else PATTERN
            counters[ZEROS] += 1
    return doubtful


def _entry(digest: str, kind: int) -> Callable[..., tuple[ndarray, ...]]:
    @cached
    def search(
        steps: int, problem: tuple[Any, ...], floor: float, boxes: ndarray, limit: int
    ) -> tuple[ndarray, ...]:
        """Works through boxes as `boxes.search` does, for F^steps."""
        digest  # noqa: B018  see `boxes`
        P, v, _, size, linear, _, embed, _ = problem
        R, S, n = embed.shape[1], P.shape[0], P.shape[1]
        cap = boxes.shape[0] + 4096
        lo, hi = np.empty((cap, R)), np.empty((cap, R))
        states = (np.empty((steps + 1, S)), np.empty((steps + 1, S, R)), np.empty((steps + 1, S)))
        x, rho = np.empty((steps, max(n, 1))), np.empty((steps, max(n, 1)))
        rows = np.empty((6, max(n, S)))
        A, C, W, Sq = np.empty((R, R)), np.empty((R, R)), np.empty((R, R)), np.empty((R, R))
        g, D, y, c, r = np.empty(R), np.empty(R), np.empty(R), np.empty(R), np.empty(R)
        shift, reach, wide, pulls, none = np.empty(R), np.empty(R), np.empty(R), np.empty(R), np.zeros(R)
        work = (
            np.empty((R, R)), np.empty((R, R)), np.empty((R, R)), np.empty((S, R)), np.empty((S, R)),
            np.empty(S), np.empty(S), np.empty(R), np.empty(R),
        )  # fmt: skip
        radii = np.empty((2, S, R))
        eye = np.zeros((R, R))
        for j in range(R):
            eye[j, j] = 1.0
        kinks = np.empty((KINKS, 3), np.int64)
        out, states_none, tiny = np.empty((1024, R + 3)), np.empty((1, 1), np.int8), np.empty((1024, 2, R))
        counters = np.zeros(5, np.int64)
        total = 1.0
        for j in range(R):
            row = 0.0
            for m in range(S):
                row += abs(linear[j, m])
            for k in range(n):
                row += abs(v[j, k]) * size[k]
            total = max(total, row)
        total = total**steps
        top = boxes.shape[0]
        for i in range(top):
            fill_row(lo[i], boxes[i, 0])
            fill_row(hi[i], boxes[i, 1])
        while (
            top > 0
            and counters[BOXES] < limit
            and top + 2 < cap
            and counters[ZEROS] + 16 < out.shape[0]
            and counters[TINY] < tiny.shape[0]
        ):
            top -= 1
            counters[BOXES] += 1
            done, small = False, False
            while True:
                for j in range(R):
                    c[j], r[j] = 0.5 * (lo[top, j] + hi[top, j]), 0.5 * (hi[top, j] - lo[top, j])
                crossed = compose(kind, steps, problem, c, r, states, x, rho, rows, pulls, kinks)
                for j in range(R):
                    g[j], D[j] = states[0][steps, j] - states[0][0, j], states[2][steps, j]
                    for m in range(R):
                        A[j, m] = states[1][steps, j, m] - embed[j, m]
                done = outside(A, g, r, D, none)
                if done:
                    break
                for j in range(R):
                    for m in range(R):
                        Sq[j, m] = D[j] * D[j] if m == j else 0.0
                direction(A, g, r, y, Sq)
                done = beyond(A, g, r, y, along(eye, y, D, R, rows[4]), none)
                if done:
                    break
                if kind == RAMPS and crossed <= KINKS:
                    small = leaf(steps, problem, c, r, x, rho, kinks, crossed, work, out, total, counters)
                    done = not small
                    break
                counters[SOLVES] += 1
                if not (inverse(A, C, W) and conditioned(C, total)):
                    break
                part = contract(
                    A, C, g, c, r, eye, D, R, none, lo[top], hi[top], rows[5], rows[4], shift, reach
                )
                done = part < 0.0
                if done:
                    break
                if kind == SIGMOIDS:
                    near = True
                    for j in range(R):
                        wide[j] = 1.5 * r[j]
                        near &= abs(shift[j]) + reach[j] < wide[j]
                    if near:
                        compose(kind, steps, problem, c, wide, states, x, rho, rows, pulls, kinks)
                        if unique(steps, problem, c, wide, states, x, rho, rows, C, radii):
                            row, widest = out[counters[ZEROS]], 0.0
                            for j in range(R):
                                row[j] = c[j] - shift[j]
                                widest = max(widest, wide[j])
                            row[R], row[R + 1], row[R + 2] = widest, 0.0, KRAWCZYK
                            counters[ZEROS] += 1
                            done = True
                            break
                if part > 0.5:
                    break
            if done:
                continue
            best, side = -1.0, -1
            for j in range(R):
                length = hi[top, j] - lo[top, j]
                if length * pulls[j] > best and length > floor:
                    best, side = length * pulls[j], j
            if side < 0 or small:
                fill_row(tiny[counters[TINY], 0], lo[top])
                fill_row(tiny[counters[TINY], 1], hi[top])
                counters[TINY] += 1
                continue
            cut = lo[top, side] + CUT * (hi[top, side] - lo[top, side])
            fill_row(lo[top + 1], lo[top])
            fill_row(hi[top + 1], hi[top])
            hi[top, side] = lo[top + 1, side] = cut
            top += 2
        left = np.empty((top, 2, R))
        for i in range(top):
            fill_row(left[i, 0], lo[i])
            fill_row(left[i, 1], hi[i])
        return left, out, states_none, tiny, counters

    return search


@cache
def branch(kind: int) -> Callable[..., tuple[ndarray, ...]]:
    """The search for one kind of form, RAMPS or SIGMOIDS."""
    return _entry(sources(), kind)
