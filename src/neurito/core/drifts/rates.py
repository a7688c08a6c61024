"""Rate models: a recurrent network, excitatory and inhibitory populations, cortical columns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.drifts.base import Drift, each, pushed
from neurito.core.operators import apply
from neurito.core.parameters import Interval, positive


class RateRNN(Drift):
    """tau x' = -x + J tanh(x) + B u + b; the leak is exact.

    Args:
        units: N.
        input_dim: number of inputs.
        key: for the start: J_ij ~ N(0, g^2 / N).
        gain: g; above 1 such a network is chaotic where N is large.

    Source:
        Sompolinsky, Crisanti, Sommers, "Chaos in random neural networks", PRL 1988.
    """

    split = True

    tau: Interval
    J: Float[Array, "unit unit"]
    B: Float[Array, "unit input"] | None
    b: Float[Array, " unit"]
    dim: int = eqx.field(static=True)

    def __init__(self, units: int, input_dim: int = 0, *, key: PRNGKeyArray, gain: float = 1.2) -> None:
        self.tau = positive(1.0)
        self.J = gain * units**-0.5 * jax.random.normal(key, (units, units))
        self.B = jnp.zeros((units, input_dim)) if input_dim else None
        self.b = jnp.zeros(units)
        self.dim = units

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class."""
        return self.rest(t, x, u) - x / self.tau.value

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """Everything but the leak."""
        return (apply(self.J, jnp.tanh(x)) + self.b + pushed(self.B, u)) / self.tau.value

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """x exp(-h / tau)."""
        return x * jnp.exp(-h / self.tau.value)


class WilsonCowan(Drift):
    """Pairs of an excitatory and an inhibitory population, stored as (E_1 ... E_N, I_1 ... I_N).

    tau_e E' = -E + (1 - E) S(c1 E - c2 I + P + K E + B u; a_e, theta_e)
    tau_i I' = -I + (1 - I) S(c3 E - c4 I + Q + B u; a_i, theta_i)
    S(x; a, theta) = 1 / (1 + exp(-a (x - theta))) - 1 / (1 + exp(a theta))

    E and I are shares of active cells; K couples the E of different pairs (its diagonal too). The leak is exact. The
    start is the limit cycle of the 1972 paper.

    Args:
        units: N pairs.
        input_dim: number of inputs.
        key: for the start, a weak random K.

    Source:
        Wilson, Cowan, "Excitatory and inhibitory interactions in localized populations of model neurons", 1972, eqs.
        11, 12 and fig. 11.
    """

    split = True

    c1: Interval
    c2: Interval
    c3: Interval
    c4: Interval
    a_e: Interval
    a_i: Interval
    theta_e: Float[Array, " unit"]
    theta_i: Float[Array, " unit"]
    P: Float[Array, " unit"]
    Q: Float[Array, " unit"]
    tau_e: Interval
    tau_i: Interval
    K: Float[Array, "unit unit"]
    B: Float[Array, "dim input"] | None
    dim: int = eqx.field(static=True)

    def __init__(self, units: int, input_dim: int = 0, *, key: PRNGKeyArray) -> None:
        self.c1, self.c2, self.c3, self.c4 = (
            each(units, 16.0),
            each(units, 12.0),
            each(units, 15.0),
            each(units, 3.0),
        )
        self.a_e, self.a_i = each(units, 1.3), each(units, 2.0)
        self.theta_e, self.theta_i = jnp.full(units, 4.0), jnp.full(units, 3.7)
        self.P, self.Q = jnp.full(units, 1.25), jnp.zeros(units)
        self.tau_e, self.tau_i = each(units, 1.0), each(units, 1.0)
        self.K = 0.3 * units**-0.5 * jax.random.normal(key, (units, units))
        self.B = jnp.zeros((2 * units, input_dim)) if input_dim else None
        self.dim = 2 * units

    @property
    def size(self) -> Float[np.ndarray, " dim"]:
        """Shares stay below a half."""
        return np.full(self.dim, 0.1)

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class."""
        return self.rest(t, x, u) - x / self._tau()

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """What the leak leaves."""
        E, inhibition = jnp.split(x, 2, -1)
        to_e = self.c1.value * E - self.c2.value * inhibition + self.P + apply(self.K, E)
        to_i = self.c3.value * E - self.c4.value * inhibition + self.Q
        a = jnp.concatenate([self.a_e.value, self.a_i.value])
        theta = jnp.concatenate([self.theta_e, self.theta_i])
        current = jnp.concatenate([to_e, to_i], -1) + pushed(self.B, u)
        S = jax.nn.sigmoid(a * (current - theta)) - jax.nn.sigmoid(-a * theta)
        return (1 - x) * S / self._tau()

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """Both decay."""
        return x * jnp.exp(-h / self._tau())

    def _tau(self) -> Float[Array, " dim"]:
        return jnp.concatenate([self.tau_e.value, self.tau_i.value])


class JansenRit(Drift):
    """Cortical columns; decoders see y_1 - y_2, the potential (mV) of their pyramidal cells, which EEG follows.

    y_0' = a w_0    w_0' = A S(y_1 - y_2) - 2 a w_0 - a y_0
    y_1' = a w_1    w_1' = A (p + C_2 S(C_1 y_0) + K S(y_1 - y_2) + B_u u) - 2 a w_1 - a y_1
    y_2' = b w_2    w_2' = B C_4 S(C_3 y_0) - 2 b w_2 - b y_2           S(v) = 2 e_0 / (1 + exp(r (v_0 - v)))

    in mV and seconds, the velocities of the source divided by a or b, C_1 = C, C_2 = 0.8 C, C_3 = C_4 = C / 4. Stored
    as (y_0 y_1 y_2 w_0 w_1 w_2), each of N columns. The three critically damped oscillators are solved exactly. At the
    start p = 220 pulses/s, an alpha rhythm.

    Args:
        units: N columns.
        input_dim: number of inputs.
        key: for the start: K is small and positive on average.

    Source:
        Jansen, Rit, "Electroencephalogram and visual evoked potential generation in a mathematical model of coupled
        cortical columns", Biol. Cybern. 1995, eqs. 6 and 7.
    """

    split = True
    decoded = True
    unit = 1.0
    longest = 0.005

    A: Interval
    B: Interval
    a: Interval
    b: Interval
    C: Interval
    e0: Interval
    v0: Float[Array, ""]
    r: Interval
    p: Float[Array, " unit"]
    K: Float[Array, "unit unit"]
    B_u: Float[Array, "unit input"] | None
    dim: int = eqx.field(static=True)

    def __init__(self, units: int, input_dim: int = 0, *, key: PRNGKeyArray) -> None:
        self.A, self.B, self.a, self.b, self.C = (
            each(units, 3.25),
            each(units, 22.0),
            each(units, 100.0),
            each(units, 50.0),
            each(units, 135.0),
        )
        self.e0, self.v0, self.r = positive(2.5), jnp.asarray(6.0), positive(0.56)
        self.p = jnp.full(units, 220.0)
        self.K = (1 + jax.random.normal(key, (units, units))) * (1 - jnp.eye(units)) / units
        self.B_u = jnp.zeros((units, input_dim)) if input_dim else None
        self.dim = 6 * units

    @property
    def start(self) -> Float[np.ndarray, " dim"]:
        """The (unstable) fixed point of a column alone."""
        return np.repeat([0.1139, 24.61, 17.09, 0.0, 0.0, 0.0], self.dim // 6)

    @property
    def size(self) -> Float[np.ndarray, " dim"]:
        """Millivolts."""
        return np.repeat([0.03, 5.0, 5.0, 0.03, 5.0, 5.0], self.dim // 6)

    def firing(self, v: Float[Array, "... unit"]) -> Float[Array, "... unit"]:
        """S(v), pulses/s."""
        return 2 * self.e0.value * jax.nn.sigmoid(self.r.value * (v - self.v0))

    def __call__(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """See the class."""
        y, w = jnp.split(x, 2, -1)
        rate = self._rates()
        return jnp.concatenate([rate * w, -2 * rate * w - rate * y], -1) + self.rest(t, x, u)

    def rest(
        self, t: Float[Array, "..."], x: Float[Array, "... dim"], u: Float[Array, "... input"] | None
    ) -> Float[Array, "... dim"]:
        """What the synapses receive."""
        y0, y1, y2 = jnp.split(x[..., : self.dim // 2], 3, -1)
        A, C, out = self.A.value, self.C.value, self.firing(y1 - y2)
        excited = self.p + 0.8 * C * self.firing(C * y0) + apply(self.K, out) + pushed(self.B_u, u)
        inhibited = 0.25 * C * self.firing(0.25 * C * y0)
        received = jnp.concatenate([A * out, A * excited, self.B.value * inhibited], -1)
        return jnp.concatenate([jnp.zeros_like(received), received], -1)

    def flow(self, x: Float[Array, "... dim"], h: Float[Array, "..."] | float) -> Float[Array, "... dim"]:
        """e^(-s) ((1 + s) y + s w, (1 - s) w - s y) with s = a h or b h."""
        y, w = jnp.split(x, 2, -1)
        s = self._rates() * h
        return jnp.concatenate([(1 + s) * y + s * w, (1 - s) * w - s * y], -1) * jnp.tile(jnp.exp(-s), 2)

    def visible(self, x: Float[Array, "... dim"]) -> Float[Array, "... visible"]:
        """y_1 - y_2, mV."""
        n = self.visible_dim
        return x[..., n : 2 * n] - x[..., 2 * n : 3 * n]

    @property
    def visible_dim(self) -> int:
        """N."""
        return self.dim // 6

    def _rates(self) -> Float[Array, " half"]:
        return jnp.concatenate([self.a.value, self.a.value, self.b.value])
