"""Fitting: batches, gradient steps, checkpoints, runs."""

from neurito.fitting.fitted import Fitted
from neurito.fitting.run import Run
from neurito.fitting.trainer import fit
from neurito.fitting.training import Training

__all__ = ["Fitted", "Run", "Training", "fit"]
