"""Which trials, or windows of them, make each gradient step."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurito.errors import NeuritoError, warn


class Draw(NamedTuple):
    """Rows of a stretch of steps: (step, slot) each."""

    trial: np.ndarray
    first: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Sampler:
    """Shuffled whole trials, or uniformly drawn windows; any stretch of steps can be had without the ones before.

    Attributes:
        lengths: bins of each trial.
        window: bins of a window; 0 = whole trials.
        per_epoch: windows, or trials, that make an epoch.
        batch_size: rows per step.
        slots: rows per step with padding, a multiple of the number of devices.
        seed: of the draws.
    """

    lengths: np.ndarray
    window: int
    per_epoch: int
    batch_size: int
    slots: int
    seed: int

    @classmethod
    def of(
        cls, lengths: np.ndarray, window: int, per_epoch: int, batch_size: int, devices: int, seed: int
    ) -> "Sampler":
        """Checks the window against the trials.

        Raises:
            NeuritoError: no trial is as long as a window.
        """
        if window and (lengths < window).all():
            raise NeuritoError(
                f"window={window} bins, and the longest trial has {lengths.max()}: choose a shorter one"
            )
        if short := int((lengths < window).sum()):
            warn(
                f"window={window} bins: {short} of {len(lengths)} trials are shorter and are left out of the fit"
            )
        if not window:
            per_epoch = len(lengths)
        elif not per_epoch:
            per_epoch = max(int((lengths // window).sum()), 1)
        batch_size = min(batch_size, per_epoch)
        return cls(lengths, window, per_epoch, batch_size, -(-batch_size // devices) * devices, seed)

    @property
    def steps_per_epoch(self) -> int:
        """Gradient steps in an epoch; the last one may be smaller."""
        return -(-self.per_epoch // self.batch_size)

    def draw(self, first: int, count: int) -> Draw:
        """The rows of steps first, ..., first + count - 1."""
        shape = (count, self.slots)
        trial, start, weight = (
            np.zeros(shape, np.int32),
            np.zeros(shape, np.int32),
            np.zeros(shape, np.float32),
        )
        epochs: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for row in range(count):
            epoch, place = divmod(first + row, self.steps_per_epoch)
            if epoch not in epochs:
                epochs[epoch] = self._epoch(epoch)
            part = slice(place * self.batch_size, (place + 1) * self.batch_size)
            chosen = epochs[epoch][0][part]
            trial[row, : len(chosen)], start[row, : len(chosen)] = chosen, epochs[epoch][1][part]
            weight[row, : len(chosen)] = 1
        return Draw(trial, start, weight)

    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, epoch])
        if not self.window:
            return rng.permutation(self.per_epoch), np.zeros(self.per_epoch, int)
        starts = np.maximum(self.lengths - self.window + 1, 0)
        ends = np.cumsum(starts)
        place = rng.integers(0, ends[-1], self.per_epoch)
        trial = np.searchsorted(ends, place, side="right")
        return trial, place - (ends - starts)[trial]
