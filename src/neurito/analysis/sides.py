"""The sides of the cube that stands for all of space, most of which one look rules out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from neurito.analysis.bounds import beyond, direction, outside
from neurito.analysis.compiled import cached, sources
from neurito.analysis.sums import along, gather, ramps, ranges


def _entry(digest: str) -> Callable[..., ndarray]:
    @cached
    def search(
        units: ndarray, L: ndarray, offset: ndarray, pad: ndarray, guard: ndarray, edge: float
    ) -> ndarray:
        """Which of the sides y_axis = +1, -1 of the cube |y| <= 1, 0 <= s <= 1 (all up to `edge`) may hold a zero.

        The form is that of `faces`, with relus only: Gh(y, s) = L y + offset s + sum_i v_i relu(P_i y + q_i s).

        Returns:
            One flag per side, in the order of `faces`.
        """
        digest  # noqa: B018  see `boxes`
        R, N = L.shape[0], units.shape[1]
        P, v, q = units[:R], units[R : 2 * R], units[2 * R]
        side, rows = np.empty((R, N)), np.empty((7, N))
        push, x, rho, s, mid, d, t = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
        A, S, W = np.empty((R, R)), np.empty((R, R)), np.empty((R, R))
        g, D, y, c, r, w = np.empty(R), np.empty(R), np.empty(R), np.zeros(R), np.empty(R), np.empty(N)
        for k in range(N):
            w[k] = np.inf
        for j in range(R):
            r[j] = 1.0 + edge
        c[R - 1], r[R - 1] = 0.5, 0.5 + edge
        kept = np.ones(2 * R, np.bool_)
        for axis in range(R):
            row = 0
            for j in range(R):
                if j != axis:
                    for k in range(N):
                        side[row, k] = P[j, k]
                    for m in range(R):
                        W[m, row] = L[m, j]
                    row += 1
            for k in range(N):
                side[R - 1, k] = q[k]
            for m in range(R):
                W[m, R - 1] = offset[m]
            for back in range(2):
                sign = 1.0 - 2.0 * back
                for k in range(N):
                    push[k] = sign * P[axis, k]
                ranges(side, push, pad, c, r, N, x, rho)
                ramps(x, rho, w, N, s, mid, d)
                for m in range(R):
                    g[m] = sign * L[m, axis] + 0.5 * offset[m]
                    for j in range(R):
                        A[m, j] = W[m, j]
                gather(side, v, s, mid, d, N, A, g, D, t)
                if outside(A, g, r, D, guard):
                    kept[2 * axis + back] = False
                    continue
                direction(A, g, r, v, d, N, y, S, t)
                kept[2 * axis + back] = not beyond(A, g, r, y, along(v, y, d, N, t), guard)
        return kept

    return search


undecided = _entry(sources())
