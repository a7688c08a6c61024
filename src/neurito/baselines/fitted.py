"""A fitted baseline: its words, what it has learnt, what it was fitted to."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurito.baselines.base import Arrays, Baseline, Prediction
from neurito.baselines.reading import Reading
from neurito.data.trials import Trials
from neurito.errors import NeuritoError
from neurito.models import fitted as model
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

    @property
    def fitted(self) -> "FittedBaseline":
        """Itself, so that it may stand wherever a run may."""
        return self

    def predict(self, trials: Trials) -> Prediction:
        """Expected counts per bin of every channel of the main head, from what is read of it.

        Args:
            trials: of the session that was fitted; bins in which nothing is read are predicted too.

        Raises:
            NeuritoError: the trials do not fit the baseline.
        """
        self.layout.check(trials, self.specification.observed(self.layout))
        return self.specification.predict(self.parameters, Reading.of(trials))

    def save(self, folder: str | os.PathLike[str], **provenance: Any) -> None:
        """Writes model.safetensors and model.json into a folder that exists."""
        model.write(Path(folder), self.specification, self.layout, self.parameters, provenance)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "FittedBaseline":
        """Reads what `save` wrote.

        Raises:
            NeuritoError: a file is missing, damaged or of a newer format, or it holds no baseline.
        """
        from neurito.baselines import BASELINES

        words, arrays = model.read(Path(folder))
        if words["model"] not in BASELINES:
            raise NeuritoError(
                f"{folder}: holds {words['model']}, no baseline; read it with neurito.Run.load"
            )
        kind = BASELINES[words["model"]]
        return cls(model.revive(kind, words["options"]), Layout.from_json(words["layout"]), arrays)
