"""What a baseline may look at, and what it is fitted to."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from neurito.data.trials import Trials
from neurito.errors import NeuritoError


@dataclass(frozen=True)
class Reading:
    """The read counts of a recording, and nothing else of it.

    Attributes:
        counts: per bin (trial, time, channel), 0 where nothing is read.
        read: what is read, bool of that shape.
        bin_width: seconds.
    """

    counts: Float[np.ndarray, "trial time channel"]
    read: Bool[np.ndarray, "trial time channel"]
    bin_width: float

    @classmethod
    def of(cls, trials: Trials) -> "Reading":
        """The main head of these trials.

        Raises:
            NeuritoError: it holds no counts, bins differ in width, or there are several sessions.
        """
        if trials.main.kind != "counts":
            raise NeuritoError(
                f"baselines need counts, and {trials.name!r} is {trials.main.kind}: give kind='counts' if it is not"
            )
        if len(np.unique(trials.session)) > 1:
            raise NeuritoError(
                f"baselines fit one session, the data have {len(trials.session_names)}: "
                "choose the trials of one, trials[trials.session == 0]"
            )
        if not trials.regular:
            raise NeuritoError("baselines need bins of one width, found different ones: rebin the recording")
        read = trials.main.read & trials.exists[..., None]
        return cls(np.where(read, trials.main.values, 0).astype(np.float64), read, trials.bin_width)

    @property
    def bins(self) -> Bool[np.ndarray, "trial time"]:
        """Where anything is read."""
        return np.asarray(self.read.any(-1))

    @property
    def held_in(self) -> Bool[np.ndarray, " channel"]:
        """Channels of which anything is read."""
        return np.asarray(self.read.any((0, 1)))

    @property
    def mean(self) -> Float[np.ndarray, " channel"]:
        """Mean count per bin of what is read."""
        return np.asarray(self.counts.sum((0, 1)) / np.maximum(self.read.sum((0, 1)), 1))


def targets(
    trials: Trials,
) -> tuple[Float[np.ndarray, "trial time channel"], Bool[np.ndarray, "trial time channel"]]:
    """Counts, 0 where unknown, and which are known: read or scored. Only fits may look at these."""
    known = (trials.main.read | trials.main.score) & trials.exists[..., None]
    return np.where(known, trials.main.values, 0).astype(np.float64), known
