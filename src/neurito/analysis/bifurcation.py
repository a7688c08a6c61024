"""How fixed points move, appear, vanish and change their stability along one parameter."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from neurito.analysis.finder import fixed_points
from neurito.analysis.network import has_network, to_network
from neurito.analysis.result import FixedPoints
from neurito.errors import NeuritoError

if TYPE_CHECKING:
    import xarray as xr

Family = Callable[[float], object]


@dataclass(frozen=True, eq=False)
class Event:
    """A change between two neighbouring values of the parameter.

    Attributes:
        low, high: the values it lies between.
        kind: fold (two points appear or vanish), Hopf (a complex pair crosses the unit circle), flip (an eigenvalue
            crosses -1), pitchfork (one crosses +1), border (the eigenvalues jump where a kink is crossed), or change
            (of more than one point at a time).
        points: (point, R) where: the points that appear, vanish or change.
        before, after: number of fixed points at `low` and at `high`.
    """

    low: float
    high: float
    kind: str
    points: Float[np.ndarray, "point latent"]
    before: int
    after: int

    @property
    def value(self) -> float:
        """The middle of the bracket."""
        return 0.5 * (self.low + self.high)


@dataclass(frozen=True, eq=False)
class Bifurcations:
    """Branches of fixed points along a parameter.

    Attributes:
        name: of the parameter.
        values: (value,) ascending, those asked for and both sides of every event.
        results: the fixed points at each value.
        branch: per value, the branch of each of its points.
        events: in order.
        certified: (value,) whether the points there are all there are.
    """

    name: str
    values: Float[np.ndarray, " value"]
    results: tuple[FixedPoints, ...]
    branch: tuple[np.ndarray, ...]
    events: tuple[Event, ...]
    certified: Bool[np.ndarray, " value"]

    def dataset(self) -> "xr.Dataset":
        """z (value, branch, latent), leading eigenvalue, stability; NaN and "" where a branch does not exist."""
        import xarray as xr

        branches = 1 + max((int(b.max()) for b in self.branch if len(b)), default=-1)
        R = self.results[0].points.shape[1]
        shape = (len(self.values), branches)
        z, leading = np.full((*shape, R), np.nan), np.full(shape, np.nan)
        names = np.full(shape, "", dtype="<U10")
        for k, (result, branch) in enumerate(zip(self.results, self.branch, strict=True)):
            z[k, branch] = result.points
            leading[k, branch] = np.abs(result.eigenvalues).max(1, initial=0.0)
            names[k, branch] = result.stability
        return xr.Dataset(
            {
                "z": (("value", "branch", "latent"), z),
                "spectral_radius": (("value", "branch"), leading),
                "stability": (("value", "branch"), names),
                "certified": ("value", self.certified),
            },
            coords={"value": self.values, "latent": [f"z{j + 1}" for j in range(R)]},
            attrs={"parameter": self.name, "events": [f"{e.kind} at {e.value:.9g}" for e in self.events]},
        )


def along_input(dynamics: object, channel: int, input: ArrayLike) -> Family:
    """The family of maps in which one input channel takes the parameter's value.

    Args:
        dynamics: an object with `as_network(input)`.
        channel: which channel moves.
        input: the constant values of all channels; that of `channel` is replaced.

    Raises:
        NeuritoError: no such channel, or dynamics without `as_network`.
    """
    base = np.atleast_1d(np.asarray(input, float))
    if not has_network(dynamics):
        raise NeuritoError(
            f"dynamics is a {type(dynamics).__name__} without as_network(input): no input to move along"
        )
    if not 0 <= channel < len(base):
        raise NeuritoError(f"channel={channel}: there are {len(base)} input channels, counted from 0")
    return lambda value: dynamics.as_network(np.where(np.arange(len(base)) == channel, value, base))


def bifurcations(
    family: Family,
    values: Sequence[float] | Float[np.ndarray, " value"],
    *,
    name: str = "parameter",
    tolerance: float = 1e-6,
    **options: Any,
) -> Bifurcations:
    """Fixed points at every value, joined to branches, with folds and changes of stability located by bisection.

    Args:
        family: the map at a value of the parameter (see `along_input` for an input).
        values: where to look, ascending; changes that undo themselves between two values are not seen.
        name: of the parameter, for axes and attributes.
        tolerance: width of an event's bracket, relative to the range of values.
        options: for `fixed_points`.

    Raises:
        NeuritoError: fewer than two values, or values that do not ascend.
    """
    grid = np.asarray(values, float)
    if grid.ndim != 1 or len(grid) < 2 or not np.all(np.diff(grid) > 0):
        raise NeuritoError("values must be two or more ascending numbers")
    width = tolerance * float(np.ptp(grid))
    found: dict[float, tuple[Any, FixedPoints]] = {}

    def at(value: float) -> FixedPoints:
        if value not in found:
            dynamics = family(value)
            found[value] = (to_network(dynamics) or dynamics, fixed_points(dynamics, **options))
            if any(part.interrupted for part in found[value][1].search):
                raise KeyboardInterrupt
        return found[value][1]

    brackets: list[tuple[float, float]] = []

    def locate(low: float, high: float) -> None:
        if _signature(at(low)) == _signature(at(high)):
            return
        if high - low <= width:
            brackets.append((low, high))
            return
        middle = low + 0.4871 * (high - low)  # not a half: a round value may be the degenerate one itself
        locate(low, middle)
        locate(middle, high)

    kept = set(grid.tolist())
    for low, high in itertools.pairwise(grid.tolist()):
        at(low), at(high)
        locate(low, high)
    kept.update(x for bracket in brackets for x in bracket)
    order = sorted(kept)
    branch, count = [np.arange(len(at(order[0])))], len(at(order[0]))
    events: list[Event] = []
    for low, high in itertools.pairwise(order):
        matched = match(found[low][1], found[high][1], found[high][0])
        label = np.full(len(at(high)), -1)
        for i, j in matched:
            label[j] = branch[-1][i]
        fresh = np.flatnonzero(label < 0)
        label[fresh] = count + np.arange(len(fresh))
        count += len(fresh)
        branch.append(label)
        if (low, high) in brackets:
            events.append(_event(low, high, at(low), at(high), matched))
    results = tuple(at(value) for value in order)
    certified = np.array([result.complete for result in results])
    return Bifurcations(name, np.array(order), results, tuple(branch), tuple(events), certified)


def _signature(result: FixedPoints) -> tuple[str, ...]:
    return tuple(sorted(result.stability))


def match(before: FixedPoints, after: FixedPoints, step: Any) -> list[tuple[int, int]]:
    """Pairs (i, j) of points that continue each other.

    Each point is carried one Newton step along with the map, and pairs are then assigned so that the sum of distances
    is least; points of opposite index are not paired while others are there to be had.

    Args:
        before: fixed points at a value,
        after: at the next.
        step: the map at the second value.
    """
    from scipy.optimize import linear_sum_assignment

    if not len(before) or not len(after):
        return []
    R = before.points.shape[1]
    image = np.array([step(z) for z in before.points]).reshape(-1, R)
    shift = np.linalg.pinv(before.jacobians - np.eye(R), rcond=1e-6) @ (image - before.points)[..., None]
    moved = before.points - shift[..., 0]
    plain = np.linalg.norm(before.points[:, None] - after.points[None], axis=-1)
    distance = np.minimum(np.linalg.norm(moved[:, None] - after.points[None], axis=-1), plain)
    far = 10.0 * (1.0 + float(distance.max()))
    apart = np.array([[a != b for b in after.index] for a in before.index])
    rows, columns = linear_sum_assignment(distance + far * apart)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if not apart[i, j]]


def _event(
    low: float, high: float, before: FixedPoints, after: FixedPoints, matched: list[tuple[int, int]]
) -> Event:
    lost = [i for i in range(len(before)) if i not in {i for i, _ in matched}]
    new = [j for j in range(len(after)) if j not in {j for _, j in matched}]
    names = before.stability, after.stability
    changed = [(i, j) for i, j in matched if names[0][i] != names[1][j]]
    where = np.concatenate([before.points[lost], after.points[new], before.points[[i for i, _ in changed]]])
    one_side = not lost or not new
    if len(lost) + len(new) == 2 and not changed and one_side:
        more, pair = (after, new) if new else (before, lost)
        kind = "pitchfork" if _third(more, pair) else "fold"
    elif len(changed) == 1 and len(lost) + len(new) in (0, 2) and one_side:
        kind = _crossing(before.eigenvalues[changed[0][0]], after.eigenvalues[changed[0][1]])
    else:
        kind = "change"
    return Event(low, high, kind, where, len(before), len(after))


def _third(result: FixedPoints, pair: list[int]) -> bool:
    """Is there a third point as close to the two as they are to each other?"""
    a, b = result.points[pair]
    others = np.delete(result.points, pair, 0)
    return bool(np.any(np.linalg.norm(others - 0.5 * (a + b), axis=1) <= 2.0 * np.linalg.norm(a - b)))


def _crossing(before: np.ndarray, after: np.ndarray) -> str:
    """Which eigenvalue crossed the unit circle, if it did so continuously."""
    cost = np.abs(before[:, None] - after[None])
    j = cost.argmin(1)
    crossing = np.flatnonzero((np.abs(before) - 1.0) * (np.abs(after[j]) - 1.0) <= 0.0)
    if not len(crossing) or cost[crossing, j[crossing]].max() > 1e-2:
        return "border"
    value = before[crossing[0]]
    if abs(value.imag) > 1e-4:
        return "Hopf"
    return "pitchfork" if value.real > 0.0 else "flip"
