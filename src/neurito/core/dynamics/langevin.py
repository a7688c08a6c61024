"""Underdamped Langevin dynamics of position and velocity."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.dynamics.potentials import Potential
from neurito.core.layers import MLP
from neurito.core.noise import Covariance
from neurito.core.operators import Diagonal, Scale, Stacked, apply
from neurito.core.parameters import Interval, positive


class Langevin(Dynamics):
    r"""dz = v dt,  dv = (-grad U(z) + G v + a(z, v) + B u - gamma v) dt + sqrt(2 gamma T) dW.

    Unit mass; time is counted in units of tau seconds, T is a temperature (k_B T). G is antisymmetric (a gyroscopic
    force, which turns velocities and does no work), a(z, v) an active force: without one of them the process is
    reversible and cannot sustain a flow. A step of size h is the splitting B A O A,

        v <- v + h F(z, v)       z <- z + h v / 2       v <- c v + sqrt(T (1 - c^2)) eps       z <- z + h v / 2

    with c = exp(-gamma h): the Ornstein-Uhlenbeck part is exact and noise enters after the last force, so that the move
    is affine in it. v then lags half a kick behind; decoders see (z, v + h F / 2), the second-order pair of BAOAB.

    Args:
        potential: U.
        dim: dimension of z; the state (z, v) has twice as many.
        initial: covariance of the first (z, v).
        bin_width: seconds.
        regular: whether every bin has that width.
        time_constant: tau at the start, seconds.
        damping: gamma at the start, per tau.
        temperature: T at the start.
        substeps: steps per bin.
        input_dim: number of inputs.
        gyroscopic: whether there is G.
        active: units of the active force's hidden layer; 0 = none.
        key: for the start.

    Source:
        Song et al. 2025, eq. 2; Leimkuhler, Matthews, "Rational construction of stochastic numerical methods for
        molecular sampling", AMRX 2013.
    """

    decoded = True

    potential: Potential
    damping: Interval
    temperature: Interval
    time_constant: Interval
    gyroscope: Float[Array, "dim dim"] | None
    active: MLP | None
    B: Float[Array, "dim input"] | None
    initial: Covariance
    initial_mean: Float[Array, " latent"]
    bin_width: float = eqx.field(static=True)
    regular: bool = eqx.field(static=True)
    substeps: int = eqx.field(static=True)
    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(
        self,
        potential: Potential,
        dim: int,
        initial: Covariance,
        *,
        bin_width: float,
        regular: bool = True,
        time_constant: float,
        damping: float = 0.5,
        temperature: float = 1.0,
        substeps: int = 1,
        input_dim: int = 0,
        gyroscopic: bool = False,
        active: int = 0,
        key: PRNGKeyArray,
    ) -> None:
        first, second = jax.random.split(key)
        self.potential = potential
        self.damping, self.temperature = positive(damping), positive(temperature)
        self.time_constant = positive(time_constant)
        self.gyroscope = 0.3 * jax.random.normal(first, (dim, dim)) if gyroscopic else None
        self.active = MLP(2 * dim, dim, (active,), key=second, last_gain=0.3) if active else None
        self.B = jnp.zeros((dim, input_dim)) if input_dim else None
        self.initial, self.initial_mean = initial, jnp.zeros(2 * dim)
        self.bin_width, self.regular, self.substeps = bin_width, regular, substeps
        self.noise_dim, self.latent_dim, self.init_noise_dim = dim, 2 * dim, 2 * dim

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """A learned Gaussian."""
        return self.initial_mean, self.initial.scale()

    def force(
        self,
        z: Float[Array, "... dim"],
        v: Float[Array, "... dim"],
        u: Float[Array, "... input"] | None = None,
    ) -> Float[Array, "... dim"]:
        """F = -grad U(z) + G v + a(z, v) + B u, everything but friction and noise."""
        F = self.potential.force(z)
        if self.gyroscope is not None:
            F = F + apply(self.gyroscope - self.gyroscope.T, v)
        if self.active is not None:
            F = F + self.active(jnp.concatenate([z, v], -1))
        if self.B is not None and u is not None:
            F = F + apply(self.B, u)
        return F

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """B A O A without its noise, and what the noise does."""
        position, v = jnp.split(z, 2, -1)
        h = self._h(step)
        c = jnp.exp(-self.damping.value * h)
        v = v + h * self.force(position, v, step.u)
        return jnp.concatenate([position + 0.5 * h * (1 + c) * v, c * v], -1), self.scale(step)

    def scale(self, step: Step) -> Scale:
        """(h / 2, 1) sqrt(T (1 - c^2)) for every dimension."""
        h = self._h(step)
        sd = jnp.sqrt(-self.temperature.value * jnp.expm1(-2 * self.damping.value * h))
        blocks = jnp.stack(jnp.broadcast_arrays(0.5 * h * sd, sd), -1)  # (..., block)
        if blocks.ndim > 1:  # h ends in the axis of the state
            blocks = blocks[..., 0, :]
        return Stacked(blocks[..., None] * jnp.ones(self.noise_dim, blocks.dtype))

    def visible(self, z: Float[Array, "... latent"], step: Step) -> Float[Array, "... visible"]:
        """(z, v + h F(z, v) / 2), the synchronised velocity."""
        position, v = jnp.split(z, 2, -1)
        h = self._h(eqx.tree_at(lambda s: s.dt, step, step.dt / self.substeps))
        return jnp.concatenate([position, v + 0.5 * h * self.force(position, v, step.u)], -1)

    def _h(self, step: Step) -> Float[Array, "..."]:
        """The length of a step in units of tau; a scalar where bins are regular."""
        if self.regular:
            return self.bin_width / self.substeps / self.time_constant.value
        return step.dt[..., None] / self.time_constant.value


class ReleasedLangevin(Dynamics):
    r"""The step of the released code: z <- z + s v,  v <- (1 - gamma)(v - s grad U(z)) + sqrt(2 gamma) eps.

    U and the z of its gradient are those before the step, s is 0.01 whatever the bin width, gamma is fixed. z hardly
    moves within a trial and v hardly remembers: `Langevin` is what the equation asks for.

    Args:
        potential: U.
        dim: dimension of z.
        damping: gamma.
        size: s.

    Source:
        Song et al. 2025, released code.
    """

    potential: Potential
    dim: int = eqx.field(static=True)
    damping: float = eqx.field(static=True)
    size: float = eqx.field(static=True)
    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(self, potential: Potential, dim: int, damping: float, size: float = 0.01) -> None:
        self.potential, self.dim, self.damping, self.size = potential, dim, damping, size
        self.noise_dim, self.latent_dim, self.init_noise_dim = dim, 2 * dim, 2 * dim

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """N(0, I)."""
        return jnp.zeros(self.latent_dim), Diagonal(jnp.ones(self.latent_dim))

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """See the class."""
        position, v = jnp.split(z, 2, -1)
        force = self.potential.force(position)
        mean = jnp.concatenate([position + self.size * v, (1 - self.damping) * (v + self.size * force)], -1)
        return mean, self.scale(step)

    def scale(self, step: Step) -> Scale:
        """(0, sqrt(2 gamma)) for every dimension."""
        sd = (2 * self.damping) ** 0.5
        return Stacked(jnp.stack([jnp.zeros(self.dim), jnp.full(self.dim, sd)]))
