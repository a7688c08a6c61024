"""Boxes that few planes cross: every pattern of sides is solved."""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from neurito.analysis.bounds import ROUND, beyond, conditioned, direction, fill, fill_row, outside
from neurito.analysis.compiled import compiled, inlined
from neurito.analysis.sums import inverse

AFFINE, PATTERN, KRAWCZYK = 0, 1, 2  # the certificate of a point
BOXES, SOLVES, ZEROS, STATES, TINY = 0, 1, 2, 3, 4  # what a search counts
PLANES = 3  # a box that at most so many planes cross is a leaf
FEW = 16  # crossing units that a leaf may have


@inlined
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
    """Lists the units with a kink inside the box and the planes these belong to; how many: -1 if too many."""
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
            plane, known = planes[side, ids[k]], False
            for i in range(count):
                known |= found[i] == plane
            if not known:
                if count == PLANES:
                    return -1, 0
                found[count] = plane
                count += 1
    return units, count


@inlined
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


@inlined
def leaf(
    units: ndarray,
    ids: ndarray,
    planes: ndarray,
    A0: ndarray,
    g0: ndarray,
    c: ndarray,
    r: ndarray,
    x: ndarray,
    rho: ndarray,
    which: ndarray,
    n: int,
    found: ndarray,
    count: int,
    guard: ndarray,
    total: float,
    small: tuple[Any, ...],
    activity: ndarray,
    everything: ndarray,
    out: ndarray,
    states: ndarray,
    counters: ndarray,
) -> None:
    """Solves each pattern of sides of the planes that cross the box c +- r, for the way z from its centre.

    `which` lists the n units that cross; the others are part of A0 z + g0.  Accepted zeros go to `out` (c + z, bound
    of the error, what the error is likely to be, certificate).  Patterns whose matrix is singular and that cannot be
    excluded go to `states`: one activity (0 off, 1 linear, 2 saturated) per unit of the network.
    """
    R = c.size
    A, C, W, g, z, t, D = small
    P, v, w, pad = units[:R], units[R : 2 * R], units[2 * R + 1], units[2 * R + 2]
    usual = 8.0 / (everything.shape[1] + 32.0)
    for bits in range(1 << count):
        valid = True
        fill(A, A0)
        fill_row(g, g0)
        for i in range(n):
            k = which[i]
            low, high = x[k] - rho[k], x[k] + rho[k]
            above = side_of(low, high, 0.0, planes[0, ids[k]], found, count, bits)
            past = side_of(low, high, w[k], planes[1, ids[k]], found, count, bits)
            if past and not above:
                valid = False
                break
            activity[i] = 2 if past else (1 if above else 0)
            if above:
                for j in range(R):
                    g[j] += v[j, k] * (w[k] if past else x[k])
                    if not past:
                        for m in range(R):
                            A[j, m] += v[j, k] * P[m, k]
        if not valid:
            continue
        counters[SOLVES] += 1
        if not (inverse(A, C, W) and conditioned(C, total)):
            for j in range(R):
                D[j] = 0.0
                for m in range(R):
                    W[j, m] = 0.0
            if outside(A, g, r, D, guard):
                continue
            direction(A, g, r, t, W)
            if beyond(A, g, r, t, 0.0, guard):
                continue
            if counters[STATES] < states.shape[0]:
                state = states[counters[STATES]]
                classify(everything, c, state)
                for i in range(n):
                    state[ids[which[i]]] = activity[i]
            counters[STATES] += 1
            continue
        for j in range(R):
            z[j] = 0.0
            for m in range(R):
                z[j] -= C[j, m] * g[m]
        for j in range(R):  # residual, and its size before cancellation
            t[j] = g[j]
            D[j] = guard[j] + ROUND * abs(g[j])
            for m in range(R):
                t[j] += A[j, m] * z[m]
                D[j] += ROUND * abs(A[j, m] * z[m])
        fits = True
        worst, likely = 0.0, 0.0
        for j in range(R):
            move, error, typical = 0.0, 0.0, 0.0
            for m in range(R):
                move += C[j, m] * t[m]
                error += 2.0 * abs(C[j, m]) * (abs(t[m]) + D[m])
                typical += abs(C[j, m]) * usual * guard[m]
            z[j] -= move
            W[0, j] = error
            worst, likely = max(worst, error), max(likely, typical)
            fits &= abs(z[j]) <= r[j] + error + ROUND * abs(c[j])
        for i in range(n):
            if not fits:
                break
            k = which[i]
            current, tolerance = x[k], pad[k]
            for j in range(R):
                current += P[j, k] * z[j]
                tolerance += abs(P[j, k]) * W[0, j]
            fits &= activity[i] == 0 or current >= (w[k] if activity[i] == 2 else 0.0) - tolerance
            fits &= activity[i] == 2 or current <= (w[k] if activity[i] == 1 else 0.0) + tolerance
        if fits:
            row = out[counters[ZEROS]]
            for j in range(R):
                row[j] = c[j] + z[j]
            row[R], row[R + 1], row[R + 2] = worst, likely, AFFINE if count == 0 else PATTERN
            counters[ZEROS] += 1


@compiled
def classify(units: ndarray, c: ndarray, state: ndarray) -> None:
    """The activity of every unit of the network at c: 0 off, 1 linear, 2 saturated."""
    R = c.size
    for k in range(units.shape[1]):
        current = units[2 * R, k]
        for j in range(R):
            current += units[j, k] * c[j]
        state[k] = 0 if current < 0.0 else (1 if current < units[2 * R + 1, k] else 2)
