"""Every neuron at its mean rate: what 0 bits per spike means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurito.baselines.base import Arrays, Baseline, Prediction
from neurito.baselines.reading import Reading, targets
from neurito.data.trials import Trials


@dataclass(frozen=True, kw_only=True)
class MeanRate(Baseline):
    """Every neuron at the mean rate that it has in training; nothing is read.

    Above the null of mean rates in training (`bits_per_spike_train_null`) it has 0 bits per spike; above the
    benchmark's null, mean rates in evaluation, a little less than 0.
    """

    name: ClassVar[str] = "mean-rate"

    def estimate(self, train: Trials) -> tuple[Arrays, list[float]]:
        """The means."""
        Reading.of(train)  # refuses what is no baseline's business
        counts, known = targets(train)
        return {"mean": counts.sum((0, 1)) / np.maximum(known.sum((0, 1)), 1)}, []

    def predict(self, arrays: Mapping[str, np.ndarray], reading: Reading) -> Prediction:
        """The means, in every bin."""
        return Prediction(np.broadcast_to(arrays["mean"], reading.read.shape))
