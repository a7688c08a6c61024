"""Dropout of what an encoder reads: the rest of the data then checks what it says."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from neurito.core.batch import Batch, Signal
from neurito.errors import NeuritoError


@dataclass(frozen=True)
class Dropout:
    """Coordinated dropout: an encoder sees a value or is scored on it, not both.

    Each value that is read stays in the encoder's input with probability `keep`, multiplied by 1 / keep. The
    log-likelihood of the others counts 1 / (1 - keep) times, so that its expectation is that of all, and a weight on
    the divergence keeps its meaning; with `pass_rate` r kept ones count with probability r too, and all of them
    1 / (1 - keep + keep r) times. Values that are not read count as ever. Where particles are resampled the weights
    keep the full likelihood: only the encoder's input is thinned out.

    Attributes:
        keep: probability with which a value is seen; 1 = no dropout.
        pass_rate: probability with which a kept value is scored as well.
        features: share of the encoder's features that are set to 0.

    Source:
        Keshtkaran, Pandarinath, "Enabling hyperparameter optimization in sequential autoencoders for spiking neural
        data", NeurIPS 2019.
    """

    keep: float = 1.0
    pass_rate: float = 0.0
    features: float = 0.0

    def __post_init__(self) -> None:
        """Checks the probabilities."""
        if not 0 < self.keep <= 1:
            raise NeuritoError(f"keep={self.keep}: give a probability above 0, 1 for no dropout")
        for name in ("pass_rate", "features"):
            if not 0 <= getattr(self, name) < 1:
                raise NeuritoError(f"{name}={getattr(self, name)}: give a probability from 0 to below 1")

    def inputs(self, batch: Batch, heads: tuple[str, ...], key: PRNGKeyArray, coordinated: bool) -> Batch:
        """The batch with the encoder's heads thinned out."""
        if self.keep == 1:
            return batch
        signals = dict(batch.signals)
        for i, name in enumerate(heads):
            signals[name] = self._signal(signals[name], jax.random.fold_in(key, i), batch.ids, coordinated)
        return replace(batch, signals=signals)

    def _signal(self, signal: Signal, key: PRNGKeyArray, ids: Array, coordinated: bool) -> Signal:
        def draw(id_: Array) -> Array:
            return jax.random.uniform(jax.random.fold_in(key, id_), signal.y.shape[1:], signal.y.dtype)

        u = jax.vmap(draw)(ids)
        seen = u < self.keep
        read = signal.read.only(signal.y)
        shown = jnp.where(seen, read / self.keep, 0)
        if not coordinated:
            return replace(signal, shown=shown)
        share = 1 - self.keep + self.keep * self.pass_rate
        scored = ~seen | (u < self.keep * self.pass_rate)
        unread = signal.read.dense() == 0
        return replace(
            signal, shown=shown, emphasis=jnp.where(unread, 1.0, scored / share).astype(read.dtype)
        )

    def hidden(
        self, features: Float[Array, "trial time feature"], ids: Int[Array, " trial"], key: PRNGKeyArray
    ) -> Float[Array, "trial time feature"]:
        """Features with some set to 0 and the rest made larger."""
        if not self.features:
            return features

        def draw(id_: Array) -> Array:
            return jax.random.bernoulli(jax.random.fold_in(key, id_), 1 - self.features, features.shape[1:])

        return jnp.where(jax.vmap(draw)(ids), features / (1 - self.features), 0)
