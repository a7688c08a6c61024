"""Time per gradient step: neurito beside the published code of the low-rank RNN, alternated (see README.md).

Each round times, one after the other, the published code, neurito, and a product of two 2048 x 2048 matrices. A
round in which other programs took more than 5 % of the machine is not counted. Without NEURITO_REFERENCE neurito
is timed alone.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np

from cases import CASES, Case
from quiet import QUIET, others, wait

HERE = Path(__file__).parent
SGEMM_SIZE = 2048
DATA = Path(os.environ.get("NEURITO_DATA", HERE.parents[1] / "shared" / "data"))
# Takes at least so many gradient steps, returns seconds per step.
Timer = Callable[[int], float]


class Reference:
    """The published code in a process of its own, idle except while it answers."""

    def __init__(self, checkout: str, threads: int) -> None:
        python = os.environ.get("NEURITO_REFERENCE_PYTHON")
        if python is None:
            sys.exit("NEURITO_REFERENCE_PYTHON is not set: name the Python that can run the published code")
        self._process = subprocess.Popen(
            [python, str(HERE / "reference_smc_rnns.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"NEURITO_REFERENCE": checkout, "NEURITO_THREADS": str(threads)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its input ends it

    @property
    def process(self) -> int:
        """Its process id."""
        return self._process.pid

    def step(self, case: Case) -> Timer:
        """Builds a case there."""
        self._ask(f"build {case.name}")
        return lambda count: float(self._ask(f"time {case.name} {count}")["seconds"]) / count

    def _ask(self, request: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(request, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process has ended"}
        if "error" in answer:
            sys.exit(f"the published code did not answer {request!r}: {answer['error']}")
        return answer


STRETCH = 10  # gradient steps between two entries of a fit's history


def neurito_step(case: Case) -> Timer:
    """Builds a case in neurito; each timing is a fit of its own, from its first entry of history to its last."""
    from neurito.data import simulators
    from neurito.data.trials import Trials
    from neurito.fitting import Training, fit
    from neurito.models import LowRankRNN

    model = LowRankRNN(rank=case.rank, units=case.units, particles=case.particles)
    match case.name:
        case "eeg":
            signal = np.load(DATA / "eeg" / "eeg_s001r01_smoothed.npy", allow_pickle=False)
            trials = Trials.from_array(signal, bin_width=1 / 160)
            model = replace(model, noise="full", initial="full")
        case "poisson":
            weights = DATA / "low_rank_rnn" / "teachers.npz"
            trials = simulators.teacher("oscillator_poisson", weights, trials=STRETCH * case.batch).trials
            model = replace(model, activation="relu", readout="currents", padding="causal")
        case "maze":
            shape = (STRETCH * case.batch, case.bins, case.scored)
            counts = np.random.default_rng(0).poisson(0.1, shape)
            trials = Trials.from_array(counts, bin_width=0.02).hold_out(channels=slice(case.read, None))
            model = replace(model, padding="acausal")
    if case.kernels:
        model = replace(model, kernels=case.kernels, widths=case.channels)
    training = Training(
        batch_size=case.batch,
        window=case.bins if trials.n_bins > case.bins else 0,
        windows_per_epoch=STRETCH * case.batch,
        steps_per_call=STRETCH,
        score="none",
    )

    def seconds_per_step(count: int) -> float:
        epochs = 1 + -(-count // STRETCH)
        history = fit(
            model, trials, training=training, epochs=epochs, evaluations=epochs, progress=False
        ).history
        first, last = history[0], history[-1]
        return (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])

    seconds_per_step(1)
    return seconds_per_step


def sgemm() -> float:
    """The machine's single-precision matrix product now, in FLOP/s on all cores: the best of a few."""
    matrix = np.random.default_rng(0).standard_normal((SGEMM_SIZE, SGEMM_SIZE), dtype=np.float32)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return 2 * SGEMM_SIZE**3 / min(seconds)


@dataclass(frozen=True)
class Timings:
    """What was measured of a case, a number per round.

    Attributes:
        case: The case.
        sides: Seconds per step of each side.
        sgemm: FLOP/s of a matrix product.
        others: Share of the machine that other programs took.
    """

    case: Case
    sides: dict[str, list[float]]
    sgemm: list[float]
    others: list[float]

    def summary(self, peak: float) -> dict[str, Any]:
        """Medians and quartiles, shares of the peak (FLOP/s), the ratio of the medians."""
        quiet = np.array(self.others) < QUIET
        counted = quiet if quiet.any() else ~quiet
        result: dict[str, Any] = asdict(self) | {
            "flops": self.case.flops,
            "rounds": int(counted.sum()),
            "disturbed": not quiet.any(),
        }
        seconds = {side: np.array(values)[counted] for side, values in self.sides.items()}
        for side, values in seconds.items():
            share = self.case.flops / peak / float(np.median(values))
            result[side] = {"ms": quartiles(1e3 * values), "share_of_peak": share}
        if len(seconds) == 2:
            published, ours = seconds["published"], seconds["neurito"]
            result["ratio"] = float(np.median(published) / np.median(ours))
            result["ratio_by_round"] = quartiles(published / ours)
        return result


def quartiles(values: np.ndarray) -> list[float]:
    """First quartile, median, third quartile."""
    return [float(value) for value in np.quantile(values, (0.25, 0.5, 0.75))]


def measure(
    case: Case,
    timers: dict[str, Timer],
    processes: Sequence[int],
    rounds: int,
    seconds: float,
    patience: float,
) -> Timings:
    """Times one case in alternation until so many rounds were undisturbed, or patience (seconds) is at its end."""
    until = time.monotonic() + patience
    wait(processes, until)
    counts = {side: max(1, round(seconds / timer(3))) for side, timer in timers.items()}
    timings = Timings(case, {side: [] for side in timers}, [], [])
    while sum(share < QUIET for share in timings.others) < rounds:
        wait(processes, until)
        share = others(processes)
        for side, timer in timers.items():
            timings.sides[side].append(timer(counts[side]))
        timings.sgemm.append(sgemm())
        timings.others.append(share())
        if time.monotonic() > until:
            break
    return timings


HEADER = f"{'ms per step':<11} {'published':>26} {'peak':>6} {'neurito':>26} {'peak':>6} {'ratio':>22} {'rounds':>6}"


def row(case: Case, summary: dict[str, Any]) -> str:
    """One line of the table: median (quartiles)."""
    cells = [f"{case.name:<11}"]
    for side in ("published", "neurito"):
        if side in summary:
            low, median, high = summary[side]["ms"]
            share = f"{summary[side]['share_of_peak']:.1%}"
            cells.append(f"{f'{median:.2f} ({low:.2f} to {high:.2f})':>26} {share:>6}")
        else:
            cells.append(f"{'-':>26} {'-':>6}")
    if "ratio" in summary:
        low, _, high = summary["ratio_by_round"]
        cells.append(f"{summary['ratio']:.1f} ({low:.1f} to {high:.1f})".rjust(22))
    cells.append(f"{summary['rounds']:>6}{' disturbed' if summary['disturbed'] else ''}")
    return " ".join(cells)


def main() -> None:
    """Measures, prints a table, writes the numbers of every round to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=9, help="undisturbed alternations per case")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one timing")
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds to wait for a quiet machine, per case"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="cores of the published code")
    parser.add_argument("--only", choices=("published", "neurito"), help="time one side")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "speed.json")
    options = parser.parse_args()

    machine = {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "load_before": os.getloadavg()[0],
        "versions": {name: version(name) for name in ("jax", "numpy")}
        | {"python": platform.python_version()},
    }
    print(f"{machine['cores']} cores; load over the minute before the start: {machine['load_before']:.2f}")
    checkout = os.environ.get("NEURITO_REFERENCE")
    if checkout is None and options.only == "published":
        sys.exit("NEURITO_REFERENCE is not set: name a checkout of the published code (benchmarks/README.md)")
    if checkout is None:
        print("neurito alone: NEURITO_REFERENCE does not name a checkout of the published code (README.md)")
    results: dict[str, Any] = {}
    peak = sgemm()
    with ExitStack() as stack:
        builders: dict[str, Callable[[Case], Timer]] = {}
        processes = [os.getpid()]
        if checkout is not None and options.only != "neurito":
            reference = stack.enter_context(Reference(checkout, options.threads))
            processes.append(reference.process)
            builders["published"] = reference.step
        if options.only != "published":
            builders["neurito"] = neurito_step
        print(HEADER)
        for case in map(CASES.__getitem__, options.cases):
            timers = {side: build(case) for side, build in builders.items()}
            timings = measure(case, timers, processes, options.rounds, options.seconds, options.patience)
            peak = max(peak, *timings.sgemm)
            results[case.name] = timings.summary(peak)
            print(row(case, results[case.name]), flush=True)
    machine["load_after"] = os.getloadavg()[0]
    print(f"peak: sgemm at {1e-9 * peak:.0f} GFLOP/s; load after: {machine['load_after']:.2f}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine, "sgemm_peak": peak, "cases": results}, indent=1))
    print(f"every round: {options.out}")


if __name__ == "__main__":
    main()
