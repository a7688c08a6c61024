"""Stochastic differential equations as latent dynamics."""

import abc
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.drifts.base import Drift
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.dynamics.solving import solve
from neurito.core.layers import MLP, softplus
from neurito.core.noise import Covariance
from neurito.core.operators import Dense, Diagonal, Scale
from neurito.core.parameters import Interval
from neurito.errors import NeuritoError

Scheme = Literal["euler", "heun", "splitting", "adaptive"]


class Diffusion(eqx.Module):
    """The diagonal g(x) > 0 of dx = f dt + g(x) dW."""

    constant: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        """g at x; where it is constant, (dim,) whatever x."""

    def with_slope(self, x: Float[Array, "... dim"]) -> tuple[Float[Array, "... dim"], ...]:
        """g and the derivative of every g_i in its own x_i."""
        g, pull = jax.vjp(self, x)
        basis = jnp.eye(x.shape[-1], dtype=x.dtype)
        own = [pull(jnp.broadcast_to(e, g.shape))[0][..., i] for i, e in enumerate(basis)]
        return g, jnp.stack(own, -1)


class Constant(Diffusion):
    """g_i = sd_i > floor, the same everywhere.

    Args:
        dim: dimension of x.
        sd: its start, per square root of the time constant.
        floor: below which it cannot fall.
    """

    constant = True
    sd: Interval

    def __init__(self, dim: int, sd: Any, floor: float = 0.0) -> None:
        self.sd = Interval(np.broadcast_to(sd, (dim,)), floor)

    def __call__(self, x: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        """Sd."""
        return self.sd.value


class StateDependent(Diffusion):
    """g(x) = floor + softplus(network(x)).

    Args:
        dim: dimension of x.
        sd: its start, nearly constant.
        widths: units of the hidden layers.
        floor: below which it cannot fall.
        key: for the start.
    """

    constant = False
    network: MLP
    floor: float = eqx.field(static=True)

    def __init__(
        self, dim: int, sd: float, widths: tuple[int, ...], floor: float, *, key: PRNGKeyArray
    ) -> None:
        network = MLP(dim, dim, widths, key=key, last_gain=0.1)
        start = jnp.full(dim, jnp.log(jnp.expm1(sd)))
        self.network = eqx.tree_at(lambda n: n.layers[-1].b, network, start)
        self.floor = floor

    def __call__(self, x: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        """See the class."""
        return self.floor + jax.nn.softplus(self.network(x))


class PerLatent(Diffusion):
    r"""g_i(x_i) = low_i + 2 (sd_i - low_i) sigmoid(v_i . softplus(w_i x_i + b_i) + c_i), a network per dimension.

    Between its floor and about twice its start whatever x. As no g_i sees another x_j, the noise is commutative: Heun's
    scheme has strong order 1 with it.

    Args:
        dim: dimension of x.
        sd: the start of g, nearly constant.
        width: units of each network's hidden layer.
        floor: low, below which it cannot fall.
        key: for the start.

    Source:
        Li, Wong, Chen, Duvenaud 2020, section 7 (its latent SDEs).
    """

    constant = False
    w: Float[Array, "dim width"]
    b: Float[Array, "dim width"]
    v: Float[Array, "dim width"]
    c: Float[Array, " dim"]
    low: tuple[float, ...] = eqx.field(static=True)
    start: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, dim: int, sd: Any, width: int, floor: Any, *, key: PRNGKeyArray) -> None:
        first, second, third = jax.random.split(key, 3)
        self.w, self.b = (jax.random.uniform(k, (dim, width), minval=-1, maxval=1) for k in (first, second))
        bound = 0.3 * width**-0.5
        self.v = jax.random.uniform(third, (dim, width), minval=-bound, maxval=bound)
        self.v = self.v - self.v.mean(1, keepdims=True)  # at the start no leaning to either side
        self.c = jnp.zeros(dim)
        self.start, self.low = (tuple(np.broadcast_to(a, dim).astype(float).tolist()) for a in (sd, floor))

    def __call__(self, x: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        """See the class."""
        rows = x.reshape(-1, x.shape[-1])
        # Block-diagonal products: sums over units are several times slower.
        hidden = softplus(rows @ _blocks(self.w) + self.b.ravel())
        out = (hidden @ _blocks(self.v).T).reshape(x.shape)
        low, start = (jnp.asarray(a, x.dtype) for a in (self.low, self.start))
        return low + 2 * (start - low) * jax.nn.sigmoid(out + self.c)

    def with_slope(self, x: Float[Array, "... dim"]) -> tuple[Float[Array, "... dim"], ...]:
        """One derivative gives all."""
        g, pull = jax.vjp(self, x)
        return g, pull(jnp.ones_like(g))[0]


def _blocks(rows: Float[Array, "dim width"]) -> Float[Array, "dim units"]:
    """Row i in the i-th of `dim` blocks, zeros elsewhere."""
    return (jnp.eye(len(rows), dtype=rows.dtype)[..., None] * rows).reshape(len(rows), -1)


class NoDiffusion(Diffusion):
    """g = 0, for an ordinary differential equation: after the first state nothing is random."""

    constant = True

    def __call__(self, x: Float[Array, "... dim"]) -> Float[Array, "... dim"]:
        """0."""
        return jnp.zeros_like(x)


class SDE(Dynamics):
    r"""dx = f(t, x, u) dt + g(x) dW (Ito), time in units of tau seconds.

    Schemes, per sub-step of length h with eps ~ N(0, I):

        euler       x <- x + h f + g sqrt(h) eps
        splitting   x <- flow(x + h rest, h) + g sqrt(h) eps, f being an exact part and a rest; stable where f is stiff
        heun        euler as predictor, then the mean of both ends' slopes and of both ends' g, with the drift
                    f - g g' / 2 of the Stratonovich form
        adaptive    x <- solution of dx = f dt after h + g sqrt(h) eps, by a method whose steps follow the error

    Strong order 1/2 (1 where g is constant), 1 for Heun's; without noise the last is right to `tolerance`.

    Args:
        drift: f.
        diffusion: g.
        initial: covariance of the first state.
        bin_width: seconds.
        regular: whether every bin has that width.
        time_constant: tau, seconds.
        scheme: euler, splitting, heun or adaptive.
        substeps: steps per bin.
        tolerance: of the adaptive scheme, per step.
        interpolate: inputs move linearly from bin to bin instead of resting within each.
        stimulus: a network through which inputs pass first, or None.

    Source:
        Li, Wong, Chen, Duvenaud 2020; ElGazzar, van Gerven 2024; Kloeden, Platen 1992, chapters 10 and 11.
    """

    drift: Drift
    diffusion: Diffusion
    initial: Covariance
    initial_mean: Float[Array, " latent"]
    stimulus: MLP | None
    bin_width: float = eqx.field(static=True)
    regular: bool = eqx.field(static=True)
    time_constant: float = eqx.field(static=True)
    scheme: Scheme = eqx.field(static=True)
    substeps: int = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)
    interpolate: bool = eqx.field(static=True)
    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(
        self,
        drift: Drift,
        diffusion: Diffusion,
        initial: Covariance,
        *,
        bin_width: float,
        regular: bool = True,
        time_constant: float,
        scheme: Scheme = "euler",
        substeps: int = 1,
        tolerance: float = 1e-5,
        interpolate: bool = False,
        stimulus: MLP | None = None,
    ) -> None:
        if scheme == "splitting" and not drift.split:
            raise NeuritoError(
                f"scheme='splitting' needs a drift with an exact part, {type(drift).__name__} has none: use 'euler'"
            )
        self.drift, self.diffusion, self.initial, self.stimulus = drift, diffusion, initial, stimulus
        self.initial_mean = jnp.zeros(drift.dim)
        self.bin_width, self.regular, self.time_constant = bin_width, regular, time_constant
        self.scheme, self.substeps, self.tolerance, self.interpolate = (
            scheme,
            substeps,
            tolerance,
            interpolate,
        )
        self.latent_dim = self.init_noise_dim = drift.dim
        self.noise_dim = 0 if isinstance(diffusion, NoDiffusion) else drift.dim

    @property
    def affine_move(self) -> bool:  # type: ignore[override]
        """Heun's second slope is taken where the noise has led."""
        return self.scheme != "heun"

    @property
    def decoded(self) -> bool:  # type: ignore[override]
        """As the drift says."""
        return self.drift.decoded

    def visible(self, z: Float[Array, "... latent"], step: Step) -> Float[Array, "... visible"]:
        """What the drift shows."""
        return self.drift.visible(z)

    @property
    def visible_dim(self) -> int:
        """Dimension of that."""
        return self.drift.visible_dim

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """A learned Gaussian."""
        return self.initial_mean, self.initial.scale()

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """One step without its noise (for Heun the predictor), and g sqrt(h)."""
        h, t, u = self._h(step), self._t(step), self._input(step, 0.0)
        if self.scheme == "splitting":
            mean = self.drift.flow(z + h * self.drift.rest(t, z, u), h)
        elif self.scheme == "adaptive":
            mean = self._solved(z, step)
        else:
            mean = z + h * self.drift(t, z, u)
        return mean, self._scale(z, h)

    def _solved(self, z: Float[Array, "... latent"], step: Step) -> Float[Array, "... latent"]:
        """The drift's solution after one step; every state takes steps of its own."""

        def one(z: Array, step: Step) -> Array:
            h, t = self._h(step), self._t(step)
            return solve(lambda s, x: h * self.drift(t + s * h, x, self._input(step, s)), z, self.tolerance)

        def flat(a: Array, *own: int) -> Array:
            return jnp.broadcast_to(a, (*z.shape[:-1], *own)).reshape(-1, *own)

        u = None if step.u is None else flat(step.u, step.u.shape[-1])
        rows = Step(flat(step.t), flat(step.dt), u)
        return jax.vmap(one)(flat(z, z.shape[-1]), rows).reshape(z.shape)

    def scale(self, step: Step) -> Scale | None:
        """G sqrt(h) where it does not depend on the state."""
        if not self.diffusion.constant:
            return None
        return self._scale(self.initial_mean, self._h(step))

    def _scale(self, z: Float[Array, "... latent"], h: Float[Array, "..."]) -> Scale:
        if self.noise_dim == 0:
            return Dense(jnp.zeros((self.latent_dim, 0), z.dtype))
        return Diagonal(self.diffusion(z) * jnp.sqrt(h))

    def move(
        self,
        z: Float[Array, "... latent"],
        mean: Float[Array, "... latent"],
        scale: Scale,
        step: Step,
        eps: Float[Array, "... noise"],
    ) -> Float[Array, "... latent"]:
        """See the class."""
        ahead = mean + scale @ eps
        if self.scheme != "heun":
            return ahead
        h, t = self._h(step), self._t(step)
        first = (mean - z) + h * self._correction(z)
        second = h * (self.drift(t + h, ahead, self._input(step, 1.0)) + self._correction(ahead))
        g = self.diffusion(ahead)
        noise = 0.5 * ((scale @ eps) + g * jnp.sqrt(h) * eps) if self.noise_dim else 0.0
        return z + 0.5 * (first + second) + noise

    def drive(
        self, inputs: Float[Array, "trial time input"] | None, dt: Float[Array, "trial time"]
    ) -> Float[Array, "trial time drive"] | None:
        """Inputs through the stimulus network, and their change over the bin if they are interpolated."""
        if inputs is None:
            return None
        u = inputs if self.stimulus is None else self.stimulus(inputs)
        if not self.interpolate:
            return u
        start = jnp.cumsum(dt, 1) - dt
        change = jnp.diff(u, axis=1, append=u[:, -1:])
        return jnp.concatenate([u, change / dt[..., None], start[..., None]], -1)

    def seen(self, drive: Float[Array, "trial time drive"]) -> Float[Array, "trial time seen"]:
        """Inputs and their slopes, not the clock beside them, which grows with the trial."""
        return drive[..., :-1] if self.interpolate else drive

    def _input(self, step: Step, fraction: float | Array) -> Float[Array, "... input"] | None:
        """U at the step's start (fraction 0) or end (1)."""
        if step.u is None or not self.interpolate:
            return step.u
        width = step.u.shape[-1] // 2
        u, slope, start = step.u[..., :width], step.u[..., width:-1], step.u[..., -1:]
        return u + slope * ((step.t + fraction * step.dt)[..., None] - start)

    def _correction(self, x: Float[Array, "... latent"]) -> Float[Array, "... latent"] | float:
        """-g g' / 2 per dimension, from Ito to Stratonovich."""
        if self.diffusion.constant:
            return 0.0
        g, slope = self.diffusion.with_slope(x)
        return -0.5 * g * slope

    def _h(self, step: Step) -> Float[Array, "..."]:
        """The length of a step in units of tau; a scalar where bins are regular."""
        if self.regular:
            return jnp.asarray(self.bin_width / self.substeps / self.time_constant)
        return step.dt[..., None] / self.time_constant

    def _t(self, step: Step) -> Float[Array, "..."]:
        """The step's start in units of tau, with the axis of the state."""
        return step.t[..., None] / self.time_constant
