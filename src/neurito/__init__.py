"""Fit stochastic dynamical systems to neural recordings.

    import neurito

    trials = neurito.load("session.nwb", bin_width=0.02)
    run = neurito.fit(neurito.LowRankRNN(rank=3), trials.split(), run="runs/first")
    posterior = neurito.infer(run, trials)

Public names are imported when they are first used, so that `import neurito` stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neurito.ablation import ablate
    from neurito.baselines import GPFA, FactorAnalysis, MeanRate, Smoothing
    from neurito.compare import Comparison
    from neurito.core.drifts import Drift
    from neurito.core.runtime import start
    from neurito.data.load import describe, load
    from neurito.data.trials import Head, Splits, Trials
    from neurito.errors import NeuritoError, NeuritoWarning
    from neurito.fitting.run import Run
    from neurito.fitting.trainer import fit
    from neurito.fitting.training import Training
    from neurito.inference.results import forecast, generate, infer, log_likelihood
    from neurito.inference.scores import evaluate
    from neurito.models import (
        LFADS,
        CoupledOscillatorSDE,
        FullRankRNN,
        LangevinFlow,
        LatentODE,
        LinearDynamics,
        LinearSDE,
        LowRankRNN,
        MechanisticSDE,
        NeuralSDE,
        UserSDE,
    )
    from neurito.models.fitted import Fitted

_HOMES = {
    "neurito.ablation": ("ablate",),
    "neurito.baselines": ("GPFA", "FactorAnalysis", "MeanRate", "Smoothing"),
    "neurito.compare": ("Comparison",),
    "neurito.core.drifts": ("Drift",),
    "neurito.core.runtime": ("start",),
    "neurito.data.load": ("describe", "load"),
    "neurito.data.trials": ("Head", "Splits", "Trials"),
    "neurito.errors": ("NeuritoError", "NeuritoWarning"),
    "neurito.models.fitted": ("Fitted",),
    "neurito.fitting.run": ("Run",),
    "neurito.fitting.trainer": ("fit",),
    "neurito.fitting.training": ("Training",),
    "neurito.inference.results": ("forecast", "generate", "infer", "log_likelihood"),
    "neurito.inference.scores": ("evaluate",),
    "neurito.models": (
        "LFADS",
        "CoupledOscillatorSDE",
        "FullRankRNN",
        "LangevinFlow",
        "LatentODE",
        "LinearDynamics",
        "LinearSDE",
        "LowRankRNN",
        "MechanisticSDE",
        "NeuralSDE",
        "UserSDE",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "GPFA", "LFADS", "Comparison", "CoupledOscillatorSDE", "Drift", "FactorAnalysis", "Fitted", "FullRankRNN",
    "Head", "LangevinFlow", "LatentODE", "LinearDynamics", "LinearSDE", "LowRankRNN", "MeanRate",
    "MechanisticSDE", "NeuralSDE", "NeuritoError", "NeuritoWarning", "Run", "Smoothing", "Splits", "Training",
    "Trials", "UserSDE", "ablate", "describe", "evaluate", "fit", "forecast", "generate", "infer", "load",
    "log_likelihood", "start",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neurito' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
