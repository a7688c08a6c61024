"""Single neurons: FitzHugh-Nagumo and Hodgkin-Huxley, alone or coupled through their potentials."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.drifts.base import Drift, each, pushed
from neurito.core.operators import apply
from neurito.core.parameters import Interval


class FitzHughNagumo(Drift):
    """v' = v - v^3 / 3 - w + I + sum_j K_ij (v_j - v_i) + B u,  w' = epsilon (v + a - b w).

    Stored as (v_1 ... v_N, w_1 ... w_N). Excitable for small I, a limit cycle for I near 0.5, where it starts. The
    exact part is v' = v - v^3 / 3, w' = -epsilon b w.

    Args:
        units: N.
        input_dim: number of inputs.
        key: for the start, a weak random K.

    Source:
        FitzHugh, "Impulses and physiological states in theoretical models of nerve membrane", Biophys. J. 1961; Nagumo,
        Arimoto, Yoshizawa 1962.
    """

    split = True

    a: Float[Array, " unit"]
    b: Interval
    epsilon: Interval
    I: Float[Array, " unit"]  # noqa: E741
    K: Float[Array, "unit unit"]
    B: Float[Array, "unit input"] | None
    dim: int = eqx.field(static=True)

    def __init__(self, units: int, input_dim: int = 0, *, key: PRNGKeyArray) -> None:
        self.a, self.I = jnp.full(units, 0.7), jnp.full(units, 0.5)
        self.b, self.epsilon = each(units, 0.8), each(units, 0.08)
        self.K = 0.1 * units**-0.5 * jax.random.normal(key, (units, units))
        self.B = jnp.zeros((units, input_dim)) if input_dim else None
        self.dim = 2 * units

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class."""
        v, w = jnp.split(x, 2, -1)
        own = jnp.concatenate([v - v**3 / 3, -self.epsilon.value * self.b.value * w], -1)
        return own + self.rest(t, x, u)

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """Recovery, current, coupling and input."""
        v, w = jnp.split(x, 2, -1)
        current = self.I + apply(self.K, v) - self.K.sum(1) * v + pushed(self.B, u)
        return jnp.concatenate([current - w, self.epsilon.value * (v + self.a)], -1)

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """v / sqrt(e^(-2h) + v^2 (1 - e^(-2h)) / 3), and w's decay."""
        v, w = jnp.split(x, 2, -1)
        h = jnp.asarray(h)
        v = v * jax.lax.rsqrt(jnp.exp(-2 * h) - v**2 * jnp.expm1(-2 * h) / 3)
        return jnp.concatenate([v, w * jnp.exp(-self.epsilon.value * self.b.value * h)], -1)


_REST, _STEP = -65.0, 20.0  # mV: v = (V - rest) / step, so that states are of order 1


class HodgkinHuxley(Drift):
    """C V' = -g_Na m^3 h (V - E_Na) - g_K n^4 (V - E_K) - g_L (V - E_L) + I + K_ij (V_j - V_i) + B u.

    q' = alpha_q(V)(1 - q) - beta_q(V) q for each gate q = m, h, n; V in mV, time in ms, I in uA/cm^2, g in mS/cm^2.
    Stored as v = (V + 65) / 20 and logit m, logit h, logit n, each of N neurons: gates with noise stay between 0 and 1.

    The exact part is exponential Euler: V relaxes under the conductances as they are (and I), then the gates under the
    new V; coupling and inputs are the rest. First order; steps of 0.05 ms or less resolve a spike, and it stays bounded
    for any. Bins of a millisecond therefore need substeps=20 or more.

    Args:
        units: N.
        input_dim: number of inputs.
        key: for the start, a weak positive K.

    Source:
        Hodgkin, Huxley, J. Physiol. 1952, with the potential counted as today; Rush, Larsen, IEEE Trans. Biomed. Eng.
        1978.
    """

    split = True
    unit = 1e-3
    longest = 0.1

    g_Na: Interval  # noqa: N815
    g_K: Interval  # noqa: N815
    g_L: Interval  # noqa: N815
    E_Na: Float[Array, " unit"]
    E_K: Float[Array, " unit"]
    E_L: Float[Array, " unit"]
    C: Interval
    I: Float[Array, " unit"]  # noqa: E741
    K: Float[Array, "unit unit"]
    B: Float[Array, "unit input"] | None
    dim: int = eqx.field(static=True)

    def __init__(self, units: int, input_dim: int = 0, *, key: PRNGKeyArray) -> None:
        self.g_Na, self.g_K, self.g_L, self.C = (
            each(units, 120.0),
            each(units, 36.0),
            each(units, 0.3),
            each(units, 1.0),
        )
        self.E_Na, self.E_K, self.E_L = (jnp.full(units, E) for E in (50.0, -77.0, -54.387))
        self.I = jnp.zeros(units)
        self.K = 0.01 / units * jnp.abs(jax.random.normal(key, (units, units)))
        self.B = jnp.zeros((units, input_dim)) if input_dim else None
        self.dim = 4 * units

    @property
    def start(self) -> Float[np.ndarray, " dim"]:
        """Rest without current."""
        gates = np.array([0.0529, 0.5961, 0.3177])
        return np.repeat([0.0, *np.log(gates / (1 - gates))], self.dim // 4)

    @property
    def size(self) -> Float[np.ndarray, " dim"]:
        """A few millivolts."""
        return np.full(self.dim, 0.2)

    def potential(self, x: Float[Array, "... dim"]) -> Float[Array, "... unit"]:
        """V, mV."""
        return _REST + _STEP * x[..., : self.dim // 4]

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class; a logit moves at alpha / q - beta / (1 - q)."""
        V, gates = self.potential(x), x[..., self.dim // 4 :]
        g, driving = self._conductance(gates)
        opening, closing = _rates(V)
        own = (driving - g * V) / self.C.value / _STEP
        moved = opening * (1 + jnp.exp(-gates)) - closing * (1 + jnp.exp(gates))
        return jnp.concatenate([own, moved], -1) + self.rest(t, x, u)

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """Coupling and inputs."""
        v = x[..., : self.dim // 4]
        coupled = apply(self.K, v) - self.K.sum(1) * v + pushed(self.B, u) / _STEP
        still = jnp.zeros((*coupled.shape[:-1], 3 * coupled.shape[-1]), x.dtype)
        return jnp.concatenate([coupled / self.C.value, still], -1)

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """Exponential Euler of the potential, then of the gates."""
        V, gates = self.potential(x), x[..., self.dim // 4 :]
        g, driving = self._conductance(gates)
        V = driving / g + (V - driving / g) * jnp.exp(-g * h / self.C.value)
        opening, closing = _rates(V)
        total = opening + closing
        left = jnp.exp(-total * h)
        # Open and closed shares, each a sum of positive terms, so that neither is ever 0.
        gained = -jnp.expm1(-total * h) / total
        share = jax.nn.sigmoid(gates) * left + opening * gained
        closed = jax.nn.sigmoid(-gates) * left + closing * gained
        return jnp.concatenate([(V - _REST) / _STEP, jnp.log(share) - jnp.log(closed)], -1)

    def _conductance(self, gates: Float[Array, "... gates"]) -> tuple[Array, Array]:
        """The whole conductance, and sum of g E with the current."""
        m, h, n = jnp.split(jax.nn.sigmoid(gates), 3, -1)
        sodium, potassium, leak = self.g_Na.value * m**3 * h, self.g_K.value * n**4, self.g_L.value
        driving = sodium * self.E_Na + potassium * self.E_K + leak * self.E_L + self.I
        return sodium + potassium + leak, driving


def _rates(V: Float[Array, "... unit"]) -> tuple[Array, Array]:
    """Alpha and beta of m, h and n, per ms."""
    opening = [_ratio((V + 40) / 10), 0.07 * jnp.exp(-(V + 65) / 20), 0.1 * _ratio((V + 55) / 10)]
    closing = [4 * jnp.exp(-(V + 65) / 18), jax.nn.sigmoid((V + 35) / 10), 0.125 * jnp.exp(-(V + 65) / 80)]
    return jnp.concatenate(opening, -1), jnp.concatenate(closing, -1)


def _ratio(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """x / (1 - e^-x), 1 at 0."""
    small = jnp.abs(x) < 1e-4
    safe = jnp.where(small, 1.0, x)
    return jnp.where(small, 1 + x / 2, -safe / jnp.expm1(-safe))
