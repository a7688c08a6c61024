"""Eigenvalues of a map's Jacobian, and what they say about a fixed point."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

MARGIN = 1e-9  # |eigenvalue| this close to one decides nothing


def stability_of(eigenvalues: Complex[np.ndarray, " latent"] | Float[np.ndarray, " latent"]) -> str:
    """stable (all |lambda| < 1), unstable (all > 1), saddle (some of each), or marginal (one of them is 1)."""
    size = np.abs(eigenvalues)
    if np.any(np.abs(size - 1.0) <= MARGIN):
        return "marginal"
    out = int((size > 1.0).sum())
    return "stable" if out == 0 else "unstable" if out == len(size) else "saddle"


def kind_of(eigenvalues: Complex[np.ndarray, " latent"] | Float[np.ndarray, " latent"]) -> str:
    """Stability, and node (all eigenvalues real) or focus (a complex pair: the state turns)."""
    stability = stability_of(eigenvalues)
    turning = bool(np.any(np.abs(np.imag(eigenvalues)) > MARGIN * np.maximum(np.abs(eigenvalues), MARGIN)))
    if stability == "saddle":
        return "saddle focus" if turning else "saddle"
    return f"{stability} {'focus' if turning else 'node'}"


@dataclass(frozen=True, eq=False)
class Manifolds:
    """Directions tangent to a fixed point's stable and unstable manifolds.

    Attributes:
        stable: (dimension, R) orthonormal rows that span the directions along which the state comes back.
        unstable: (dimension, R) the same for directions along which it leaves.
    """

    stable: Float[np.ndarray, "dimension latent"]
    unstable: Float[np.ndarray, "dimension latent"]


def manifolds_of(jacobian: Float[np.ndarray, "latent latent"]) -> Manifolds:
    """Invariant subspaces of a Jacobian inside and outside the unit circle, by an ordered Schur decomposition."""
    from scipy.linalg import schur

    inside = schur(jacobian, sort=lambda re, im: bool(np.hypot(re, im) < 1.0))
    outside = schur(jacobian, sort=lambda re, im: bool(np.hypot(re, im) > 1.0))
    return Manifolds(inside[1][:, : inside[2]].T, outside[1][:, : outside[2]].T)
