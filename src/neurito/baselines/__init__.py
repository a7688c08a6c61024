"""Classical models of spike counts, fitted, run and scored like all others."""

import os
from pathlib import Path
from typing import Any

from neurito.baselines.base import Baseline, Prediction
from neurito.baselines.factor_analysis import FactorAnalysis
from neurito.baselines.fitted import FittedBaseline
from neurito.baselines.gpfa import GPFA
from neurito.baselines.mean_rate import MeanRate
from neurito.baselines.smoothing import Smoothing
from neurito.errors import NeuritoError, nearest
from neurito.models import MODELS
from neurito.models.fitted import Fitted, read

BASELINES: dict[str, type[Baseline]] = {b.name: b for b in (MeanRate, Smoothing, FactorAnalysis, GPFA)}


def kinds() -> dict[str, type[Any]]:
    """Every class that can be fitted, by its name: the models, then the baselines."""
    return {**MODELS, **BASELINES}


def named(name: str) -> type[Any]:
    """The class of the model or baseline of that name.

    Raises:
        NeuritoError: there is none.
    """
    known = kinds()
    if name not in known:
        raise NeuritoError(f"model {name!r}: {nearest(name, known)}")
    return known[name]


def restored(folder: str | os.PathLike[str]) -> Fitted | FittedBaseline:
    """The fitted model or baseline in a run folder.

    Raises:
        NeuritoError: a file is missing, damaged or of a newer format.
    """
    words, _ = read(Path(folder))
    return (FittedBaseline if words["model"] in BASELINES else Fitted).load(folder)


__all__ = [
    "BASELINES",
    "GPFA",
    "Baseline",
    "FactorAnalysis",
    "FittedBaseline",
    "MeanRate",
    "Prediction",
    "Smoothing",
    "kinds",
    "named",
    "restored",
]
