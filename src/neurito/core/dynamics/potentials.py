"""Potentials U(z) of Langevin dynamics, and their forces -grad U."""

import abc
import math
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurito.core.operators import apply
from neurito.core.parameters import Derived, Interval, positive
from neurito.errors import NeuritoError


class Potential(eqx.Module):
    """An energy of a position z of any leading shape."""

    @abc.abstractmethod
    def energy(self, z: Float[Array, "... dim"]) -> Float[Array, "..."]:
        """U(z)."""

    def force(self, z: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        """-grad U(z)."""
        return -jax.grad(lambda at: self.energy(at).sum())(z)


class Flat(Potential):
    """U = 0: what is left when the potential is switched off."""

    def energy(self, z: Float[Array, "... dim"]) -> Float[Array, "..."]:
        """0."""
        return jnp.zeros(z.shape[:-1], z.dtype)


class Harmonic(Potential):
    """U = sum_i k_i z_i^2 / 2."""

    stiffness: Interval

    def __init__(self, stiffness: Any) -> None:
        self.stiffness = positive(stiffness)

    def energy(self, z: Float[Array, "... dim"]) -> Float[Array, "..."]:
        """See the class."""
        return 0.5 * jnp.sum(self.stiffness.value * z**2, -1)


class DoubleWell(Potential):
    """U = sum_i b_i (z_i^2 - 1)^2 / 4: wells at -1 and 1, a barrier of b / 4 between them."""

    barrier: Interval

    def __init__(self, barrier: Any) -> None:
        self.barrier = positive(barrier)

    def energy(self, z: Float[Array, "... dim"]) -> Float[Array, "..."]:
        """See the class."""
        return 0.25 * jnp.sum(self.barrier.value * (z**2 - 1) ** 2, -1)


class Springs(Derived):
    """The symmetric, positive definite matrix of a lattice of oscillators joined by springs.

    z' L z / 2 = sum_i k_i z_i^2 / 2 + sum_{i,j} k_ij (z_i - z_j)^2 / 2, with k_ij > 0 shared along the lattice: one for
    every pair of channels and every offset within the kernel.

    Args:
        sites: shape of the lattice: (n,) a ring, (rows, columns) a grid that closes on itself.
        channels: oscillators per site.
        kernel: how many neighbours a spring may reach over, counted as the (odd) width of a kernel.
        key: for the start.
    """

    own: Interval
    between: Interval
    sites: tuple[int, ...] = eqx.field(static=True)
    channels: int = eqx.field(static=True)
    kernel: int = eqx.field(static=True)

    def __init__(self, sites: tuple[int, ...], channels: int, kernel: int, *, key: PRNGKeyArray) -> None:
        if kernel < 1 or kernel % 2 == 0:
            raise NeuritoError(f"kernel={kernel}: give an odd width, 1 for no coupling along the lattice")
        self.sites, self.channels, self.kernel = sites, channels, kernel
        dim, count = math.prod(sites) * channels, _springs(sites, channels, kernel)[2].max(initial=-1) + 1
        first, second = jax.random.split(key)
        self.own = positive(jnp.exp(jax.random.uniform(first, (dim,), minval=-1.0, maxval=1.5)))
        self.between = positive(0.1 * jnp.exp(0.5 * jax.random.normal(second, (int(count),))))

    @property
    def value(self) -> Float[Array, "dim dim"]:
        """L."""
        i, j, which = _springs(self.sites, self.channels, self.kernel)
        k = self.between.value[which]
        L = jnp.diag(self.own.value)
        return L.at[i, i].add(k).at[j, j].add(k).at[i, j].add(-k).at[j, i].add(-k)


@cache
def _springs(
    sites: tuple[int, ...], channels: int, kernel: int
) -> tuple[Int[np.ndarray, " spring"], Int[np.ndarray, " spring"], Int[np.ndarray, " spring"]]:
    """Both ends of every spring, and which stiffness it has."""
    n, reach = math.prod(sites), kernel // 2
    place = np.stack(np.meshgrid(*(np.arange(s) for s in sites), indexing="ij"), -1).reshape(n, -1)
    offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * len(sites), indexing="ij"), -1)
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for a in range(channels):
        for b in range(a, channels):
            for offset in offsets.reshape(-1, len(sites)):
                if a == b and tuple(offset) <= (0,) * len(sites):
                    continue  # itself, or the same springs seen from their other ends
                to = np.ravel_multi_index(tuple(((place + offset) % sites).T), sites)
                i, j = np.arange(n) + a * n, to + b * n
                if (i != j).all():
                    ends.append((i, j))
    which = np.repeat(np.arange(len(ends), dtype=np.int32), n)
    if not ends:
        return which, which, which
    both = [np.concatenate([e[side] for e in ends]).astype(np.int32) for side in (0, 1)]
    return both[0], both[1], which


class Oscillators(Potential):
    """Locally coupled oscillators, U = z' L z / 2 + sum_i a_i z_i^4 / 4 + sum_k b_k softplus(w_k.z + c_k).

    Args:
        sites: shape of the lattice.
        channels: oscillators per site.
        kernel: width of the coupling along the lattice.
        key: for the start.
        quartic: whether there is the quartic part; its a > 0.
        hidden: units of the learned anharmonic part; 0 = none.

    Source:
        Song, Keller, Yue, Perona, Welling, "Langevin flows for modeling neural latent dynamics", CCN 2025, with springs
        in place of its indefinite form.
    """

    springs: Springs
    quartic: Interval | None
    w: Float[Array, "dim hidden"] | None
    b: Float[Array, " hidden"]
    c: Float[Array, " hidden"]

    def __init__(
        self,
        sites: tuple[int, ...],
        channels: int,
        kernel: int,
        *,
        key: PRNGKeyArray,
        quartic: bool = False,
        hidden: int = 0,
    ) -> None:
        first, second, third = jax.random.split(key, 3)
        self.springs = Springs(sites, channels, kernel, key=first)
        dim = math.prod(sites) * channels
        self.quartic = positive(np.full(dim, 0.1)) if quartic else None
        self.w = jax.random.normal(second, (dim, hidden)) * dim**-0.5 if hidden else None
        self.b = 0.3 * jax.random.normal(third, (hidden,)) * max(hidden, 1) ** -0.5
        self.c = jnp.zeros(hidden)

    def energy(self, z: Float[Array, "... dim"]) -> Float[Array, "..."]:
        """See the class."""
        U = 0.5 * jnp.sum(z * apply(self.springs.value, z), -1)
        if self.quartic is not None:
            U = U + 0.25 * jnp.sum(self.quartic.value * z**4, -1)
        if self.w is not None:
            U = U + jnp.sum(self.b * jax.nn.softplus(z @ self.w + self.c), -1)
        return U

    def force(self, z: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        """-L z - a z^3 - sum_k b_k sigmoid(w_k.z + c_k) w_k."""
        F = -apply(self.springs.value, z)
        if self.quartic is not None:
            F = F - self.quartic.value * z**3
        if self.w is not None:
            F = F - (self.b * jax.nn.sigmoid(z @ self.w + self.c)) @ self.w.T
        return F


class Indefinite(Potential):
    """The released form: U = sum_l (sum_i conv(z)_il)(sum_j z_jl), quadratic, indefinite, unconfined.

    z is cut into channels; the kernel (from, to, tap), normalised over its taps, is convolved along each channel with
    zeros beyond its ends. The kernel starts small and has a scale of its own, so that its gradient is finite; with
    `frozen` it starts at zero and is normalised as released, whose first gradient is near 1e8.

    Source:
        Song et al. 2025, released code.
    """

    kernel: Float[Array, "channel channel tap"]
    scale: Float[Array, ""]
    frozen: bool = eqx.field(static=True)

    def __init__(self, channels: int, taps: int, *, key: PRNGKeyArray, frozen: bool = False) -> None:
        shape = (channels, channels, taps)
        self.kernel = jnp.zeros(shape) if frozen else 0.1 * jax.random.normal(key, shape)
        self.scale = jnp.ones(())
        self.frozen = frozen

    def energy(self, z: Float[Array, "... dim"]) -> Float[Array, "..."]:
        """See the class."""
        channels, _, taps = self.kernel.shape
        x = z.reshape(*z.shape[:-1], channels, -1)
        norm = jnp.sqrt(jnp.sum(self.kernel**2, -1, keepdims=True) + (1e-16 if self.frozen else 1e-4))
        w = self.scale * self.kernel / norm
        # The sum over places of a convolution needs, per tap, the sum over the places that the tap sees.
        half, n = taps // 2, x.shape[-1]
        seen = jnp.stack([x[..., max(t - half, 0) : n + min(t - half, 0)].sum(-1) for t in range(taps)], -1)
        return jnp.einsum("...it,ilt,...l->...", seen, w, x.sum(-1))
