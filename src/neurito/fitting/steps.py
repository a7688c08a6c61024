"""The compiled parts of a fit: a stretch of gradient steps, and the bound of a batch."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from neurito.core import runtime
from neurito.core.batch import Batch
from neurito.core.dropout import Dropout
from neurito.core.observations.readout import pieces
from neurito.core.priors import Prior, log_prior
from neurito.core.scan import Encoded, Inference, Model, encode, propagate
from neurito.errors import NeuritoError, nearest
from neurito.fitting.packing import Packing


class State(NamedTuple):
    """What a gradient step changes."""

    vector: Float[Array, " parameter"]
    optimiser: PyTree


class Rows(NamedTuple):
    """What a stretch of steps reads: which rows of the data, at what rate and KL weight."""

    step: Int[Array, " step"]
    rate: Float[Array, " step"]
    kl_weight: Float[Array, " step"]
    trial: Int[Array, "step slot"]
    first: Int[Array, "step slot"]
    weight: Float[Array, "step slot"]


class Log(NamedTuple):
    """Per step: the bound in nats per bin, the mean effective sample size (share of K), the gradient's norm."""

    bound: Float[Array, " step"]
    ess: Float[Array, " step"]
    gradient: Float[Array, " step"]


@cache
def optimiser(name: str, weight_decay: float, clip: float) -> optax.GradientTransformation:
    """The named optimiser without its learning rate; one object per choice, so that nothing compiles twice.

    Raises:
        NeuritoError: there is no such optimiser.
    """
    rules = {
        "radam": lambda: optax.scale_by_radam(),
        "adam": lambda: optax.scale_by_adam(),
        "adamw": lambda: optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(weight_decay)),
        "sgd": lambda: optax.identity(),
    }
    if name not in rules:
        raise NeuritoError(f"optimiser={name!r}: {nearest(name, rules)}")
    rule = rules[name]()
    return optax.chain(optax.clip_by_global_norm(clip), rule) if clip else rule


def doubly(
    objective: Callable[[PyTree], tuple[Array, tuple[Array, Array]]],
    parameters: PyTree,
    weight: Float[Array, " trial"],
    guided: PyTree,
) -> tuple[Float[Array, " sum"], PyTree]:
    """The gradient that gives guide and encoder sum_k w_k^2 d log w_k with normalised w_k; the rest has the usual one.

    `guided` says per entry of the parameters whether it is theirs.

    Source:
        Tucker, Lawson, Gu, Maddison, "Doubly reparameterized gradient estimators", ICLR 2019, eq. 8.
    """

    def log_weights(parameters: PyTree) -> tuple[tuple[Array, Array], Array]:
        value, (sums, log_w) = objective(parameters)
        return (value, log_w), sums

    (_, log_w), pull, sums = jax.vjp(log_weights, parameters, has_aux=True)
    normal = jnp.where((weight > 0)[:, None], jax.nn.softmax(log_w, -1), 0.0)
    usual = pull((jnp.ones(()), jnp.zeros_like(log_w)))[0]
    squared = pull((jnp.zeros(()), normal**2))[0]
    return sums, jax.tree.map(jnp.where, guided, squared, usual)


def added(
    function: Callable[[PyTree], tuple[PyTree, PyTree]], rows: PyTree, size: int
) -> tuple[PyTree, PyTree]:
    """A function of rows, taken so many at a time: the sum of its first result, and all rows of its second."""
    count = len(jax.tree.leaves(rows)[0]) // size
    if count == 1:
        return function(rows)
    cut = jax.tree.map(lambda a: a.reshape(count, size, *a.shape[1:]), rows)
    shapes, _ = jax.eval_shape(function, jax.tree.map(lambda a: a[0], cut))
    nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)

    def add(total: PyTree, piece: PyTree) -> tuple[PyTree, PyTree]:
        found, own = function(piece)
        return jax.tree.map(jnp.add, total, found), own

    total, each = jax.lax.scan(add, nothing, cut)
    return total, jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), each)


@partial(
    jax.jit,
    static_argnames=("packing", "inference", "rule", "bins", "mesh", "dropout", "priors"),
    donate_argnames=("state",),
)
def train(
    state: State,
    rest: list[Array],
    data: Batch,
    rows: Rows,
    key: PRNGKeyArray,
    *,
    packing: Packing,
    inference: Inference,
    rule: Any,
    bins: int,
    mesh: Mesh,
    dropout: Dropout | None = None,
    priors: tuple[Prior, ...] = (),
) -> tuple[State, Log]:
    """Many gradient steps; each device takes its share of every batch, and one sum joins them.

    The loss is minus the bound per bin, and minus the log prior over the bins of all data: sums over trials are joined
    before they are divided, which is right for trials of unequal length too. Where decoders look at whole trajectories,
    a device goes through its trials a few at a time: their memory is a few trials', and stays in the caches.
    """

    def whole(
        state: State, rest: list[Array], data: Batch, rows: Rows, key: PRNGKeyArray
    ) -> tuple[State, Log]:
        place = runtime.device_number(mesh) * rows.trial.shape[1]
        everything = (data.lengths() * data.weight).sum()

        def at_once(model: Model, trials: int) -> int:
            together = [head.together for head in model.heads.values() if head.together]
            return pieces(trials, bins * inference.particles, min(together, default=0))

        def objective(inputs: tuple[list[Array], Array | None], encoded: Encoded, kl_weight: Array) -> Any:
            parts, features = inputs
            model, batch = packing.model(parts, rest), encoded.batch
            encoded = encoded._replace(features=features)
            out = propagate(model, encoded, inference, covered="train", kl_weight=kl_weight)
            counted = jnp.where(batch.weight > 0, out.bound, 0.0).sum()  # padding must not pass on a NaN
            lengths = batch.lengths() * batch.weight
            share = (out.ess / inference.particles).mean(1) * lengths
            sums = jnp.stack([counted, lengths.sum().astype(counted.dtype), share.sum()])
            return counted, (sums, out.log_w)

        def slope(parts: list[Array], encoded: Encoded, kl_weight: Array) -> tuple[Array, Any]:
            inputs = parts, encoded.features
            if inference.estimator == "reparameterised":
                gradient, (sums, _) = jax.grad(objective, has_aux=True)(inputs, encoded, kl_weight)
                return sums, gradient
            guided = (  # what the encoder gets comes through its features
                packing.cut(jnp.asarray(packing.within("guide"))),
                jax.tree.map(lambda _: True, encoded.features),
            )
            return doubly(lambda p: objective(p, encoded, kl_weight), inputs, encoded.batch.weight, guided)

        def step(state: State, row: Rows) -> tuple[State, Log]:
            slots = place + jnp.arange(row.trial.shape[0], dtype=jnp.int32)
            here = jax.random.fold_in(key, row.step)
            parts = packing.cut(state.vector)
            batch = data.take(row.trial, row.first, slots, bins)
            batch = replace(batch, weight=row.weight.astype(batch.weight.dtype))

            def read(parts: list[Array]) -> tuple[Array | None, Encoded]:
                encoded = encode(packing.model(parts, rest), batch, here, inference, dropout)
                return encoded.features, encoded._replace(features=None)

            # The encoder reads all trials at once: its products are slow with few.
            features, pull, encoded = jax.vjp(read, parts, has_aux=True)

            def some(cut: tuple[Array, Array | None]) -> tuple[tuple[Array, list[Array]], Array | None]:
                rows, features = cut
                own = encoded._replace(batch=encoded.batch.some(rows), features=features)
                sums, (gradient, back) = slope(parts, own, row.kl_weight)
                return (sums, gradient), back

            size = at_once(packing.model(parts, rest), len(slots))
            (sums, gradients), back = added(some, (jnp.arange(len(slots)), features), size)
            gradients = jax.tree.map(jnp.add, gradients, pull(back)[0])
            joined = runtime.summed(jnp.concatenate([-g.ravel() for g in gradients] + [sums]), mesh)
            gradient, (bound, total, share) = joined[:-3] / joined[-2], joined[-3:]
            if priors:
                prior = jax.grad(lambda v: log_prior(packing.unpack(v, rest), priors))(state.vector)
                gradient = gradient - prior / everything
            update, inner = rule.update(gradient, state.optimiser, state.vector)
            vector = optax.apply_updates(state.vector, -row.rate.astype(update.dtype) * update)
            return State(vector, inner), Log(bound / total, share / total, jnp.linalg.norm(gradient))

        return jax.lax.scan(step, state, rows)

    own: Any = PartitionSpec(None, "trial")
    all_: Any = PartitionSpec()
    cut = Rows(all_, all_, all_, own, own, own)
    return runtime.over_trials(whole, mesh, (all_, all_, all_, cut, all_), all_)(state, rest, data, rows, key)
