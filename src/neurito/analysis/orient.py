"""Units brought into canonical form: rows of length one that all look to the same side."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy import ndarray

from neurito.analysis.canonical import RAMPS
from neurito.analysis.compiled import cached, sources


def _entry(digest: str) -> Callable[..., int]:
    @cached
    def orient(kind: int, units: ndarray, L: ndarray, offset: ndarray, idle: ndarray, line: ndarray) -> int:
        """Rewrites G(x) = L x + l + sum_i v_i phi_i(P_i x + q_i), in place, unless some of its units do nothing.

        |P_i| = 1 for ramps (tanh has a scale of its own), and the first component of P_i that is not zero is positive:

            tanh(x) = -tanh(-x)      relu(x) = relu(-x) + x      clip(x, 0, w) = w - clip(w - x, 0, w)

        Args:
            kind: RAMPS or SIGMOIDS.
            units: (2R + 3, N) P, v, q, w, spread.
            L: (R, R).
            offset: l (R,).
            idle: (N,) filled with which units are constant, or have no output.
            line: (2N,) filled with the planes (P, q) of all kinks, projected on a line: equal ones are equal there.

        Returns:
            The number of planes; -1 where there are idle units: then nothing is changed.
        """
        digest  # noqa: B018  see `boxes`
        R, N = L.shape[0], units.shape[1]
        P, v, q, w = units[:R], units[R : 2 * R], units[2 * R], units[2 * R + 1]
        longest, lazy = 0.0, False
        for k in range(N):
            square = 0.0
            for j in range(R):
                square += P[j, k] * P[j, k]
            line[k] = math.sqrt(square)
            longest = max(longest, line[k])
        for k in range(N):
            silent = True
            for j in range(R):
                silent &= v[j, k] == 0.0
            idle[k] = silent | (w[k] <= 0.0) | (line[k] <= max(1e-14 * longest, 1e-314))
            lazy |= idle[k]
        if lazy:
            return -1
        farthest = 0.0
        for k in range(N):
            scale = line[k] if kind == RAMPS else 1.0
            q[k] /= scale
            w[k] /= scale
            back = False
            for j in range(R):
                v[j, k] *= scale
                P[j, k] /= scale
            for j in range(R):
                back = P[j, k] < 0.0
                if abs(P[j, k]) > 1e-9:
                    break
            if back:
                relu, full = (kind == RAMPS) & (w[k] == np.inf), w[k]
                for j in range(R):
                    if relu:
                        offset[j] += v[j, k] * q[k]
                        for m in range(R):
                            L[j, m] += v[j, k] * P[m, k]
                    else:
                        if kind == RAMPS:
                            offset[j] += v[j, k] * full
                        v[j, k] = -v[j, k]
                q[k] = full - q[k] if (kind == RAMPS) & (not relu) else -q[k]
                for j in range(R):
                    P[j, k] = -P[j, k]
            farthest = max(farthest, abs(q[k]))
            if (kind == RAMPS) & (w[k] < np.inf):
                farthest = max(farthest, abs(q[k] - w[k]))
        long, far = 1.0 if kind == RAMPS else longest, max(farthest, 1e-300)
        count = N
        for k in range(N):
            at = 0.0
            for j in range(R):
                at += math.cos(j + 1.0) * P[j, k] / long
            line[k] = at + math.cos(R + 1.0) * q[k] / far
            if (kind == RAMPS) & (w[k] < np.inf):
                line[count] = at + math.cos(R + 1.0) * (q[k] - w[k]) / far
                count += 1
        return count

    return orient


orient = _entry(sources())
