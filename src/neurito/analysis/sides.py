"""The sides of the cube that stands for all of space, most of which one look rules out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from neurito.analysis.bounds import beyond, direction, fill, fill_row, outside, rounding
from neurito.analysis.compiled import cached, sources
from neurito.analysis.sums import along, gather, ramps, ranges, scatter


def _entry(digest: str) -> Callable[..., None]:
    @cached
    def search(units: ndarray, L: ndarray, offset: ndarray, scale: float, edge: float, kept: ndarray) -> None:
        """Which of the sides y_axis = +1, -1 of the cube |y| <= 1, 0 <= s <= 1 (all up to `edge`) may hold a zero.

        The form is that of `canonical.faces`, with relus only:

            Gh(y, s) = scale L y + l s + sum_i v_i relu(scale P_i y + q_i s)

        Args:
            units: (2R + 3, N) P, v, q, w, and by how much the merged units of each differed.
            L: (R, R).
            offset: l (R,).
            scale: the length of z that y = 1 stands for at s = 1.
            edge: by how much the faces are larger than those of the cube.
            kept: (2R,) one flag per side, in the order of `faces`, filled in.
        """
        digest  # noqa: B018  see `boxes`
        R, N = L.shape[0], units.shape[1]
        side, rows = np.empty((2 * R + 3, N)), np.empty((6, N))
        x, rho, s, mid, d, t = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
        matrices, vectors = np.empty((3, R, R)), np.empty((7, R))
        A, W, S = matrices[0], matrices[1], matrices[2]
        g, D, y, c, r, b, guard = (
            vectors[0], vectors[1], vectors[2], vectors[3], vectors[4], vectors[5], vectors[6],
        )  # fmt: skip
        P, v, w, pad = side[:R], side[R : 2 * R], side[2 * R + 1], np.empty(N)
        fill(side, units)
        for j in range(R):
            c[j], r[j] = 0.0, 1.0 + edge
        c[R - 1], r[R - 1] = 0.5, 0.5 + edge
        for axis in range(R):
            row = 0
            for j in range(R):
                if j != axis:
                    for k in range(N):
                        P[row, k] = scale * units[j, k]
                    for m in range(R):
                        W[m, row] = scale * L[m, j]
                    row += 1
            fill_row(P[R - 1], units[2 * R])
            for m in range(R):
                W[m, R - 1] = offset[m]
            for back in range(2):
                push = scale if back == 0 else -scale
                for k in range(N):
                    side[2 * R, k] = push * units[axis, k]
                for m in range(R):
                    b[m] = push * L[m, axis]
                rounding(side, W, b, 1.0 + edge, pad, guard)
                ranges(P, side[2 * R], pad, c, r, N, x, rho)
                ramps(x, rho, w, N, s, mid, d)
                fill(A, W)
                for m in range(R):
                    g[m] = b[m] + 0.5 * offset[m]
                gather(P, v, s, mid, d, N, A, g, D, t)
                kept[2 * axis + back] = False
                if outside(A, g, r, D, guard):
                    continue
                for j in range(R):
                    for m in range(R):
                        S[j, m] = 0.0
                scatter(v, d, N, S, t)
                direction(A, g, r, y, S)
                kept[2 * axis + back] = not beyond(A, g, r, y, along(v, y, d, N, t), guard)

    return search


undecided = _entry(sources())
