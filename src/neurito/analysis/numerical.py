"""Fixed points of any map by descent from many starts: finds what it finds, and cannot say what it missed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from neurito.analysis.degenerate import first_of
from neurito.errors import NeuritoError

Map = Callable[[np.ndarray], np.ndarray]

STEP = 6e-6  # of a coordinate's scale: central differences are then good to about ten digits


@dataclass(frozen=True, eq=False)
class Descents:
    """Where the descents of |F(z) - z|^2 ended.

    Attributes:
        z: (point, R) each place once.
        speed: (point,) |F(z) - z| there.
        fixed: (point,) whether that is zero to the tolerance; the others are slow points, minima of the speed.
        hits: (point,) how many of the starts ended there.
        solves: linear systems solved in all (one per step of each descent).
    """

    z: Float[np.ndarray, "point latent"]
    speed: Float[np.ndarray, " point"]
    fixed: Bool[np.ndarray, " point"]
    hits: Int[np.ndarray, " point"]
    solves: int


def descend(
    step: Map,
    starts: Float[np.ndarray, "start latent"],
    jacobian: Map | None = None,
    tolerance: float = 1e-9,
    merge: float = 1e-5,
) -> Descents:
    """Levenberg-Marquardt on F(z) - z from every start, as implemented in SciPy (MINPACK).

    Args:
        step: the map F, from (R,) to (R,).
        starts: where to begin.
        jacobian: dF/dz as (R, R), or differences of F.
        tolerance: |F(z) - z|, relative to 1 + |z|, below which z is a fixed point.
        merge: distance, relative to the starts' spread, within which two ends are the same point.

    Raises:
        NeuritoError: a map that does not return as many numbers as it takes.

    Source:
        Golub and Sussillo, "FixedPointFinder: a Tensorflow toolbox for identifying and characterizing fixed points
        in recurrent neural networks", JOSS 2018, for slow points.
    """
    from scipy.optimize import least_squares

    R = starts.shape[1]
    shape = np.shape(step(starts[0]))
    if shape != (R,):
        raise NeuritoError(
            f"dynamics returns shape {shape} for a state of shape {(R,)}: it must map states to states"
        )
    slope = None if jacobian is None else lambda z: np.asarray(jacobian(z)) - np.eye(R)
    ends, solves = [], 0
    for start in starts:
        answer = least_squares(
            lambda z: np.asarray(step(z), float) - z,
            start,
            jac=slope or "2-point",
            method="lm",
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            max_nfev=400 * (R + 1),
        )
        solves += int(answer.nfev if slope else answer.nfev // (R + 1))
        ends.append(answer.x)
    z = np.array(ends)
    z = z[np.isfinite(z).all(1)]
    speed = np.linalg.norm(np.array([step(x) for x in z]).reshape(-1, R) - z, axis=1)
    order = np.argsort(speed, kind="stable")
    z, speed = z[order], speed[order]
    radius = merge * max(float(np.ptp(starts, 0).max()), 1e-12)
    kept = first_of(z, np.full(len(z), radius))
    nearest = np.abs(z[:, None] - z[None, kept]).max(-1).argmin(1) if len(kept) else np.empty(0, int)
    fixed = speed[kept] <= tolerance * (1.0 + np.linalg.norm(z[kept], axis=1))
    return Descents(z[kept], speed[kept], fixed, np.bincount(nearest, minlength=len(kept)), solves)


def differences(step: Map, z: Float[np.ndarray, " latent"]) -> Float[np.ndarray, "latent latent"]:
    """dF/dz by central differences."""
    h = STEP * (1.0 + np.abs(z))
    columns = [(np.asarray(step(z + e)) - np.asarray(step(z - e))) / (2.0 * e.max()) for e in np.diag(h)]
    return np.array(columns, float).T
