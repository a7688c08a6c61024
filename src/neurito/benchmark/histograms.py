"""PSTHs as the benchmark makes them: smoothed at 1 ms on the recording's clock, also from beyond the window."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from neurito.benchmark.reading import SAMPLE, conditions, counts, edge, neurons_of, part_of, period
from neurito.benchmark.tasks import Task
from neurito.data.recording import Recording
from neurito.evaluation import Psth
from neurito.evaluation.psth import smooth


def histograms(found: Sequence[Recording], task: Task, width: float) -> Psth | None:
    """PSTHs over training and validation trials; None where the set has none.

    Bins are counted from the first bin edge at or after the event, so that at 20 ms a window that begins 12.5
    bins before it is averaged over trials that begin 12 or 13 bins before.

    Args:
        found: the recordings, that with held-out neurons first.
        task: the set.
        width: of a bin, seconds.
    """
    one, neurons = found[0], neurons_of(found)
    table = one.intervals["trials"]
    if task.psth_sd is None or task.align not in table:
        return None
    order = np.argsort(one.times, kind="stable")  # once for all conditions
    one = replace(one, times=one.times[order], unit=one.unit[order])
    align, condition = table[task.align].astype(float), conditions(table, task, width)
    used = np.isin(part_of(table), ("train", "validation")) & np.isfinite(align) & (condition >= 0)
    bins, labels = task.bins(width), np.unique(condition[used])
    rates = np.full((len(labels), bins, len(neurons)), np.nan)
    for i, label in enumerate(labels):
        rows = np.flatnonzero(used & (condition == label))
        own = edge(align[rows] + task.window[0], width)
        first = edge(align[rows], width) + int(np.floor(round(task.window[0] / width, 6)))
        if (late := own > first).all():
            first = own
        rates[i] = _mean(one, neurons, first, bins, width, task.psth_sd)
        if late.any() and not late.all():
            rates[i, 0] = _mean(one, neurons, first[~late], 1, width, task.psth_sd)[0]
        rates[i, : max(0, bins - period(table, task, width)[rows].min())] = np.nan
    return Psth(labels, rates)


def _mean(
    found: Recording,
    neurons: Sequence[str],
    first: Int[np.ndarray, " trial"],
    bins: int,
    width: float,
    sd: float,
) -> Float[np.ndarray, "time neuron"]:
    """Smoothed rate in spikes/s, mean over trials that begin at these bins."""
    step, margin = round(width / SAMPLE), int(np.ceil(3 * sd / SAMPLE))
    left = first[:, None] * step + np.arange(-margin, bins * step + margin)
    values = counts(found, neurons, left, SAMPLE)
    known = np.isfinite(values).sum(0, dtype=np.float64)
    spikes: np.ndarray = smooth(np.asarray(np.nansum(values, 0, dtype=np.float64))[None], sd / SAMPLE)[0]
    trials = known if known.min() == known.max() else smooth(known[None], sd / SAMPLE)[0]
    rate: np.ndarray = np.where(known > 0, spikes / np.where(trials > 0, trials, 1), np.nan)
    inside = rate[margin : margin + bins * step].reshape(bins, step, -1)
    return np.where(np.isnan(inside[:, 0]), np.nan, np.nansum(inside, 1)) / width
