"""Parameters with a domain, and parameters by name."""

import abc
import fnmatch
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from neurito.errors import NeuritoError, nearest


class Derived(eqx.Module):
    """Parameters that stand for a value; a scan works the value out once."""

    @property
    @abc.abstractmethod
    def value(self) -> Float[Array, "..."]:
        """What they stand for."""


class Interval(Derived):
    """A number or array confined to (low, high), stored as an unbounded one.

    value = low + (high - low) sigmoid(raw) for a finite `high`, low + exp(raw) for an infinite one.

    Raises:
        NeuritoError: the value is a number outside; what is still being computed, in a program, is not looked at.
    """

    raw: Float[Array, "..."]
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __init__(self, value: Any, low: float = 0.0, high: float = float("inf")) -> None:
        log: Any = jnp.log
        if not isinstance(value, jax.core.Tracer):
            log, value = np.log, np.asarray(value, float)
            if not (np.all(value > low) and np.all(value < high)):
                raise NeuritoError(f"value {value} lies outside ({low}, {high}): start inside")
        raw = log(value - low) - (0 if np.isinf(high) else log(high - value))
        self.raw, self.low, self.high = jnp.asarray(raw, jnp.result_type(float)), low, high

    @property
    def value(self) -> Float[Array, "..."]:
        """The number itself, inside its interval."""
        if np.isinf(self.high):
            return self.low + jnp.exp(self.raw)
        return self.low + (self.high - self.low) * jax.nn.sigmoid(self.raw)


def positive(value: Any) -> Interval:
    """A positive parameter that starts at `value`."""
    return Interval(value)


class _Known(eqx.Module):
    """A derived value, worked out once."""

    value: Float[Array, "..."]


def resolve(model: PyTree) -> PyTree:
    """The same model with every derived parameter replaced by its value, so that a scan need not compute it again."""
    known = lambda leaf: _Known(leaf.value) if _is_derived(leaf) else leaf  # noqa: E731
    return jax.tree.map(known, model, is_leaf=_is_derived)


def _is_derived(node: Any) -> bool:
    return isinstance(node, Derived)


def name(path: Iterable[Any]) -> str:
    """The dotted name of a place in a model, as `dynamics.decay`."""
    return jax.tree_util.keystr(tuple(path), simple=True, separator=".")


def valued(model: PyTree) -> dict[str, Array]:
    """Every parameter of a model by its dotted name, derived ones as the values they stand for."""
    leaves = jax.tree_util.tree_leaves_with_path(model, is_leaf=_is_derived)
    return {
        name(path): leaf.value if _is_derived(leaf) else leaf
        for path, leaf in leaves
        if _is_derived(leaf) or eqx.is_inexact_array(leaf)
    }


def parameters(model: PyTree) -> dict[str, np.ndarray]:
    """The same as NumPy arrays."""
    return {key: np.asarray(value) for key, value in valued(model).items()}


def trainable(model: PyTree, fixed: Iterable[str] = ()) -> PyTree:
    """A tree of booleans: which leaves a fit may change.

    Args:
        model: any model.
        fixed: dotted names, with * as wildcard, that keep their value.

    Raises:
        NeuritoError: a name in `fixed` fits no parameter.
    """
    known = list(parameters(model))
    for pattern in fixed:
        if not any(covers(pattern, key) for key in known):
            raise NeuritoError(f"fixed={pattern!r} names no parameter: {nearest(pattern, known)}")

    def free(path: Any, leaf: Any) -> bool:
        return eqx.is_inexact_array(leaf) and not any(covers(p, name(path)) for p in fixed)

    return jax.tree_util.tree_map_with_path(free, model)


def covers(pattern: str, key: str) -> bool:
    """Whether a pattern with * as wildcard names a parameter, or a module around it."""
    return fnmatch.fnmatchcase(key, pattern) or fnmatch.fnmatchcase(key, pattern + ".*")
