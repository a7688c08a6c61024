"""A run: a fitted model, how it got there, and the folder that holds it."""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurito.baselines import FittedBaseline, restored
from neurito.data.files import atomic_write
from neurito.errors import NeuritoError
from neurito.fitting.training import Training
from neurito.models import describing
from neurito.models.fitted import Fitted


@dataclass(frozen=True)
class Run:
    """What `fit` returns.

    Attributes:
        fitted: the model with the best validation score, or a baseline.
        training: the options of the fit.
        history: per scored step: step, seconds, learning rate, bound, score, ess, gradient.
        folder: where it is saved, or None.
    """

    fitted: Fitted | FittedBaseline
    training: Training
    history: list[dict[str, Any]] = field(default_factory=list)
    folder: Path | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter by name."""
        return self.fitted.parameters

    def save(self, folder: str | os.PathLike[str], **provenance: Any) -> None:
        """Writes config.json, history.json and the model."""
        folder = Path(folder)
        self.fitted.save(folder, **provenance)
        write_json(folder / "history.json", self.history)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Run":
        """Reads a run folder.

        Raises:
            NeuritoError: it is no run folder, or a file in it is missing or damaged.
        """
        folder = Path(folder)
        fitted = restored(folder)
        config, history = read_json(folder / "config.json"), read_json(folder / "history.json")
        if not isinstance(history, list) or not isinstance(config, dict) or "training" not in config:
            raise NeuritoError(f"{folder}: config.json or history.json was not written by neurito; fit again")
        training: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in config["training"].items()
        }
        return cls(fitted, Training(**training), history, folder)

    def __repr__(self) -> str:
        last = self.history[-1] if self.history else {}
        steps = f"{last.get('step', 0):.0f} steps"
        return f"Run({self.fitted.specification.name}, {steps}, folder={str(self.folder)!r})"

    def _repr_html_(self) -> str:
        return describing.run(self)


def configuration(fitted_or_spec: Any, training: Training) -> dict[str, Any]:
    """The options of a fit as plain data."""
    return {
        "model": fitted_or_spec.name,
        "options": dataclasses.asdict(fitted_or_spec),
        "training": dataclasses.asdict(training),
    }


def write_json(path: Path, content: Any) -> None:
    """Writes plain data, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))


def read_json(path: Path) -> Any:
    """Reads plain data.

    Raises:
        NeuritoError: the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise NeuritoError(f"{path}: missing; the folder is no finished run") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise NeuritoError(f"{path}: damaged ({error})") from error
