"""Phase portraits in one, two or three latents, and bifurcation diagrams."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from neurito.analysis.network import Network, to_network
from neurito.analysis.result import FixedPoints
from neurito.errors import NeuritoError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neurito.analysis.bifurcation import Bifurcations

MARKS = {  # marker, face: shape and fill tell types apart without colour
    "stable": ("o", "black"),
    "saddle": ("D", "white"),
    "unstable": ("o", "white"),
    "marginal": ("s", "0.6"),
    "boundary": ("X", "#D55E00"),
}
FLOW, NULLCLINES, DATA, SAMPLE, REGION = "0.55", ("#0072B2", "#D55E00"), "#009E73", "#CC79A7", "0.85"
STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "grid.color": "0.93",
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": 7,
}
MOST_REGIONS = 64  # kinks whose planes are drawn


def portrait(
    dynamics: object,
    points: FixedPoints | None = None,
    *,
    input: ArrayLike | None = None,
    data: Float[np.ndarray, "trial time latent"] | None = None,
    limits: Float[np.ndarray, "latent 2"] | None = None,
    trajectories: int = 8,
    steps: int = 200,
    seed: int = 0,
    title: str = "",
) -> "Figure":
    """The phase portrait of a map in one, two or three latents.

    One latent: F(z) - z against z.  Two: flow F(z) - z, nullclines F_j(z) = z_j, borders of the affine
    regions of small networks.  Three: trajectories and flow; nullclines are surfaces there and left out.

    Args:
        dynamics: a network, dynamics with `as_network(input)`, or a map of states (..., R).
        points: from `fixed_points`.
        input: constant external input.
        data: latent trajectories of the data, NaN where missing.
        limits: lowest and highest value of each axis; from the points and the data if not given.
        trajectories: how many sample trajectories to draw, from random starts.
        steps: their length in time steps.
        seed: for their starts.
        title: above the axes.

    Raises:
        NeuritoError: more than three latents, or nothing to take the number of latents from.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    network = to_network(dynamics, input)
    step: Any = network or dynamics
    R = network.rank if network else _latents(points, data, limits)
    if R > 3:
        raise NeuritoError(
            f"a phase portrait has one to three latents, the dynamics have {R}: project or plot pairs"
        )
    window = _window(network, points, data, R) if limits is None else np.asarray(limits, float)
    generator = np.random.default_rng(seed)
    starts = generator.uniform(window[:, 0], window[:, 1], (trajectories, R))
    paths = np.empty((trajectories, steps + 1, R))
    paths[:, 0] = starts
    for t in range(steps):
        paths[:, t + 1] = _apply(step, paths[:, t])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 5.2), layout="constrained")
        axes = figure.add_subplot(projection="3d" if R == 3 else None)
        draw = (_one, _two, _three)[R - 1]
        parts = draw(axes, step, network, window, paths)
        if data is not None:
            _lines(axes, data, DATA, 0.5, "data's latents")
            parts.append(f"{len(data)} latent trajectories inferred from data (green)")
        if points is not None:
            _points(axes, points, R)
            parts.append(f"{len(points)} fixed point{'s' * (len(points) != 1)} by type, {_claim(points)}")
        axes.set_title(title)
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside upper right", ncols=4)
        name = network.activation.replace("_", " ") + " network" if network else "map"
        text = f"Phase portrait of a {name} in {R} latent{'s' * (R > 1)} (arbitrary units, per time step): "
        figure.supxlabel(
            "\n".join(textwrap.wrap(text + "; ".join(parts) + ".", 95)), fontsize=7, x=0.02, ha="left"
        )
    return figure


def _claim(points: FixedPoints) -> str:
    if points.method == "numerical":
        return "from a search that may miss some"
    return "all there are (certified)" if points.complete else "of a search that is not complete"


def _latents(points: FixedPoints | None, data: np.ndarray | None, limits: np.ndarray | None) -> int:
    if points is not None:
        return int(points.points.shape[1])
    if data is not None:
        return int(data.shape[-1])
    if limits is not None:
        return len(limits)
    raise NeuritoError("limits is missing: a plain map needs points, data or limits to know its latents")


def _window(
    network: Network | None, points: FixedPoints | None, data: np.ndarray | None, R: int
) -> np.ndarray:
    """Room for the points and the data, or for the kinks of the network."""
    seen = [np.zeros((1, R))]
    if points is not None:
        seen.append(points.points)
    if data is not None:
        seen.append(data.reshape(-1, R)[np.isfinite(data.reshape(-1, R)).all(1)])
    if network is not None and sum(map(len, seen)) < 3 and network.units:
        length = np.linalg.norm(network.m, axis=1)
        reach = (
            np.median(np.abs(network.h - network.drive)[length > 0] / length[length > 0])
            if length.any()
            else 1.0
        )
        seen.append(np.array([[-reach] * R, [reach] * R]))
    low, high = np.concatenate(seen).min(0), np.concatenate(seen).max(0)
    room = np.maximum(0.2 * (high - low), 0.1 * max(float((high - low).max()), 1e-9))
    room = np.where(high - low > 0, room, 1.0) if not np.any(high > low) else room
    return np.stack([low - room, high + room], 1)


def _apply(step: Any, z: np.ndarray) -> np.ndarray:
    """F on many states, also where F takes one at a time (all but networks and maps with `batched` set)."""
    if isinstance(step, Network) or getattr(step, "batched", False):
        return step(z)
    flat = z.reshape(-1, z.shape[-1])
    return np.array([np.asarray(step(x), float) for x in flat]).reshape(z.shape)


def _lines(axes: "Axes", paths: np.ndarray, colour: str, alpha: float, label: str) -> None:
    for k, path in enumerate(paths):
        if path.shape[-1] == 1:  # one latent: each step's change against where it began
            axes.plot(
                path[:-1, 0],
                np.diff(path[:, 0]),
                ".",
                ms=2,
                color=colour,
                alpha=alpha,
                label=label if k == 0 else None,
            )
        else:
            axes.plot(*path.T, color=colour, alpha=alpha, lw=0.8, label=label if k == 0 else None)


def _one(
    axes: "Axes", step: Any, network: Network | None, window: np.ndarray, paths: np.ndarray
) -> list[str]:
    z = np.linspace(window[0, 0], window[0, 1], 1001)
    change = _apply(step, z[:, None])[:, 0] - z
    parts = [
        "change per step F(z) - z (blue), zero in the fixed points",
        "direction of the flow (grey arrows)",
    ]
    if _borders(network):
        for edge in _kinks(network):
            if window[0, 0] < edge < window[0, 1]:
                axes.axvline(edge, color=REGION, lw=0.6, zorder=0)
        parts.append("kinks of its units (grey lines)")
    axes.axhline(0.0, color=FLOW, lw=0.8)
    axes.plot(z, change, color=NULLCLINES[0], label="F(z) - z")
    at = slice(25, None, 50)
    axes.quiver(
        z[at], 0.0 * z[at], np.sign(change[at]), 0.0 * z[at], color=FLOW, width=0.004, scale=35, pivot="mid"
    )
    axes.set(xlabel="z (arbitrary units)", ylabel="F(z) - z (arbitrary units per step)", xlim=window[0])
    return parts


def _two(
    axes: "Axes", step: Any, network: Network | None, window: np.ndarray, paths: np.ndarray
) -> list[str]:
    x, y = (np.linspace(low, high, 121) for low, high in window)
    grid = np.stack(np.meshgrid(x, y), -1)
    flow = _apply(step, grid) - grid
    parts = [
        "flow F(z) - z (grey arrows)",
        "nullclines F(z) = z of the first (blue) and second latent (orange)",
    ]
    if _borders(network):
        _planes(axes, network, window)
        parts.append("borders of its affine regions (light grey)")
    axes.streamplot(x, y, flow[..., 0], flow[..., 1], color=FLOW, density=1.1, linewidth=0.5, arrowsize=0.7)
    for j, colour in enumerate(NULLCLINES):
        if flow[..., j].min() < 0.0 < flow[..., j].max():
            axes.contour(x, y, flow[..., j], [0.0], colors=[colour], linewidths=1.2)
            axes.plot([], [], color=colour, label=f"z{j + 1} nullcline")
    _lines(axes, paths, SAMPLE, 0.8, "sample trajectory")
    if len(paths):
        parts.append(f"{len(paths)} sample trajectories (pink)")
    axes.set(xlabel="z1 (arbitrary units)", ylabel="z2 (arbitrary units)", xlim=window[0], ylim=window[1])
    return parts


def _three(axes: Any, step: Any, network: Network | None, window: np.ndarray, paths: np.ndarray) -> list[str]:
    grid = np.stack(
        np.meshgrid(*(np.linspace(low, high, 6) for low, high in window), indexing="ij"), -1
    ).reshape(-1, 3)
    flow = _apply(step, grid) - grid
    speed = np.linalg.norm(flow, axis=1, keepdims=True)
    arrows = flow / np.maximum(speed, 1e-12) * (0.3 + 0.7 * speed / max(float(speed.max()), 1e-12))
    axes.quiver(*grid.T, *(0.1 * np.ptp(window, 1) * arrows).T, color=FLOW, lw=0.4, alpha=0.6)
    inside = np.all((paths >= window[:, 0]) & (paths <= window[:, 1]), axis=-1, keepdims=True)
    _lines(axes, np.where(inside, paths, np.nan), SAMPLE, 0.8, "sample trajectory")  # 3D axes clip nothing
    axes.set(
        **{f"{a}label": f"z{j + 1} (arbitrary units)" for j, a in enumerate("xyz")},
        **{f"{a}lim": window[j] for j, a in enumerate("xyz")},
    )
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color("white")
    shown = [f"{len(paths)} sample trajectories (pink)"] if len(paths) else []
    return ["direction of the flow F(z) - z (grey arrows)", *shown]


def _points(axes: "Axes", points: FixedPoints, R: int) -> None:
    names = np.array(points.stability)
    for name, (marker, face) in MARKS.items():
        z = points.points[names == name]
        if len(z):
            where = (z[:, 0], 0.0 * z[:, 0]) if R == 1 else tuple(z.T)
            axes.plot(*where, marker, mfc=face, mec="black", mew=0.8, ms=5, ls="", zorder=5, label=name)
    for piece in points.continua:
        if len(piece.points) > 1 and R > 1:
            axes.plot(*piece.points.T, color="black", lw=2.5, solid_capstyle="round", zorder=4)


def _borders(network: Network | None) -> bool:
    kinked = network is not None and network.activation in ("relu", "clipped_relu")
    return kinked and network is not None and network.units <= MOST_REGIONS


def _edges(network: Network | None) -> list[tuple[np.ndarray, float]]:
    """(row, offset) of every plane row z = offset on which a unit has a kink."""
    assert network is not None
    offsets = [network.h] if network.activation == "relu" else [-network.h, np.zeros(network.units)]
    return [
        (row, float(o - d)) for at in offsets for row, o, d in zip(network.m, at, network.drive, strict=True)
    ]


def _kinks(network: Network | None) -> list[float]:
    return [offset / float(row[0]) for row, offset in _edges(network) if row[0] != 0.0]


def _planes(axes: "Axes", network: Network | None, window: np.ndarray) -> None:
    for (a, b), offset in _edges(network):
        if abs(b) > abs(a):
            x = window[0]
            axes.plot(x, (offset - a * x) / b, color=REGION, lw=0.6, zorder=0)
        elif a != 0.0:
            y = window[1]
            axes.plot((offset - b * y) / a, y, color=REGION, lw=0.6, zorder=0)


def diagram(branches: "Bifurcations", latent: int = 0) -> "Figure":
    """One latent of every fixed point along the parameter.

    Args:
        branches: from `bifurcations`.
        latent: which one.

    Raises:
        NeuritoError: no such latent.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    R = branches.results[0].points.shape[1]
    if not 0 <= latent < R:
        raise NeuritoError(f"latent={latent}: there are {R}, counted from 0")
    data = branches.dataset()
    values, z, names = branches.values, data["z"].values[..., latent], data["stability"].values
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for style, which, label in (
            ("-", names == "stable", "stable"),
            ("--", names != "stable", "not stable"),
        ):
            shown = np.where(which, z, np.nan)
            axes.plot(values, shown, style, color=NULLCLINES[0], marker=".", ms=3)
            axes.plot([], [], style, color=NULLCLINES[0], label=label)
        for event in branches.events:
            axes.axvline(event.value, color=REGION, lw=0.8, zorder=0)
            where = event.points[:, latent]
            axes.plot(np.full(len(where), event.value), where, "x", color=NULLCLINES[1], ms=5, zorder=5)
        axes.plot([], [], "x", color=NULLCLINES[1], label="event")
        axes.set(xlabel=branches.name, ylabel=f"z{latent + 1} of fixed points (arbitrary units)")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3)
        found = ", ".join(f"{e.kind} at {e.value:.4g}" for e in branches.events) or "none"
        proof = (
            "certified"
            if branches.certified.all()
            else f"certified at {100 * branches.certified.mean():.0f} %"
        )
        text = (
            f"Fixed points along {branches.name} (arbitrary units), at {len(values)} values, {proof}: stable (solid) "
            f"and not (dashed). Events (crosses, located by bisection): {found}."
        )
        figure.supxlabel("\n".join(textwrap.wrap(text, 95)), fontsize=7, x=0.02, ha="left")
    return figure
