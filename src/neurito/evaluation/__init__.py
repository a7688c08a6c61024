"""How fits are scored: likelihood, behaviour, PSTHs, reproduced dynamics, spike statistics, calibration."""

from neurito.evaluation.behaviour import LAG_SECONDS, Decoder, Decoding, decode, fit_decoder, velocity_r2
from neurito.evaluation.bits import (
    Reconstruction,
    bits_per_spike,
    bits_per_spike_per_neuron,
    bits_per_spike_train_null,
    co_bps,
    fp_bps,
    mean_counts,
    poisson_nll,
    reconstruction,
)
from neurito.evaluation.calibration import (
    Calibration,
    Interval,
    Uniformity,
    calibration_of,
    coverage,
    interval_coverage,
    poisson_pit,
    sample_pit,
    uniformity,
)
from neurito.evaluation.distances import DStsp, Reproduction, d_h, d_stsp, hann_smooth, reproduction
from neurito.evaluation.predictive import PredictiveCheck, SetRanks
from neurito.evaluation.psth import SMOOTHING_SECONDS, Psth, psth_r2, tp_correlation
from neurito.evaluation.rates import RatesR2, r_squared, rates_r2
from neurito.evaluation.simulation_based import (
    Band,
    Ranks,
    path_quantities,
    ranks_of,
    simulation_based_calibration,
)
from neurito.evaluation.spikes import SpikeStatistics, compare, spike_statistics

__all__ = [
    "LAG_SECONDS",
    "SMOOTHING_SECONDS",
    "Band",
    "Calibration",
    "DStsp",
    "Decoder",
    "Decoding",
    "Interval",
    "PredictiveCheck",
    "Psth",
    "Ranks",
    "RatesR2",
    "Reconstruction",
    "Reproduction",
    "SetRanks",
    "SpikeStatistics",
    "Uniformity",
    "bits_per_spike",
    "bits_per_spike_per_neuron",
    "bits_per_spike_train_null",
    "calibration_of",
    "co_bps",
    "compare",
    "coverage",
    "d_h",
    "d_stsp",
    "decode",
    "fit_decoder",
    "fp_bps",
    "hann_smooth",
    "interval_coverage",
    "mean_counts",
    "path_quantities",
    "poisson_nll",
    "poisson_pit",
    "psth_r2",
    "r_squared",
    "ranks_of",
    "rates_r2",
    "reconstruction",
    "reproduction",
    "sample_pit",
    "simulation_based_calibration",
    "spike_statistics",
    "tp_correlation",
    "uniformity",
    "velocity_r2",
]
