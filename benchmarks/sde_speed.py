"""Time per gradient step of a latent SDE: neurito beside torchsde, diffrax and a bare scan, alternated.

    NEURITO_TORCHSDE_PYTHON=... python benchmarks/sde_speed.py

All sides fit the same model (see `sde_sides.py`) in processes of their own, idle except while they answer, each with
all cores; torchsde once more with one thread, which suits its small operations, above all on a busy machine. It is left
out where NEURITO_TORCHSDE_PYTHON does not name a Python that has it. Ratios are of medians over rounds; what other
programs took of the machine meanwhile stands below, and the ratio by seconds of all cores suffers less from them.
"""

import argparse
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from langevin_speed import HERE, Side, measure
from page import fill
from quiet import QUIET
from sde_sides import CASES

STEPS = {"torchsde": 1, "torchsde, 1 thread": 1, "diffrax": 2, "bare": 5, "neurito": 5}


def table(found: dict[str, dict[str, Any]]) -> str:
    """A row per case and side."""
    rows = [
        "| case, batch, latents | side | ms per step, median (quartiles) | times neurito | by CPU seconds | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        case = CASES[name]
        sizes = f"{name.partition('-')[0]}, {case.batch}, {case.latents}"
        ours = {
            key: float(np.median([r[key] for r in one["sides"]["neurito"]])) for key in ("seconds", "cpu")
        }
        for side, rounds in one["sides"].items():
            low, median, high = np.percentile([r["seconds"] for r in rounds], [25, 50, 75])
            cpu, peak = np.median([r["cpu"] for r in rounds]), max(r["peak"] for r in rounds)
            rows.append(
                f"| {sizes} | {side} | {1e3 * median:.1f} ({1e3 * low:.1f} to {1e3 * high:.1f}) "
                f"| {median / ours['seconds']:.1f} | {cpu / ours['cpu']:.1f} | {1e-6 * peak:.0f} |"
            )
    shares = np.concatenate([one["others"] for one in found.values()])
    rounds = len(next(iter(found.values()))["others"])
    rows += [
        "",
        f"{rounds} rounds, {os.cpu_count()} cores; other programs took {np.median(shares):.0%} of the machine "
        f"(at most {shares.max():.0%}; {np.mean(shares < QUIET):.0%} of the rounds were quiet).",
    ]
    return "\n".join(rows)


def main() -> None:
    """Measures, prints, and writes the table into the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds to wait for a quiet machine, per case"
    )
    parser.add_argument("--out", type=Path, default=HERE / "out" / "sde_speed.json")
    options = parser.parse_args()
    torch, cores = os.environ.get("NEURITO_TORCHSDE_PYTHON"), os.cpu_count() or 1
    sides_of = {
        name: (torch if name.startswith("torchsde") else sys.executable, 1 if "1 thread" in name else cores)
        for name in STEPS
    }
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(Side(name.partition(",")[0], python, threads, "sde_sides.py"))
            for name, (python, threads) in sides_of.items()
            if python is not None
        }
        for name in options.cases:
            found[name] = measure(CASES[name], sides, options.rounds, STEPS, options.patience)
            print(table(found), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1))
    fill("sde speed", table(found))


if __name__ == "__main__":
    main()
