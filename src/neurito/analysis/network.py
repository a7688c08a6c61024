"""The network whose dynamics are analysed, as plain arrays: no JAX, no training, no noise."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeGuard, get_args

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from neurito.errors import NeuritoError, nearest

Activation = Literal["relu", "clipped_relu", "tanh", "identity"]


class HasNetwork(Protocol):
    """Dynamics that can say what they are in plain arrays."""

    def as_network(self, input: np.ndarray | None) -> "Network":
        """The noise-free map under one constant input (unit as in the recording), or none."""
        ...


@dataclass(frozen=True, eq=False, init=False)
class Network:
    r"""One noise-free step F(z) = a z + n phi(m z + d) + c of a recurrent network in R latents.

    phi is relu(x - h), clipped_relu: relu(x + h) - relu(x), tanh(x - h) or identity: x - h.  A full-rank network
    is the case R = N, m = I.

    Attributes:
        leak: a (R,); one number serves for all latents.
        m: input weights (N, R): latents to units.
        n: output weights (R, N): units to latents.
        h: thresholds (N,), or the ramps' widths where clipped.
        activation: which phi: relu, clipped_relu, tanh or identity.
        constant: c (R,), a constant push on the latents.
        drive: d (N,), the units' currents from a constant external input.

    Raises:
        NeuritoError: shapes that do not agree, no latents, NaN or infinite values, an unknown activation.

    Source:
        Pals, Sagtekin, Pei, Gloeckler, Macke, "Inferring stochastic low-rank recurrent neural networks from
        neural data", NeurIPS 2024, eq. 3.
    """

    leak: Float[np.ndarray, " latent"]
    m: Float[np.ndarray, "unit latent"]
    n: Float[np.ndarray, "latent unit"]
    h: Float[np.ndarray, " unit"]
    activation: Activation
    constant: Float[np.ndarray, " latent"]
    drive: Float[np.ndarray, " unit"]

    def __init__(
        self,
        leak: ArrayLike | float,
        m: ArrayLike,
        n: ArrayLike,
        h: ArrayLike,
        activation: str = "relu",
        constant: ArrayLike | float = 0.0,
        drive: ArrayLike | float = 0.0,
    ) -> None:
        if activation not in get_args(Activation):
            raise NeuritoError(
                f"activation={activation!r} is unknown: {nearest(activation, get_args(Activation))}"
            )
        object.__setattr__(self, "activation", activation)
        if np.ndim(m) != 2 or np.shape(m)[1] == 0:
            raise NeuritoError(
                f"m has shape {np.shape(m)}: a network needs m of shape (units, latents), latents > 0"
            )
        units, rank = np.shape(m)
        for name, given, shape in (
            ("m", m, (units, rank)),
            ("n", n, (rank, units)),
            ("h", h, (units,)),
            ("leak", leak, (rank,)),
            ("constant", constant, (rank,)),
            ("drive", drive, (units,)),
        ):
            try:
                value = np.array(np.broadcast_to(np.asarray(given, np.float64), shape))
            except ValueError:
                found = np.shape(given)
                raise NeuritoError(
                    f"{name} has shape {found}, but m {np.shape(m)} asks for {shape}"
                ) from None
            if bad := int((~np.isfinite(value)).sum()):
                raise NeuritoError(
                    f"{name} holds {bad} values that are NaN or infinite: was the fit diverging?"
                )
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @property
    def rank(self) -> int:
        """R, the number of latents."""
        return int(self.m.shape[1])

    @property
    def units(self) -> int:
        """N, the number of units."""
        return int(self.m.shape[0])

    def rates(self, z: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... unit"]:
        """The units' activities phi(m z + d)."""
        x = z @ self.m.T + self.drive
        match self.activation:
            case "relu":
                return np.maximum(x - self.h, 0.0)
            case "clipped_relu":
                return np.maximum(x + self.h, 0.0) - np.maximum(x, 0.0)
            case "tanh":
                return np.tanh(x - self.h)
        return x - self.h

    def __call__(self, z: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... latent"]:
        """One step, F(z)."""
        return self.leak * z + self.rates(z) @ self.n.T + self.constant

    def jacobian(self, z: Float[np.ndarray, "... latent"]) -> Float[np.ndarray, "... latent latent"]:
        """dF/dz; on a kink that of the side where the argument is negative."""
        x = z @ self.m.T + self.drive
        match self.activation:
            case "relu":
                slope = (x > self.h).astype(np.float64)
            case "clipped_relu":
                slope = (x > -self.h).astype(np.float64) - (x > 0.0)
            case "tanh":
                slope = 1.0 - np.tanh(x - self.h) ** 2
            case _:
                slope = np.ones_like(x)
        return np.diag(self.leak) + np.einsum("ri,...i,is->...rs", self.n, slope, self.m, optimize=True)

    def in_basis(self, T: Float[np.ndarray, "latent latent"]) -> "Network":
        """The same network in latents T z.

        Raises:
            NeuritoError: latents of different leaks, which no longer leak by themselves once they are mixed.
        """
        if np.ptp(self.leak) > 0.0:
            raise NeuritoError(f"leak={self.leak.tolist()}: latents of different leaks have no other basis")
        m, n, c = self.m @ np.linalg.inv(T), T @ self.n, T @ self.constant
        return Network(self.leak, m, n, self.h, self.activation, c, self.drive)

    def as_network(self, input: np.ndarray | None = None) -> "Network":
        """Itself, under an input that is already part of `drive` and `constant`."""
        if input is not None:
            raise NeuritoError("input=... cannot be added to a Network: put W_u u into its `drive`")
        return self


def has_network(dynamics: object) -> TypeGuard[HasNetwork]:
    """Can `dynamics` say what network it is?"""
    return callable(getattr(dynamics, "as_network", None))


def to_network(dynamics: object, input: ArrayLike | None = None) -> Network | None:
    """The network behind `dynamics`, or None where there is none (any other map).

    Args:
        dynamics: a Network, or an object with `as_network(input)`.
        input: constant external input, one number per input channel, in the recording's units.
    """
    if not has_network(dynamics):
        return None
    return dynamics.as_network(None if input is None else np.asarray(input, np.float64))
