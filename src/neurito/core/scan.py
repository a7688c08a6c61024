"""The one scan: particles move through time under a guide, are weighed, and, if asked, resampled.

Training, filtering, smoothing, likelihoods, forecasts and generation all run through `scan`. For each bin

    (mean, scale) = affine(z)          particles are resampled on log w + evidence known before moving (fully adapted)
    eps = mu + C xi                    the guide's noise; xi is white and drawn before the scan
    z   = move(mean, scale, eps)
    log w += log p(y_t | z) + log N(eps; 0, I) - log N(eps; mu, C C')

For a guide whose evidence is exact the last line is log w += log p(y_t | z_{t-1}). Where nothing is resampled, the scan
only moves: log p(y | z) of all bins is one computation after it, which is quicker, and lets a decoder look at the whole
trajectory. Dynamics with sub-steps repeat the middle lines within a bin.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from neurito.core import choices, factors
from neurito.core.batch import Batch, Covered
from neurito.core.dropout import Dropout
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.encoders.base import Encoder
from neurito.core.guides.base import Guide, Kick, separated
from neurito.core.observations.base import LogProb, Observation, Scene
from neurito.core.operators import Dense, Diagonal, Scale
from neurito.core.parameters import resolve
from neurito.core.resampling import Scheme, ancestors, uniforms, weights
from neurito.errors import NeuritoError

Objective = Literal["vsmc", "iwae", "elbo"]
Estimator = Literal["reparameterised", "doubly_reparameterised"]


@dataclass(frozen=True)
class Inference:
    """How particles are used.

    Attributes:
        particles: K, samples per trial.
        objective: vsmc (log of mean weights, resampled), iwae (the same without resampling), or elbo (mean of log
            weights, with the divergence of the noise in closed form).
        resampling: systematic, multinomial or none.
        threshold: resample when the effective sample size falls to this share of K; 1 means at every bin.
        adapted: resample on p(y_t | z_{t-1}) before moving (fully adapted; needs guide='optimal').
        estimator: of the gradient that guide and encoder receive. Doubly reparameterised, it leaves out a term of mean
            zero, and gets better, not worse, with more particles (iwae; Tucker et al. 2019, eq. 8).
    """

    __no_type_check__ = True  # at run time: __post_init__ says what is wrong

    particles: int = 16
    objective: Objective = "vsmc"
    resampling: Scheme = "systematic"
    threshold: float = 1.0
    adapted: bool = False
    estimator: Estimator = "reparameterised"

    def __post_init__(self) -> None:
        """Checks what cannot be combined."""
        choices.check(self)
        if self.particles < 1:
            raise NeuritoError(f"particles={self.particles}: at least 1 is needed")
        if not 0 <= self.threshold <= 1:
            raise NeuritoError(f"threshold={self.threshold}: give a share of the particles between 0 and 1")
        if self.objective != "vsmc" and self.resampling != "none":
            raise NeuritoError(
                f"objective={self.objective!r} is defined without resampling: set resampling='none'"
            )
        if self.estimator != "reparameterised" and self.objective != "iwae":
            raise NeuritoError(
                f"estimator={self.estimator!r} is defined for objective='iwae', found {self.objective!r}"
            )
        if self.adapted and self.resampling == "none":
            raise NeuritoError("adapted=True resamples before moving: set resampling='systematic'")


class Model(eqx.Module):
    """A generative model and its guide.

    Attributes:
        dynamics: the latent process.
        heads: an observation model per observed head.
        guide: how the noise is chosen.
        encoder: features for the guide, or None.
    """

    dynamics: Dynamics
    heads: dict[str, Observation]
    guide: Guide
    encoder: Encoder | None


class Record(NamedTuple):
    """Everything that passed, leading axes (time, trial, particle).

    Attributes:
        z: states.
        log_w: log weights after weighing, before the next resampling.
        ancestor: the particle of the bin before from which each one came.
    """

    z: Float[Array, "time trial particle latent"]
    log_w: Float[Array, "time trial particle"]
    ancestor: Int[Array, "time trial particle"]


class Outcome(NamedTuple):
    """What a scan returns.

    Attributes:
        bound: the objective per trial, nats, summed over bins.
        increments: its part in each bin, (trial, time); with weights carried over bins, the change of log mean weight.
        ess: effective sample size in each bin before resampling, (trial, time).
        log_w: log weights after the last bin.
        record: particles, if recorded.
    """

    bound: Float[Array, " trial"]
    increments: Float[Array, "trial time"]
    ess: Float[Array, "trial time"]
    log_w: Float[Array, "trial particle"]
    record: Record | None


class _Bin(NamedTuple):
    """What the scan reads in one bin (leading axis time, then trial)."""

    step: Step  # the first sub-step out of the bin that is left
    xi: Float[Array, "..."]  # with sub-steps these come first
    uniform: Float[Array, "..."]
    guide: PyTree
    heads: list[PyTree]
    exists: Array | None


class Encoded(NamedTuple):
    """A recording that an encoder has read, where the model has one.

    Attributes:
        batch: the recording, thinned out by dropout.
        features: the encoder's.
        key: what is left of the randomness.
    """

    batch: Batch
    features: Float[Array, "trial time feature"] | None
    key: PRNGKeyArray


def encode(
    model: Model, batch: Batch, key: PRNGKeyArray, inference: Inference, dropout: Dropout | None = None
) -> Encoded:
    """What a scan needs before any particle moves; arguments as in `scan`.

    Raises:
        NeuritoError: dropout, and no encoder.
    """
    encoder = resolve(model.encoder)
    if encoder is None:
        if dropout is not None:
            raise NeuritoError("dropout thins out what an encoder reads, and this guide has none: set keep=1")
        return Encoded(batch, None, key)
    if dropout is None:
        return Encoded(batch, encoder(batch), key)
    key, key_in, key_hidden = jax.random.split(key, 3)
    batch = dropout.inputs(batch, encoder.heads, key_in, coordinated=inference.resampling == "none")
    return Encoded(batch, dropout.hidden(encoder(batch), batch.ids, key_hidden), key)


def scan(
    model: Model,
    batch: Batch,
    key: PRNGKeyArray,
    inference: Inference,
    *,
    covered: Covered = "read",
    record: bool = False,
    kl_weight: Float[Array, ""] | float = 1.0,
    dropout: Dropout | None = None,
) -> Outcome:
    """Runs K particles through every trial of a batch.

    Args:
        model: dynamics, heads, guide and encoder.
        batch: the recording.
        key: randomness; each trial's noise depends on (key, its id) alone.
        inference: particles, objective, resampling.
        covered: which entries weigh the particles: those read (inference), or those read or scored (training).
        record: keep all particles.
        kl_weight: factor on the divergence of the noise in the ELBO; 1 is the bound. Other objectives ignore it.
        dropout: what the encoder does not see (training).

    Raises:
        NeuritoError: a combination that is mathematically impossible.
    """
    encoded = encode(model, batch, key, inference, dropout)
    return propagate(model, encoded, inference, covered=covered, record=record, kl_weight=kl_weight)


def propagate(
    model: Model,
    encoded: Encoded,
    inference: Inference,
    *,
    covered: Covered,
    record: bool = False,
    kl_weight: Float[Array, ""] | float = 1.0,
) -> Outcome:
    """The scan itself, of a recording that the encoder has read; arguments as in `scan`."""
    batch, features, key = encoded
    model = resolve(model)
    dynamics, K, S = model.dynamics, inference.particles, model.dynamics.substeps
    free = inference.resampling == "none"
    coarse = bins(dynamics, batch)
    steps = Step(coarse.t, coarse.dt / S, coarse.u)
    names = [name for name in model.heads if name in batch.signals]
    scene = Scene(dynamics, batch, steps.u, features)

    known = []
    for name in names:
        signal = batch.signals[name]
        factor = model.heads[name].factor(scene, signal, signal.read)
        if factor is not None:
            known.append(factor)
    joint = factors.product(known) if known else None
    guide = model.guide.prepare(dynamics, joint, features, batch, steps)
    if inference.estimator == "doubly_reparameterised":
        still, seen = jax.lax.stop_gradient((model.guide, features))
        guide = separated(guide, still.prepare(dynamics, joint, seen, batch, steps))
    same = covered == "read" or all(batch.signals[n].train is None for n in names)
    exact = model.guide.exact and len(known) == len(names) > 0 and same and S == 1
    exact = exact and inference.objective != "elbo"
    if inference.adapted and not exact:
        raise NeuritoError(
            "adapted=True needs weights known before moving: guide='optimal', heads linear and Gaussian in the state, "
            "one step per bin, and no entries that are scored but not read"
        )

    likelihoods: list[LogProb] = []
    contexts: list[PyTree] = []
    if not exact:
        for name in names:
            signal, head = batch.signals[name], model.heads[name]
            if head.whole and not free:
                raise NeuritoError(
                    f"head {name!r} is decoded from the whole trajectory, which does not exist yet when particles are "
                    "resampled: set objective='elbo' or 'iwae', or choose a readout that looks at one bin"
                )
            context, log_prob = head.prepare(scene, signal, signal.mask(covered))
            likelihoods.append(log_prob)
            contexts.append(context)

    noise = _noise(dynamics, batch, key, inference)

    def prior(kick: Kick, xi: Array, eps: Array) -> Array | float:
        return -kl_weight * kick.kl() if inference.objective == "elbo" else kick.log_ratio(xi, eps)

    def weigh(kick: Kick, xi: Array, eps: Array, heads: list[PyTree], z: Array) -> Array:
        if exact:
            assert kick.evidence is not None
            return kick.evidence
        total = jnp.zeros(z.shape[:-1], z.dtype) + prior(kick, xi, eps)
        if not free:
            for log_prob, context in zip(likelihoods, heads, strict=True):
                total = total + log_prob(context, z)
        return total

    # The first bin.
    mean, scale = dynamics.init(_slice(coarse, 0))
    mean = jnp.broadcast_to(mean, (batch.n_trials, K, mean.shape[-1]))
    kick = guide.first(mean, scale)
    eps = kick.draw(noise.first)
    z = mean + scale @ eps
    log_w = weigh(kick, noise.first, eps, jax.tree.map(lambda x: x[:, 0], contexts), z)
    if batch.exists is not None:
        log_w = jnp.where(batch.exists[:, :1], log_w, 0.0)
    start = (z, log_w, jnp.zeros(batch.n_trials, z.dtype))

    constant_scale = dynamics.scale(Step(steps.t[:, :1], steps.dt[:, :1], None))
    if constant_scale is not None and constant_scale.batched:
        constant_scale = None  # it changes with the bins' width

    def affine(z: Array, step: Step) -> tuple[Array, Scale]:
        mean, scale = dynamics.affine(z, step)
        return mean, scale if constant_scale is None else constant_scale

    def early(z: Array, x: _Bin) -> tuple[Array, Array]:
        """All sub-steps of a bin but the last."""

        def sub(carry: tuple[Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            z, ratio = carry
            xi, number = inputs
            step = Step(x.step.t + number * x.step.dt, x.step.dt, x.step.u)
            mean, scale = affine(z, step)
            kick = guide.rest(x.guide, step, z, mean, scale) if guide.every else Kick()
            eps = kick.draw(xi)
            return (dynamics.move(z, mean, scale, step, eps), ratio + prior(kick, xi, eps)), None

        count = jnp.arange(S - 1, dtype=z.dtype)
        (z, ratio), _ = jax.lax.scan(sub, (z, jnp.zeros(z.shape[:-1], z.dtype)), (x.xi[:-1], count))
        return z, ratio

    @partial(jax.checkpoint, policy=jax.checkpoint_policies.save_only_these_names("mean", "ancestor"))
    def body(carry: tuple[Array, Array, Array], x: _Bin) -> tuple[tuple[Array, Array, Array], Any]:
        z, log_w, settled = carry
        if S == 1:
            mean, scale = affine(z, x.step)
            mean = checkpoint_name(mean, "mean")
        ancestor = jnp.broadcast_to(jnp.arange(K), log_w.shape)
        old = z
        if not free:
            ahead = None
            if inference.adapted:
                # The evidence does not depend on xi, so every particle has one before any is drawn.
                ahead = guide.rest(x.guide, x.step, z, mean, scale).evidence
                assert ahead is not None
                if x.exists is not None:
                    ahead = jnp.where(x.exists[:, None], ahead, 0.0)
            score = weights(log_w if ahead is None else log_w + ahead)
            due = None if inference.threshold == 1 else score.ess <= inference.threshold * K
            if x.exists is not None:
                due = x.exists if due is None else due & x.exists
            chosen = ancestors(score.relative, x.uniform)
            ancestor = chosen if due is None else jnp.where(due[:, None], chosen, ancestor)
            ancestor = checkpoint_name(ancestor, "ancestor")
            fresh = jnp.zeros_like(log_w) if ahead is None else -_pick(ahead, ancestor)
            log_w = fresh if due is None else jnp.where(due[:, None], fresh, log_w)
            settled = settled + (score.log_mean if due is None else jnp.where(due, score.log_mean, 0.0))
            z = _pick(z, ancestor)
            if S == 1:
                mean, scale = _pick(mean, ancestor), _pick_scale(scale, ancestor)
        step, xi, ratio = x.step, x.xi, jnp.zeros((), z.dtype)
        if S > 1:
            z, ratio = early(z, x)
            step, xi = Step(step.t + (S - 1) * step.dt, step.dt, step.u), xi[-1]
            mean, scale = affine(z, step)
        kick = guide.rest(x.guide, step, z, mean, scale)
        eps = kick.draw(xi)
        moved = dynamics.move(z, mean, scale, step, eps)
        increment = weigh(kick, xi, eps, x.heads, moved) + ratio
        if x.exists is not None:
            increment = jnp.where(x.exists[:, None], increment, 0.0)
            moved = jnp.where(x.exists[:, None, None], moved, old)
        log_w = log_w + increment
        return (moved, log_w, settled), (moved if record or free else None, log_w, settled, ancestor)

    first = (z if record or free else None, log_w, start[2], jnp.broadcast_to(jnp.arange(K), log_w.shape))
    xs = _Bin(
        left(steps),
        noise.xi,
        noise.uniform,
        jax.tree.map(lambda a: jnp.swapaxes(a, 0, 1), guide.context),
        [] if free else jax.tree.map(lambda a: jnp.swapaxes(a[:, 1:], 0, 1), contexts),
        None if batch.exists is None else batch.exists[:, 1:].T,
    )
    _, kept = jax.lax.scan(body, start, xs)
    zs, log_w, settled, ancestor = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, kept)
    if free and likelihoods:
        whole = jnp.moveaxis(zs, 0, 1)
        score = sum(log_prob(context, whole) for log_prob, context in zip(likelihoods, contexts, strict=True))
        if batch.exists is not None:
            score = jnp.where(batch.exists[..., None], score, 0.0)
        log_w = log_w + jnp.cumsum(jnp.moveaxis(score, 1, 0), 0)
    relative = weights(log_w)
    totals = (settled + (log_w.mean(-1) if inference.objective == "elbo" else relative.log_mean)).T
    increments = jnp.diff(totals, axis=1, prepend=0.0)
    passed = Record(zs, log_w, ancestor) if record else None
    return Outcome(totals[:, -1], increments, relative.ess.T, log_w[-1], passed)


class _Noise(NamedTuple):
    first: Float[Array, "trial particle noise"]
    xi: Float[Array, "time ..."]
    uniform: Float[Array, "time trial draws"]


def _noise(dynamics: Dynamics, batch: Batch, key: PRNGKeyArray, inference: Inference) -> _Noise:
    """All randomness of a scan, drawn at once; a trial's share depends on the key and its id only."""
    K, bins, S = inference.particles, batch.n_bins, dynamics.substeps
    inner = () if S == 1 else (S,)
    dtype = batch.dt.dtype

    def one(id_: Int[Array, ""]) -> tuple[Array, Array, Array]:
        a, b, c = jax.random.split(jax.random.fold_in(key, id_), 3)
        first = jax.random.normal(a, (K, dynamics.init_noise_dim), dtype)
        xi = jax.random.normal(b, (bins - 1, *inner, K, dynamics.noise_dim), dtype)
        return first, xi, jax.random.uniform(c, (bins - 1, uniforms(inference.resampling, K)), dtype)

    first, xi, uniform = jax.vmap(one, out_axes=(0, 1 + len(inner), 1))(batch.ids)
    return _Noise(first, xi, uniform)


def _slice(steps: Step, t: int) -> Step:
    """One bin's step with a particle axis."""
    return jax.tree.map(lambda a: a[:, t, None], steps)


def bins(dynamics: Dynamics, batch: Batch) -> Step:
    """Every bin's step, fields with leading axes (trial, time)."""
    return Step(jnp.cumsum(batch.dt, 1) - batch.dt, batch.dt, dynamics.drive(batch.inputs, batch.dt))


def left(steps: Step) -> Step:
    """The steps of bins 1 to T - 1, which the transitions leave, time first, with a particle axis."""
    return jax.tree.map(lambda a: jnp.swapaxes(a[:, :-1], 0, 1)[:, :, None], steps)


def _pick(x: Float[Array, "trial particle ..."], ancestor: Int[Array, "trial particle"]) -> Array:
    index = ancestor if x.ndim == 2 else ancestor[..., None]
    return jnp.take_along_axis(x, index, 1, mode="promise_in_bounds")


def _pick_scale(scale: Scale, ancestor: Int[Array, "trial particle"]) -> Scale:
    """Scales that differ between particles follow them."""
    if isinstance(scale, Diagonal):
        return Diagonal(_pick(scale.d, ancestor)) if scale.d.ndim == 3 and scale.d.shape[1] > 1 else scale
    leaf = scale.matrix if isinstance(scale, Dense) else scale.d
    if leaf.ndim == 4 and leaf.shape[1] > 1:
        return type(scale)(jnp.take_along_axis(leaf, ancestor[..., None, None], 1))
    return scale
