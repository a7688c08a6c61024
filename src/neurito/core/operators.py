"""Small linear maps from noise to state: diagonal or dense, with any leading batch dimensions."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

_SMALL = 8  # up to this size a matrix product is slower than the fused sum


class Diagonal(eqx.Module):
    """x -> d * x."""

    d: Float[Array, "... dim"]

    @property
    def batched(self) -> bool:
        """Whether it differs between trials, bins or particles."""
        return self.d.ndim > 1

    def __matmul__(self, x: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        return self.d * x

    def dense(self) -> Float[Array, "... dim dim"]:
        """The same map as a matrix."""
        return self.d[..., :, None] * jnp.eye(self.d.shape[-1], dtype=self.d.dtype)


class Dense(eqx.Module):
    """x -> A x, for a matrix A of shape (..., out, in)."""

    matrix: Float[Array, "... out in"]

    @property
    def batched(self) -> bool:
        """Whether it differs between trials, bins or particles."""
        return self.matrix.ndim > 2

    def __matmul__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        return apply(self.matrix, x)

    def dense(self) -> Float[Array, "... out in"]:
        """The matrix."""
        return self.matrix


class Stacked(eqx.Module):
    """x -> (d_1 * x, ..., d_k * x), block below block: what noise on a velocity does to (z, v)."""

    d: Float[Array, "... block dim"]

    @property
    def batched(self) -> bool:
        """Whether it differs between trials, bins or particles."""
        return self.d.ndim > 2

    def __matmul__(self, x: Float[Array, "... dim"]) -> Float[Array, "... rows"]:
        blocks = self.d * x[..., None, :]
        return blocks.reshape(*blocks.shape[:-2], -1)

    def dense(self) -> Float[Array, "... rows dim"]:
        """The same map as a matrix."""
        blocks = self.d[..., :, None, :] * jnp.eye(self.d.shape[-1], dtype=self.d.dtype)[:, None, :].swapaxes(
            0, 1
        )
        return blocks.reshape(*blocks.shape[:-3], -1, self.d.shape[-1])


Scale = Diagonal | Dense | Stacked


def apply(matrix: Float[Array, "... out in"], x: Float[Array, "... in"]) -> Float[Array, "... out"]:
    """A x over leading dimensions that broadcast; a small A as product and sum, which fuse with what is around them.

    Not so over whole trajectories: jaxlib 0.10.2 miscompiles that sum under very large broadcasts (jax issue 39103).
    """
    if matrix.shape[-1] <= _SMALL and x.ndim <= 3:
        return jnp.sum(matrix * x[..., None, :], -1)
    if matrix.ndim == 2:
        return x @ matrix.T
    return (matrix @ x[..., None])[..., 0]
