"""Oscillators in fitted dynamics: their frequencies, and who drives whom."""

from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from neurito.analysis.oscillation import oscillation, oscillators_in
from neurito.core.drifts import HarmonicOscillators
from neurito.core.dynamics import Langevin, Linear
from neurito.core.dynamics.potentials import Oscillators as Springs
from neurito.errors import NeuritoError
from neurito.models.fitted import Fitted, HasFitted, fitted_of
from neurito.plots.style import MODEL, STYLE, TRUTH, caption, panels

SIGNED = 16
"""Most oscillators whose couplings are written into the matrix."""

SQUARED = "per squared second"
"""The unit of couplings that accelerate."""


class Rhythms(NamedTuple):
    """What oscillates in fitted dynamics."""

    frequency: Float[np.ndarray, " oscillator"]
    """Hz"""
    growth: Float[np.ndarray, " oscillator"]
    """1/s; sigma of Hopf oscillators (> 0: a limit cycle), elsewhere minus the decay rate"""
    coupling: Float[np.ndarray, "oscillator oscillator"] | None
    """from column to row"""
    unit: str
    """of the coupling"""


def rhythms(model: Fitted | HasFitted) -> Rhythms:
    """Frequencies, growth and coupling of fitted oscillators.

    Of coupled oscillators and springs, those of each oscillator alone; of linear dynamics, those of their modes.

    Args:
        model: a run or its fitted model.

    Raises:
        NeuritoError: nothing in these dynamics is an oscillator.
    """
    fitted = fitted_of(model)
    dynamics: Any = fitted.model.dynamics
    drift = oscillators_in(dynamics)
    if drift is not None:
        found = (np.asarray(x, np.float64) for x in oscillation(dynamics))
        frequency, growth, _, coupling = found
        unit = SQUARED if isinstance(drift, HarmonicOscillators) else "per second"
        return Rhythms(frequency, growth, coupling, unit)
    if isinstance(dynamics, Langevin) and isinstance(dynamics.potential, Springs):
        L = np.asarray(dynamics.potential.springs.value, np.float64)
        tau, gamma = (float(x.value) for x in (dynamics.time_constant, dynamics.damping))
        square = np.diag(L) - gamma**2 / 4
        frequency = np.sqrt(np.maximum(square, 0)) / (2 * np.pi * tau)
        pull = (np.diag(np.diag(L)) - L) / tau**2
        return Rhythms(frequency, np.full(len(L), -gamma / 2 / tau), pull, SQUARED)
    if isinstance(dynamics, Linear):
        values = np.linalg.eigvals(np.asarray(dynamics.A, np.float64))
        values = values[values.imag >= 0]
        width = fitted.layout.bin_width
        grown = np.log(np.maximum(np.abs(values), 1e-12)) / width
        return Rhythms(np.abs(np.angle(values)) / (2 * np.pi * width), grown, None, "")
    raise NeuritoError(
        f"{fitted.specification.name} has no oscillators: co-sde, langevin-flow and linear have; see neurito.plots.flow"
    )


def oscillators(model: Fitted | HasFitted) -> Figure:
    """Frequencies and growth of fitted oscillators, and the matrix of their coupling with its signs.

    Args:
        model: a run or its fitted model.

    Raises:
        NeuritoError: nothing in these dynamics is an oscillator.
    """
    found, name = rhythms(model), fitted_of(model).specification.name
    n = len(found.frequency)
    with mpl.rc_context(STYLE):
        figure, axes = panels(7.0, 3.0, 1, 2 + (found.coupling is not None))
        places = np.arange(1, n + 1)
        for axis, values, label, colour in (
            (axes[0], found.frequency, "frequency (Hz)", MODEL),
            (axes[1], found.growth, "growth rate (1/s)", TRUTH),
        ):
            axis.vlines(places, 0, values, color=colour, lw=1)
            axis.plot(places, values, "o", color=colour, ms=4)
            axis.axhline(0, color="0.7", lw=0.6)
            axis.set(xlabel="oscillator" if found.coupling is not None else "mode", ylabel=label)
            axis.locator_params(axis="x", integer=True, nbins=min(n, 8))
        axes[0].set_title(name)
        text = "Frequency and growth rate of each "
        text += "oscillator by itself" if found.coupling is not None else "mode of the linear dynamics"
        if found.coupling is not None:
            _matrix(figure, axes[2], found.coupling, found.unit)
            text += f"; coupling {found.unit}, from column to row, + excites and - inhibits (size by colour)"
        caption(
            figure, f"{text}. Growth below zero: it decays and lives on noise; above: it sustains itself."
        )
        return figure


def _matrix(figure: Figure, axis: Any, matrix: Float[np.ndarray, "oscillator oscillator"], unit: str) -> None:
    coupling = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    largest = float(np.abs(coupling).max()) or 1.0
    n = len(coupling)
    image = axis.imshow(
        coupling, cmap="PuOr", vmin=-largest, vmax=largest, extent=(0.5, n + 0.5, n + 0.5, 0.5)
    )
    figure.colorbar(image, ax=axis, label=f"coupling ({unit})", shrink=0.8)
    if n <= SIGNED:
        for (i, j), value in np.ndenumerate(coupling):
            if abs(value) > 0.02 * largest:
                shade = "white" if abs(value) > 0.6 * largest else "black"
                axis.text(
                    j + 1,
                    i + 1,
                    "+" if value > 0 else "\N{MINUS SIGN}",
                    ha="center",
                    va="center",
                    color=shade,
                )
    axis.set(xlabel="from oscillator", ylabel="to oscillator", title="coupling")
    axis.locator_params(integer=True, nbins=min(n, 8))
