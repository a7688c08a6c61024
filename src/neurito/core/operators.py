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


Scale = Diagonal | Dense


def apply(matrix: Float[Array, "... out in"], x: Float[Array, "... in"]) -> Float[Array, "... out"]:
    """A x over leading dimensions that broadcast; a small A as product and sum, which fuse with what is around them."""
    if matrix.shape[-1] <= _SMALL:
        return jnp.sum(matrix * x[..., None, :], -1)
    if matrix.ndim == 2:
        return x @ matrix.T
    return (matrix @ x[..., None])[..., 0]
