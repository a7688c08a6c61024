"""The compiled parts of a fit: a stretch of gradient steps, and the bound of a batch."""

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
from neurito.core.scan import Inference, scan
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


@partial(
    jax.jit,
    static_argnames=("packing", "inference", "rule", "bins", "mesh", "dropout"),
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
) -> tuple[State, Log]:
    """Many gradient steps; each device takes its share of every batch, and one sum joins them.

    The loss is minus the bound per bin: sums over trials are joined before they are divided, which is right for trials
    of unequal length too.
    """

    def whole(
        state: State, rest: list[Array], data: Batch, rows: Rows, key: PRNGKeyArray
    ) -> tuple[State, Log]:
        place = runtime.device_number(mesh) * rows.trial.shape[1]

        def loss(vector: Array, batch: Batch, key: PRNGKeyArray, kl_weight: Array) -> tuple[Array, Array]:
            model = packing.unpack(vector, rest)
            out = scan(model, batch, key, inference, covered="train", kl_weight=kl_weight, dropout=dropout)
            counted = jnp.where(batch.weight > 0, out.bound, 0.0).sum()  # padding must not pass on a NaN
            lengths = batch.lengths() * batch.weight
            share = (out.ess / inference.particles).mean(1) * lengths
            return -counted, jnp.stack([lengths.sum().astype(counted.dtype), share.sum()])

        def step(state: State, row: Rows) -> tuple[State, Log]:
            slots = place + jnp.arange(row.trial.shape[0], dtype=jnp.int32)
            batch = data.take(row.trial, row.first, slots, bins)
            batch = replace(batch, weight=row.weight.astype(batch.weight.dtype))
            (value, extra), gradient = jax.value_and_grad(loss, has_aux=True)(
                state.vector, batch, jax.random.fold_in(key, row.step), row.kl_weight
            )
            joined = runtime.summed(jnp.concatenate([gradient, value[None], extra]), mesh)
            total = joined[-2]
            gradient, value = joined[:-3] / total, joined[-3] / total
            update, inner = rule.update(gradient, state.optimiser, state.vector)
            vector = optax.apply_updates(state.vector, -row.rate.astype(update.dtype) * update)
            return State(vector, inner), Log(-value, joined[-1] / total, jnp.linalg.norm(gradient))

        return jax.lax.scan(step, state, rows)

    own: Any = PartitionSpec(None, "trial")
    all_: Any = PartitionSpec()
    cut = Rows(all_, all_, all_, own, own, own)
    return runtime.over_trials(whole, mesh, (all_, all_, all_, cut, all_), all_)(state, rest, data, rows, key)
