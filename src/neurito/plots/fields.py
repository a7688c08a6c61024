"""Where fitted dynamics lead: flow fields with fixed points, and potential landscapes."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neurito.analysis import FixedPoints
from neurito.analysis.fitted import is_network, map_of, network_of
from neurito.analysis.portraits import portrait
from neurito.core.dynamics import Langevin, ReleasedLangevin
from neurito.core.parameters import resolve
from neurito.errors import NeuritoError
from neurito.models.fitted import Fitted, HasFitted, fitted_of
from neurito.plots.style import DATA, MODEL, STYLE, caption, panels


def flow(
    model: Fitted | HasFitted,
    posterior: Any = None,
    *,
    points: FixedPoints | None = None,
    input: ArrayLike | None = None,
    most: int = 30,
) -> Figure:
    """The phase portrait of fitted dynamics, with the latents of the data and fixed points.

    Of more than three latents the plane of the two first principal components of the data is drawn, with the other
    directions at their mean: what flows out of that plane is not seen.

    Args:
        model: a run or its fitted model.
        posterior: what `neurito.infer` gave; needed for more than three latents.
        points: from `fixed_points(network_of(run.fitted.model.dynamics))` of neurito.analysis; drawn for up to three
            latents.
        input: a constant input, one number per channel; None = none.
        most: trajectories of the data that are drawn.

    Raises:
        NeuritoError: more than three latents and no posterior, or the model is a baseline.
    """
    fitted = fitted_of(model)
    dynamics, width = resolve(fitted.model.dynamics), fitted.layout.bin_width
    count = len(fitted.layout.inputs)
    u = np.zeros(count) if input is None and count else input
    data = None if posterior is None else posterior.latent_mean.values[:most]
    step: Any = network_of(dynamics, u) if is_network(dynamics) else map_of(dynamics, width, u)
    if dynamics.latent_dim <= 3:
        limits = (
            None
            if data is not None or is_network(dynamics) or points is not None
            else np.tile([-2.0, 2.0], (dynamics.latent_dim, 1))
        )
        return portrait(step, points, data=data, limits=limits, title=fitted.specification.name)
    if data is None:
        raise NeuritoError(
            f"posterior is missing: {dynamics.latent_dim} latents are drawn in the plane in which the data vary most"
        )
    centre, basis = _plane(data)
    seen = (data - centre) @ basis

    def inside(z: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        return (np.asarray(step(centre + z @ basis.T)) - centre) @ basis

    inside.batched = True  # type: ignore[attr-defined]
    title = (
        f"{fitted.specification.name}: z1 and z2 are principal components of {dynamics.latent_dim} latents"
    )
    return portrait(inside, data=seen, title=title)


def _plane(
    data: Float[np.ndarray, "trial time latent"],
) -> tuple[Float[np.ndarray, " latent"], Float[np.ndarray, "latent 2"]]:
    there = data[np.isfinite(data).all(-1)].astype(np.float64)
    centre: np.ndarray = there.mean(0)
    return centre, np.linalg.svd(there - centre, full_matrices=False)[2][:2].T


class Landscape(NamedTuple):
    """The potential of Langevin dynamics around the data, along one or two positions."""

    axes: tuple[int, ...]
    """the positions, counted from 0"""
    sides: tuple[Float[np.ndarray, " point"], ...]
    """points along each of them"""
    energy: Float[np.ndarray, "..."]
    """(point,), or (point of the second position, point of the first): U / T above the lowest of them"""
    positions: Float[np.ndarray, "trial time position"]
    """of the data, all of them"""
    temperature: float


def landscape(
    model: Fitted | HasFitted, posterior: Any, *, axes: tuple[int, int] = (0, 1), points: int = 121
) -> Landscape:
    """The potential of Langevin dynamics in units of the temperature, where the data are.

    Args:
        model: a run or its fitted model.
        posterior: what `neurito.infer` gave; the other positions rest at their mean.
        axes: which positions; the first of them alone where there is only one.
        points: along each position.

    Raises:
        NeuritoError: the dynamics have no potential, or no such positions.
    """
    fitted = fitted_of(model)
    dynamics = resolve(fitted.model.dynamics)
    if not isinstance(dynamics, Langevin | ReleasedLangevin):
        raise NeuritoError(
            f"{fitted.specification.name} has no potential: only Langevin dynamics have; see neurito.plots.flow"
        )
    dim = dynamics.noise_dim
    chosen = list(axes[: min(dim, 2)])
    if not all(0 <= i < dim for i in chosen):
        raise NeuritoError(f"axes={axes}: there are {dim} positions, counted from 0")
    z = posterior.latent_mean.values[..., :dim].astype(np.float64)
    there = z[np.isfinite(z).all(-1)]
    low, high = there[:, chosen].min(0), there[:, chosen].max(0)
    room = 0.3 * (high - low) + 1e-6
    sides = tuple(np.linspace(a - r, b + r, points) for a, b, r in zip(low, high, room, strict=True))
    grid = np.stack(np.meshgrid(*sides, indexing="xy"), -1)
    at = np.broadcast_to(there.mean(0), (*grid.shape[:-1], dim)).copy()
    at[..., chosen] = grid
    T = float(dynamics.temperature.value) if isinstance(dynamics, Langevin) else 1.0
    U = np.asarray(dynamics.potential.energy(jnp.asarray(at)), np.float64) / T
    return Landscape(tuple(chosen), sides, U - U.min(), z, T)


def potential(
    model: Fitted | HasFitted, posterior: Any, *, axes: tuple[int, int] = (0, 1), most: int = 30
) -> Figure:
    """The potential of Langevin dynamics in units of the temperature, with the positions of the data.

    Args:
        model: a run or its fitted model.
        posterior: what `neurito.infer` gave; the other positions rest at their mean.
        axes: which positions to draw.
        most: trajectories of the data that are drawn.

    Raises:
        NeuritoError: the dynamics have no potential, or no such positions.
    """
    found = landscape(model, posterior, axes=axes)
    z, sides, U, dim = found.positions[:most], found.sides, found.energy, found.positions.shape[2]
    with mpl.rc_context(STYLE):
        figure, axis = panels(4.6, 3.8, 1, 1)
        if len(sides) == 1:
            there = z[np.isfinite(z).all(-1)]
            axis.plot(sides[0], U, color=MODEL)
            axis.plot(there[:, 0], np.interp(there[:, 0], sides[0], U), ".", ms=1.5, color=DATA)
            axis.set(xlabel="position 1 (arbitrary units)", ylabel="U / T (above the lowest)")
        else:
            levels = np.unique(np.quantile(U, np.linspace(0, 1, 16)))
            levels = levels if len(levels) > 1 else np.array([U.min(), U.min() + 1])
            drawn = axis.contourf(*sides, U, levels, cmap="cividis")
            figure.colorbar(drawn, ax=axis, label="U / T (above the lowest drawn)", format="%.2g")
            for path in z[:, :, found.axes]:
                axis.plot(*path.T, color="white", lw=0.5, alpha=0.7)
            labels = (f"position {i + 1} (arbitrary units)" for i in found.axes)
            axis.set(**{f"{a}label": label for a, label in zip("xy", labels, strict=True)})
        axis.set_title(fitted_of(model).specification.name)
        others = f"; the other {dim - len(sides)} positions at their mean" if dim > len(sides) else ""
        caption(
            figure,
            f"Potential in units of the temperature T ({found.temperature:.3g}), and positions of {len(z)} trials "
            f"({'white' if len(sides) > 1 else 'grey'}){others}. Without other forces the "
            "density of states goes as exp(-U / T).",
        )
        return figure
