"""A gated recurrent network as a generator, driven by inferred inputs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.layers import Linear
from neurito.core.operators import Dense, Scale
from neurito.core.parameters import Interval


class GatedGenerator(Dynamics):
    """The generator of LFADS: g_t = GRU(g_{t-1}, [a_t; u_{t-1}]),  a_t = rho a_{t-1} + sqrt(1 - rho^2) s eps_t.

    a are inferred inputs with an autoregressive prior of variance s^2; everything else is deterministic. The first
    state is g_1 = W eps + b, a_1 = s eps. Decoders see g.

    Args:
        units: dimension of g.
        inferred: dimension of a; 0 = none, and then nothing after the first bin is random.
        seed_dim: dimension of the noise behind g_1.
        input_dim: number of known inputs.
        key: for the start.

    Source:
        Pandarinath et al., "Inferring single-trial neural population dynamics using sequential auto-encoders",
        Nature Methods 2018, online methods; Sussillo et al. 2016.
    """

    decoded = True
    affine_move = False

    first: Linear
    gates: Linear
    candidate: Linear
    rho: Interval
    s: Interval
    units: int = eqx.field(static=True)
    latent_dim: int = eqx.field(static=True)
    noise_dim: int = eqx.field(static=True)
    init_noise_dim: int = eqx.field(static=True)

    def __init__(
        self, units: int, inferred: int, seed_dim: int, input_dim: int = 0, *, key: PRNGKeyArray
    ) -> None:
        k_first, k_gates, k_candidate = jax.random.split(key, 3)
        size_in = units + inferred + input_dim
        self.first = Linear(seed_dim, units, key=k_first)
        gates = Linear(size_in, 2 * units, key=k_gates)
        self.gates = eqx.tree_at(lambda m: m.b, gates, gates.b.at[units:].add(1.0))  # remembers at the start
        self.candidate = Linear(size_in, units, key=k_candidate)
        self.rho = Interval(np.full(inferred, 0.8), 0.0, 1.0)
        self.s = Interval(np.full(inferred, 0.3))
        self.units, self.noise_dim = units, inferred
        self.latent_dim, self.init_noise_dim = units + inferred, seed_dim + inferred

    @property
    def visible_dim(self) -> int:
        """Dimension of g."""
        return self.units

    def visible(self, z: Float[Array, "... latent"], step: Step) -> Float[Array, "... visible"]:
        """G."""
        return z[..., : self.units]

    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """(b, 0), and W beside s."""
        W = jax.scipy.linalg.block_diag(self.first.W.T, jnp.diag(self.s.value))
        return jnp.concatenate([self.first.b, jnp.zeros(self.noise_dim, self.first.b.dtype)]), Dense(W)

    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """What is affine: the inferred inputs; the generator waits for them."""
        keep = jnp.concatenate([jnp.ones(self.units, z.dtype), self.rho.value])
        return z * keep, self.scale(step)

    def scale(self, step: Step) -> Scale:
        """0 for g, sqrt(1 - rho^2) s for a."""
        sd = self.s.value * jnp.sqrt(1 - self.rho.value**2)
        return Dense(jnp.concatenate([jnp.zeros((self.units, self.noise_dim), sd.dtype), jnp.diag(sd)]))

    def move(
        self,
        z: Float[Array, "... latent"],
        mean: Float[Array, "... latent"],
        scale: Scale,
        step: Step,
        eps: Float[Array, "... noise"],
    ) -> Float[Array, "... latent"]:
        """The new inputs, then one step of the generator."""
        g, a = mean[..., : self.units], mean[..., self.units :]
        a = a + self.s.value * jnp.sqrt(1 - self.rho.value**2) * eps
        seen = [a]
        if step.u is not None:
            seen.append(jnp.broadcast_to(step.u, (*a.shape[:-1], step.u.shape[-1])))
        reset, update = jnp.split(jax.nn.sigmoid(self.gates(jnp.concatenate([g, *seen], -1))), 2, -1)
        new = jnp.tanh(self.candidate(jnp.concatenate([reset * g, *seen], -1)))
        return jnp.concatenate([update * g + (1 - update) * new, a], -1)
