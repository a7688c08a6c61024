"""A fitted model and a recording, as programs take them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from neurito.core import runtime
from neurito.core.batch import Batch
from neurito.core.scan import Inference
from neurito.data.trials import Trials
from neurito.errors import NeuritoError
from neurito.models.fitted import Fitted, HasFitted, fitted_of
from neurito.models.prepare import padded, to_batch

_CHUNK = 64  # trials at a time,
_NUMBERS = 1 << 26  # and so many expected values: a quarter of a gigabyte


@dataclass(frozen=True)
class Static:
    """A model without its arrays; hashable."""

    structure: Any

    def join(self, arrays: Any) -> Any:
        """The model with its arrays."""
        return jax.tree.unflatten(self.structure, arrays)


@dataclass(frozen=True)
class Engine:
    """A fitted model and a recording on the device."""

    fitted: Fitted
    trials: Trials
    inference: Inference
    mesh: Mesh

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The signals that the model observes, the main one first."""
        return self.fitted.specification.observed(self.fitted.layout)

    @property
    def head(self) -> str:
        """The main one."""
        return self.heads[0]

    @cached_property
    def data(self) -> Batch:
        """The recording, padded to a size that few compilations share."""
        return to_batch(self.trials, self.heads, padded(self.trials.n_trials))

    @cached_property
    def split(self) -> tuple[list[Any], Static]:
        """The model's arrays, and the rest of it."""
        leaves, structure = jax.tree.flatten(self.fitted.model)
        return leaves, Static(structure)

    def chunks(self, samples: int = 1) -> Iterator[tuple[slice, Any]]:
        """Rows of the data, the same number each time (the last trials may be computed twice)."""
        n, most = self.trials.n_trials, _NUMBERS // (samples * self.trials.heads[self.head].values[0].size)
        size = -(-max(min(_CHUNK, padded(n), most), 1) // self.mesh.size) * self.mesh.size
        for start in range(0, n, size):
            stop = min(start + size, n)
            yield (
                slice(start, stop),
                jnp.asarray(np.minimum(np.arange(start, start + size), n - 1), jnp.int32),
            )


def engine_of(
    model: Fitted | HasFitted, trials: Trials, particles: int | None, mesh: Mesh | None, samples: int = 1
) -> Engine:
    """The two together, checked.

    Args:
        model: a fitted model, or the run that holds it.
        trials: the recording.
        particles: K; None = as in training.
        mesh: devices; None = all.
        samples: how many trajectories will be asked for; draws of an ELBO's guide are its particles.

    Raises:
        NeuritoError: the trials do not fit the model.
    """
    runtime.start()
    fitted = fitted_of(model)
    inference = fitted.specification.inference()
    # Samples of an ELBO's posterior are its particles, all alike.
    least = samples if inference.objective == "elbo" else 1
    inference = replace(inference, particles=max(particles or inference.particles, least))
    fitted.layout.check(trials, fitted.specification.observed(fitted.layout))
    trials = _with_known_sessions(fitted, trials)
    return Engine(fitted, trials, inference, mesh or runtime.mesh(fitted.specification.devices))


def _with_known_sessions(fitted: Fitted, trials: Trials) -> Trials:
    """The trials with sessions numbered as in the model."""
    known = fitted.layout.sessions
    if trials.session_names == known or len(known) == 1:
        return trials
    number = np.array([known.index(name) for name in trials.session_names])
    return replace(trials, session=number[trials.session], session_names=known)


def needs_joint(fitted: Fitted, what: str) -> None:
    """Raises NeuritoError for a model that is no joint distribution of data and latents."""
    if not fitted.specification.generative:
        raise NeuritoError(
            f"{fitted.specification.name} has no {what}: its decoder reads the data through the encoder, so that it is "
            "no generative model; score it on held-out neurons, or fit langevin-flow"
        )
