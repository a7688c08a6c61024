"""Inference with a fitted model."""

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

__all__ = [
    "SCORES",
    "Generated",
    "Score",
    "about",
    "bound_per_bin",
    "evaluate",
    "expected_counts",
    "extended",
    "forecast",
    "generate",
    "infer",
    "log_likelihood",
]
