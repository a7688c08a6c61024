"""Standard errors from the curvature of a bound, for a few parameters of a fitted model (Laplace approximation)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.batch import Batch, Covered
from neurito.core.parameters import name
from neurito.core.scan import Inference, Model, scan
from neurito.errors import NeuritoError

MOST = 400
"""Parameters beyond which a Hessian is no longer a matter of seconds."""
_FLAT = 1e-6  # of the largest eigenvalue: less curvature than this is rounding


@dataclass(frozen=True, eq=False)
class Curvature:
    """The Hessian of minus a bound, at the fitted values.

    Attributes:
        names: of the parameters, as in `Fitted.parameters`, one per number.
        hessian: (parameter, parameter), nats.
        eigenvalues: of it, ascending; all are positive at a maximum that the data determine.
    """

    names: tuple[str, ...]
    hessian: Float[np.ndarray, "parameter parameter"]
    eigenvalues: Float[np.ndarray, " parameter"]

    @property
    def undetermined(self) -> int:
        """Directions without positive curvature: more than none, and there are no standard errors."""
        return int((self.eigenvalues <= _FLAT * max(float(self.eigenvalues[-1]), 0.0)).sum())

    @property
    def covariance(self) -> Float[np.ndarray, "parameter parameter"]:
        """The inverse of the Hessian; NaN where it is not positive definite."""
        if self.undetermined:
            return np.full_like(self.hessian, np.nan)
        return np.linalg.inv(self.hessian)

    def errors(self, jacobian: Float[np.ndarray, "... parameter"]) -> Float[np.ndarray, "..."]:
        """Standard errors of functions of the parameters from their derivatives (delta method)."""
        variance = np.einsum("...p,pq,...q->...", jacobian, self.covariance, jacobian)
        found: np.ndarray = np.sqrt(variance)
        return found


class Chosen:
    """Some parameters of a model as one vector."""

    def __init__(self, model: Model, prefix: str) -> None:
        leaves, self._structure = jax.tree.flatten(model)
        paths = [name(path) for path, _ in jax.tree_util.tree_leaves_with_path(model)]
        self._leaves = leaves
        self._places = [
            i
            for i, leaf in enumerate(leaves)
            if eqx.is_inexact_array(leaf) and f"{paths[i]}.".startswith(f"{prefix}.")
        ]
        self.names = tuple(paths[i].removesuffix(".raw") for i in self._places for _ in range(leaves[i].size))
        if not self.names:
            raise NeuritoError(f"the model has no parameters {prefix}: fit an SDE with a drift to be learned")
        if len(self.names) > MOST:
            raise NeuritoError(
                f"{prefix} has {len(self.names)} parameters, a curvature can be had of up to {MOST}: "
                "compare runs of several seeds instead"
            )
        self.vector = jnp.concatenate([jnp.ravel(leaves[i]) for i in self._places])

    def put(self, vector: Array) -> Any:
        """The model with other values of them."""
        leaves, start = list(self._leaves), 0
        for i in self._places:
            size = leaves[i].size
            leaves[i] = vector[start : start + size].reshape(leaves[i].shape)
            start += size
        return jax.tree.unflatten(self._structure, leaves)

    def jacobian(self, function: Callable[[Any], Any]) -> Any:
        """Derivatives of a function of the model by them."""
        return jax.tree.map(
            lambda x: np.asarray(x, np.float64), jax.jacfwd(lambda v: function(self.put(v)))(self.vector)
        )


def curvature(
    chosen: Chosen,
    batches: Iterable[Batch],
    key: PRNGKeyArray,
    inference: Inference,
    covered: Covered = "train",
) -> Curvature:
    """The Hessian of minus the bound by some parameters; guide, decoder and noise stay as they are.

    The same random numbers are used at all values (they depend on the key and the trial only), so the bound is a smooth
    function. It is the curvature of a bound, not of the likelihood: with a guide that cannot follow the parameters the
    ELBO is curved more strongly, and its standard errors are too small; `objective="iwae"` with more and more particles
    tends to the likelihood's.

    Args:
        chosen: which parameters of which model.
        batches: trials; those of weight 0 do not count.
        key: randomness.
        inference: objective and number of particles.
        covered: the entries that the likelihood covers; in a fit, those read or scored.
    """

    @jax.jit
    def hessian(vector: Array, batch: Batch) -> Array:
        def missing(vector: Array) -> Array:
            out = scan(chosen.put(vector), batch, key, inference, covered=covered)
            return -(out.bound * batch.weight).sum()

        slope = jax.grad(missing)
        # one direction after the other: memory as for one gradient
        return jax.lax.map(
            lambda e: jax.jvp(slope, (vector,), (e,))[1], jnp.eye(vector.size, dtype=vector.dtype)
        )

    found = sum(np.asarray(hessian(chosen.vector, batch), np.float64) for batch in batches)
    H: np.ndarray = 0.5 * (np.asarray(found) + np.asarray(found).T)
    if not np.isfinite(H).all():
        raise NeuritoError("the bound's curvature is not finite: was the fit diverging?")
    return Curvature(chosen.names, H, np.linalg.eigvalsh(H))
