"""Fitting: batches, gradient steps, checkpoints, runs."""

from neurito.fitting.run import Run
from neurito.fitting.trainer import fit
from neurito.fitting.training import Training
from neurito.models.fitted import Fitted

__all__ = ["Fitted", "Run", "Training", "fit"]
