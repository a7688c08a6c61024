"""How a model is fitted: the options of training, one source for Python, YAML and flags."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurito.core import choices
from neurito.errors import NeuritoError


@dataclass(frozen=True, kw_only=True)
class Training:
    """Options of a fit.

    Attributes:
        epochs: passes over the training trials.
        batch_size: trials per gradient step.
        window: bins of the random windows that are drawn from each trial; 0 = whole trials.
        windows_per_epoch: windows that make an epoch; 0 = as many as fit side by side.
        learning_rate: at the start.
        final_learning_rate: at the end.
        schedule: from start to end: exponential, cosine, or constant.
        warmup: steps in which the rate rises from 0.
        optimiser: radam, adam, adamw, or sgd.
        weight_decay: of adamw.
        clip: largest norm of a gradient, which keeps the first steps of RAdam in bounds; 0 = none.
        kl_warmup: share of the steps in which the KL weight rises from 0 (elbo only).
        particle_stages: numbers of particles before the model's own, each for an equal share of the fit: (4, 16)
            gives thirds with 4, 16 and K.
        score: what chooses the best epoch: bound (nats per bin on validation trials, held-out channels included),
            co_bps (held-out neurons of the validation trials, bits per spike), or none.
        evaluations: how many times the score is taken, evenly spread.
        patience: stop after this many scores without a better one; 0 = never.
        seed: of everything random.
        steps_per_call: gradient steps in one compiled call.
        device: cpu or gpu; empty = what JAX prefers.
        devices: number of XLA devices; 0 = all.
    """

    __no_type_check__ = True  # at run time: __post_init__ says what is wrong

    epochs: int = 200
    batch_size: int = 16
    window: int = 0
    windows_per_epoch: int = 0
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    schedule: Literal["exponential", "cosine", "constant"] = "exponential"
    warmup: int = 0
    optimiser: Literal["radam", "adam", "adamw", "sgd"] = "radam"
    weight_decay: float = 1e-4
    clip: float = 100.0
    kl_warmup: float = 0.0
    particle_stages: tuple[int, ...] = ()
    score: Literal["bound", "co_bps", "none"] = "bound"
    evaluations: int = 50
    patience: int = 0
    seed: int = 0
    steps_per_call: int = 25
    device: str = ""
    devices: int = 0

    def __post_init__(self) -> None:
        """Checks words and numbers."""
        choices.check(self)
        for name in ("epochs", "batch_size", "steps_per_call", "evaluations"):
            if getattr(self, name) < 1:
                raise NeuritoError(f"{name}={getattr(self, name)}: at least 1 is needed")
        if not 0 < self.final_learning_rate <= self.learning_rate:
            raise NeuritoError(
                f"learning_rate={self.learning_rate} and final_learning_rate={self.final_learning_rate}: "
                "both positive, the second not larger"
            )

    def rates(self, first: int, count: int, total: int) -> np.ndarray:
        """The learning rates of steps first, ..., first + count - 1 of `total`."""
        step = np.arange(first, first + count)
        x = np.minimum(step / max(total - 1, 1), 1.0)
        start, end = self.learning_rate, self.final_learning_rate
        if self.schedule == "constant":
            rate = np.full(count, start)
        elif self.schedule == "cosine":
            rate = end + (start - end) * 0.5 * (1 + np.cos(np.pi * x))
        else:
            rate = start * (end / start) ** x
        return rate * np.minimum((step + 1) / self.warmup, 1.0) if self.warmup else rate

    def kl_ramp(self, first: int, count: int, total: int) -> np.ndarray:
        """The share of the KL weight in the same steps."""
        step = np.arange(first, first + count)
        return np.minimum(step / (self.kl_warmup * total), 1.0) if self.kl_warmup else np.ones(count)

    def particles(self, step: int, total: int, last: int) -> int:
        """The number of particles at a step, `last` being the model's own."""
        stages = (*self.particle_stages, last)
        return stages[min(step * len(stages) // total, len(stages) - 1)]
