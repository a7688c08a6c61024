"""Time and memory per gradient step of LangevinFlow's released form: neurito beside the authors' code, alternated.

Each round times, one after the other, the released code (NEURITO_LANGEVIN_REFERENCE, a checkout, run by
NEURITO_LANGEVIN_PYTHON), neurito's `LangevinFlow.as_released`, and a product of two 2048 x 2048 matrices. Each side is
a process of its own, which is idle while it is not asked; the table gives its largest resident memory. What other
programs took of the machine meanwhile stands beside every line, and seconds of all cores together beside seconds on
the clock: the former suffer less from other programs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from langevin_sides import CALL, CASES, Case
from page import fill
from quiet import QUIET, others, wait
from speed import Reference, quartiles, sgemm

HERE = Path(__file__).parent
SIDES = ("released", "neurito")


class Side(Reference):
    """One side in a process of its own, idle except while it answers."""

    def __init__(self, name: str, python: str, threads: int, script: str = "langevin_sides.py") -> None:
        self._process = subprocess.Popen(
            [python, str(HERE / script), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"NEURITO_THREADS": str(threads)},
        )

    def build(self, case: Any) -> None:
        """Data, model, optimiser, and an untimed step."""
        self._ask(f"build {case.name}")

    def time(self, case: Any, steps: int) -> dict[str, float]:
        """Per step: seconds, seconds of all cores (cpu); and the largest memory so far (peak), bytes."""
        found = self._ask(f"time {case.name} {steps}")
        return {"seconds": found["seconds"] / steps, "cpu": found["cpu"] / steps, "peak": found["peak"]}


def measure(
    case: Any, sides: dict[str, Side], rounds: int, steps: dict[str, int], patience: float
) -> dict[str, Any]:
    """So many rounds of so many steps per side; each first waits for a quiet machine, in all patience seconds."""
    processes = [os.getpid(), *(side.process for side in sides.values())]
    until = time.monotonic() + patience
    for side in sides.values():
        side.build(case)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    products, shares, loads = [], [], []
    for _ in range(rounds):
        wait(processes, until)
        share = others(processes)
        for name, side in sides.items():
            taken[name].append(side.time(case, steps[name]))
        products.append(sgemm())
        shares.append(share())
        loads.append(os.getloadavg()[0])
    return {"sides": taken, "sgemm": products, "others": shares, "load": loads, "flops": case.flops}


def summary(found: dict[str, Any], peak: float) -> dict[str, Any]:
    """Medians and quartiles over the quiet rounds, or over all if there was none, which `disturbed` says."""
    quiet = np.array(found["others"]) < QUIET
    counted = quiet if quiet.any() else ~quiet
    result: dict[str, Any] = {
        "rounds": int(counted.sum()),
        "disturbed": not quiet.any(),
        "others": float(np.mean(np.array(found["others"])[counted])),
        "load": float(np.mean(np.array(found["load"])[counted])),
    }
    for name, rounds in found["sides"].items():
        every = {key: np.array([one[key] for one in rounds])[counted] for key in ("seconds", "cpu", "peak")}
        seconds = quartiles(every["seconds"])
        result[name] = {
            "seconds": seconds,
            "cpu": quartiles(every["cpu"]),
            "peak": float(every["peak"].max()),
            "share_of_peak": found["flops"] / peak / seconds[1],
        }
    if len(found["sides"]) == 2:
        theirs, ours = (result[name] for name in SIDES)
        result["ratio"] = theirs["seconds"][1] / ours["seconds"][1]
        result["ratio_cpu"] = theirs["cpu"][1] / ours["cpu"][1]
        result["memory"] = ours["peak"] / theirs["peak"] if theirs["peak"] else float("nan")
    return result


def lines(case: Case, result: dict[str, Any]) -> str:
    """What is printed of a case."""
    out = [
        f"{case.name}: {1e-9 * case.flops:.0f} GFLOP per step; {result['rounds']} rounds, other programs took "
        f"{result['others']:.0%} of the machine, load {result['load']:.1f}{', disturbed' * result['disturbed']}"
    ]
    for name in SIDES:
        if name in result:
            low, median, high = result[name]["seconds"]
            out.append(
                f"  {name:<9} {median:6.2f} s ({low:.2f} to {high:.2f}), {result[name]['cpu'][1]:6.2f} s of all cores, "
                f"{result[name]['share_of_peak']:4.0%} of sgemm, peak memory {1e-9 * result[name]['peak']:.2f} GB"
            )
    if "ratio" in result:
        out.append(
            f"  neurito is {result['ratio']:.2f} times as fast ({result['ratio_cpu']:.2f} by seconds of all cores) in "
            f"{result['memory']:.2f} of the memory"
        )
    return "\n".join(out)


def table(found: dict[str, dict[str, Any]]) -> str:
    """What the page says of cases of which both sides were timed."""
    head = [
        "step",
        *SIDES,
        "times as fast",
        "by seconds of all cores",
        "share of the sgemm peak",
        "of the memory",
    ]
    rows = []
    for name, result in found.items():
        case, each = CASES[name], [result[side] for side in SIDES]
        seconds = ["{1:.2f} s ({0:.2f} to {2:.2f})".format(*one["seconds"]) for one in each]
        shares = " against ".join(f"{one['share_of_peak']:.0%}" for one in reversed(each))
        memory = f"{result['memory']:.2f} of {1e-9 * each[0]['peak']:.2f} GB"
        size = f"{case.batch} trials of {case.bins} + {case.forward} bins"
        ratios = f"{result['ratio']:.2f} | {result['ratio_cpu']:.2f}"
        rows.append(f"| {size} | {' | '.join(seconds)} | {ratios} | {shares} | {memory} |")
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows])


def main() -> None:
    """Measures, prints, writes the numbers of every round to a file, and the table of a quiet run into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=CALL, help=f"gradient steps in one timing, a multiple of {CALL}"
    )
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds to wait for a quiet machine, per case"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="cores of the released code")
    parser.add_argument("--only", choices=SIDES, help="time one side")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "langevin_speed.json")
    options = parser.parse_args()
    if options.steps < CALL or options.steps % CALL:
        parser.error(
            f"--steps {options.steps}: neurito makes {CALL} steps in a call, give a multiple of that"
        )

    pythons = {"released": os.environ.get("NEURITO_LANGEVIN_PYTHON"), "neurito": sys.executable}
    if not os.environ.get("NEURITO_LANGEVIN_REFERENCE") or pythons["released"] is None:
        if options.only == "released":
            sys.exit("NEURITO_LANGEVIN_REFERENCE and NEURITO_LANGEVIN_PYTHON: name a checkout and its Python")
        print(
            "neurito alone: NEURITO_LANGEVIN_REFERENCE and NEURITO_LANGEVIN_PYTHON do not name the released code"
        )
        options.only = "neurito"
    print(f"{os.cpu_count()} cores; load over the minute before the start: {os.getloadavg()[0]:.2f}")
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(Side(name, str(pythons[name]), options.threads))
            for name in SIDES
            if options.only in (None, name)
        }
        for case in map(CASES.__getitem__, options.cases):
            found[case.name] = measure(
                case, sides, options.rounds, dict.fromkeys(SIDES, options.steps), options.patience
            )
            best = max(rate for one in found.values() for rate in one["sgemm"])
            found[case.name]["summary"] = summary(found[case.name], best)
            print(lines(case, found[case.name]["summary"]), flush=True)
    print(f"peak: sgemm at {1e-9 * best:.0f} GFLOP/s; load after: {os.getloadavg()[0]:.2f}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps({"cores": os.cpu_count(), "sgemm_peak": best, "cases": found}, indent=1)
    )
    print(f"every round: {options.out}")
    summaries = {name: one["summary"] for name, one in found.items()}
    if options.only is None and not any(one["disturbed"] for one in summaries.values()):
        fill("langevin speed", table(summaries))


if __name__ == "__main__":
    main()
