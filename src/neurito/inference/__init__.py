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

__all__ = [
    "Generated",
    "bound_per_bin",
    "expected_counts",
    "extended",
    "forecast",
    "generate",
    "infer",
    "log_likelihood",
]
