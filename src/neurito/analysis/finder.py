"""`fixed_points` and `cycles`: what a user calls."""

import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from neurito.analysis.network import Network, to_network
from neurito.analysis.numerical import descend, differences
from neurito.analysis.result import Continuum, FixedPoints, fingerprint
from neurito.analysis.search import Limits, Progress
from neurito.errors import NeuritoError, NeuritoWarning, nearest

if TYPE_CHECKING:
    from neurito.analysis.periodic import Orbits

METHODS = ("auto", "certified", "numerical")
FEASIBLE = {"relu": 6, "clipped_relu": 6, "tanh": 4, "identity": 64}  # ranks that end within minutes


def fixed_points(
    dynamics: object,
    input: ArrayLike | None = None,
    *,
    method: str = "auto",
    max_boxes: float | int | None = None,
    max_seconds: float | int | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | bool = False,
    resume: FixedPoints | None = None,
    basis: Literal["model", "orthonormal"] = "model",
    starts: np.ndarray | int = 256,
    scale: float = 1.0,
    dim: int | None = None,
    seed: int = 0,
) -> FixedPoints:
    """All fixed points of a network, with a proof that none is missing; or those a search finds.

    Relu, clipped relu, tanh and identity networks of low rank are searched by branch and bound over boxes of latent
    space, which ends with a certificate; relu networks in all of space.  Other maps, and ranks out of reach, are
    searched by Levenberg-Marquardt from many starts, which proves nothing.

    Args:
        dynamics: a `Network`, a model's dynamics (anything with `as_network(input)`), or a map z -> z of arrays (R,).
        input: constant external input, one number per input channel, in the recording's units.
        method: "certified", "numerical", or "auto": the first where it is feasible.
        max_boxes: stop after about so many boxes (a million take some seconds).
        max_seconds: stop after about so long.
        workers: threads; all cores if not given.
        progress: True for a line that is written anew, or a function that gets a `Progress`.
        resume: an unfinished result for the same network, to go on with.
        basis: "orthonormal" gives latents in which the columns of m are orthonormal.
        starts: for the numerical search: states (start, R), or how many to draw.
        scale: standard deviation of drawn starts, in latent units.
        dim: R, where dynamics is a plain map and `starts` a number.
        seed: for drawn starts.

    Returns:
        The points with eigenvalues, types and certificates; what is not an isolated point is listed apart.

    Raises:
        NeuritoError: weights that are not finite, no latents, a certificate asked for where there is none to be had.

    Source:
        Pals et al., "Inferring stochastic low-rank recurrent neural networks from neural data", NeurIPS 2024
        (fixed points of low-rank networks); Krawczyk 1969, Neumaier, "Interval Methods for Systems of Equations".
    """
    if method not in METHODS:
        raise NeuritoError(f"method={method!r} is unknown: {nearest(method, METHODS)}")
    network = to_network(dynamics, input)
    if network is None and not callable(dynamics):
        raise NeuritoError(
            f"dynamics is a {type(dynamics).__name__}: give a Network, dynamics with as_network(), or a map z -> z"
        )
    if network is None and method == "certified":
        raise NeuritoError(
            "method='certified' needs a network (relu, clipped relu, tanh, identity): use 'numerical'"
        )
    capped = max_boxes is not None or max_seconds is not None
    if network is not None and method != "numerical":
        limit = FEASIBLE[network.activation]
        if network.rank <= limit or capped:
            result = _certified(network, _limits(max_boxes, max_seconds, workers, progress), resume)
            return result if basis == "model" else result.in_basis(orthonormal_basis(network))
        advice = (
            f"a certificate for rank {network.rank} would take {_cost(network)}; ranks up to {limit} are feasible: set "
            "a limit of seconds for what can be had in that time, or take method 'numerical', a search without proof"
        )
        if method == "certified":
            raise NeuritoError(advice)
        warnings.warn(f"searching numerically: {advice}", NeuritoWarning, stacklevel=2)
    result = _numerical(network or dynamics, starts, scale, dim, seed)
    return result if basis == "model" or network is None else result.in_basis(orthonormal_basis(network))


def cycles(
    dynamics: object,
    period: int,
    input: ArrayLike | None = None,
    *,
    max_boxes: float | int | None = None,
    max_seconds: float | int | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | bool = False,
) -> "Orbits":
    """All cycles of `period` steps of a network, with a proof that none is missing.

    Args:
        dynamics: a `Network`, or a model's dynamics (anything with `as_network(input)`).
        period: 2 or more.
        input: constant external input, one number per input channel, in the recording's units.
        max_boxes: stop after about so many boxes.
        max_seconds: stop after about so long.
        workers: threads; all cores if not given.
        progress: True for a line that is written anew, or a function that gets a `Progress`.

    Raises:
        NeuritoError: a period below 2, or dynamics that are no network.
    """
    from neurito.analysis.periodic import cycles_of

    network = to_network(dynamics, input)
    if network is None:
        raise NeuritoError(
            f"dynamics is a {type(dynamics).__name__}: cycles are found for networks only; search F^k"
        )
    return cycles_of(network, period, _limits(max_boxes, max_seconds, workers, progress))


def _limits(
    max_boxes: float | int | None,
    max_seconds: float | int | None,
    workers: int | None,
    progress: Callable[[Progress], None] | bool,
) -> Limits:
    return Limits(
        boxes=np.inf if max_boxes is None else max_boxes,
        seconds=np.inf if max_seconds is None else max_seconds,
        workers=workers,
        report=_line if progress is True else (progress or None),
    )


def orthonormal_basis(network: Network) -> Float[np.ndarray, "latent latent"]:
    """T for z' = T z with m z = m' z', m' orthonormal: latents as orthonormal coordinates of the units' currents.

    Raises:
        NeuritoError: columns of m that are linearly dependent.
    """
    _, size, Vt = np.linalg.svd(network.m, full_matrices=False)
    if len(size) < network.rank or size[-1] <= 1e-12 * size[0]:
        raise NeuritoError(
            f"m has rank {int((size > 1e-12 * size[0]).sum())}, not {network.rank}: no orthonormal basis"
        )
    T: np.ndarray = size[:, None] * Vt
    return T


def _cost(network: Network) -> str:
    """In words, how long a certificate takes: about ten times longer per rank, and in proportion to N."""
    base = 0.5 if network.activation == "tanh" else 0.02  # seconds for 512 units in three latents
    seconds = base * network.units / 512 * 10.0 ** (network.rank - 3)
    for name, size in (("years", 3.15e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds > 2 * size:
            return f"about {seconds / size:.2g} {name}"
    return f"about {seconds:.2g} seconds"


def _line(progress: Progress) -> None:
    text = (
        f"{100 * progress.share:5.1f} % of the volume, {progress.boxes} boxes, {progress.rate:.0f} per second"
    )
    print(f"\r{text}", end="" if progress.share < 1.0 else "\n", flush=True)


def _certified(network: Network, limits: Limits, resume: FixedPoints | None) -> FixedPoints:
    from neurito.analysis.exact import CERTIFICATES, UNKNOWN_INDEX, solve

    if resume is not None and (resume.fingerprint != fingerprint(network) or not resume.search):
        raise NeuritoError(
            "resume=... belongs to another network, or was not a certified search: start without it"
        )
    begin = time.perf_counter()
    zeros, found = solve(network, limits, resume.search if resume else None)
    waiting = sum(len(f.open) for f in found)
    notes = list(zeros.notes)
    if waiting:
        how = "interrupted" if any(f.interrupted for f in found) else "stopped at its limit"
        notes.append(f"the search was {how}: {waiting} boxes are open; it can be resumed")
    index = [None if i == UNKNOWN_INDEX else i for i in zeros.index.tolist()]
    complete = not waiting and not len(zeros.unresolved) and not zeros.notes
    eye = np.eye(network.rank)
    bounded = network.activation in ("clipped_relu", "tanh")
    if complete and bounded and not zeros.continua and None not in index and sum(i or 0 for i in index) != 1:
        complete = False
        notes.append(
            "the indices do not add up to 1: a fixed point is missing or a boundary point is misjudged"
        )
    return FixedPoints(
        method="certified",
        complete=complete,
        points=zeros.z,
        jacobians=zeros.slopes + eye,
        residual=np.abs(network(zeros.z) - zeros.z).max(1, initial=0.0),
        on_boundary=zeros.on_boundary,
        adjacent={k: pieces + eye for k, pieces in zeros.adjacent.items()},
        truncated=tuple(np.flatnonzero(zeros.truncated).tolist()),
        index=tuple(index),
        certificate=tuple(CERTIFICATES[k] for k in zeros.certificate.tolist()),
        continua=tuple(Continuum(*c) for c in zeros.continua),
        infinity=zeros.infinity,
        unresolved=zeros.unresolved,
        index_expected=1 if bounded else None,
        boxes=sum(f.boxes for f in found),
        solves=sum(f.solves for f in found),
        seconds=time.perf_counter() - begin,
        notes=tuple(notes),
        search=tuple(found),
        fingerprint=fingerprint(network) if waiting else "",
    )


def _numerical(
    dynamics: Any, starts: np.ndarray | int, scale: float, dim: int | None, seed: int
) -> FixedPoints:
    begin = time.perf_counter()
    network = dynamics if isinstance(dynamics, Network) else None
    if isinstance(starts, int | np.integer):
        R = network.rank if network else dim
        if R is None:
            raise NeuritoError(
                "dim is missing: give the number of latents, or `starts` as an array (start, latent)"
            )
        starts = scale * np.random.default_rng(seed).standard_normal((int(starts), R))
    starts = np.asarray(starts, float)
    if starts.ndim != 2 or not len(starts) or not np.isfinite(starts).all():
        raise NeuritoError(
            f"starts has shape {starts.shape}: give finite states as (start, latent), at least one"
        )
    found = descend(dynamics, starts, network.jacobian if network else None)
    fixed = found.z[found.fixed]
    R = starts.shape[1]
    slopes = [network.jacobian(z) if network else differences(dynamics, z) for z in fixed]
    jacobians = np.array(slopes).reshape(-1, R, R)
    return FixedPoints(
        method="numerical",
        complete=False,
        points=fixed,
        jacobians=jacobians,
        residual=np.array([np.abs(np.asarray(dynamics(z)) - z).max() for z in fixed]).reshape(-1),
        on_boundary=np.zeros(len(fixed), bool),
        index=tuple(int(s) for s in np.sign(np.linalg.det(np.eye(R) - jacobians))) if len(fixed) else (),
        certificate=("none",) * len(fixed),
        hits=found.hits[found.fixed],
        slow=found.z[~found.fixed],
        solves=found.solves,
        seconds=time.perf_counter() - begin,
        notes=(f"numerical search from {len(starts)} starts: not exhaustive",),
    )
