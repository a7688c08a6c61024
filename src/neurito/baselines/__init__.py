"""Classical models of spike counts, fitted, run and scored like all others."""

from neurito.baselines.base import Baseline, Prediction
from neurito.baselines.factor_analysis import FactorAnalysis
from neurito.baselines.fitted import FittedBaseline
from neurito.baselines.gpfa import GPFA
from neurito.baselines.mean_rate import MeanRate
from neurito.baselines.smoothing import Smoothing

BASELINES: dict[str, type[Baseline]] = {b.name: b for b in (MeanRate, Smoothing, FactorAnalysis, GPFA)}

__all__ = [
    "BASELINES",
    "GPFA",
    "Baseline",
    "FactorAnalysis",
    "FittedBaseline",
    "MeanRate",
    "Prediction",
    "Smoothing",
]
