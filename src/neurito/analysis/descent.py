"""Branch and bound on one number: is y'G > 0 everywhere on a box?

One direction y often rules out a whole box though the bound cannot say so: the deviations of a hundred crossing
units are added there, where in truth they cancel.  Halving the box while y is kept costs a tenth of what a new
direction costs, because a scalar sum of ramps is all that is left:  |c| and the sign of c = y'v go into the ramps
(-clip(x, 0, w) = clip(w - x, 0, w) - w), every ramp is then bounded from below by the convex minorant that touches
it at the centre, and a half-box differs from its parent by one multiply-add per unit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy import ndarray

from neurito.analysis.compiled import compiled
from neurito.analysis.loops import dot, halve, shares

LOSS = 3.0  # a box goes on being halved while the units' bounds lose less than this times y'G at its centre,
TILT = 0.9  # and the slope across it less than this times that
ROOM = 60  # boxes that may be open or given back at a time
BUDGET = 1000  # boxes per direction
DEPTH = 48  # halvings along one path: what the pads for rounding allow for
SHRINK = 0.35  # units are sorted out when no more than this part of them still crosses


@compiled
def desk(R: int, N: int) -> tuple[ndarray, ...]:
    """Scratch memory."""
    levels = int(math.log(N + 1.0)) + 4
    depth = ROOM + 2
    return (
        np.empty((levels, R + 1, N)),  # ramps: P, width
        np.empty((depth, 2, N)),  # x, rho
        np.empty(levels),  # constant part
        np.empty((levels, R)),  # linear part
        np.empty((depth, R)),  # centre
        np.empty((depth, R)),  # half-widths
        np.empty((2, N)),
        np.empty(R),
        np.empty((2, depth), np.int64),  # sorted-out level and number of halvings
        np.empty(levels, np.int64),
    )


@compiled
def absorb(
    V: ndarray, x: ndarray, rho: ndarray, n: int, above: ndarray, tilt: ndarray, centre: ndarray
) -> tuple[int, float]:
    """Sorts out the ramps that no longer cross: into `above` and `tilt`; returns how many are left, the constant."""
    R = tilt.size
    left, constant = 0, 0.0
    w = V[R]
    for k in range(n):
        low, high, top = x[k] - rho[k], x[k] + rho[k], w[k]
        if high <= 0.0:
            continue
        if low >= top:
            constant += top
        elif low >= 0.0 and high <= top:
            constant += x[k]
            for m in range(R):
                tilt[m] += V[m, k]
                constant -= V[m, k] * centre[m]
        else:
            for m in range(R + 1):
                above[m, left] = V[m, k]
            x[left] = x[k]
            rho[left] = rho[k]
            left += 1
    return left, constant


@compiled
def descend(
    P: ndarray,
    x: ndarray,
    rho: ndarray,
    w: ndarray,
    t: ndarray,
    n: int,
    y: ndarray,
    A: ndarray,
    g: ndarray,
    slack: float,
    c: ndarray,
    r: ndarray,
    lo: ndarray,
    hi: ndarray,
    top: int,
    work: tuple[Any, ...],
    counters: ndarray,
) -> int:
    """Rules out what it can of the box c +- r by y'G > 0 and puts the rest on the stack.

    P, x, rho, w are n units and their ranges, t = v'y; A and g are slopes and value at c of what the units do not
    contribute; slack is what rounding may add; lo, hi, top are the stack of open boxes, work comes from `desk`.

    Returns:
        The new top, or -1: nothing done, y is no good here.
    """
    V, X, base, tilt, centre, half, scratch, lead, marks, size = work
    level, halvings = marks[0], marks[1]
    R = y.size
    slope, gap = scratch[0], scratch[1]
    constant = 0.0
    for m in range(R):
        constant += y[m] * g[m]
        centre[0, m], half[0, m], tilt[0, m] = 0.0, r[m], 0.0
        for j in range(R):
            tilt[0, m] += y[j] * A[j, m]
    left = 0
    for k in range(n):
        weight, low, high, width = t[k], x[k] - rho[k], x[k] + rho[k], w[k]
        if high <= 0.0 or weight == 0.0:
            continue
        if low >= width:
            constant += weight * width
        elif low >= 0.0 and high <= width:
            constant += weight * x[k]
            for m in range(R):
                tilt[0, m] += weight * P[m, k]
        else:
            width = min(width, high)
            for m in range(R):
                V[0, m, left] = weight * P[m, k]
            V[0, R, left] = abs(weight) * width
            X[0, 0, left] = weight * x[k] if weight > 0.0 else weight * (x[k] - width)
            X[0, 1, left] = abs(weight) * rho[k]
            constant += min(weight, 0.0) * width
            left += 1
    base[0], size[0], level[0], halvings[0] = constant, left, 0, 0
    start, stack, looked = top, 1, 0
    while stack > 0:
        stack -= 1
        now = level[stack]
        ramps, n_ramps = V[now], size[now]
        xs, rhos = X[stack, 0], X[stack, 1]
        looked += 1
        below, value = shares(ramps, xs, rhos, n_ramps, slope, gap)
        fixed = base[now]
        across = 0.0
        for m in range(R):
            fixed += tilt[now, m] * centre[stack, m]
            lead[m] = abs(tilt[now, m] + dot(slope, ramps[m], n_ramps)) * half[stack, m]
            across += lead[m]
        if fixed + below - across > slack:
            continue
        exact = fixed + value
        give_up = exact - fixed - below + across > LOSS * exact or across > TILT * exact
        if give_up and looked == 1:
            return -1
        if give_up or stack + top - start + 2 >= ROOM or looked > BUDGET or halvings[stack] >= DEPTH:
            for m in range(R):
                lo[top, m] = c[m] + centre[stack, m] - half[stack, m]
                hi[top, m] = c[m] + centre[stack, m] + half[stack, m]
            top += 1
            continue
        crossing = 0
        for k in range(n_ramps):
            gap[k] /= rhos[k]
            low, high, width = xs[k] - rhos[k], xs[k] + rhos[k], ramps[R, k]
            crossing += ((low < 0.0) & (high > 0.0)) | ((low < width) & (high > width))
        best, side = -1.0, 0
        for m in range(R):
            gain = 0.0
            for k in range(n_ramps):
                gain += gap[k] * abs(ramps[m, k])
            gain = gain * half[stack, m] + 0.5 * lead[m]
            if gain > best:
                best, side = gain, m
        if crossing < SHRINK * n_ramps:
            for m in range(R):
                tilt[now + 1, m] = tilt[now, m]
            n_ramps, constant = absorb(ramps, xs, rhos, n_ramps, V[now + 1], tilt[now + 1], centre[stack])
            base[now + 1] = base[now] + constant
            now += 1
            size[now] = n_ramps
        q = 0.5 * half[stack, side]
        halve(xs, rhos, V[now, side], q, n_ramps, X[stack + 1, 0], X[stack + 1, 1])
        for m in range(R):
            centre[stack + 1, m], half[stack + 1, m] = centre[stack, m], half[stack, m]
        centre[stack, side] -= q
        centre[stack + 1, side] += q
        half[stack, side] = half[stack + 1, side] = q
        level[stack] = level[stack + 1] = now
        halvings[stack] = halvings[stack + 1] = halvings[stack] + 1
        stack += 2
    counters[0] += looked - 1
    return top
