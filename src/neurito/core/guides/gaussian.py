"""Guides that multiply the transition by a Gaussian factor in the state.

A factor exp(b.(z' - z0) - (z' - z0)' A (z' - z0) / 2) on z' = m + S eps gives eps the precision P = I + S'AS and the
mean P^{-1} S'(b - A(m - z0)), for S of any shape. With P = L L' and C = L'^{-1} the covariance is C C', and

    log of the integral of factor x N(eps; 0, I) = c + d.(b + r) / 2 + |C'S'r|^2 / 2 + log |C|,

    d = m - z0,   r = b - A d,   log |C| = -sum log L_ii.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax.lax.linalg import triangular_solve
from jaxtyping import Array, Float

from neurito.core.batch import Batch
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.factors import Bin, Factor, gather
from neurito.core.guides.base import Guide, Kick, Prepared
from neurito.core.operators import Dense, Diagonal, Scale
from neurito.errors import NeuritoError


class Conditioned(NamedTuple):
    """The factorisation for one A and S: C, C'S' and log |C|."""

    C: Scale
    CS: Scale
    log_det: Float[Array, "..."]


def condition(A: Scale, S: Scale) -> Conditioned:
    """Factorises I + S'AS; the cost is cubic in the noise dimension unless both are diagonal."""
    if isinstance(A, Diagonal) and isinstance(S, Diagonal):
        C = (1 + A.d * S.d**2) ** -0.5
        return Conditioned(Diagonal(C), Diagonal(C * S.d), jnp.sum(jnp.log(C), -1))
    scale, matrix = S.dense(), A.dense()
    transposed = jnp.swapaxes(scale, -1, -2)
    eye = jnp.eye(scale.shape[-1], dtype=scale.dtype)
    L = jnp.linalg.cholesky(eye + transposed @ matrix @ scale)
    inverse = triangular_solve(L, jnp.broadcast_to(eye, L.shape), left_side=True, lower=True)
    log_det = -jnp.sum(jnp.log(jnp.diagonal(L, axis1=-2, axis2=-1)), -1)
    return Conditioned(Dense(jnp.swapaxes(inverse, -1, -2)), Dense(inverse @ transposed), log_det)


def kick(bin_: Bin, conditioned: Conditioned, mean: Float[Array, "trial particle latent"]) -> Kick:
    """The noise that the factor asks for, and the evidence."""
    d = mean - bin_.centre
    r = bin_.linear - bin_.A @ d
    s = conditioned.CS @ r
    evidence = (
        bin_.constant + conditioned.log_det + 0.5 * (jnp.sum(d * (bin_.linear + r), -1) + jnp.sum(s * s, -1))
    )
    return Kick(s, conditioned.C, conditioned.log_det, evidence)


def prepare(dynamics: Dynamics, factor: Factor, steps: Step) -> Prepared:
    """Factorises once per distinct A (per bin where it must be) if the scale is known before the scan.

    Raises:
        NeuritoError: the move is not affine in the noise.
    """
    if not dynamics.affine_move:
        raise NeuritoError(
            "guide='optimal' and guide='encoder' need a move that is affine in the noise, which this scheme is not: "
            "use scheme='euler', guide='control' or guide='bootstrap'"
        )
    from_diagonal = factor.pattern is None

    def matrices(part: Factor, scale: Scale | None) -> tuple[Scale, Conditioned | None]:
        """A and its factorisation per bin, leading axes (trial, time), or none where one serves all."""
        if part.pattern is None:
            A: Scale = Diagonal(part.precision)
            return A, None if scale is None else condition(A, scale)
        A = Dense(part.precision)
        if scale is not None and scale.batched:
            A = Dense(part.precision[part.pattern])
            return A, condition(A, scale)
        pattern = part.pattern

        def at(table: Array) -> Array:
            return gather(table, pattern)

        if scale is None:
            return Dense(at(part.precision)), None
        C, CS, log_det = condition(A, scale)
        return (
            Dense(at(part.precision)),
            Conditioned(Dense(at(C.dense())), Dense(at(CS.dense())), at(log_det)),
        )

    def first(mean: Float[Array, "trial particle latent"], scale: Scale) -> Kick:
        head = factor.bins(0, 1)
        # The initial scale is (latent, noise) or batched over trials: one bin, so factorise per pattern or trial.
        A, conditioned = matrices(head, scale if not scale.batched else None)
        bin_ = _bin(head, A, 0)
        done = condition(bin_.A, scale) if conditioned is None else _pick(conditioned, 0)
        return kick(bin_, done, mean)

    rest_factor = factor.bins(1)
    scale = dynamics.scale(Step(steps.t[:, :-1], steps.dt[:, :-1], None))  # of the bins that are left
    A, conditioned = matrices(rest_factor, scale)
    # What is the same in every bin stays out of the scan's per-bin context.
    varying_A = A if from_diagonal or A.dense().ndim > 2 else None
    varying_C = conditioned if conditioned is not None and conditioned.log_det.ndim > 0 else None
    context = (rest_factor.centre, rest_factor.linear, rest_factor.constant, varying_A, varying_C)

    def rest(
        ctx: tuple[Array, Array, Array, Scale | None, Conditioned | None],
        step: Step,
        z: Float[Array, "trial particle latent"],
        mean: Float[Array, "trial particle latent"],
        scale: Scale,
    ) -> Kick:
        centre, linear, constant, A_t, C_t = ctx
        here = A if A_t is None else _expand(A_t)
        bin_ = Bin(here, centre[:, None], linear[:, None], constant[:, None])
        if conditioned is None:
            done = condition(here, scale)
        elif C_t is None:
            done = conditioned
        else:
            done = Conditioned(_expand(C_t.C), _expand(C_t.CS), C_t.log_det[:, None])
        return kick(bin_, done, mean)

    return Prepared(first, context, rest)


def _expand(scale: Scale) -> Scale:
    """A particle axis after the trial axis."""
    return Diagonal(scale.d[:, None]) if isinstance(scale, Diagonal) else Dense(scale.dense()[:, None])


def _at(scale: Scale, t: int) -> Scale:
    """The matrices of one bin, with a particle axis; those without leading axes as they are."""
    if not scale.batched:
        return scale
    return Diagonal(scale.d[:, t, None]) if isinstance(scale, Diagonal) else Dense(scale.dense()[:, t, None])


def _pick(conditioned: Conditioned, t: int) -> Conditioned:
    log_det = conditioned.log_det
    return Conditioned(
        _at(conditioned.C, t), _at(conditioned.CS, t), log_det[:, t, None] if log_det.ndim else log_det
    )


def _bin(factor: Factor, A: Scale, t: int) -> Bin:
    return Bin(_at(A, t), factor.centre[:, t, None], factor.linear[:, t, None], factor.constant[:, t, None])


class Optimal(Guide):
    """p(eps | z_{t-1}, y_t), for heads that are Gaussian and linear in z: the Kalman gain, in noise space.

    The weight p(y_t | z_{t-1}) does not depend on the sampled state. Other heads (counts) enter the weight only.

    Source:
        Pals et al. 2024, section 2.2; Doucet, Godsill, Andrieu 2000, eq. 22.
    """

    exact = True

    def prepare(
        self,
        dynamics: Dynamics,
        factor: Factor | None,
        features: Float[Array, "trial time feature"] | None,
        batch: Batch,
        steps: Step,
    ) -> Prepared:
        """See the base class.

        Raises:
            NeuritoError: no head is linear and Gaussian.
        """
        if factor is None:
            raise NeuritoError(
                "guide='optimal' needs an observation that is Gaussian and linear in the state (with counts or a "
                "readout from rates it has no closed form): use guide='encoder' or guide='bootstrap'"
            )
        return prepare(dynamics, factor, steps)


class Encoded(Guide):
    """The transition times a Gaussian in z_t that an encoder reads off the data.

    The encoder's features are its mean and log variance, (trial, time, 2 latent). The mean becomes
    (1 - alpha) f + alpha mu_e with alpha = precision_e / (precision_e + precision_z): a learned teacher forcing.
    After the last bin in which anything is read, the guide is the prior.

    Source:
        Pals et al. 2024, section 2.3.
    """

    encoded = True

    def prepare(
        self,
        dynamics: Dynamics,
        factor: Factor | None,
        features: Float[Array, "trial time feature"] | None,
        batch: Batch,
        steps: Step,
    ) -> Prepared:
        """See the base class.

        Raises:
            NeuritoError: there is no encoder, or it gives another number of features.
        """
        wanted = 2 * dynamics.latent_dim
        if features is None or features.shape[-1] != wanted:
            found = "no encoder" if features is None else f"{features.shape[-1]} features"
            raise NeuritoError(f"guide='encoder' needs an encoder with {wanted} features, found {found}")
        centre, log_variance = jnp.split(features, 2, -1)
        precision = jnp.exp(-log_variance)
        if batch.informed is not None:
            precision = precision * batch.informed[..., None]
        zero = jnp.zeros_like(centre)
        return prepare(dynamics, Factor(precision, None, centre, zero, zero[..., 0]), steps)
