"""What a drift is: the deterministic part of a stochastic differential equation."""

import abc
import inspect
import math
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from neurito.core.operators import apply
from neurito.core.parameters import Interval, positive

_STATIC = (int, str, bool, "int", "str", "bool")


class Drift(eqx.Module):
    """dx/dt = f(t, x, u), with time in units of the dynamics' time constant.

    A new drift is a subclass with `dim` and `__call__`. Where part of it can be solved exactly, `flow` solves that part
    and `rest` is what remains: the splitting scheme then steps x <- flow(x + h rest, h), which stays stable where an
    explicit step of the whole would not.

    Class attributes:
        split: whether it has an exact part.
        decoded: whether decoders see something else than x, given by `visible`.
        unit: seconds in the unit of time that its parameters are written in; 0 = whatever the time constant is.
        longest: the longest sensible step, in that unit.
    """

    split = False
    decoded = False
    unit = 0.0
    longest = math.inf

    dim: eqx.AbstractVar[int]

    def __init_subclass__(cls, **options: Any) -> None:
        """Fields that are whole numbers, words or switches are no parameters."""
        super().__init_subclass__(**options)
        for name, kind in inspect.get_annotations(cls).items():
            if kind in _STATIC and isinstance(vars(cls).get(name), int | str):
                setattr(cls, name, eqx.field(static=True, default=vars(cls)[name]))

    @abc.abstractmethod
    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """f(t, x, u)."""

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """What the exact part leaves: here everything."""
        return self(t, x, u)

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """The exact part's solution after a time h: here nothing moves."""
        return x

    @property
    def start(self) -> Float[np.ndarray, " dim"]:
        """A typical state: the mean of the first one, at the start."""
        return np.zeros(self.dim)

    @property
    def size(self) -> Float[np.ndarray, " dim"]:
        """How far states typically spread: the unit of the noise, at the start."""
        return np.ones(self.dim)

    def visible(self, x: Float[Array, "... dim"]) -> Float[Array, "... visible"]:
        """What decoders see."""
        return x

    @property
    def visible_dim(self) -> int:
        """Dimension of what decoders see."""
        return self.dim


def pushed(B: Float[Array, "dim input"] | None, u: Float[Array, "... input"] | None) -> Array | float:
    """B u, or nothing where there is no input."""
    return 0.0 if B is None or u is None else apply(B, u)


def each(units: int, value: float) -> Interval:
    """A positive parameter of every unit."""
    return positive(np.full(units, value))
