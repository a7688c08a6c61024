"""Recordings: the `Trials` container, readers, and simulators.

    import neurito

    trials = neurito.load("file.nwb", bin_width=0.02)  # any known file; `describe(path)` says how
    trials = Trials.from_array(counts, bin_width=0.02)  # or an array (trial, time, channel)
    train, validation, test = trials.split()           # parts never share a trial

A trial is a row of bins; the signals recorded at once are `heads`, the first is the main one. For every head
`read` says what may be looked at, `score` what predictions are compared with: a held-out neuron is scored and
not read (`trials.hold_out(0.25)`), and so are the last bins in forward prediction (`trials.forward(10)`).
What was not recorded is NaN in `values`, neither read nor scored. Where a trial is over, `exists` is False.
Units: counts per bin, seconds.
"""

from neurito.data.head import Head
from neurito.data.load import describe, load
from neurito.data.trials import Splits, Trials

__all__ = ["Head", "Splits", "Trials", "describe", "load"]
