"""A fitted model in equations: what its parts' docstrings say, with the values that were fitted."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from html import escape
from typing import Any

import numpy as np

from neurito.errors import NeuritoError
from neurito.models.fitted import Fitted
from neurito.plots.rhythms import rhythms

_ROLES = {
    "dynamics": "Latent dynamics",
    "dynamics.potential": "Potential",
    "dynamics.drift": "Drift",
    "dynamics.drift.known": "Drift, its known part",
    "dynamics.drift.learned": "Drift, its learned part",
    "dynamics.diffusion": "Diffusion",
    "dynamics.noise": "Noise of the latents",
    "dynamics.initial": "First state",
    "guide": "Guide: how the noise is inferred",
    "encoder": "Encoder: what the guide is told of the recording",
}
_GREEK = {
    "Sigma": "Σ", "sigma": "σ", "omega": "ω", "gamma": "γ", "alpha": "α", "theta": "θ", "phi": "φ", "eps": "ε",
    "mu": "μ", "tau": "τ", "rho": "ρ", "eta": "η", "grad": "∇", "sqrt": "√",
}  # fmt: skip
_END = re.compile(r"^(Args|Attributes|Class attributes|Source|Raises|Returns):", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """One part of a model.

    Attributes:
        title: what it is for.
        kind: name of its class.
        text: its equations, as its docstring has them.
        values: name, shape and fitted value of each of its parameters.
    """

    title: str
    kind: str
    text: str
    values: list[tuple[str, str, str]]


def parts(fitted: Any) -> list[Part]:
    """The parts of a model, or of a baseline, with their parameters.

    Args:
        fitted: a `Fitted` or a fitted baseline.
    """
    known = fitted.parameters
    if not isinstance(fitted, Fitted):
        kind = type(fitted.specification)
        return [Part("Baseline", kind.__name__, words(kind), _rows(known, ""))]
    homes = dict(_homes(fitted.model))
    own: dict[str, dict[str, np.ndarray]] = {path: {} for path in homes}
    for name, value in known.items():
        home = max((path for path in homes if name.startswith(path + ".")), key=len, default="")
        if home:
            own[home][name] = value
    return [
        Part(_role(path), type(node).__name__, words(type(node)), _rows(own[path], path))
        for path, node in homes.items()
        if own[path] or "." not in path or path in {f"heads.{name}" for name in fitted.model.heads}
    ]


def physical(fitted: Fitted) -> Part | None:
    """Times and frequencies of fitted dynamics in seconds and Hz; None where there are none to tell.

    Args:
        fitted: a fitted model.
    """
    dynamics: Any = fitted.model.dynamics
    found: dict[str, np.ndarray] = {}
    if hasattr(dynamics, "decay"):
        a = np.asarray(dynamics.decay.value, np.float64)
        rate = -np.log(np.clip(a, 1e-12, 1 - 1e-12)) / fitted.layout.bin_width
        found["time constant of decay a (s)"] = np.asarray(1 / rate)
    if hasattr(dynamics, "time_constant"):
        tau = float(getattr(dynamics.time_constant, "value", dynamics.time_constant))
        found["unit of time (s)"] = np.array(tau)
        if hasattr(dynamics, "damping"):
            found["velocities forget in (s)"] = np.asarray(tau / float(dynamics.damping.value))
    try:
        rhythm = rhythms(fitted)
        found |= {"frequencies (Hz)": rhythm.frequency, "growth rates (1/s), negative: decay": rhythm.growth}
    except NeuritoError:
        pass
    return Part("Latent dynamics in seconds and Hz", "", "", _rows(found, "")) if found else None


def words(kind: type[Any]) -> str:
    """The docstring of a class up to its lists of arguments and sources."""
    text = inspect.cleandoc(kind.__doc__ or "")
    return _END.split(text, maxsplit=1)[0].strip().replace("`", "")


def typeset(text: str) -> str:
    """Equations of a docstring as HTML: indices, exponents and Greek letters."""
    out = escape(text, quote=False)
    out = re.sub(r"_\{([^}]*)\}|_(\w)(?![\w])", lambda m: f"<sub>{m[1] or m[2]}</sub>", out)
    out = re.sub(r"\^\{([^}]*)\}|\^\(([^)]*)\)|\^(-?\w)", lambda m: f"<sup>{m[1] or m[2] or m[3]}</sup>", out)
    out = out.replace("sum<sub>", "∑<sub>")
    return re.sub(rf"\b({'|'.join(_GREEK)})(?![a-z])", lambda m: _GREEK[m[1]], out)


def _homes(model: Any) -> Iterator[tuple[str, Any]]:
    """Parts worth a heading, by dotted name: those that have equations, not their layers."""
    for name in ("dynamics", "heads", "guide", "encoder"):
        found = getattr(model, name)
        if name == "heads":
            for head, observation in found.items():
                yield f"heads.{head}", observation
                yield f"heads.{head}.readout", observation.readout
        elif found is not None:
            yield from _inside(name, found)


def _inside(path: str, node: Any) -> Iterator[tuple[str, Any]]:
    yield path, node
    for field in fields(node) if is_dataclass(node) else ():
        inner = getattr(node, field.name)
        if f"{path}.{field.name}" in _ROLES and inner is not None:
            yield from _inside(f"{path}.{field.name}", inner)


def _role(path: str) -> str:
    if path in _ROLES:
        return _ROLES[path]
    head = path.removeprefix("heads.")
    if head.endswith(".readout"):
        return f"Readout of {head.removesuffix('.readout')}"
    return f"Observation of {head}"


def _rows(values: dict[str, np.ndarray], path: str) -> list[tuple[str, str, str]]:
    return [
        (name.removeprefix(path + "."), " × ".join(map(str, value.shape)) or "number", summary(value))
        for name, value in values.items()
        if value.size
    ]


def summary(value: np.ndarray) -> str:
    """A few numbers as they are, many by their mean, spread and range."""
    x = np.asarray(value, np.float64)
    if x.size <= 8:
        return ", ".join(f"{one:.4g}" for one in x.ravel())
    return f"{x.mean():.3g} ± {x.std():.3g} (from {x.min():.3g} to {x.max():.3g})"


def latent_names(fitted: Any, count: int) -> list[str]:
    """What the latents of a model are called."""
    from neurito.core.drifts.oscillators import HarmonicOscillators, Oscillators
    from neurito.core.dynamics import SDE, Langevin, ReleasedLangevin

    dynamics = fitted.model.dynamics if isinstance(fitted, Fitted) else None
    drift = getattr(dynamics, "drift", None)
    drift = getattr(drift, "known", drift)
    pair = ("latent", "")
    if isinstance(dynamics, Langevin | ReleasedLangevin):
        pair = ("position", "velocity")
    elif isinstance(dynamics, SDE) and isinstance(drift, Oscillators):
        pair = ("position", "velocity") if isinstance(drift, HarmonicOscillators) else ("x", "y")
    if not pair[1]:
        return [f"latent {i + 1}" for i in range(count)]
    return [f"{name} {i + 1}" for name in pair for i in range(count // 2)]
