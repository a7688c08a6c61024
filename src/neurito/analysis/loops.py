"""Loops over the units of one box, for the compiler; `vectors` says the same in NumPy.

Arrays are (row, unit), n units are in use; x and rho are the centre and half-width of every unit's argument on the
box.  Nothing is returned where an argument is filled in.
"""

from __future__ import annotations

import math

from numpy import ndarray

from neurito.analysis.compiled import compiled, inlined


@inlined
def ranges(
    P: ndarray, q: ndarray, pad: ndarray, c: ndarray, r: ndarray, n: int, x: ndarray, rho: ndarray
) -> None:
    """x = P'c + q, rho = |P|'r + pad."""
    for k in range(n):
        x[k] = q[k]
        rho[k] = pad[k]
    for j in range(c.size):
        cj, rj = c[j], r[j]
        for k in range(n):
            x[k] += P[j, k] * cj
            rho[k] += abs(P[j, k]) * rj


@compiled
def ramps(x: ndarray, rho: ndarray, w: ndarray, n: int, s: ndarray, mid: ndarray, d: ndarray) -> int:
    """Encloses clip(., 0, w) by s (. - x) + mid +- d; returns how many units have a kink inside.

    One formula for every case: s is the chord's slope where there is one kink, and w over the wider excess
    where there are two; d then follows from the values at the ends and at the kinks.
    """
    crossing = 0
    for k in range(n):
        low, high, top = x[k] - rho[k], x[k] + rho[k], w[k]
        at_low, at_high = min(max(low, 0.0), top), min(max(high, 0.0), top)
        rise = at_high - at_low
        slope = rise / (rise + max(max(high - top, 0.0), max(-low, 0.0)))
        kink, cap = min(max(0.0, low), high), min(max(top, low), high)
        e0, e3 = at_low - slope * low, at_high - slope * high
        e1, e2 = min(max(kink, 0.0), top) - slope * kink, min(max(cap, 0.0), top) - slope * cap
        most, least = max(max(e0, e1), max(e2, e3)), min(min(e0, e1), min(e2, e3))
        s[k] = slope
        mid[k] = slope * x[k] + 0.5 * (most + least)
        d[k] = 0.5 * (most - least)
        crossing += ((low < 0.0) & (high > 0.0)) | ((low < top) & (high > top))
    return crossing


@compiled
def sigmoids(x: ndarray, rho: ndarray, n: int, s: ndarray, mid: ndarray, d: ndarray) -> int:
    """The same for tanh: the chord's slope s, and the two places where tanh' = s."""
    for k in range(n):
        low, high = x[k] - rho[k], x[k] + rho[k]
        at_low, at_high = math.tanh(low), math.tanh(high)
        slope = (at_high - at_low) / (high - low)
        slope = min(max(slope, 1e-300), 1.0)
        e0, e3 = at_low - slope * low, at_high - slope * high
        most, least = max(e0, e3), min(e0, e3)
        value = math.sqrt(1.0 - slope)
        if value < 1.0:
            turn = 0.5 * math.log((1.0 + value) / (1.0 - value))
            if low < turn < high:
                most = max(most, value - slope * turn)
            if low < -turn < high:
                least = min(least, slope * turn - value)
        s[k] = slope
        mid[k] = slope * x[k] + 0.5 * (most + least)
        d[k] = 0.5 * (most - least) + 4e-16
    return n


@compiled
def slopes(x: ndarray, rho: ndarray, n: int, s: ndarray, mid: ndarray, d: ndarray) -> None:
    """tanh at the centre, the middle s of its slopes on the range, and their half-spread times rho."""
    for k in range(n):
        mid[k] = math.tanh(x[k])
        near = max(abs(x[k]) - rho[k], 0.0)
        steep, flat = 1.0 - math.tanh(near) ** 2, 1.0 - math.tanh(abs(x[k]) + rho[k]) ** 2
        s[k] = 0.5 * (steep + flat)
        d[k] = (0.5 * (steep - flat) + 4e-16) * rho[k]


@inlined
def gather(
    P: ndarray,
    v: ndarray,
    s: ndarray,
    mid: ndarray,
    d: ndarray,
    n: int,
    A: ndarray,
    g: ndarray,
    D: ndarray,
    t: ndarray,
) -> None:
    """A += v diag(s) P', g += v mid, D = |v| d."""
    for j in range(A.shape[0]):
        value, spread = 0.0, 0.0
        for k in range(n):
            value += v[j, k] * mid[k]
            spread += abs(v[j, k]) * d[k]
            t[k] = v[j, k] * s[k]
        g[j] += value
        D[j] = spread
        for m in range(A.shape[0]):
            value = 0.0
            for k in range(n):
                value += t[k] * P[m, k]
            A[j, m] += value


@compiled
def scatter(v: ndarray, d: ndarray, n: int, S: ndarray, t: ndarray) -> None:
    """S += v diag(d^2) v', lower triangle."""
    for j in range(S.shape[0]):
        for k in range(n):
            t[k] = v[j, k] * d[k] * d[k]
        for m in range(j + 1):
            value = 0.0
            for k in range(n):
                value += t[k] * v[m, k]
            S[j, m] += value


@inlined
def along(v: ndarray, y: ndarray, d: ndarray, n: int, t: ndarray) -> float:
    """t = v'y; returns |t| d."""
    for k in range(n):
        t[k] = 0.0
    for j in range(y.size):
        for k in range(n):
            t[k] += y[j] * v[j, k]
    total = 0.0
    for k in range(n):
        total += abs(t[k]) * d[k]
    return total


@inlined
def weigh(t: ndarray, d: ndarray, n: int, scale: float, weight: ndarray) -> None:
    """weight = max(weight, |t| d scale)."""
    for k in range(n):
        weight[k] = max(weight[k], abs(t[k]) * d[k] * scale)


@inlined
def pull(P: ndarray, weight: ndarray, rho: ndarray, n: int, j: int) -> float:
    """How much of the deviations halving side j would remove: weight |P_j| / rho."""
    total = 0.0
    for k in range(n):
        total += weight[k] * abs(P[j, k]) / rho[k]
    return total


@compiled
def settle(
    x: ndarray,
    rho: ndarray,
    w: ndarray,
    n: int,
    units: ndarray,
    ids: ndarray,
    A: ndarray,
    b: ndarray,
    units_in: ndarray,
    ids_in: ndarray,
) -> int:
    """Copies the units that still cross into `units`, adds the others to A z + b; returns how many are left."""
    R = b.size
    left = 0
    for k in range(n):
        low, high = x[k] - rho[k], x[k] + rho[k]
        if high <= 0.0:
            continue
        if low >= w[k]:
            for j in range(R):
                b[j] += units_in[R + j, k] * w[k]
        elif low >= 0.0 and high <= w[k]:
            for j in range(R):
                b[j] += units_in[R + j, k] * units_in[2 * R, k]
                for m in range(R):
                    A[j, m] += units_in[R + j, k] * units_in[m, k]
        else:
            for j in range(2 * R + 3):
                units[j, left] = units_in[j, k]
            ids[left] = ids_in[k]
            left += 1
    return left


@compiled
def shares(V: ndarray, x: ndarray, rho: ndarray, n: int, slope: ndarray, gap: ndarray) -> tuple[float, float]:
    """The highest convex minorants of clip(., 0, w), w = V[-1], touched at x: their slopes, sum, what is lost.

    Returns:
        The sum of the minorants at x and the sum of the values at x.
    """
    below, value = 0.0, 0.0
    w = V[V.shape[0] - 1]
    for k in range(n):
        low, high, top = x[k] - rho[k], x[k] + rho[k], w[k]
        start = max(low, 0.0)
        rise = (min(high, top) - start) / max(high - start, 1e-300)
        flat = (x[k] < start) | (high <= start)
        rise = 0.0 if flat | (rise < 0.0) else rise
        under = 0.0 if x[k] < start else min(start, top) + rise * (x[k] - start)
        exact = min(max(x[k], 0.0), top)
        below += under
        value += exact
        slope[k] = rise
        gap[k] = exact - under
    return below, value


@compiled
def halve(x: ndarray, rho: ndarray, row: ndarray, q: float, n: int, x2: ndarray, rho2: ndarray) -> None:
    """Ranges on the two halves of a box cut along one side of half-width 2q: in place, and into x2, rho2."""
    for k in range(n):
        step = row[k] * q
        x2[k] = x[k] + step
        x[k] -= step
        rho[k] -= abs(step)
        rho2[k] = rho[k]


@compiled
def dot(a: ndarray, b: ndarray, n: int) -> float:
    """a b."""
    total = 0.0
    for k in range(n):
        total += a[k] * b[k]
    return total


@inlined
def inverse(A: ndarray, C: ndarray, W: ndarray) -> bool:
    """C = A^-1 by Gauss-Jordan with row pivoting, W as scratch; False where A is singular."""
    R = A.shape[0]
    size = 0.0
    for i in range(R):
        for j in range(R):
            W[i, j] = A[i, j]
            C[i, j] = 1.0 if i == j else 0.0
            size = max(size, abs(A[i, j]))
    for i in range(R):
        p = i
        for k in range(i + 1, R):
            if abs(W[k, i]) > abs(W[p, i]):
                p = k
        if not abs(W[p, i]) > 1e-15 * size:
            return False
        for j in range(R):
            W[i, j], W[p, j] = W[p, j], W[i, j]
            C[i, j], C[p, j] = C[p, j], C[i, j]
        factor = 1.0 / W[i, i]
        for j in range(R):
            W[i, j] *= factor
            C[i, j] *= factor
        for k in range(R):
            if k != i:
                factor = W[k, i]
                for j in range(R):
                    W[k, j] -= factor * W[i, j]
                    C[k, j] -= factor * C[i, j]
    return True


@compiled
def solve(S: ndarray, y: ndarray) -> None:
    """y <- S^-1 y by Cholesky in the lower triangle of S, which is overwritten."""
    R = y.size
    for i in range(R):
        for j in range(i + 1):
            total = S[i, j]
            for k in range(j):
                total -= S[i, k] * S[j, k]
            S[i, j] = math.sqrt(max(total, 1e-300)) if i == j else total / S[j, j]
    for i in range(R):
        for k in range(i):
            y[i] -= S[i, k] * y[k]
        y[i] /= S[i, i]
    for i in range(R - 1, -1, -1):
        for k in range(i + 1, R):
            y[i] -= S[k, i] * y[k]
        y[i] /= S[i, i]


@compiled
def carry(
    P: ndarray,
    v: ndarray,
    s: ndarray,
    mid: ndarray,
    d: ndarray,
    x: ndarray,
    rho: ndarray,
    n: int,
    J: ndarray,
    c: ndarray,
    M: ndarray,
    E: ndarray,
    guard: ndarray,
    pulls: ndarray,
    r: ndarray,
    c2: ndarray,
    M2: ndarray,
    E2: ndarray,
    t: ndarray,
) -> None:
    """One more step of the map on z = c + M delta +- E, once its units are enclosed: c2, M2, E2.

    J holds the linear part of the step and comes back with the units' slopes added; `pulls` gathers how much of the
    deviations halving each side of the box would remove.
    """
    R, S = J.shape[0], J.shape[1]
    for j in range(R):
        value, spread = 0.0, 0.0
        for a in range(S):
            value += J[j, a] * c[a]
        for k in range(n):
            value += v[j, k] * mid[k]
            spread += abs(v[j, k]) * d[k]
            t[k] = v[j, k] * s[k]
        c2[j], E2[j] = value, spread + guard[j]
        for a in range(S):
            total = 0.0
            for k in range(n):
                total += t[k] * P[a, k]
            J[j, a] += total
        for a in range(S):
            E2[j] += abs(J[j, a]) * E[a]
        for m in range(r.size):
            total = 0.0
            for a in range(S):
                total += J[j, a] * M[a, m]
            M2[j, m] = total
    for k in range(n):
        t[k] = 0.0
    for j in range(R):
        for k in range(n):
            t[k] += abs(v[j, k])
    for k in range(n):
        t[k] *= d[k] / rho[k]
    for m in range(r.size):
        for k in range(n):
            lean = 0.0
            for a in range(S):
                lean += P[a, k] * M[a, m]
            pulls[m] += t[k] * abs(lean)


@compiled
def spans(
    P: ndarray,
    size: ndarray,
    c: ndarray,
    M: ndarray,
    E: ndarray,
    r: ndarray,
    tiny: float,
    n: int,
    x: ndarray,
    rho: ndarray,
) -> float:
    """Ranges of the units' arguments where the state is c + M delta +- E, |delta| <= r."""
    far = 0.0
    for a in range(c.size):
        reach = abs(c[a]) + E[a]
        for m in range(r.size):
            reach += abs(M[a, m]) * r[m]
        far = max(far, reach)
    for k in range(n):
        x[k] = 0.0
        rho[k] = tiny * size[k] * far
    for a in range(c.size):
        for k in range(n):
            x[k] += P[a, k] * c[a]
            rho[k] += abs(P[a, k]) * E[a]
    for m in range(r.size):
        for k in range(n):
            lean = 0.0
            for a in range(c.size):
                lean += P[a, k] * M[a, m]
            rho[k] += abs(lean) * r[m]
    return far
