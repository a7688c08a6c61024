"""A fitted baseline: its words, what it has learnt, what it was fitted to."""

from dataclasses import dataclass, field
from typing import Any

from neurito.baselines.base import Arrays, Baseline, Prediction
from neurito.baselines.reading import Reading
from neurito.data.trials import Trials
from neurito.models.layout import Layout


@dataclass(frozen=True)
class FittedBaseline:
    """A baseline and where it came from.

    Attributes:
        specification: the baseline in words, with the options that were chosen.
        layout: the recording it fits.
        parameters: what it has learnt, by name.
        history: the course of the fit.
    """

    specification: Baseline
    layout: Layout
    parameters: Arrays
    history: list[dict[str, Any]] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(
        cls, specification: Baseline, train: Trials, parameters: Arrays, history: list[dict[str, Any]]
    ) -> "FittedBaseline":
        """From a fit to these trials."""
        return cls(specification, Layout.of(train), parameters, history)

    def predict(self, trials: Trials) -> Prediction:
        """Expected counts per bin of every channel of the main head, from what is read of it.

        Args:
            trials: of the session that was fitted; bins in which nothing is read are predicted too.

        Raises:
            NeuritoError: the trials do not fit the baseline.
        """
        self.layout.check(trials, (self.specification.observed(self.layout),))
        return self.specification.predict(self.parameters, Reading.of(trials))
