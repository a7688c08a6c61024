"""What `loops` does, in NumPy: used where numba is not installed, and to check it where it is."""

# ruff: noqa: D103
from __future__ import annotations

import numpy as np


def ranges(P, q, pad, c, r, n, x, rho):
    x[:n] = q[:n] + c @ P[:, :n]
    rho[:n] = pad[:n] + r @ np.abs(P[:, :n])


def ramps(x, rho, w, n, s, mid, d):
    low, high, top = x[:n] - rho[:n], x[:n] + rho[:n], w[:n]
    points = np.stack([low, np.clip(0.0, low, high), np.clip(top, low, high), high])
    values = np.minimum(np.maximum(points, 0.0), top)
    rise = values[3] - values[0]
    s[:n] = rise / (rise + np.maximum(np.maximum(high - top, 0.0), np.maximum(-low, 0.0)))
    _enclose(values - s[:n] * points, x[:n], n, s, mid, d)
    return int((((low < 0.0) & (high > 0.0)) | ((low < top) & (high > top))).sum())


def sigmoids(x, rho, n, s, mid, d):
    low, high = x[:n] - rho[:n], x[:n] + rho[:n]
    s[:n] = np.clip((np.tanh(high) - np.tanh(low)) / (high - low), 1e-300, 1.0)
    turn = np.arctanh(np.minimum(np.sqrt(1.0 - s[:n]), 1.0 - 1e-16))
    points = np.stack([low, np.clip(-turn, low, high), np.clip(turn, low, high), high])
    _enclose(np.tanh(points) - s[:n] * points, x[:n], n, s, mid, d)
    d[:n] += 4e-16
    return n


def _enclose(deviation, x, n, s, mid, d):
    most, least = deviation.max(0), deviation.min(0)
    mid[:n] = s[:n] * x + 0.5 * (most + least)
    d[:n] = 0.5 * (most - least)


def slopes(x, rho, n, s, mid, d):
    mid[:n] = np.tanh(x[:n])
    steep = 1.0 - np.tanh(np.maximum(np.abs(x[:n]) - rho[:n], 0.0)) ** 2
    flat = 1.0 - np.tanh(np.abs(x[:n]) + rho[:n]) ** 2
    s[:n] = 0.5 * (steep + flat)
    d[:n] = (0.5 * (steep - flat) + 4e-16) * rho[:n]


def gather(P, v, s, mid, d, n, A, g, D, t):
    A += (v[:, :n] * s[:n]) @ P[:, :n].T
    g += v[:, :n] @ mid[:n]
    D[:] = np.abs(v[:, :n]) @ d[:n]


def scatter(v, d, n, S, t):
    weighted = v[:, :n] * d[:n]
    S += np.tril(weighted @ weighted.T)


def along(v, y, d, n, t):
    t[:n] = y @ v[:, :n]
    return float(np.abs(t[:n]) @ d[:n])


def weigh(t, d, n, scale, weight):
    np.maximum(weight[:n], np.abs(t[:n]) * d[:n] * scale, out=weight[:n])


def pull(P, weight, rho, n, j):
    return float((weight[:n] * np.abs(P[j, :n]) / rho[:n]).sum())


def settle(x, rho, w, n, units, ids, A, b, units_in, ids_in):
    R = b.size
    low, high, top = x[:n] - rho[:n], x[:n] + rho[:n], w[:n]
    off, full = high <= 0.0, low >= top
    on = ~off & ~full & (low >= 0.0) & (high <= top)
    P, v, q = units_in[:R, :n], units_in[R : 2 * R, :n], units_in[2 * R, :n]
    b += v[:, full & ~off] @ top[full & ~off] + v[:, on] @ q[on]
    A += v[:, on] @ P[:, on].T
    keep = np.flatnonzero(~(off | full | on))
    units[:, : keep.size] = units_in[:, keep]
    ids[: keep.size] = ids_in[keep]
    return keep.size


def inverse(A, C, W):
    try:
        C[:] = np.linalg.inv(A)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(C).all())


def solve(S, y):
    full = S + np.tril(S, -1).T
    y[:] = np.linalg.solve(full, y)


def carry(P, v, s, mid, d, x, rho, n, J, c, M, E, guard, pulls, r, c2, M2, E2, t):
    c2[: len(J)] = J @ c + v[:, :n] @ mid[:n]
    J += (v[:, :n] * s[:n]) @ P[:, :n].T
    E2[: len(J)] = np.abs(v[:, :n]) @ d[:n] + guard + np.abs(J) @ E
    M2[: len(J)] = J @ M
    pulls += np.abs(M.T @ P[:, :n]) @ (np.abs(v[:, :n]).sum(0) * d[:n] / rho[:n])


def spans(P, size, c, M, E, r, tiny, n, x, rho):
    far = float((np.abs(c) + E + np.abs(M) @ r).max())
    x[:n] = c @ P[:, :n]
    rho[:n] = tiny * size[:n] * far + E @ np.abs(P[:, :n]) + r @ np.abs(M.T @ P[:, :n])
    return far
