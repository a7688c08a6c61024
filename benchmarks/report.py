"""Time, memory and size of the page of a large run: 2,000 trials of 140 bins and 200 neurons in eight conditions.

    python benchmarks/report.py [--trials 2000] [--bins 140] [--neurons 200]

The model is LangevinFlow as it is before a fit: what it says is of no interest here. Nothing is taken from the cache of
compiled programs.
"""

import argparse
import os
import resource
import time

import jax
import numpy as np

from neurito import Run, Training, Trials
from neurito.core import runtime
from neurito.models import LangevinFlow, Layout
from neurito.models.fitted import Fitted
from neurito.report import page


def recording(n: int, bins: int, neurons: int) -> Trials:
    """Poisson counts of waves that turn with the condition, a quarter of the neurons held out."""
    rng = np.random.default_rng(0)
    condition = np.arange(n) % 8
    phase = np.linspace(0, 2 * np.pi, bins)[:, None] + np.linspace(0, 2 * np.pi, neurons)
    counts = np.empty((n, bins, neurons), np.float32)
    for i, row in enumerate(counts):
        row[:] = rng.poisson(0.2 * (1 + np.sin(phase + condition[i])))
    metadata = {"condition": condition, "block": np.arange(n) * 4 // n}
    return Trials.from_array(counts, bin_width=0.01, kind="counts", metadata=metadata).hold_out(0.25)


def main() -> None:
    """Makes the page and prints what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in (("trials", 2000), ("bins", 140), ("neurons", 200)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    runtime.start()
    jax.config.update("jax_enable_compilation_cache", False)
    trials = recording(given.trials, given.bins, given.neurons)
    layout, model = Layout.of(trials), LangevinFlow()
    run = Run(Fitted(model, layout, model.build(layout, jax.random.key(0))), Training())
    load, wall, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
    text = page(run, trials)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{wall:.1f} s ({cpu:.1f} s of CPU, {os.cpu_count()} cores, load {load:.1f} before), {peak:.2f} GiB at most "
        f"with the recording, {len(text.encode()) / 1e6:.2f} MB of page"
    )


if __name__ == "__main__":
    main()
