"""Drifts that are learned: a perceptron, a linear map, and a known drift with a learned correction."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.drifts.base import Drift
from neurito.core.layers import MLP, Activation
from neurito.core.operators import apply


class Perceptron(Drift):
    """x' = W_2 tanh(W_1 [x; u] + b_1) + b_2 - leak x, with any number of hidden layers of tanh, or of something else.

    Args:
        dim: dimension of x.
        widths: units of the hidden layers.
        input_dim: number of inputs.
        key: for the start.
        leak: a decay that keeps what is learned bounded.
        gain: size of the last layer's start; 0 for a correction that starts silent.
        activation: tanh, relu, gelu or softplus.
    """

    network: MLP
    leak: float = eqx.field(static=True)
    dim: int = eqx.field(static=True)

    def __init__(
        self,
        dim: int,
        widths: Sequence[int],
        input_dim: int = 0,
        *,
        key: PRNGKeyArray,
        leak: float = 0.0,
        gain: float = 1.0,
        activation: Activation = "tanh",
    ) -> None:
        self.network = MLP(dim + input_dim, dim, widths, key=key, last_gain=gain, activation=activation)
        self.leak, self.dim = leak, dim

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class."""
        seen = x
        if u is not None:
            seen = jnp.concatenate([x, jnp.broadcast_to(u, (*x.shape[:-1], u.shape[-1]))], -1)
        slope = self.network(seen)
        return slope - self.leak * x if self.leak else slope


class Linear(Drift):
    """x' = A x + B u + b.

    Args:
        dim: dimension of x.
        input_dim: number of inputs.
        key: for the start, a slowly decaying rotation.
    """

    A: Float[Array, "dim dim"]
    B: Float[Array, "dim input"] | None
    b: Float[Array, " dim"]
    dim: int = eqx.field(static=True)

    def __init__(self, dim: int, input_dim: int = 0, *, key: PRNGKeyArray) -> None:
        G = jax.random.normal(key, (dim, dim)) * dim**-0.5
        self.A = 0.7 * (G - G.T) - 0.2 * jnp.eye(dim)
        self.B = jnp.zeros((dim, input_dim)) if input_dim else None
        self.b = jnp.zeros(dim)
        self.dim = dim

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class."""
        slope = apply(self.A, x) + self.b
        return slope if self.B is None or u is None else slope + apply(self.B, u)


class Hybrid(Drift):
    """f = known(t, x, u) + learned(t, x, u): the equations one believes in, and a network for the rest.

    The exact part, if any, is that of the known drift.
    """

    known: Drift
    learned: Drift
    dim: int = eqx.field(static=True)

    def __init__(self, known: Drift, learned: Drift) -> None:
        self.known, self.learned, self.dim = known, learned, known.dim

    @property
    def split(self) -> bool:  # type: ignore[override]
        """As the known drift."""
        return self.known.split

    @property
    def decoded(self) -> bool:  # type: ignore[override]
        """As the known drift."""
        return self.known.decoded

    @property
    def unit(self) -> float:  # type: ignore[override]
        """As the known drift."""
        return self.known.unit

    @property
    def longest(self) -> float:  # type: ignore[override]
        """As the known drift."""
        return self.known.longest

    @property
    def start(self) -> Float[np.ndarray, " dim"]:
        """As the known drift."""
        return self.known.start

    @property
    def size(self) -> Float[np.ndarray, " dim"]:
        """As the known drift."""
        return self.known.size

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """The sum."""
        return self.known(t, x, u) + self.learned(t, x, u)

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """What the known drift's exact part leaves, and what is learned."""
        return self.known.rest(t, x, u) + self.learned(t, x, u)

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """The known drift's."""
        return self.known.flow(x, h)

    def visible(self, x: Float[Array, "... dim"]) -> Float[Array, "... visible"]:
        """As the known drift."""
        return self.known.visible(x)

    @property
    def visible_dim(self) -> int:
        """As the known drift."""
        return self.known.visible_dim
