"""Four low-rank networks with known dynamics, which students are fitted to.

Their weights are constructed: units in evenly turned copies of a few random ones (a network then has the
symmetry of its task), and n by ridge regression of n relu(m z - h) = F(z) - a z for a map F with the wanted
limit sets. Files with the published teachers' weights can be read in their place.

Source: the four tasks of Pals et al., NeurIPS 2024 (arXiv 2406.16749).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from neurito.data.simulators.low_rank import low_rank_rnn
from neurito.data.simulators.simulation import Simulation
from neurito.errors import NeuritoError, nearest

Map = Callable[[np.ndarray], np.ndarray]
TeacherName = Literal["oscillator", "oscillator_poisson", "reach", "decision"]

GROWTH = 0.05  # per bin: of a small state, and of the decay of a large one


class Network(NamedTuple):
    """Weights of z' = a z + n relu(m z - h)."""

    m: Float[np.ndarray, "unit latent"]
    n: Float[np.ndarray, "latent unit"]
    h: Float[np.ndarray, " unit"]
    decay: float


def _radial(z: np.ndarray, radius: float) -> np.ndarray:
    """Growth to `radius` and decay beyond it: 1 + g at 0, 1 at the radius, 1 - g at infinity."""
    square: np.ndarray = (z**2).sum(-1, keepdims=True) / radius**2
    factor: np.ndarray = 1 + GROWTH * (1 - square) / (1 + square)
    return factor


def _circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def limit_cycle(z: Float[np.ndarray, "... 2"], radius: float = 1.2, period: float = 50.0) -> np.ndarray:
    """A turn per `period` bins on a circle that attracts everything but the origin."""
    angle = 2 * np.pi / period
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved: np.ndarray = _radial(z, radius) * (z @ turn)
    return moved


def ring_of_attractors(z: Float[np.ndarray, "... 2"], radius: float = 2.3, attractors: int = 8) -> np.ndarray:
    """Stable points evenly on a circle, a saddle between each two, an unstable point at the origin."""
    r, angle = np.linalg.norm(z, axis=-1), np.arctan2(z[..., 1], z[..., 0])
    square = (r / radius) ** 2
    angle = angle - 0.3 * GROWTH * square / (1 + square) * np.sin(attractors * angle)
    moved: np.ndarray = _radial(z, radius) * r[..., None] * _circle(angle)
    return moved


def two_choices(z: Float[np.ndarray, "... 1"], radius: float = 10.0) -> np.ndarray:
    """Stable points at +-`radius`, an unstable one at the origin."""
    moved: np.ndarray = _radial(z, radius) * z
    return moved


def construct(
    target: Map,
    latents: Literal[1, 2],
    units: int,
    radius: float,
    fold: int,
    decay: float = 0.9,
    seed: int = 0,
) -> Network:
    """A network whose map approximates `target` up to 1.5 times `radius`.

    Args:
        target: F, of states (..., latent).
        latents: 1 or 2.
        units: of the network.
        radius: of what is of interest.
        fold: units come in `fold` turned copies of each of a few (the rest are evenly turned copies of one).
        decay: a.
        seed: of m and h.
    """
    rng = np.random.default_rng(seed)
    sizes = [fold] * (units // fold) + [units % fold] * (units % fold > 0)
    orbits = len(sizes)
    turn = 2 * np.pi * np.concatenate([np.arange(size) / size for size in sizes])
    threshold = radius * np.repeat(rng.permutation(np.linspace(-0.9, 0.9, orbits)), sizes)
    scale = np.repeat(rng.uniform(0.1, 0.4, orbits), sizes)
    if latents == 1:
        m = np.cos(turn)[:, None].round()
        z = np.linspace(-1.5, 1.5, 400)[:, None] * radius
    else:
        start = 2 * np.pi / fold * (rng.permutation(orbits) + 0.5) / orbits
        m = _circle(np.repeat(start, sizes) + turn)
        around = _circle(2 * np.pi * np.arange(12 * fold) / (12 * fold))
        z = (radius * np.linspace(0.05, 1.5, 40)[:, None, None] * around).reshape(-1, 2)
    active = np.maximum(z @ m.T - threshold, 0)
    gram = active.T @ active + 1e-4 * len(z) * np.eye(units)
    n = np.linalg.solve(gram, active.T @ (target(z) - decay * z)).T
    return Network(m * scale[:, None], n / scale, threshold * scale, decay)


@dataclass(frozen=True)
class _Teacher:
    key: str  # in files of published weights
    build: Callable[[], Network]
    options: Mapping[str, Any]
    inputs: Callable[[int, int, np.random.Generator], tuple[np.ndarray, dict[str, np.ndarray]]] | None = None
    pull: float = 0.0  # an input acts as if the state were this much further along it


def _cues(trials: int, bins: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One of eight directions, as cosine and sine, in bins 25 to 49."""
    target = rng.permutation(np.arange(trials) % 8)
    cue = np.zeros((trials, bins, 2))
    cue[:, 25:50] = _circle(2 * np.pi * target / 8)[:, None]
    return cue, {"target": target}


def _evidence(trials: int, bins: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Motion of one of six coherences, to either side, in bins 25 to 74."""
    levels = np.array([-0.512, -0.128, -0.032, 0.032, 0.128, 0.512])
    coherence = rng.permutation(levels[np.arange(trials) % 6])
    evidence = np.zeros((trials, bins, 1))
    evidence[:, 25:75, 0] = coherence[:, None]
    return evidence, {"coherence": coherence}


TEACHERS: Mapping[str, _Teacher] = MappingProxyType(
    {
        "oscillator": _Teacher(
            "osc_rnn",
            lambda: construct(limit_cycle, 2, 20, 1.2, fold=5),
            {"trials": 200, "bins": 75, "noise": 0.2, "initial_noise": 1.4, "observation_noise": 0.1},
        ),
        "oscillator_poisson": _Teacher(
            "osc_rnn_poisson",
            lambda: construct(limit_cycle, 2, 40, 1.2, fold=5),
            {
                "trials": 400,
                "bins": 200,
                "noise": 0.2,
                "initial_noise": 1.4,
                "observation": "poisson",
                "gain": 4.0,
                "bias": -3.0,
            },
        ),
        "reach": _Teacher(
            "reach_rnn",
            lambda: construct(ring_of_attractors, 2, 60, 2.3, fold=8),
            {"trials": 800, "bins": 250, "noise": 0.05, "initial_noise": 0.05, "observation_noise": 0.05},
            _cues,
            2.3,
        ),
        "decision": _Teacher(
            "rdm_rnn",
            lambda: construct(two_choices, 1, 60, 10.0, fold=2),
            {"trials": 400, "bins": 150, "noise": 0.3, "initial_noise": 0.3, "observation_noise": 0.1},
            _evidence,
            10.0,
        ),
    }
)


def network(name: TeacherName | str, weights: str | os.PathLike[str] | None = None) -> Network:
    """The weights of a teacher.

    Args:
        name: oscillator (2 latents, 20 units; an unstable focus in a stable limit cycle), oscillator_poisson
            (40 units), reach (2 latents, 60 units; 8 stable points on a ring, 8 saddles, 1 unstable point) or
            decision (1 latent, 60 units; 2 stable points, 1 unstable).
        weights: an npz file with m, n, h and decay of each teacher (``osc_rnn/m``, ..., ``rdm_rnn/decay``) to
            be read in place of the construction.

    Raises:
        NeuritoError: the name is unknown, or the file lacks its weights.
    """
    teacher = _teacher(name)
    if weights is None:
        return teacher.build()
    try:
        with np.load(weights, allow_pickle=False) as file:
            m, n, h, decay = (file[f"{teacher.key}/{part}"] for part in ("m", "n", "h", "decay"))
    except FileNotFoundError:
        raise NeuritoError(f"{weights}: no such file; give an npz file of the teachers' weights") from None
    except (KeyError, ValueError, OSError) as error:
        raise NeuritoError(
            f"{weights}: {error}; give an npz file with {teacher.key}/m, n, h, decay"
        ) from error
    return Network(m.astype(float), n.astype(float), h.astype(float), float(decay))


def teacher(
    name: TeacherName | str, weights: str | os.PathLike[str] | None = None, *, seed: int = 0, **options: Any
) -> Simulation:
    """Simulates a teacher in its task, observed through its units' currents.

    Currents have Gaussian noise; with Poisson counts softplus(4 current - 3) are expected per bin.
    Reach trials have a cue, an input (cosine, sine) in bins 25 to 49 and the metadata `target`; decision
    trials evidence in bins 25 to 74 and the metadata `coherence`.

    Args:
        name: oscillator, oscillator_poisson, reach or decision (`network`).
        weights: an npz file to read the weights from.
        seed: of everything random.
        options: of `low_rank_rnn`, in place of the task's: trials, bins, noise, observation, ...

    Raises:
        NeuritoError: as `network` and `low_rank_rnn`.
    """
    task, weight = _teacher(name), network(name, weights)
    settings = {**task.options, **options}
    if task.inputs is not None and "inputs" not in options:
        rng = np.random.default_rng([seed, 1])
        settings["inputs"], about = task.inputs(settings["trials"], settings["bins"], rng)
        settings["metadata"] = {**about, **options.get("metadata", {})}
    if task.pull and settings["inputs"] is not None:
        settings.setdefault("input_weights", task.pull * weight.m)
    return low_rank_rnn(*weight, seed=seed, **settings)


def _teacher(name: str) -> _Teacher:
    if name not in TEACHERS:
        raise NeuritoError(f"teacher: {name!r} is unknown; {nearest(name, TEACHERS)}")
    return TEACHERS[name]
