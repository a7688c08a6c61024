"""From recorded particles to trajectories of the whole trial."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurito.core.batch import Batch
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.operators import Diagonal, Scale
from neurito.core.parameters import resolve
from neurito.core.scan import Inference, Record, bins, left


def trajectories(
    dynamics: Dynamics, batch: Batch, record: Record, inference: Inference, samples: int, key: PRNGKeyArray
) -> Float[Array, "trial time sample latent"]:
    """Equally weighted draws from the posterior over trajectories, given everything read.

    Backward sampling where particles were resampled and the transition, one affine step, has a square scale that does
    not depend on the state; otherwise the stored ancestry (whose early bins are poor where resampling was frequent).

    Args:
        dynamics: the process.
        batch: the recording.
        record: the particles of a scan.
        inference: how they were used.
        samples: number of trajectories.
        key: for the draws.

    Source:
        Godsill, Doucet, West, "Monte Carlo smoothing for nonlinear time series", JASA 2004.
    """
    dynamics = resolve(dynamics)
    known = dynamics.scale(Step(batch.dt[:, :1], batch.dt[:, :1], None)) is not None
    single = dynamics.substeps == 1 and dynamics.affine_move and dynamics.noise_dim == dynamics.latent_dim
    backward = known and single and inference.resampling != "none"
    final = record.log_w[-1]

    def one(id_: Int[Array, ""]) -> Float[Array, "time sample"]:
        return jax.random.uniform(jax.random.fold_in(key, id_), (batch.n_bins, samples), final.dtype)

    uniform = jax.vmap(one, out_axes=1)(batch.ids)
    if inference.objective == "elbo":  # draws of the guide itself, all alike
        index = jnp.broadcast_to(jnp.arange(samples) % final.shape[-1], uniform.shape[1:])
    else:
        index = _draw(final[:, None], uniform[-1])
    alive = None if batch.exists is None else batch.exists[:, 1:].T

    def white(scale: Scale, x: Float[Array, "... latent"]) -> Float[Array, "... latent"]:
        if isinstance(scale, Diagonal):
            return x / scale.d
        # Not as product and sum: jaxlib 0.10.2 compiles that wrongly under a broadcast this large (jax issue 39103).
        inverse = jnp.linalg.inv(scale.dense())
        return x @ inverse.T if inverse.ndim == 2 else (inverse @ x[..., None])[..., 0]

    def step(carry: tuple[Array, Array], x: tuple[Array, Array, Array, Step, Array, Array | None]):  # type: ignore[no-untyped-def]
        index, chosen = carry
        z, log_w, ancestor, step_t, u, here = x
        if backward:
            mean, scale = dynamics.affine(z, step_t)
            gap = white(scale, chosen)[:, :, None] - white(scale, mean)[:, None]
            new = _draw(log_w[:, None] - 0.5 * jnp.sum(gap**2, -1), u)
            if here is not None:
                new = jnp.where(here[:, None], new, index)
        else:
            new = jnp.take_along_axis(ancestor, index, 1)
        chosen = jnp.take_along_axis(z, new[..., None], 1)
        return (new, chosen), chosen

    end = jnp.take_along_axis(record.z[-1], index[..., None], 1)
    xs = (
        record.z[:-1],
        record.log_w[:-1],
        record.ancestor[1:],
        left(bins(dynamics, batch)),
        uniform[:-1],
        alive,
    )
    _, earlier = jax.lax.scan(step, (index, end), xs, reverse=True)
    return jnp.moveaxis(jnp.concatenate([earlier, end[None]]), 0, 1)


def _draw(
    log_p: Float[Array, "trial #sample particle"], u: Float[Array, "trial sample"]
) -> Int[Array, "trial sample"]:
    """One particle per sample, with probability proportional to exp(log_p), by inversion."""
    p = jnp.cumsum(jnp.exp(log_p - log_p.max(-1, keepdims=True)), -1)
    below = p < (u * p[..., -1])[..., None]
    return jnp.minimum(below.sum(-1), log_p.shape[-1] - 1)
