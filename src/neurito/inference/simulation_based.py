"""Whether a model's own inference finds the latents that made the data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from neurito.errors import NeuritoError
from neurito.evaluation.simulation_based import Ranks, path_quantities, ranks_of
from neurito.inference import posterior as compiled
from neurito.inference.engine import Engine, engine_of
from neurito.inference.results import generate, infer
from neurito.models.fitted import Fitted, HasFitted, fitted_of

Quantity = Callable[[Float[np.ndarray, "simulation time *sample latent"]], np.ndarray]
"""Paths (simulation, time, sample, latent), or without samples, -> (simulation, sample), or (simulation,)."""


def latent_calibration(
    model: Fitted | HasFitted,
    *,
    inferred_with: Fitted | HasFitted | None = None,
    simulations: int = 400,
    bins: int = 20,
    samples: int = 63,
    at: Sequence[int] | None = None,
    quantities: Mapping[str, Quantity] | None = None,
    inputs: Any = None,
    particles: int | None = None,
    seed: int = 0,
    mesh: Mesh | None = None,
) -> Ranks:
    """Simulation-based calibration of the latents (Talts et al. 2018).

    Latents and data are drawn from the model, the latents are inferred again from the data, and the true ones are
    ranked among the inferred samples: uniformly if inference is right. Ranked are every latent in some bins, mean and
    roughness of its path, and log p(y | z), which a posterior that ignores the data gets wrong.

    Args:
        model: what simulates: a fitted model, or the run that holds it.
        inferred_with: what infers; None = the same. Another guide, other particles or a faulty model are compared so.
        simulations: trials drawn.
        bins: of each.
        samples: posterior trajectories per trial; ranks go from 0 to this number.
        at: bins in which every latent is ranked; None = the first, the middle and the last.
        quantities: others, by name.
        inputs: as in `generate`.
        particles: K; None = as in training. Samples of one trial share its particles: take many more than samples.
        seed: of simulation and inference.
        mesh: devices.

    Raises:
        NeuritoError: the model cannot be simulated, or observes several signals.
    """
    truth = fitted_of(model)
    taken = truth if inferred_with is None else fitted_of(inferred_with)
    observed = taken.specification.observed(taken.layout)
    if len(observed) > 1:
        raise NeuritoError(
            f"calibration of latents: simulations hold {observed[0]!r} alone, but the model observes "
            f"{', '.join(observed)}; fit one with heads={observed[0]!r}"
        )
    if min(simulations, bins, samples) < 1:
        raise NeuritoError(
            f"simulations={simulations}, bins={bins}, samples={samples}: give at least 1 of each"
        )
    drawn = generate(truth, simulations, bins, inputs=inputs, seed=seed)
    found = infer(
        taken, drawn.trials, samples=samples, keep_samples=samples, particles=particles, quantiles=(),
        seed=seed + 1, mesh=mesh,
    )  # fmt: skip
    z = found.latent_sample.values
    if z.shape[-1] != drawn.latents.shape[-1]:
        raise NeuritoError(
            f"inferred_with: has {z.shape[-1]} latents, but the simulated ones are {drawn.latents.shape[-1]}"
        )
    chosen = sorted({0, bins // 2, bins - 1}) if at is None else at
    engine = engine_of(taken, drawn.trials, particles, mesh)
    true, inferred = (
        path_quantities(paths, chosen) | {name: f(paths) for name, f in (quantities or {}).items()}
        for paths in (drawn.latents, z)
    )
    true["log p(y | z)"] = _density(engine, drawn.latents[:, :, None])[:, 0]
    inferred["log p(y | z)"] = _density(engine, z)
    return ranks_of(true, inferred, seed)


def _density(
    engine: Engine, z: Float[np.ndarray, "trial time sample latent"]
) -> Float[np.ndarray, "trial sample"]:
    """log p(y | z) of what is read, nats."""
    arrays, static = engine.split
    out = np.empty((len(z), z.shape[2]), np.float32)
    for rows, index in engine.chunks(z.shape[2]):
        got = compiled.density(arrays, engine.data, index, jnp.asarray(z[np.asarray(index)]), static=static)
        out[rows] = np.asarray(got)[: rows.stop - rows.start]
    return out
