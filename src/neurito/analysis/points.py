"""Is G zero at some points, as far as rounding lets one tell?  And its slope there."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy import ndarray

from neurito.analysis.bounds import fill, fill_row
from neurito.analysis.canonical import RAMPS, UNIT_ROUND
from neurito.analysis.compiled import cached, sources
from neurito.analysis.sums import gather, ranges


def _entry(digest: str, kind: int) -> Callable[..., ndarray]:
    @cached
    def look(
        units: ndarray,
        L: ndarray,
        offset: ndarray,
        x: ndarray,
        error: ndarray,
        zero: ndarray,
        kinked: ndarray,
    ) -> ndarray:
        """The slope of G(x) = L x + l + sum_i v_i phi_i(P_i x + q_i); on a kink, that of the side below.

        Args:
            units: (2R + 3, N) P, v, q, w, and by how much the merged units of each differed.
            L: (R, R).
            offset: l (R,).
            x: (point, R).
            error: (point,) how far the points may be off.
            zero: (point,) filled with whether G is zero there, up to rounding and `error`.
            kinked: (point,) filled with whether a kink passes through the point, up to the same.

        Returns:
            dG/dx (point, R, R).
        """
        digest  # noqa: B018  see `boxes`
        R, N = L.shape[0], units.shape[1]
        P, v, q, w, spread = units[:R], units[R : 2 * R], units[2 * R], units[2 * R + 1], units[2 * R + 2]
        rows, vectors, A = np.empty((7, N)), np.empty((4, R)), np.empty((R, R))
        current, size, s, mid, t, room, lean = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
        g, D, c, r = vectors[0], vectors[1], vectors[2], vectors[3]
        slope = np.empty((x.shape[0], R, R))
        for k in range(N):
            room[k] = abs(q[k]) + (w[k] if w[k] < np.inf else 0.0)
            lean[k] = 0.0
        for j in range(R):
            for k in range(N):
                lean[k] += abs(P[j, k])
        total = 0.0
        for j in range(R):
            row = 0.0
            for m in range(R):
                row += abs(L[j, m])
            for k in range(N):
                row += abs(v[j, k]) * lean[k]
            total = max(total, row)
        for i in range(x.shape[0]):
            for j in range(R):
                c[j], r[j] = x[i, j], abs(x[i, j])
            ranges(P, q, room, c, r, N, current, size)
            near = False
            for k in range(N):
                at = current[k]
                if kind == RAMPS:
                    mid[k] = min(max(at, 0.0), w[k])
                    s[k] = 1.0 if 0.0 < at < w[k] else 0.0
                    slack = 8.0 * error[i] * lean[k] + 16.0 * UNIT_ROUND * size[k] + spread[k]
                    near |= (abs(at) <= slack) | (abs(at - w[k]) <= slack)
                else:
                    mid[k] = math.tanh(at)
                    s[k] = 1.0 - mid[k] * mid[k]
            fill(A, L)
            fill_row(g, offset)
            gather(P, v, s, mid, size, N, A, g, D, t)
            kinked[i], zero[i] = near, True
            for j in range(R):
                value, noise = g[j], D[j] + abs(offset[j])
                for m in range(R):
                    value += L[j, m] * c[m]
                    noise += abs(L[j, m] * c[m])
                    slope[i, j, m] = A[j, m]
                zero[i] &= abs(value) <= 64.0 * UNIT_ROUND * noise + 8.0 * total * error[i]
        return slope

    return look


@cache
def look(kind: int) -> Callable[..., ndarray]:
    """The kernel for one kind of form, RAMPS or SIGMOIDS."""
    return _entry(sources(), kind)
