"""Gaussian information about the state, bin by bin, in information form."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from neurito.core.operators import Diagonal, Scale, apply


class Factor(eqx.Module):
    """exp(c + b.(z - z0) - (z - z0)' A (z - z0) / 2) for every bin.

    Expanding round a point z0 near the data keeps float32 exact where the observations are precise; any z0 gives the
    same function. `precision` is a table of the distinct A, gathered by `pattern`, (latent, latent) each, or a
    diagonal per bin where `pattern` is None.
    """

    precision: Float[Array, "pattern latent latent"] | Float[Array, "trial time latent"]
    pattern: Int[Array, "trial time"] | None
    centre: Float[Array, "trial time latent"]
    linear: Float[Array, "trial time latent"]
    constant: Float[Array, "trial time"]

    @property
    def single(self) -> bool:
        """Whether one matrix serves every bin."""
        return self.pattern is not None and self.precision.shape[0] == 1

    def bins(self, start: int, stop: int | None = None) -> "Factor":
        """The same for some of the bins."""
        cut = slice(start, stop)
        diagonal = self.pattern is None
        return Factor(
            self.precision[:, cut] if diagonal else self.precision,
            None if self.pattern is None else self.pattern[:, cut],
            self.centre[:, cut],
            self.linear[:, cut],
            self.constant[:, cut],
        )


class Bin(eqx.Module):
    """What one bin of a factor asks of a state: A, its centre, b and c; (trial, 1, ...) each."""

    A: Scale
    centre: Float[Array, "... latent"]
    linear: Float[Array, "... latent"]
    constant: Float[Array, "..."]

    def log_density(self, z: Float[Array, "trial ... particle latent"]) -> Float[Array, "trial ... particle"]:
        """The logarithm of the factor at z."""
        d = z - self.centre
        return self.constant + jnp.sum(d * (self.linear - 0.5 * (self.A @ d)), -1)


def gather(table: Float[Array, "pattern ..."], pattern: Int[Array, "trial time"]) -> Float[Array, "..."]:
    """One row of the table per bin; a table of one row is returned bare, to broadcast."""
    return table[0] if table.shape[0] == 1 else table[pattern]


def linear_gaussian(
    y: Float[Array, "trial time channel"],
    offset: Float[Array, "... channel"],
    weight: Float[Array, "session latent channel"],
    precision: Float[Array, "session channel"],
    pattern: Int[Array, "trial time"],
    table: Float[Array, "pattern channel"],
    session: Int[Array, " pattern"],
) -> Factor:
    """The factor of y = W'z + offset + noise: A = sum over read channels of W_n W_n' / sigma_n^2, one per pattern.

    Args:
        y: observations, anything where unread.
        offset: what y is at z = 0, broadcasting against y.
        weight: W, per session.
        precision: 1 / sigma_n^2, per session.
        pattern: which mask a bin has.
        table: the masks.
        session: the session of each mask.
    """
    read_precision = table * precision[session]  # (pattern, channel)
    W = weight[session]
    A = jnp.einsum("pn,pin,pjn->pij", read_precision, W, W)
    ridge = (
        1e-6 * (jnp.trace(A, axis1=-2, axis2=-1)[:, None, None] + 1.0) * jnp.eye(A.shape[-1], dtype=A.dtype)
    )
    solve = jax.lax.stop_gradient(jnp.linalg.inv(A + ridge))
    per_bin = gather(read_precision, pattern)
    residual = (y - offset) * jnp.where(per_bin > 0, 1.0, 0.0)
    W_bin = gather(W, pattern)
    shape = "in" if W_bin.ndim == 2 else "btin"

    def project(r: Float[Array, "trial time channel"]) -> Float[Array, "trial time latent"]:
        return jnp.einsum(f"btn,{shape}->bti", r * per_bin, W_bin)

    centre = jax.lax.stop_gradient(apply(gather(solve, pattern), project(residual)))
    residual = residual - jnp.einsum(f"bti,{shape}->btn", centre, W_bin)
    log_normaliser = jnp.where(per_bin > 0, jnp.log(jnp.where(per_bin > 0, per_bin, 1.0) / (2 * jnp.pi)), 0.0)
    constant = 0.5 * jnp.sum(log_normaliser - per_bin * residual**2, -1)
    return Factor(A, pattern, centre, project(residual), jnp.broadcast_to(constant, y.shape[:2]))


def product(factors: Sequence[Factor]) -> Factor:
    """The product of several factors, expanded round the first one's centre."""
    first, *others = factors
    if not others:
        return first
    dense = [_per_bin(f) for f in factors]
    A = sum(dense[1:], dense[0])
    linear, constant = first.linear, first.constant
    for factor, matrix in zip(others, dense[1:], strict=True):
        shift = first.centre - factor.centre
        pull = apply(matrix, shift)
        linear = linear + factor.linear - pull
        constant = constant + factor.constant + jnp.sum(shift * (factor.linear - 0.5 * pull), -1)
    trials, bins = constant.shape
    every = jnp.arange(trials * bins).reshape(trials, bins)
    return Factor(A.reshape(trials * bins, *A.shape[2:]), every, first.centre, linear, constant)


def _per_bin(factor: Factor) -> Float[Array, "trial time latent latent"]:
    if factor.pattern is None:
        return Diagonal(factor.precision).dense()
    return factor.precision[factor.pattern]
