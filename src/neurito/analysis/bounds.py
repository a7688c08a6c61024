"""What rules out a box, shrinks it, or proves that it holds one zero.

A is the slope and g the value at the centre c of an affine enclosure of G on the box c +- r; its units, with output
weights v, deviate from it by +-d; guard is what rounding may add (see `canonical`).
"""

from __future__ import annotations

from math import inf

from numpy import ndarray

from neurito.analysis.canonical import UNIT_ROUND
from neurito.analysis.compiled import compiled, inlined
from neurito.analysis.sums import along, gather, slopes, solve, weigh

SINGULAR = 1e11
ROUND = 1e-14


@compiled
def rounding(units: ndarray, L: ndarray, offset: ndarray, far: float, pad: ndarray, guard: ndarray) -> float:
    """What rounding may add, where no coordinate exceeds `far`, to each unit's argument (pad) and to G (guard).

    Args:
        units: (2R + 3, N) P, v, q, w, and by how much the merged units of each differed.
        L: (R, R).
        offset: l (R,).
        far: the largest coordinate.
        pad: (N,), filled in.
        guard: (R,), filled in.

    Returns:
        The largest sum of the terms that a slope of G consists of.
    """
    R, N = L.shape[0], units.shape[1]
    q, w, spread = units[2 * R], units[2 * R + 1], units[2 * R + 2]
    for k in range(N):
        pad[k] = 0.0
    for j in range(R):
        for k in range(N):
            pad[k] += abs(units[j, k])
    total = 0.0
    for j in range(R):
        row, slope, push = 0.0, 0.0, 0.0
        for m in range(R):
            row += abs(L[j, m])
        for k in range(N):
            weight, width = abs(units[R + j, k]), w[k] if w[k] < inf else 0.0
            slope += weight * pad[k]
            push += weight * (2.0 * (N + 32) * UNIT_ROUND * (pad[k] * far + abs(q[k]) + width) + spread[k])
        guard[j] = push + 8.0 * (R + 8) * UNIT_ROUND * (row * far + abs(offset[j]))
        total = max(total, row + slope)
    for k in range(N):
        pad[k] = 8.0 * (R + 8) * UNIT_ROUND * (pad[k] * far + abs(q[k])) + spread[k]
    return total


@inlined
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
def direction(A: ndarray, g: ndarray, r: ndarray, y: ndarray, S: ndarray) -> None:
    """y = S^-1 g, S = A diag(r^2) A' + v diag(d^2) v': the direction in which zero is farthest from G(box).

    The units' part of S is given (`scatter`); S is overwritten.
    """
    R = g.size
    trace = 0.0
    for j in range(R):
        for m in range(j + 1):
            for i in range(R):
                S[j, m] += A[j, i] * A[m, i] * r[i] * r[i]
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


@inlined
def conditioned(C: ndarray, size: float) -> bool:
    """Is the matrix, a sum of terms of that size, far enough from a singular one for its inverse to mean something?"""
    for j in range(C.shape[0]):
        row = 0.0
        for m in range(C.shape[0]):
            row += abs(C[j, m])
        if not row * size < SINGULAR:
            return False
    return True


@inlined
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
