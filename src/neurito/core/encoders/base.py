"""What an encoder is: features of the whole recording, from what is read."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from neurito.core.batch import Batch


class Encoder(eqx.Module):
    """Reads the heads named in `heads` and gives features (trial, time, feature).

    Class attributes:
        hold: after the last bin in which anything is read, that bin is read again and again, not zeros.
    """

    hold = False

    heads: eqx.AbstractVar[tuple[str, ...]]
    adapter: eqx.AbstractVar["Adapter | None"]

    @abc.abstractmethod
    def features(
        self, x: Float[Array, "trial time channel"], exists: Bool[Array, "trial time"] | None
    ) -> Float[Array, "trial time feature"]:
        """Features of inputs that are 0 where nothing is read."""

    def __call__(self, batch: Batch) -> Float[Array, "trial time feature"]:
        """Features of what the batch says is read; unread entries never enter."""
        signals = [batch.signals[h] for h in self.heads]
        x = jnp.concatenate([s.read.only(s.y) if s.shown is None else s.shown for s in signals], -1)
        if self.hold and batch.informed is not None:
            last = jnp.cumprod(batch.informed, 1).sum(1, keepdims=True) - 1
            place = jnp.minimum(jnp.arange(batch.n_bins), jnp.maximum(last, 0))
            x = jnp.take_along_axis(x, place[..., None], 1)
        return self.features(x if self.adapter is None else self.adapter(x, batch), batch.exists)


class Adapter(eqx.Module):
    """One linear input layer per session, so that sessions with other neurons share the encoder."""

    weight: Float[Array, "session channel width"]

    def __call__(
        self, x: Float[Array, "trial time channel"], batch: Batch
    ) -> Float[Array, "trial time width"]:
        """x W of each trial's session."""
        return x @ self.weight[batch.session]
