"""A user's own drift: any function of (t, x, u), any Equinox module that is called so."""

import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.drifts.base import Drift
from neurito.core.parameters import name as name_of
from neurito.errors import NeuritoError


class Wrapped(Drift):
    """x' = what somebody's function or module gives for (t, x, u).

    Attributes:
        module: a module, whose arrays are learned; or None.
        function: a function, with nothing to learn.
    """

    module: eqx.Module | None
    function: Callable[..., Any] | None = eqx.field(static=True)
    dim: int = eqx.field(static=True)

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Any:  # whatever it gives: `drift_of` has looked at it
        """See the class."""
        call: Any = self.function if self.module is None else self.module
        return call(t, x, u)


def drift_of(thing: Any, name: str, dim: int, inputs: int, key: PRNGKeyArray) -> Drift:
    """A drift from a function, or from a class of Equinox modules; its fields that are plain floats are learned too.

    A class is made with those of `dim` (or `latents`), `inputs` (or `input_dim`) and `key` that it asks for.

    Raises:
        NeuritoError: it cannot be made, fails, or gives a wrong shape, NaN or infinity.
    """
    if inspect.isclass(thing):
        module = _made(
            thing, name, {"dim": dim, "latents": dim, "inputs": inputs, "input_dim": inputs, "key": key}
        )
        drift = module if isinstance(module, Drift) else Wrapped(module=module, function=None, dim=dim)
    elif callable(thing):
        drift = Wrapped(module=None, function=thing, dim=dim)
    else:
        raise NeuritoError(f"drift {name}: is neither a function of (t, x, u) nor a class of such")
    if drift.dim != dim:
        raise NeuritoError(
            f"drift {name}: has dim={drift.dim}, the model latents={dim}: give latents={drift.dim}"
        )
    _check(drift, name, inputs)
    return drift


def _made(kind: type, name: str, offers: dict[str, Any]) -> eqx.Module:
    if not issubclass(kind, eqx.Module):
        raise NeuritoError(
            f"drift {name}: make it a subclass of neurito.Drift or equinox.Module, which find its parameters"
        )
    asked = inspect.signature(kind).parameters
    unknown = [n for n, p in asked.items() if p.default is p.empty and n not in offers]
    if unknown:
        raise NeuritoError(
            f"drift {name}: nothing is known of its {', '.join(unknown)}; a drift is made from latents, inputs and "
            "key, the rest needs defaults"
        )
    try:
        made = kind(**{n: offers[n] for n in asked if n in offers})
    except (TypeError, ValueError) as error:
        raise NeuritoError(f"drift {name}: could not be made: {_first_line(error)}") from error
    dtype = jnp.result_type(float)
    found: eqx.Module = jax.tree.map(lambda x: jnp.asarray(x, dtype) if isinstance(x, float) else x, made)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        if not eqx.is_inexact_array(leaf):
            raise NeuritoError(
                f"drift {name}: its {name_of(path)} is no parameter but of type {type(leaf).__name__}: make it a float "
                "or an array of floats, or mark it eqx.field(static=True)"
            )
    return found


def _check(drift: Drift, name: str, inputs: int) -> None:
    """Tries the drift as a scan will call it: (trial, particle, ...), compiled."""
    rng, dtype = np.random.default_rng(0), jnp.result_type(float)
    x = jnp.asarray(drift.start + drift.size * rng.normal(size=(2, 3, drift.dim)), dtype)
    t, u = jnp.zeros((2, 1, 1), dtype), jnp.zeros((2, 1, inputs), dtype) if inputs else None
    called = (
        f"t of shape {t.shape}, x of shape {x.shape} and u {'= None' if u is None else f'of shape {u.shape}'}"
    )
    calls: dict[str, Callable[..., Any]] = {"": lambda t, x, u: drift(t, x, u)}
    if drift.split:
        calls[" in rest"] = lambda t, x, u: drift.rest(t, x, u)
        calls[" in flow"] = lambda t, x, u: drift.flow(x, 0.1)
    for part, call in calls.items():
        try:
            y = jax.jit(call)(t, x, u)
        except Exception as error:  # whatever somebody's code may raise
            raise NeuritoError(
                f"drift {name}: failed{part} for {called}: {_first_line(error)}; write it with jax.numpy, for any "
                "leading axes"
            ) from error
        shape = getattr(y, "shape", None)
        if shape != x.shape:
            raise NeuritoError(
                f"drift {name}: gave shape {shape}{part} for {called}; expected {x.shape}, a slope for every entry of x"
            )
        if not bool(jnp.isfinite(y).all()):
            raise NeuritoError(
                f"drift {name}: gave NaN or infinity{part} for x of order {float(drift.size.max()):g}"
            )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
