"""What a drift is: the deterministic part of a stochastic differential equation."""

import abc

import equinox as eqx
from jaxtyping import Array, Float


class Drift(eqx.Module):
    """dx/dt = f(t, x, u), with time in units of the dynamics' time constant.

    A new drift is a subclass with `dim` and `__call__`. Where part of it can be solved exactly, `flow` solves that part
    and `rest` is what remains: the splitting scheme then steps x <- flow(x + h rest, h), which stays stable where an
    explicit step of the whole would not.

    Class attributes:
        split: whether it has an exact part.
        decoded: whether decoders see something else than x, given by `visible`.
    """

    split = False
    decoded = False

    dim: eqx.AbstractVar[int]

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

    def visible(self, x: Float[Array, "... dim"]) -> Float[Array, "... visible"]:
        """What decoders see."""
        return x

    @property
    def visible_dim(self) -> int:
        """Dimension of what decoders see."""
        return self.dim
