"""The guide of a variational autoencoder: a network reads from data, and from the state, what the noise should be."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from neurito.core.batch import Batch
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.factors import Factor
from neurito.core.guides.base import Guide, Kick, Prepared
from neurito.core.layers import ACTIVATIONS, Activation, Linear
from neurito.core.operators import Diagonal, Scale
from neurito.errors import NeuritoError

_WIDEST = 3.0  # of the log standard deviation, to either side


class Control(Guide):
    """eps_t ~ N(mu, diag(sd^2)),  (mu, log sd) = W_2 tanh(W_c c_t + W_z z_{t-1} + W_u u_{t-1} + b) + b_2.

    There may be more hidden layers, and other units than tanh. c_t are an encoder's features, with no part of the state
    (W_z = 0) where `state` is off. With `spread` off sd = 1: mu is then a force, g^-1 (f_posterior - f_prior) sqrt(dt),
    its divergence |mu|^2 / 2 is Girsanov's, and halving the sub-steps leaves the sum unchanged. The first bin has its
    own linear layer. Where nothing is read any more the guide is the prior.

    Args:
        features: number of the encoder's features.
        dynamics: what it guides.
        hidden: units.
        input_dim: how much it sees of the drive; 0 = none.
        key: for the start, close to the prior.
        state: whether it sees the state.
        spread: whether it sets standard deviations.
        later: whether it acts after the first bin at all.
        layers: hidden layers.
        activation: tanh, relu, gelu or softplus.

    Source:
        Li, Wong, Chen, Duvenaud, "Scalable gradients for stochastic differential equations", AISTATS 2020, eqs. 8, 9.
    """

    encoded = True

    initial: Linear
    context: Linear | None
    state: Float[Array, "latent hidden"] | None
    out: Linear | None
    deeper: tuple[Linear, ...]
    spread: bool = eqx.field(static=True)
    activation: Activation = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        dynamics: Dynamics,
        hidden: int,
        input_dim: int,
        *,
        key: PRNGKeyArray,
        state: bool = True,
        spread: bool = True,
        later: bool = True,
        layers: int = 1,
        activation: Activation = "tanh",
    ) -> None:
        k_first, k_context, k_state, k_out = jax.random.split(key, 4)
        latent = dynamics.latent_dim
        self.initial = Linear(features, 2 * dynamics.init_noise_dim, key=k_first, gain=0.3)
        self.context = Linear(features + input_dim, hidden, key=k_context) if later else None
        bound = latent**-0.5
        self.state = (
            jax.random.uniform(k_state, (latent, hidden), minval=-bound, maxval=bound)
            if state and later
            else None
        )
        outputs = (1 + spread) * dynamics.noise_dim
        self.out = Linear(hidden, outputs, key=k_out, gain=0.3) if later else None
        deeper = jax.random.split(jax.random.fold_in(key, 1), layers - 1) if later else ()
        self.deeper = tuple(Linear(hidden, hidden, key=k) for k in deeper)
        self.spread, self.activation = spread, activation

    def prepare(
        self,
        dynamics: Dynamics,
        factor: Factor | None,
        features: Float[Array, "trial time feature"] | None,
        batch: Batch,
        steps: Step,
    ) -> Prepared:
        """See the base class.

        Raises:
            NeuritoError: there is no encoder.
        """
        if features is None:
            raise NeuritoError("guide='control' needs an encoder: set encoder='gru' or 'cnn'")
        informed = batch.informed

        def kick(raw: Array, alive: Array | None, share: float, spread: bool) -> Kick:
            if alive is not None:
                raw = raw * alive[:, None, None]
            if not spread:
                return Kick(share * raw, Diagonal(jnp.ones(raw.shape[-1], raw.dtype)))
            mean, wide = jnp.split(raw, 2, -1)
            log_sd = _WIDEST * jnp.tanh(wide / _WIDEST)
            sd = jnp.exp(log_sd)
            return Kick(share * mean / sd, Diagonal(sd), log_sd.sum(-1))

        def first(mean: Array, scale: Scale) -> Kick:
            raw = self.initial(features[:, 0])[:, None]
            return kick(raw, None if informed is None else informed[:, 0], 1.0, True)

        if self.context is None or self.out is None:
            return Prepared(first, None, lambda context, step, z, mean, scale: Kick(), every=True)
        seen = jnp.swapaxes(features, 0, 1)[1:]  # in the scan's order, so that nothing wide is turned round
        if steps.u is not None:
            seen = jnp.concatenate([seen, jnp.swapaxes(dynamics.seen(steps.u[:, :-1]), 0, 1)], -1)
        ahead = jnp.swapaxes(self.context(seen), 0, 1)  # before the scan: one large product
        share = dynamics.substeps**-0.5
        out, phi = self.out, ACTIVATIONS[self.activation]

        def rest(ctx: tuple[Array, Array | None], step: Step, z: Array, mean: Array, scale: Scale) -> Kick:
            hidden, alive = ctx[0][:, None], ctx[1]
            if self.state is not None:
                rows = z.reshape(-1, z.shape[-1]) @ self.state
                hidden = hidden + rows.reshape(*z.shape[:-1], -1)
            hidden = phi(hidden)
            for layer in self.deeper:
                hidden = phi(layer(hidden))
            return kick(out(hidden), alive, share, self.spread)

        return Prepared(first, (ahead, None if informed is None else informed[:, 1:]), rest, every=True)


class Regularised(Control):
    """A control of the first bin alone, with the released LangevinFlow's term on the mean of every later velocity.

    The term is the divergence of N(m, s^2) from N(0, 0.1) with the noise's variance s^2 where a log variance belongs,
    as released; with it the objective is a regularised reconstruction and no bound.

    Args:
        features: number of the encoder's features.
        dynamics: what it guides.
        key: for the start.

    Source:
        Song et al. 2025, released code.
    """

    def __init__(self, features: int, dynamics: Dynamics, *, key: PRNGKeyArray) -> None:
        super().__init__(features, dynamics, 1, 0, key=key, later=False)

    def prepare(
        self,
        dynamics: Dynamics,
        factor: Factor | None,
        features: Float[Array, "trial time feature"] | None,
        batch: Batch,
        steps: Step,
    ) -> Prepared:
        """See the base class."""
        first, context, _, every = super().prepare(dynamics, factor, features, batch, steps)

        def rest(ctx: None, step: Step, z: Array, mean: Array, scale: Scale) -> Kick:
            velocity = mean[..., dynamics.noise_dim :]
            variance = scale.dense()[dynamics.noise_dim, 0] ** 2
            prior = 0.1
            terms = jnp.log(prior) - variance + (jnp.exp(variance) + velocity**2) / prior - 1
            return Kick(penalty=0.5 * terms.sum(-1))

        return Prepared(first, context, rest, every)
