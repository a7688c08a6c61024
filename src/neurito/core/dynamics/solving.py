"""Steps whose length follows the error: diffrax carries a state from bin to bin."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from neurito.errors import NeuritoError

_MOST = 4096  # steps between two bins


def solve(
    field: Callable[[Float[Array, ""], Float[Array, " dim"]], Float[Array, " dim"]],
    x: Float[Array, " dim"],
    tolerance: float,
) -> Float[Array, " dim"]:
    """x(1) of dx/ds = field(s, x), x(0) = x; NaN where 4096 steps do not lead there.

    Tsitouras' explicit pair of order 5; gradients are those of the steps taken.

    Args:
        field: the drift, times the interval.
        x: one state at its start.
        tolerance: of a step's error, relative, and absolute for states of order 1.

    Raises:
        NeuritoError: diffrax is not installed.
    """
    diffrax = _diffrax()
    found = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda s, x, _: field(s, x)),
        diffrax.Tsit5(),
        t0=0.0,
        t1=1.0,
        dt0=None,
        y0=x,
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=_MOST,
        throw=False,
    )
    assert found.ys is not None
    return jnp.where(found.result == diffrax.RESULTS.successful, found.ys[-1], jnp.nan)


def _diffrax() -> Any:
    """The package, which few models need."""
    try:
        import diffrax
    except ImportError as error:
        raise NeuritoError(
            "scheme='adaptive' needs the package diffrax: pip install 'neurito[solvers]'"
        ) from error
    return diffrax
