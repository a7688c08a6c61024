"""Every pattern of activity of a small network, one after the other: slow, simple, and hard to get wrong.

In each pattern the map is affine, so it has one fixed point, or none, or a polytope of them.  2^N patterns for a
relu network, 3^N for a clipped one: an oracle for tests, not a method.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from neurito.analysis.network import Network
from neurito.errors import NeuritoError

MOST = 600_000


@dataclass(frozen=True, eq=False)
class Patterns:
    """What the patterns hold.

    Attributes:
        points: (point, R) isolated fixed points, each once.
        continua: per pattern with more than a point: (point, R) some of its extreme fixed points.
    """

    points: Float[np.ndarray, "point latent"]
    continua: list[Float[np.ndarray, "extreme latent"]]


def enumerate_patterns(network: Network, tolerance: float = 1e-9) -> Patterns:
    """All fixed points of a small piecewise-linear network.

    Args:
        network: relu, clipped relu or identity.
        tolerance: how far outside its pattern a solution may lie, relative to the sizes involved.

    Raises:
        NeuritoError: tanh, or more patterns than can be listed.
    """
    slope, offset, low, high = _pieces(network)
    count, N, R = len(slope), network.units, network.rank
    if float(count) ** N > MOST:
        raise NeuritoError(f"{count}^{N} patterns are too many to list: use fixed_points(network) instead")
    codes = np.indices((count,) * N, dtype=np.int8).reshape(N, -1).T if N else np.zeros((1, 0), np.int8)
    eye = np.eye(R)
    total = float((np.abs(network.leak - 1.0) + np.abs(network.n) @ np.abs(network.m).sum(1)).max())
    points: list[np.ndarray] = []
    singular: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for chunk in np.array_split(codes, max(len(codes) // 4096, 1)):
        on = np.take_along_axis(slope, chunk, 0) if N else np.zeros((1, 0))
        push = np.take_along_axis(offset, chunk, 0) if N else on
        A = np.diag(network.leak) - eye + np.einsum("ri,pi,is->prs", network.n, on, network.m, optimize=True)
        b = network.constant + (push + on * network.drive) @ network.n.T
        size = np.linalg.svd(A, compute_uv=False)
        regular = size[:, -1] > 1e-11 * total
        z = np.linalg.solve(A[regular], -b[regular, :, None])[..., 0]
        x = z @ network.m.T + network.drive
        slack = tolerance * (1.0 + np.abs(x))
        fits = _inside(x, chunk[regular], low, high, slack) if N else np.ones(len(z), bool)
        points.append(z[fits])
        singular.extend(zip(chunk[~regular], A[~regular], b[~regular], strict=True))
    isolated = np.concatenate(points)
    continua, cells = [], []
    for code, A, b in singular:
        found = _polytope(network, code, A, b, low, high, total)
        if found is None:
            continue
        if np.ptp(found, 0).max() > 1e-6:
            continua.append(found)
            cells.append((code, A, b))
        else:
            isolated = np.vstack([isolated, found.mean(0)])
    keep = np.ones(len(isolated), bool)
    for code, A, b in cells:
        x = isolated @ network.m.T + network.drive
        on_plane = np.abs(isolated @ A.T + b).max(1) <= 1e-7 * (1.0 + np.abs(isolated).max(1))
        keep &= ~(on_plane & _inside(x, np.tile(code, (len(x), 1)), low, high, 1e-7 * (1.0 + np.abs(x))))
    isolated = isolated[keep]
    unique: list[np.ndarray] = []
    for z in isolated[np.lexsort(np.round(isolated, 6).T)]:
        if not any(np.abs(z - other).max() <= 1e-7 * (1.0 + np.abs(z).max()) for other in unique):
            unique.append(z)
    return Patterns(np.array(unique).reshape(-1, R), continua)


def _pieces(network: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per pattern and unit: phi = slope x + offset for low <= x <= high."""
    h, N = network.h, network.units
    zero, one, far = np.zeros(N), np.ones(N), np.full(N, np.inf)
    match network.activation:
        case "identity":
            return one[None], -h[None], -far[None], far[None]
        case "relu":
            return np.stack([zero, one]), np.stack([zero, -h]), np.stack([-far, h]), np.stack([h, far])
        case "clipped_relu":  # 0 below both kinks, h above both, in between +-(x - lower kink)
            first, last = np.minimum(-h, 0.0), np.maximum(-h, 0.0)
            middle = np.sign(h)
            return (
                np.stack([zero, middle, zero]),
                np.stack([zero, -middle * first, h]),
                np.stack([-far, first, last]),
                np.stack([first, last, far]),
            )
    raise NeuritoError("tanh networks have no patterns: use fixed_points(network)")


def _inside(
    x: np.ndarray,
    codes: Int[np.ndarray, "pattern unit"],
    low: np.ndarray,
    high: np.ndarray,
    slack: np.ndarray,
) -> np.ndarray:
    below, above = np.take_along_axis(low, codes, 0), np.take_along_axis(high, codes, 0)
    return np.all((x >= below - slack) & (x <= above + slack), axis=1)


def _polytope(
    network: Network,
    code: np.ndarray,
    A: np.ndarray,
    b: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    total: float,
) -> np.ndarray | None:
    """Extreme points of {z in the pattern: A z + b = 0, |z| <= 1e3}; None if there are none."""
    from scipy.optimize import linprog

    U, size, Vt = np.linalg.svd(A)
    rank = int((size > 1e-11 * total).sum())
    start = -Vt[:rank].T @ ((U.T @ b)[:rank] / size[:rank])
    if np.abs(A @ start + b).max() > 1e-9 * (1.0 + np.abs(b).max()):
        return None
    N = Vt[rank:]
    x = network.m @ start + network.drive
    rows, bound = [], []
    for edge, sign in (
        (np.choose(code, low) if len(code) else x, -1.0),
        (np.choose(code, high) if len(code) else x, 1.0),
    ):
        finite = np.isfinite(edge)
        rows.append(sign * (network.m @ N.T)[finite])
        bound.append(sign * (edge - x)[finite] + 1e-10)
    ends = []
    for axis in np.eye(len(N)):
        for sign in (1.0, -1.0):
            answer = linprog(
                sign * axis, np.vstack(rows) if len(code) else None, np.concatenate(bound) if len(code) else None,
                bounds=(-1e3, 1e3), method="highs",
            )  # fmt: skip
            if answer.status != 0:
                return None
            ends.append(start + answer.x @ N)
    return np.array(ends)
