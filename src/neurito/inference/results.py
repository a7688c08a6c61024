"""What a fitted model says about a recording: latents, rates, likelihoods, forecasts, simulations."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, PRNGKeyArray

from neurito.core import runtime
from neurito.core.batch import Batch, Covered
from neurito.core.observations import Gaussian
from neurito.data.construct import from_array
from neurito.data.trials import Head, Trials
from neurito.errors import NeuritoError
from neurito.inference import baselines
from neurito.inference import posterior as compiled
from neurito.inference.engine import Engine, Static, engine_of, needs_joint
from neurito.models.fitted import Fitted, HasFitted, fitted_of

_LEVELS = (0.025, 0.5, 0.975)


def log_likelihood(
    fitted: Fitted | HasFitted,
    trials: Trials,
    *,
    seed: int = 0,
    covered: Covered = "read",
    particles: int | None = None,
    mesh: Mesh | None = None,
) -> Float[np.ndarray, " trial"]:
    """The bound on log p(y) of each trial, nats; it tightens with the number of particles.

    Args:
        fitted: the model, or the run that holds it.
        trials: the recording.
        seed: of the particles.
        covered: the entries that are read, or (train) those read or scored, of which the guide sees the read ones.
        particles: K; None = as in training.
        mesh: devices.
    """
    engine = engine_of(fitted, trials, particles, mesh)
    needs_joint(engine.fitted, "likelihood")
    same = covered == "read" or all(signal.train is None for signal in engine.data.signals.values())
    inference = replace(
        engine.inference, adapted=engine.inference.adapted and same
    )  # needs weights known before
    arrays, static = engine.split
    out = np.zeros(trials.n_trials)
    for rows, index in engine.chunks():
        got = compiled.bound(
            arrays,
            engine.data,
            index,
            jax.random.key(seed),
            static=static,
            inference=inference,
            covered=covered,
            mesh=engine.mesh,
        )
        out[rows] = np.asarray(got.bound)[: rows.stop - rows.start]
    return out


def bound_per_bin(
    fitted: Fitted | HasFitted,
    trials: Trials,
    *,
    seed: int = 0,
    covered: Covered = "read",
    particles: int | None = None,
    mesh: Mesh | None = None,
) -> float:
    """The bound of all trials over their bins, nats per bin."""
    total = log_likelihood(fitted, trials, seed=seed, covered=covered, particles=particles, mesh=mesh).sum()
    return float(total / trials.lengths.sum())


def expected_counts(
    fitted: Fitted | HasFitted,
    trials: Trials,
    *,
    seed: int = 0,
    samples: int = 64,
    particles: int | None = None,
    mesh: Mesh | None = None,
) -> Float[np.ndarray, "trial time channel"]:
    """Posterior mean of every channel given what is read: expected counts per bin, or the signal's unit."""
    engine = engine_of(fitted, trials, particles, mesh, samples)
    out = np.zeros(trials.heads[engine.head].values.shape, np.float32)
    for rows, got in _posteriors(engine, jax.random.key(seed), samples, ()):
        out[rows] = got.mean[engine.head]
    return out


def _posteriors(
    engine: Engine, key: PRNGKeyArray, samples: int, levels: tuple[float, ...]
) -> Iterator[tuple[slice, compiled.Posterior]]:
    arrays, static = engine.split
    for rows, index in engine.chunks(samples):
        got = compiled.posterior(
            arrays, engine.data, index, key, static=static, inference=engine.inference, samples=samples,
            head=engine.head, levels=levels, mesh=engine.mesh,
        )  # fmt: skip
        yield rows, jax.tree.map(lambda x, r=rows: np.asarray(x)[: r.stop - r.start], got)


def infer(
    fitted: Fitted | HasFitted,
    trials: Trials,
    *,
    samples: int = 64,
    particles: int | None = None,
    seed: int = 0,
    keep_samples: int = 0,
    quantiles: tuple[float, ...] = _LEVELS,
    mesh: Mesh | None = None,
) -> Any:
    """The posterior of every trial given what is read, as an xarray Dataset.

    Args:
        fitted: the model, or the run that holds it.
        trials: the recording; bins in which nothing is read are smoothed over or forecast.
        samples: trajectories per trial.
        particles: K; None = as in training.
        seed: of the particles.
        keep_samples: latent trajectories per trial to keep in the result (rates in samples would not fit).
        quantiles: of latents and rates over samples.
        mesh: devices.

    Returns:
        Dataset over (trial, time, latent, channel, quantile, sample): latent_mean, latent_sd, latent_quantile,
        filtered, filtered_sd, rate_mean (spikes/s for counts, else the signal's unit), rate_quantile,
        log_likelihood (nats), ess (share of K), optionally latent_sample. Of every other head NAME that the model
        observes NAME_mean and NAME_quantile over (trial, time, NAME_channel); quantiles of a continuous one include its
        observation noise. NaN after a trial's end.
    """
    import xarray as xr

    baseline = baselines.baseline_of(fitted)
    if baseline is not None:
        return baselines.infer(baseline, trials, quantiles)
    engine = engine_of(fitted, trials, particles, mesh, max(samples, keep_samples))
    heads = {name: engine.fitted.layout.heads[name] for name in engine.heads}
    per_second = {
        name: 1 / trials.dt if head.kind == "counts" else np.ones_like(trials.dt)
        for name, head in heads.items()
    }
    # Every variable's axes after (trial, time).
    axes: dict[str, tuple[str, ...]] = dict.fromkeys(
        ("latent_mean", "latent_sd", "filtered", "filtered_sd"), ("latent",)
    )
    axes |= {"latent_quantile": ("quantile", "latent"), "ess": ()}
    if keep_samples:
        axes["latent_sample"] = ("sample", "latent")
    called = {
        name: ("rate", "channel") if name == engine.head else (name, f"{name}_channel") for name in heads
    }
    for variable, axis in called.values():
        axes |= {f"{variable}_mean": (axis,), f"{variable}_quantile": ("quantile", axis)}
    sizes = {
        "latent": engine.fitted.model.dynamics.latent_dim,
        "quantile": len(quantiles),
        "sample": keep_samples,
    }
    sizes |= {called[name][1]: head.channels for name, head in heads.items()}
    shape = trials.exists.shape
    out = {v: np.full((*shape, *(sizes[a] for a in tail)), np.nan, np.float32) for v, tail in axes.items()}
    likelihood = np.zeros(trials.n_trials)
    for rows, got in _posteriors(engine, jax.random.key(seed), max(samples, keep_samples), quantiles):
        found: dict[str, Any] = {
            "latent_mean": got.z.mean(2),
            "latent_sd": got.z.std(2),
            "latent_quantile": np.moveaxis(np.quantile(got.z, quantiles, axis=2), 0, 2),
            "filtered": got.filtered[..., 0],
            "filtered_sd": got.filtered[..., 1],
            "ess": got.bound.ess / engine.inference.particles,
        }
        if keep_samples:
            found["latent_sample"] = got.z[:, :, :keep_samples]
        for name, (variable, _) in called.items():
            scale = per_second[name][rows][..., None]
            found[f"{variable}_mean"] = got.mean[name] * scale
            found[f"{variable}_quantile"] = got.quantiles[name] * scale[..., None]
        here = trials.exists[rows]
        for name, value in found.items():
            out[name][rows] = np.where(here.reshape(*here.shape, *(1,) * (value.ndim - 2)), value, np.nan)
        likelihood[rows] = got.bound.bound if engine.fitted.specification.generative else np.nan
    data = {name: (("trial", "time", *axes[name]), value) for name, value in out.items()}
    dataset = xr.Dataset(
        {**data, "log_likelihood": ("trial", likelihood)},
        coords={"trial": trials.ids, "quantile": list(quantiles)}
        | {called[name][1]: list(head.names) for name, head in heads.items()},
        attrs={
            "model": engine.fitted.specification.name,
            "samples": samples,
            "particles": engine.inference.particles,
            "seed": seed,
        },
    )
    if trials.regular:
        dataset = dataset.assign_coords(time=("time", trials.time[0], {"units": "s"}))
    for name, head in heads.items():
        for variable in (f"{called[name][0]}_mean", f"{called[name][0]}_quantile"):
            dataset[variable].attrs["units"] = "spikes/s" if head.kind == "counts" else head.unit
    dataset["log_likelihood"].attrs["units"] = "nats"
    return dataset


def forecast(
    fitted: Fitted | HasFitted, trials: Trials, bins: int, *, inputs: Any = None, **options: Any
) -> Any:
    """The posterior of the trials, and of `bins` more bins in which nothing is read.

    Args:
        fitted: the model, or the run that holds it.
        trials: the recording so far; all trials of one length.
        bins: how many bins past the end.
        inputs: inputs of those bins (trial, bins, input), or what broadcasts to it; needed if the model has inputs.
        **options: as in `infer`.

    Returns:
        As `infer`, with time going on past the end of the recording.
    """
    if bins < 1:
        raise NeuritoError(f"forecast of {bins} bins: at least 1 is needed")
    return infer(fitted_of(fitted), extended(trials, bins, inputs), **options)


def extended(trials: Trials, bins: int, inputs: Any = None) -> Trials:
    """Trials with `bins` empty bins after their end, to be forecast.

    Raises:
        NeuritoError: trials of unequal length, or inputs missing for the new bins.
    """
    if not trials.exists.all():
        raise NeuritoError(
            "forecasts start at one bin for all trials, and these differ in length: select(time=...) first"
        )
    n = trials.n_trials

    def longer(array: np.ndarray, fill: float | bool) -> np.ndarray:
        return np.concatenate([array, np.full((n, bins, *array.shape[2:]), fill, array.dtype)], 1)

    heads = {
        name: Head(
            longer(h.values, np.nan), h.kind, longer(h.read, False), longer(h.score, False), h.names, h.unit
        )
        for name, h in trials.heads.items()
    }
    if trials.inputs is not None:
        if inputs is None:
            raise NeuritoError(
                f"the recording has inputs {trials.input_names}: give inputs= for the {bins} new bins"
            )
        new = np.broadcast_to(np.asarray(inputs, np.float32), (n, bins, trials.inputs.shape[2]))
        inputs = np.concatenate([trials.inputs, new], 1)
    dt = np.concatenate([trials.dt, np.repeat(trials.dt[:, -1:], bins, 1)], 1)
    exists = longer(np.asarray(trials.exists), True)
    return replace(trials, heads=heads, dt=dt, exists=exists, inputs=inputs)


@dataclass(frozen=True)
class Generated:
    """Draws from a fitted model.

    Attributes:
        trials: observations as a recording.
        latents: (trial, time, latent).
        mean: expected counts per bin or the signal's mean, (trial, time, channel).
    """

    trials: Trials
    latents: np.ndarray
    mean: np.ndarray


def generate(
    fitted: Fitted | HasFitted,
    n_trials: int,
    bins: int,
    *,
    inputs: Any = None,
    burn_in: int = 0,
    seed: int = 0,
    observation_noise: bool = True,
    session: int = 0,
) -> Generated:
    """Simulates the fitted model: the same scan under the prior.

    Args:
        fitted: the model, or the run that holds it.
        n_trials: number of trials.
        bins: bins of each.
        inputs: (trial, burn_in + bins, input), or what broadcasts to it; needed if the model has inputs.
        burn_in: bins to drop at the start.
        seed: of the draws.
        observation_noise: draw observations; otherwise give their means.
        session: whose readout, where there are several.

    Raises:
        NeuritoError: inputs are needed, or the model diverges.
    """
    runtime.start()
    fitted = fitted_of(fitted)
    needs_joint(fitted, "simulations")
    layout = fitted.layout
    total = burn_in + bins
    if layout.inputs and inputs is None:
        raise NeuritoError(f"the model has inputs {layout.inputs}: give inputs= (trial, time, input)")
    dtype = jnp.result_type(float)
    head = fitted.specification.observed(layout)[0]
    shape = (n_trials, total)
    driven = None
    if layout.inputs:
        driven = jnp.asarray(np.broadcast_to(np.asarray(inputs), (*shape, len(layout.inputs))), dtype)
    batch = Batch(
        {},
        jnp.full(shape, layout.bin_width, dtype),
        driven,
        None,
        None,
        jnp.full(n_trials, session, jnp.int32),
        jnp.arange(n_trials, dtype=jnp.int32),
        jnp.ones(n_trials, dtype),
    )
    leaves, structure = jax.tree.flatten(
        eqx.tree_at(lambda m: m.encoder, fitted.model, None, is_leaf=lambda x: x is None)
    )
    z, mean, y = compiled.generate(
        leaves, batch, jax.random.key(seed), static=Static(structure), head=head, noise=observation_noise
    )
    z, mean, y = (np.asarray(x)[:, burn_in:] for x in (z, mean, y))
    if not (np.isfinite(mean).all() and np.isfinite(y).all()):  # a count of an infinite rate is finite
        raise NeuritoError("simulations of the model diverge: fit it for longer, or to more data")
    counts = observation_noise and not isinstance(fitted.model.heads[head], Gaussian)
    trials = from_array(  # without a warning of silent neurons
        y, bin_width=layout.bin_width, kind="counts" if counts else "continuous", name=head,
        names=layout.heads[head].names, unit=layout.heads[head].unit,
        inputs=None if driven is None else np.asarray(driven)[:, burn_in:],
    )  # fmt: skip
    return Generated(trials, z, mean)
