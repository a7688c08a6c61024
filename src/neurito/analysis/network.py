"""The network whose dynamics are analysed, as plain arrays: no JAX, no training, no noise."""

from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from jaxtyping import ArrayLike, Float

from neurito.errors import NeuritoError, nearest

Activation = Literal["relu", "clipped_relu", "tanh", "identity"]


@runtime_checkable
class HasNetwork(Protocol):
    """Dynamics that can say what they are in plain arrays."""

    def as_network(self, input: np.ndarray | None) -> "Network":
        """The noise-free map under one constant input (unit as in the recording), or none."""
        ...


@dataclass(frozen=True, eq=False)
class Network:
    r"""One noise-free step F(z) = a z + n phi(m z + d) + c of a recurrent network in R latents.

    phi is relu(x - h), clipped_relu: relu(x + h) - relu(x), tanh(x - h) or identity: x - h.  A full-rank network
    is the case R = N, m = I.

    Attributes:
        leak: a (R,); one number serves for all latents.
        m: input weights (N, R): latents to units.
        n: output weights (R, N): units to latents.
        h: thresholds (N,), or the ramps' widths where clipped.
        activation: which phi.
        constant: c (R,), a constant push on the latents.
        drive: d (N,), the units' currents from a constant external input.

    Raises:
        NeuritoError: shapes that do not agree, no latents, NaN or infinite values, an unknown activation.

    Source:
        Pals, Sagtekin, Pei, Gloeckler, Macke, "Inferring stochastic low-rank recurrent neural networks from
        neural data", NeurIPS 2024, eq. 3.
    """

    leak: np.ndarray
    m: np.ndarray
    n: np.ndarray
    h: np.ndarray
    activation: Activation = "relu"
    constant: np.ndarray = field(default_factory=lambda: np.zeros(()))
    drive: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def __post_init__(self) -> None:
        if self.activation not in get_args(Activation):
            hint = nearest(str(self.activation), get_args(Activation))
            raise NeuritoError(f"activation={self.activation!r} is unknown: {hint}")
        m = np.asarray(self.m, np.float64)
        if m.ndim != 2 or m.shape[1] == 0:
            raise NeuritoError(
                f"m has shape {m.shape}: a network needs m of shape (units, latents), latents > 0"
            )
        units, rank = m.shape
        for name, shape in {
            "m": (units, rank),
            "n": (rank, units),
            "h": (units,),
            "leak": (rank,),
            "constant": (rank,),
            "drive": (units,),
        }.items():
            try:
                value = np.array(np.broadcast_to(np.asarray(getattr(self, name), np.float64), shape))
            except ValueError:
                found = np.shape(getattr(self, name))
                raise NeuritoError(f"{name} has shape {found}, but m {m.shape} asks for {shape}") from None
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

    def as_network(self, input: np.ndarray | None = None) -> "Network":
        """Itself, under an input that is already part of `drive` and `constant`."""
        if input is not None:
            raise NeuritoError("input=... cannot be added to a Network: put W_u u into its `drive`")
        return self


def to_network(dynamics: object, input: ArrayLike | None = None) -> Network | None:
    """The network behind `dynamics`, or None where there is none (any other map).

    Args:
        dynamics: a Network, or an object with `as_network(input)`.
        input: constant external input, one number per input channel, in the recording's units.
    """
    if not isinstance(dynamics, HasNetwork):
        return None
    return dynamics.as_network(None if input is None else np.asarray(input, np.float64))
