"""Latents of several runs in common coordinates, so that their samples, seeds and sizes can be compared.

A latent process is known only up to what its decoder can undo: a rotation, or any linear map, in general; of coupled
oscillators, which one is the first, where in its cycle each is said to begin, and which way it is said to turn.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from neurito.errors import NeuritoError, nearest

Method = Literal["procrustes", "linear"]


@dataclass(frozen=True, eq=False)
class Alignment:
    """z A + b, the coordinates of a reference.

    Attributes:
        matrix: A.
        offset: b.
        r2: share of the reference's variance that z A + b explains, summed over latents.
    """

    matrix: Float[np.ndarray, "latent aligned"]
    offset: Float[np.ndarray, " aligned"]
    r2: float

    def __call__(self, z: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... aligned"]:
        """Latents in the reference's coordinates."""
        return z @ self.matrix + self.offset


def align(
    z: Float[np.ndarray, "*bins latent"],
    reference: Float[np.ndarray, "*bins aligned"],
    method: str = "linear",
) -> Alignment:
    """The map that brings latents nearest to a reference, in least squares over all bins that both have.

    Args:
        z: latents of the same bins as the reference; NaN where there are none.
        reference: where they should come to lie.
        method: procrustes: A = s Q with Q orthogonal, which keeps angles; linear: any A.

    Raises:
        NeuritoError: different bins, too few of them, or different numbers of latents to be rotated.

    Source:
        Schönemann 1966 (orthogonal Procrustes problem).
    """
    if method not in get_args(Method):
        raise NeuritoError(f"method={method!r} is unknown: {nearest(method, get_args(Method))}")
    x, y = _common(z, reference)
    if method == "procrustes" and x.shape[1] != y.shape[1]:
        raise NeuritoError(f"{x.shape[1]} latents cannot be rotated into {y.shape[1]}: take method='linear'")
    if len(x) <= x.shape[1]:
        raise NeuritoError(f"{len(x)} bins are too few to align {x.shape[1]} latents: give more trials")
    x0, y0 = x - x.mean(0), y - y.mean(0)
    if method == "linear":
        A: np.ndarray = np.linalg.lstsq(x0, y0, rcond=None)[0]
    else:
        U, size, Vt = np.linalg.svd(x0.T @ y0)
        A = size.sum() / max(float((x0**2).sum()), 1e-300) * (U @ Vt)
    missed = float(((y0 - x0 @ A) ** 2).sum()) / max(float((y0**2).sum()), 1e-300)
    return Alignment(A, y.mean(0) - x.mean(0) @ A, 1.0 - missed)


@dataclass(frozen=True, eq=False)
class Match:
    """Which oscillator of a run is which of a reference, and how their cycles are turned against each other.

    Attributes:
        order: the run's oscillator for each one of the reference.
        sign: +1 or -1 for each one of the reference: -1 where its cycle begins half a turn away.
        turn: by how much all cycles are turned back besides, radians, in (-pi/2, pi/2].
        correlation: of each oscillator with its match, after turning: 1 where they are the same but for size.
    """

    order: Int[np.ndarray, " unit"]
    sign: Float[np.ndarray, " unit"]
    turn: float
    correlation: Float[np.ndarray, " unit"]

    def states(self, z: Float[np.ndarray, "... dim"]) -> Float[np.ndarray, "... dim"]:
        """States (x_1 ... x_N, y_1 ... y_N) in the reference's order, signs and phase."""
        c = (self.sign * np.exp(-1j * self.turn)) * _complex(z)[..., self.order]
        return np.concatenate([c.real, c.imag], -1)

    def each(self, values: Float[np.ndarray, "... unit"]) -> Float[np.ndarray, "... unit"]:
        """One number per oscillator, in the reference's order."""
        return values[..., self.order]

    def coupling(self, K: Float[np.ndarray, "... unit unit"]) -> Float[np.ndarray, "... unit unit"]:
        """A coupling matrix: rows and columns in the reference's order, signs turned with the cycles'."""
        found: np.ndarray = np.outer(self.sign, self.sign) * K[..., self.order, :][..., self.order]
        return found


def match(
    z: Float[np.ndarray, "*bins dim"], reference: Float[np.ndarray, "*bins dim"], turned: bool = True
) -> Match:
    """Pairs the oscillators of two runs by their correlation in time, the sum of which is the largest possible.

    Turning the cycles of all oscillators by one angle, or those of some by half a turn, changes no equation of phase
    oscillators or normal forms but the signs of K; each oscillator is therefore given the nearer of these two phases.

    Args:
        z: states (x_1 ... x_N, y_1 ... y_N) of the same bins as the reference; NaN where there are none.
        reference: likewise.
        turned: whether cycles may be turned; else, as for harmonic oscillators, only signs may differ.

    Raises:
        NeuritoError: different bins, or different numbers of oscillators.
    """
    from scipy.optimize import linear_sum_assignment

    x, y = _common(z, reference)
    if x.shape[1] != y.shape[1] or x.shape[1] % 2:
        raise NeuritoError(
            f"{x.shape[1]} and {y.shape[1]} states are not pairs of equally many oscillators: compare runs of one model"
        )
    a, b = _standard(_complex(x)), _standard(_complex(y))
    r = b.conj().T @ a  # (reference, run)
    _, order = linear_sum_assignment(-np.abs(r if turned else r.real))
    r = r[np.arange(len(order)), order]
    turn = 0.5 * float(np.angle((r**2).sum())) if turned else 0.0
    real = (r * np.exp(-1j * turn)).real
    return Match(order, np.where(real < 0.0, -1.0, 1.0), turn, np.abs(real))


def _complex(z: np.ndarray) -> np.ndarray:
    x, y = np.split(z, 2, -1)
    found: np.ndarray = x + 1j * y
    return found


def _standard(c: np.ndarray) -> np.ndarray:
    """Each column without its mean and of length one."""
    c = c - c.mean(0)
    length = np.sqrt((np.abs(c) ** 2).sum(0))
    found: np.ndarray = c / np.maximum(length, 1e-300)
    return found


def _common(z: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bins that both have, in double precision."""
    if z.shape[:-1] != reference.shape[:-1]:
        raise NeuritoError(
            f"latents of shape {z.shape} and {reference.shape} are not of the same bins: infer both on the same trials"
        )
    x, y = z.reshape(-1, z.shape[-1]), reference.reshape(-1, reference.shape[-1])
    both = np.isfinite(x).all(1) & np.isfinite(y).all(1)
    return x[both].astype(np.float64), y[both].astype(np.float64)
