"""What `loops` does, in NumPy: used where numba is not installed, and to check it where it is."""

# ruff: noqa: D103   documented in `loops`

from __future__ import annotations

import numpy as np
from numpy import ndarray


def ranges(
    P: ndarray, q: ndarray, pad: ndarray, c: ndarray, r: ndarray, n: int, x: ndarray, rho: ndarray
) -> None:
    x[:n] = q[:n] + c @ P[:, :n]
    rho[:n] = pad[:n] + r @ np.abs(P[:, :n])


def ramps(x: ndarray, rho: ndarray, w: ndarray, n: int, s: ndarray, mid: ndarray, d: ndarray) -> int:
    low, high, top = x[:n] - rho[:n], x[:n] + rho[:n], w[:n]
    points = np.stack([low, np.clip(0.0, low, high), np.clip(top, low, high), high])
    values = np.minimum(np.maximum(points, 0.0), top)
    rise = values[3] - values[0]
    s[:n] = rise / (rise + np.maximum(np.maximum(high - top, 0.0), np.maximum(-low, 0.0)))
    _enclose(values - s[:n] * points, x[:n], n, s, mid, d)
    return int((((low < 0.0) & (high > 0.0)) | ((low < top) & (high > top))).sum())


def sigmoids(x: ndarray, rho: ndarray, n: int, s: ndarray, mid: ndarray, d: ndarray) -> int:
    low, high = x[:n] - rho[:n], x[:n] + rho[:n]
    s[:n] = np.clip((np.tanh(high) - np.tanh(low)) / (high - low), 1e-300, 1.0)
    turn = np.arctanh(np.minimum(np.sqrt(1.0 - s[:n]), 1.0 - 1e-16))
    points = np.stack([low, np.clip(-turn, low, high), np.clip(turn, low, high), high])
    _enclose(np.tanh(points) - s[:n] * points, x[:n], n, s, mid, d)
    d[:n] += 4e-16
    return n


def _enclose(deviation: ndarray, x: ndarray, n: int, s: ndarray, mid: ndarray, d: ndarray) -> None:
    most, least = deviation.max(0), deviation.min(0)
    mid[:n] = s[:n] * x + 0.5 * (most + least)
    d[:n] = 0.5 * (most - least)


def slopes(x: ndarray, rho: ndarray, n: int, s: ndarray, mid: ndarray, d: ndarray) -> None:
    mid[:n] = np.tanh(x[:n])
    steep = 1.0 - np.tanh(np.maximum(np.abs(x[:n]) - rho[:n], 0.0)) ** 2
    flat = 1.0 - np.tanh(np.abs(x[:n]) + rho[:n]) ** 2
    s[:n] = 0.5 * (steep + flat)
    d[:n] = (0.5 * (steep - flat) + 4e-16) * rho[:n]


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
    A += (v[:, :n] * s[:n]) @ P[:, :n].T
    g += v[:, :n] @ mid[:n]
    D[:] = np.abs(v[:, :n]) @ d[:n]


def scatter(v: ndarray, d: ndarray, n: int, S: ndarray, t: ndarray) -> None:
    weighted = v[:, :n] * d[:n]
    S += np.tril(weighted @ weighted.T)


def along(v: ndarray, y: ndarray, d: ndarray, n: int, t: ndarray) -> float:
    t[:n] = y @ v[:, :n]
    return float(np.abs(t[:n]) @ d[:n])


def weigh(t: ndarray, d: ndarray, n: int, scale: float, weight: ndarray) -> None:
    np.maximum(weight[:n], np.abs(t[:n]) * d[:n] * scale, out=weight[:n])


def pull(P: ndarray, weight: ndarray, rho: ndarray, n: int, j: int) -> float:
    return float((weight[:n] * np.abs(P[j, :n]) / rho[:n]).sum())


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


def inverse(A: ndarray, C: ndarray, W: ndarray) -> bool:
    try:
        C[:] = np.linalg.inv(A)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(C).all())


def solve(S: ndarray, y: ndarray) -> None:
    full = S + np.tril(S, -1).T
    y[:] = np.linalg.solve(full, y)


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
    c2[: len(J)] = J @ c + v[:, :n] @ mid[:n]
    J += (v[:, :n] * s[:n]) @ P[:, :n].T
    E2[: len(J)] = np.abs(v[:, :n]) @ d[:n] + guard + np.abs(J) @ E
    M2[: len(J)] = J @ M
    pulls += np.abs(M.T @ P[:, :n]) @ (np.abs(v[:, :n]).sum(0) * d[:n] / rho[:n])


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
    far = float((np.abs(c) + E + np.abs(M) @ r).max())
    x[:n] = c @ P[:, :n]
    rho[:n] = tiny * size[:n] * far + E @ np.abs(P[:, :n]) + r @ np.abs(M.T @ P[:, :n])
    return far
