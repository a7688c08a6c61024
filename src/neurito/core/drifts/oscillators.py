"""Coupled oscillators: Hopf (supercritical and subcritical), and damped harmonic."""

import abc
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.drifts.base import Drift
from neurito.core.operators import apply
from neurito.core.parameters import Interval, positive

Coupling = Literal["additive", "diffusive"]


class Oscillators(Drift):
    """N two-dimensional units (x_i, y_i), stored as (x_1 ... x_N, y_1 ... y_N), each solved exactly on its own.

    Attributes:
        omega: natural frequencies, radians per time constant.
        K: coupling, K_ij from oscillator j to i; additive K x, or diffusive sum_j K_ij (x_j - x_i).
        B: effect of inputs on (x, y), or None.
    """

    split = True

    omega: eqx.AbstractVar[Float[Array, " unit"] | Interval]
    K: eqx.AbstractVar[Float[Array, "unit unit"]]
    B: eqx.AbstractVar[Float[Array, "dim input"] | None]
    coupling: eqx.AbstractVar[Coupling]

    @abc.abstractmethod
    def local(
        self, x: Float[Array, "... unit"], y: Float[Array, "... unit"]
    ) -> tuple[Float[Array, "... unit"], Float[Array, "... unit"]]:
        """The slope of each oscillator alone."""

    @abc.abstractmethod
    def coupled(
        self, x: Float[Array, "... unit"], y: Float[Array, "... unit"]
    ) -> tuple[Float[Array, "... unit"], Float[Array, "... unit"]]:
        """The slope that the others add."""

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """Local, coupling and input."""
        return jnp.concatenate(self.local(*jnp.split(x, 2, -1)), -1) + self.rest(t, x, u)

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """Coupling and input."""
        slope = jnp.concatenate(self.coupled(*jnp.split(x, 2, -1)), -1)
        return slope if self.B is None or u is None else slope + apply(self.B, u)

    def pull(self, x: Float[Array, "... unit"]) -> Float[Array, "... unit"]:
        """K x, or sum_j K_ij (x_j - x_i)."""
        pulled = apply(self.K, x)
        return pulled if self.coupling == "additive" else pulled - self.K.sum(1) * x


class _NormalForm(Oscillators):
    """x' = x g(r^2) - omega y + K x,  y' = y g(r^2) + omega x + K y,  with a growth rate g of the radius alone."""

    omega: eqx.AbstractVar[Float[Array, " unit"]]

    @abc.abstractmethod
    def growth(self, square: Float[Array, "... unit"]) -> Float[Array, "... unit"]:
        """g at r^2."""

    def local(
        self, x: Float[Array, "... unit"], y: Float[Array, "... unit"]
    ) -> tuple[Float[Array, "... unit"], Float[Array, "... unit"]]:
        """Growth and rotation."""
        growth = self.growth(x**2 + y**2)
        return x * growth - self.omega * y, y * growth + self.omega * x

    def coupled(
        self, x: Float[Array, "... unit"], y: Float[Array, "... unit"]
    ) -> tuple[Float[Array, "... unit"], Float[Array, "... unit"]]:
        """K x and K y."""
        return self.pull(x), self.pull(y)


class Hopf(_NormalForm):
    """x' = x (sigma - r^2) - omega y + K x,  y' = y (sigma - r^2) + omega x + K y,  r^2 = x^2 + y^2.

    Supercritical: a stable focus for sigma < 0, a limit cycle of radius sqrt(sigma) for sigma > 0. The local flow is
    exact: r(t)^2 = a e^(2 sigma t) / (1 + a (e^(2 sigma t) - 1) / sigma) from r(0)^2 = a, the phase turns by omega t.

    Args:
        units: N.
        input_dim: number of inputs.
        key: for the start: frequencies spread over an octave either side of 1, weak random coupling.
        coupling: additive or diffusive.

    Source:
        Stuart-Landau normal form; ElGazzar, van Gerven 2024 (arXiv 2412.12112).
    """

    sigma: Float[Array, " unit"]
    omega: Float[Array, " unit"]
    K: Float[Array, "unit unit"]
    B: Float[Array, "dim input"] | None
    coupling: Coupling = eqx.field(static=True)
    dim: int = eqx.field(static=True)

    def __init__(
        self, units: int, input_dim: int = 0, *, key: PRNGKeyArray, coupling: Coupling = "additive"
    ) -> None:
        first, second = jax.random.split(key)
        self.sigma = jnp.full(units, 0.5)
        self.omega = jnp.exp(jnp.linspace(-0.7, 0.7, units)) if units > 1 else jnp.ones(1)
        self.omega = self.omega * jnp.exp(0.1 * jax.random.normal(first, (units,)))
        self.K = 0.3 * jax.random.normal(second, (units, units)) * units**-0.5
        self.B = jnp.zeros((2 * units, input_dim)) if input_dim else None
        self.coupling, self.dim = coupling, 2 * units

    def growth(self, square: Float[Array, "... unit"]) -> Float[Array, "... unit"]:
        """sigma - r^2."""
        return self.sigma - square

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """The exact radial solution, turned by omega h."""
        a, b = jnp.split(x, 2, -1)
        shrink = jnp.exp(self.sigma * h) * jax.lax.rsqrt(1 + (a**2 + b**2) * _growth(self.sigma, h))
        return _turned(a * shrink, b * shrink, self.omega * h)


class Bistable(_NormalForm):
    """x' = x (sigma + 2 r^2 - r^4) - omega y + K x, and y' alike: the subcritical Hopf normal form.

    Rest and a limit cycle are both stable for -1 < sigma < 0; a limit cycle alone for sigma > 0. The radius has no
    explicit solution: where it grows it takes an explicit step, where it shrinks an implicit one, which stays positive
    and bounded for any h: r^2 <- r^2 (1 + 2 h g+) / (1 + 2 h g-) with g = sigma + 2 r^2 - r^4 = g+ - g-. The phase is
    exact.

    Args:
        units: N.
        input_dim: number of inputs.
        key: for the start.
        coupling: additive or diffusive.
    """

    sigma: Float[Array, " unit"]
    omega: Float[Array, " unit"]
    K: Float[Array, "unit unit"]
    B: Float[Array, "dim input"] | None
    coupling: Coupling = eqx.field(static=True)
    dim: int = eqx.field(static=True)

    def __init__(
        self, units: int, input_dim: int = 0, *, key: PRNGKeyArray, coupling: Coupling = "additive"
    ) -> None:
        start = Hopf(units, input_dim, key=key, coupling=coupling)
        self.sigma, self.omega, self.K, self.B = jnp.full(units, -0.2), start.omega, start.K, start.B
        self.coupling, self.dim = coupling, 2 * units

    def growth(self, square: Float[Array, "... unit"]) -> Float[Array, "... unit"]:
        """sigma + 2 r^2 - r^4."""
        return self.sigma + 2 * square - square**2

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """The damped radial step, turned by omega h."""
        a, b = jnp.split(x, 2, -1)
        growth = self.growth(a**2 + b**2)
        shrink = jnp.sqrt((1 + 2 * h * jax.nn.relu(growth)) / (1 + 2 * h * jax.nn.relu(-growth)))
        return _turned(a * shrink, b * shrink, self.omega * h)


class HarmonicOscillators(Oscillators):
    """x' = v,  v' = -gamma v - omega^2 x + K x + B u; the uncoupled part is solved exactly, over- or underdamped.

    Args:
        units: N.
        input_dim: number of inputs.
        key: for the start.
        coupling: additive or diffusive.
    """

    omega: Interval
    gamma: Interval
    K: Float[Array, "unit unit"]
    B: Float[Array, "dim input"] | None
    coupling: Coupling = eqx.field(static=True)
    dim: int = eqx.field(static=True)

    def __init__(
        self, units: int, input_dim: int = 0, *, key: PRNGKeyArray, coupling: Coupling = "additive"
    ) -> None:
        start = Hopf(units, input_dim, key=key, coupling=coupling)
        self.omega, self.gamma = positive(start.omega), positive(np.full(units, 0.2))
        self.K, self.B, self.coupling, self.dim = 0.3 * start.K, start.B, coupling, 2 * units

    def local(
        self, x: Float[Array, "... unit"], y: Float[Array, "... unit"]
    ) -> tuple[Float[Array, "... unit"], Float[Array, "... unit"]]:
        """Velocity, and spring with friction."""
        return y, -self.gamma.value * y - self.omega.value**2 * x

    def coupled(
        self, x: Float[Array, "... unit"], y: Float[Array, "... unit"]
    ) -> tuple[Float[Array, "... unit"], Float[Array, "... unit"]]:
        """Positions pull on velocities."""
        return jnp.zeros_like(x), self.pull(x)

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """e^(-gamma h / 2) (cos, sin) of the damped frequency, or (cosh, sinh) where it is imaginary."""
        z, v = jnp.split(x, 2, -1)
        half, square = 0.5 * self.gamma.value, self.omega.value**2
        cos, sin = _cos_sinc(square - half**2, h)
        decay = jnp.exp(-half * h)
        drag = v + half * z
        return jnp.concatenate(
            [decay * (cos * z + sin * drag), decay * (cos * v - sin * (square * z + half * v))], -1
        )


def _growth(sigma: Float[Array, "..."], h: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """(e^(2 sigma h) - 1) / sigma, smooth through its limit 2 h at sigma = 0."""
    small = jnp.abs(sigma * h) < 1e-4
    safe = jnp.where(small, 1.0, sigma)
    return jnp.where(small, 2 * h * (1 + sigma * h), jnp.expm1(2 * safe * h) / safe)


def _turned(x: Array, y: Array, angle: Array) -> Float[Array, "... dim"]:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.concatenate([cos * x - sin * y, sin * x + cos * y], -1)


def _cos_sinc(square: Float[Array, "..."], h: Float[Array, "..."] | float) -> tuple[Array, Array]:
    """cos(w h) and sin(w h) / w for w^2 = square of either sign, smooth through 0."""
    small = jnp.abs(square) * h**2 < 1e-6
    w = jnp.sqrt(jnp.abs(jnp.where(small, 1.0, square)))
    wh = w * h
    # Each branch sees only arguments that it can take, or its gradient would be infinite.
    grown = jnp.where(square < 0, wh, 0.0)
    turned = jnp.where(square < 0, 0.0, wh)
    cos = jnp.where(square < 0, jnp.cosh(grown), jnp.cos(turned))
    sin = jnp.where(square < 0, jnp.sinh(grown), jnp.sin(turned)) / w
    return jnp.where(small, 1 - 0.5 * square * h**2, cos), jnp.where(small, h * (1 - square * h**2 / 6), sin)
