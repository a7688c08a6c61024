"""Fitting: batches, gradient steps, checkpoints, runs."""

from neurito.fit.fitted import Fitted
from neurito.fit.run import Run
from neurito.fit.trainer import fit
from neurito.fit.training import Training

__all__ = ["Fitted", "Run", "Training", "fit"]
