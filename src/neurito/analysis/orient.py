"""Units brought into canonical form: rows of length one that all look to the same side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from neurito.analysis.compiled import cached, sources
from neurito.analysis.points import RAMPS


def _entry(digest: str) -> Callable[..., ndarray]:
    @cached
    def orient(
        kind: int, P: ndarray, v: ndarray, q: ndarray, w: ndarray, L: ndarray, offset: ndarray
    ) -> ndarray:
        """Rewrites G(x) = L x + l + sum_i v_i phi_i(P_i x + q_i), in place, unless some of its units do nothing.

        |P_i| = 1 for ramps (tanh has a scale of its own), and the first component of P_i that is not zero is positive:

            tanh(x) = -tanh(-x)      relu(x) = relu(-x) + x      clip(x, 0, w) = w - clip(w - x, 0, w)

        Returns:
            Which units are constant, or have no output; where there are any, nothing is changed.
        """
        digest  # noqa: B018  see `boxes`
        R, N = P.shape
        length, idle = np.empty(N), np.zeros(N, np.bool_)
        longest, lazy = 0.0, False
        for k in range(N):
            square = 0.0
            for j in range(R):
                square += P[j, k] * P[j, k]
            length[k] = np.sqrt(square)
            longest = max(longest, length[k])
        for k in range(N):
            silent = True
            for j in range(R):
                silent &= v[j, k] == 0.0
            idle[k] = silent | (w[k] <= 0.0) | (length[k] <= max(1e-14 * longest, 1e-314))
            lazy |= idle[k]
        if lazy:
            return idle
        for k in range(N):
            scale = length[k] if kind == RAMPS else 1.0
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
            if not back:
                continue
            relu, full = (kind == RAMPS) & np.isinf(w[k]), w[k]
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
        return idle

    return orient


orient = _entry(sources())
