"""G at some points, its slope there, and what rounding lets one tell; what rounding may add on a box."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy import ndarray

from neurito.analysis.bounds import fill, fill_row
from neurito.analysis.compiled import cached, sources
from neurito.analysis.sums import gather, ranges

UNIT_ROUND = 2.0**-53
RAMPS = 0  # kind of a form; SIGMOIDS otherwise


def _entry(digest: str) -> Callable[..., tuple[ndarray, ndarray, ndarray, ndarray]]:
    @cached
    def look(
        kind: int, units: ndarray, L: ndarray, offset: ndarray, x: ndarray, error: ndarray
    ) -> tuple[ndarray, ndarray, ndarray, ndarray]:
        """Evaluates G(x) = L x + l + sum_i v_i phi_i(P_i x + q_i) and its slope.

        Args:
            kind: RAMPS or SIGMOIDS.
            units: (2R + 3, N) P, v, q, w, and by how much the merged units of each differed.
            L: (R, R).
            offset: l (R,).
            x: (point, R).
            error: (point,) how far the points may be off.

        Returns:
            G (point, R); what rounding is likely to leave of it at a zero (point, R); dG/dx (point, R, R), on a
            kink the side below; whether a kink passes through the point (point,), as far as one can tell.
        """
        digest  # noqa: B018  see `boxes`
        R, N = L.shape[0], units.shape[1]
        P, v, q, w, spread = units[:R], units[R : 2 * R], units[2 * R], units[2 * R + 1], units[2 * R + 2]
        rows = np.empty((7, N))
        current, size, s, mid, t, room, lean = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
        A, g, D, c, r = np.empty((R, R)), np.empty(R), np.empty(R), np.empty(R), np.empty(R)
        value, noise = np.empty((x.shape[0], R)), np.empty((x.shape[0], R))
        slope, kinked = np.empty((x.shape[0], R, R)), np.zeros(x.shape[0], np.bool_)
        for k in range(N):
            room[k] = abs(q[k]) + (w[k] if w[k] < np.inf else 0.0)
            lean[k] = 0.0
            for j in range(R):
                lean[k] += abs(P[j, k])
        for i in range(x.shape[0]):
            for j in range(R):
                c[j], r[j] = x[i, j], abs(x[i, j])
            ranges(P, q, room, c, r, N, current, size)
            for k in range(N):
                at = current[k]
                if kind == RAMPS:
                    mid[k] = min(max(at, 0.0), w[k])
                    s[k] = 1.0 if 0.0 < at < w[k] else 0.0
                    slack = 8.0 * error[i] * lean[k] + 16.0 * UNIT_ROUND * size[k] + spread[k]
                    kinked[i] |= (abs(at) <= slack) | (abs(at - w[k]) <= slack)
                else:
                    mid[k] = math.tanh(at)
                    s[k] = 1.0 - mid[k] * mid[k]
            fill(A, L)
            fill_row(g, offset)
            gather(P, v, s, mid, size, N, A, g, D, t)
            for j in range(R):
                value[i, j], noise[i, j] = g[j], D[j] + abs(offset[j])
                for m in range(R):
                    value[i, j] += L[j, m] * c[m]
                    noise[i, j] += abs(L[j, m] * c[m])
                    slope[i, j, m] = A[j, m]
                noise[i, j] *= 16.0 * UNIT_ROUND
        return value, noise, slope, kinked

    return look


def _second(digest: str) -> Callable[..., tuple[ndarray, ndarray, float, float]]:
    @cached
    def pads(
        units: ndarray, L: ndarray, offset: ndarray, far: float
    ) -> tuple[ndarray, ndarray, float, float]:
        """What rounding may add where no coordinate exceeds `far`, and the sizes of terms.

        Args:
            units: as `look` takes them.
            L: (R, R).
            offset: l (R,).
            far: the largest coordinate.

        Returns:
            What rounding may add to each unit's argument (N,) and to G (R,); the largest sum of terms of a slope of
            G, and of terms of G at 0.
        """
        digest  # noqa: B018  see `boxes`
        R, N = L.shape[0], units.shape[1]
        pad, guard = np.empty(N), np.empty(R)
        lean, size = np.zeros(N), np.empty(N)
        for j in range(R):
            for k in range(N):
                lean[k] += abs(units[j, k])
        for k in range(N):
            width, spread = units[2 * R + 1, k], units[2 * R + 2, k]
            size[k] = lean[k] * far + abs(units[2 * R, k])
            pad[k] = 8.0 * (R + 8) * UNIT_ROUND * size[k] + spread
            size[k] = 2.0 * (N + 32) * UNIT_ROUND * (size[k] + (width if width < np.inf else 0.0)) + spread
        steepest, strongest, constant = 0.0, 0.0, 0.0
        for j in range(R):
            row, guard[j], slope, push = 0.0, 0.0, 0.0, 0.0
            for m in range(R):
                row += abs(L[j, m])
            for k in range(N):
                weight = abs(units[R + j, k])
                guard[j] += weight * size[k]
                slope += weight * lean[k]
                push += weight * abs(units[2 * R, k])
            guard[j] += 8.0 * (R + 8) * UNIT_ROUND * (row * far + abs(offset[j]))
            steepest, strongest = max(steepest, row + slope), max(strongest, push)
            constant = max(constant, abs(offset[j]))
        return pad, guard, steepest, strongest + constant

    return pads


look, pads = _entry(sources()), _second(sources())
