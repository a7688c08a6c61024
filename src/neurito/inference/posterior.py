"""What the core computes of a batch of trials, compiled once and sharded over devices."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurito.core import runtime
from neurito.core.batch import Batch, Covered
from neurito.core.guides import Bootstrap
from neurito.core.observations import Gaussian, Scene
from neurito.core.parameters import resolve
from neurito.core.scan import Inference, Model, Outcome, Record, scan
from neurito.core.smoothing import trajectories


class Bound(NamedTuple):
    """Per trial (trial, ...): the bound in nats, its part in each bin, the effective sample size in each bin."""

    bound: Float[Array, " trial"]
    increments: Float[Array, "trial time"]
    ess: Float[Array, "trial time"]


class Posterior(NamedTuple):
    """Per trial: samples of the latents, expected counts (or means) of every channel, and the bound.

    Attributes:
        bound: as `Bound`.
        z: (trial, time, sample, latent).
        mean: per head E[y | data], averaged over samples, (trial, time, channel).
        quantiles: per head, over samples, (trial, time, quantile, channel), empty without `levels`: of expected counts;
            of draws, observation noise included, for continuous heads beside the main one.
        filtered: mean and standard deviation of the filter, (trial, time, latent, 2).
    """

    bound: Bound
    z: Float[Array, "trial time sample latent"]
    mean: dict[str, Float[Array, "trial time channel"]]
    quantiles: dict[str, Float[Array, "trial time quantile channel"]]
    filtered: Float[Array, "trial time latent 2"]


@partial(jax.jit, static_argnames=("static", "inference", "covered", "mesh"))
def bound(
    arrays: Any,
    data: Batch,
    rows: Int[Array, " trial"],
    key: PRNGKeyArray,
    *,
    static: Any,
    inference: Inference,
    covered: Covered,
    mesh: Mesh,
) -> Bound:
    """The bound of the given trials."""

    def own(arrays: Any, data: Batch, rows: Array, key: PRNGKeyArray) -> Bound:
        out = scan(static.join(arrays), _rows(data, rows), key, inference, covered=covered)
        return Bound(out.bound, out.increments, out.ess)

    return _sharded(own, mesh)(arrays, data, rows, key)


@partial(jax.jit, static_argnames=("static", "inference", "samples", "head", "levels", "mesh"))
def posterior(
    arrays: Any,
    data: Batch,
    rows: Int[Array, " trial"],
    key: PRNGKeyArray,
    *,
    static: Any,
    inference: Inference,
    samples: int,
    head: str,
    levels: tuple[float, ...],
    mesh: Mesh,
) -> Posterior:
    """Filters, smooths and predicts the given trials from what is read of them."""

    def own(arrays: Any, data: Batch, rows: Array, key: PRNGKeyArray) -> Posterior:
        model: Model = static.join(arrays)
        batch = _rows(data, rows)
        forward, backward = jax.random.split(key)
        scene = _scene(model, batch)
        out, passed, z = _drawn(model, batch, forward, backward, inference, samples)
        mean, quantiles = {}, {}
        for i, (name, observation) in enumerate(model.heads.items()):
            expected = observation.mean(scene, z)
            mean[name] = expected.mean(2)
            if not levels:
                quantiles[name] = jnp.zeros((*expected.shape[:2], 0, expected.shape[-1]))
                continue
            if name != head and isinstance(observation, Gaussian):
                expected = observation.sample(expected, batch, jax.random.fold_in(backward, i))
            quantiles[name] = jnp.moveaxis(jnp.quantile(expected, jnp.asarray(levels), axis=2), 0, 2)
        if inference.objective == "elbo":  # particles are draws of the guide, all alike
            w = jnp.full((inference.particles, 1), 1 / inference.particles)
        else:
            w = jax.nn.softmax(passed.log_w, -1)[..., None]
        centre = (w * passed.z).sum(2)
        sd = jnp.sqrt((w * (passed.z - centre[:, :, None]) ** 2).sum(2))
        filtered = jnp.swapaxes(jnp.stack([centre, sd], -1), 0, 1)
        return Posterior(Bound(out.bound, out.increments, out.ess), z, mean, quantiles, filtered)

    return _sharded(own, mesh)(arrays, data, rows, key)


@partial(jax.jit, static_argnames=("static", "inference", "samples", "head", "mesh"))
def replicas(
    arrays: Any,
    data: Batch,
    rows: Int[Array, " trial"],
    key: PRNGKeyArray,
    *,
    static: Any,
    inference: Inference,
    samples: int,
    head: str,
    mesh: Mesh,
) -> Float[Array, "trial time sample channel"]:
    """Observations of the given trials drawn anew, each for a draw of the latents given what is read."""

    def own(arrays: Any, data: Batch, rows: Array, key: PRNGKeyArray) -> Array:
        model: Model = static.join(arrays)
        batch = _rows(data, rows)
        forward, backward, last = jax.random.split(key, 3)
        _, _, z = _drawn(model, batch, forward, backward, inference, samples)
        observation = model.heads[head]
        mean = observation.mean(_scene(model, batch), z)

        def drawn(row: Array, mean: Array) -> Array:  # keyed by trial, not by device
            noise = jax.random.fold_in(last, row)
            return observation.sample(mean[None], _rows(data, row[None]), noise)[0]

        return jax.vmap(drawn)(rows, mean)

    return _sharded(own, mesh)(arrays, data, rows, key)


@partial(jax.jit, static_argnames=("static",))
def density(
    arrays: Any,
    data: Batch,
    rows: Int[Array, " trial"],
    z: Float[Array, "trial time sample latent"],
    *,
    static: Any,
) -> Float[Array, "trial sample"]:
    """log p(y | z) of what is read in the given trials, nats."""
    model: Model = resolve(static.join(arrays))
    batch = _rows(data, rows)
    scene, total = _scene(model, batch), jnp.zeros(z.shape[:-1], z.dtype)
    for name, observation in model.heads.items():
        signal = batch.signals[name]
        context, log_prob = observation.prepare(scene, signal, signal.read)
        total = total + log_prob(context, z)
    if batch.exists is not None:
        total = jnp.where(batch.exists[..., None], total, 0.0)
    return total.sum(1)


@partial(jax.jit, static_argnames=("static", "head", "noise"))
def generate(
    arrays: Any,
    data: Batch,
    key: PRNGKeyArray,
    *,
    static: Any,
    head: str,
    noise: bool,
) -> tuple[Array, Array, Array]:
    """Draws from the model itself: latents, expected counts and observations of every trial of a batch.

    The same scan with the prior as guide and nothing to weigh.
    """
    model: Model = static.join(arrays)
    free = Model(model.dynamics, model.heads, Bootstrap(), None)
    first, second = jax.random.split(key)
    out = scan(free, data, first, Inference(particles=1, objective="iwae", resampling="none"), record=True)
    assert out.record is not None
    z = jnp.moveaxis(out.record.z, 0, 1)
    mean = model.heads[head].mean(_scene(free, data), z)[:, :, 0]
    y = model.heads[head].sample(mean, data, second) if noise else mean
    return z[:, :, 0], mean, y


def _scene(model: Model, batch: Batch) -> Scene:
    """What decoders may look at besides the state."""
    model = resolve(model)
    features = None if model.encoder is None else model.encoder(batch)
    return Scene(model.dynamics, batch, model.dynamics.drive(batch.inputs, batch.dt), features)


def _drawn(
    model: Model,
    batch: Batch,
    forward: PRNGKeyArray,
    backward: PRNGKeyArray,
    inference: Inference,
    samples: int,
) -> tuple[Outcome, Record, Float[Array, "trial time sample latent"]]:
    """What a scan of a batch gives, what passed in it, and trajectories given what is read."""
    out = scan(model, batch, forward, inference, record=True)
    assert out.record is not None
    return out, out.record, trajectories(model.dynamics, batch, out.record, inference, samples, backward)


def _rows(data: Batch, rows: Int[Array, " trial"]) -> Batch:
    return data.take(rows, jnp.zeros_like(rows), rows, data.n_bins)


def _sharded(own: Any, mesh: Mesh) -> Any:
    each, all_ = PartitionSpec("trial"), PartitionSpec()
    return runtime.over_trials(own, mesh, (all_, all_, each, all_), each)
