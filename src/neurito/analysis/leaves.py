"""Boxes that few planes cross: every pattern of sides is solved."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from neurito.analysis.bounds import ROUND, beyond, conditioned, direction, outside
from neurito.analysis.compiled import compiled
from neurito.analysis.sums import inverse

AFFINE, PATTERN, KRAWCZYK = 0, 1, 2  # the certificate of a point
PLANES = 3  # a box that at most so many planes cross is a leaf
FEW = 16  # crossing units that a leaf may have


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
