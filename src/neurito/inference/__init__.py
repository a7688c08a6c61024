"""Inference with a fitted model."""

from neurito.inference.checks import check
from neurito.inference.results import (
    Generated,
    bound_per_bin,
    expected_counts,
    extended,
    forecast,
    generate,
    infer,
    log_likelihood,
)
from neurito.inference.scores import SCORES, Score, about, evaluate
from neurito.inference.simulation_based import latent_calibration

__all__ = [
    "SCORES",
    "Generated",
    "Score",
    "about",
    "bound_per_bin",
    "check",
    "evaluate",
    "expected_counts",
    "extended",
    "forecast",
    "generate",
    "infer",
    "latent_calibration",
    "log_likelihood",
]
