"""Fixed points: speed, scale, and agreement with other ways to find them (see README.md).

    python benchmarks/fixed_points.py                  everything, some ten minutes on a quiet machine
    python benchmarks/fixed_points.py scale tanh       some sections

Tables go to the screen and to benchmarks/out/fixed_points.json, figures to benchmarks/out/. Times are medians, after
compilation; how busy the machine was is written beside them.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from neurito.analysis import Network, fixed_points
from neurito.analysis.patterns import enumerate_patterns

HERE = Path(__file__).parent
OUT = HERE / "out"
DATA = Path(os.environ.get("NEURITO_DATA", HERE.parents[1] / "shared" / "data"))
sys.path.insert(0, str(HERE.parent / "tests" / "analysis"))
from networks import KINDS, awkward_network, random_network  # noqa: E402

GAINS = (1.0, 3.0, 10.0)
# rank, gain, networks: the median over networks is reported
SCALE = [
    *((r, g, 9) for r in (2, 3) for g in GAINS),
    *((4, g, 5) for g in GAINS),
    *((5, g, 3) for g in GAINS),
    (6, 1.0, 3),
    (6, 3.0, 1),
    (7, 1.0, 1),
]


def spent(function: Callable[[], Any], times: int) -> tuple[float, float]:
    """Median seconds of a call, and the processor's seconds per call, which other programs hardly change."""
    seconds, begin = [], time.process_time()
    for _ in range(times):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), (time.process_time() - begin) / times


def teacher(name: str) -> Network:
    arrays = np.load(DATA / "low_rank_rnn" / "teachers.npz", allow_pickle=False)
    return Network(*(arrays[f"{name}/{key}"] for key in ("decay", "m", "n", "h")), "relu")


def first_call(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the first call in a new process, its imports included."""
    code = (
        "import time; begin = time.perf_counter()\n"
        "from neurito.analysis import Network, fixed_points\n"
        "fixed_points(Network(0.5, [[1.0, 0.2]], [[1.0], [0.3]], [0.3], 'clipped_relu'))\n"
        "print(time.perf_counter() - begin)"
    )
    with tempfile.TemporaryDirectory() as folder:
        run, env = [sys.executable, "-c", code], os.environ | {"NUMBA_CACHE_DIR": folder}
        seconds = [
            float(subprocess.run(run, env=env, capture_output=True, check=True).stdout) for _ in range(3)
        ]
    print(f"first call: {seconds[0]:.1f} s cold, {min(seconds[1:]):.2f} s with the machine code cached")
    return {"cold_s": seconds[0], "cached_s": min(seconds[1:])}


def scale(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """512 clipped units by rank and gain, and the memory that each needs above the interpreter's."""
    rows = []
    print("  R  gain  seconds  boxes  points  MB above the interpreter")
    for rank, gain, count in SCALE:
        code = (
            "import sys, resource, time, json; sys.path.insert(0, sys.argv[1])\n"
            "from networks import random_network; from neurito.analysis import fixed_points\n"
            "fixed_points(random_network(20, 2, 'clipped_relu', 1.0, 0))\n"
            "before, found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []\n"
            f"for seed in range({count}):\n"
            f"    network = random_network(512, {rank}, 'clipped_relu', {gain}, seed)\n"
            "    begin = time.perf_counter(); f = fixed_points(network, max_seconds=600)\n"
            "    found.append((time.perf_counter() - begin, f.boxes, len(f), f.complete, f.index_sum))\n"
            "print(json.dumps((found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)))"
        )
        run = [sys.executable, "-c", code, str(HERE.parent / "tests" / "analysis")]
        found, memory = json.loads(subprocess.run(run, capture_output=True, check=True).stdout)
        seconds, boxes, points, complete, index = zip(*found, strict=True)
        row = {
            "rank": rank, "gain": gain, "networks": count, "seconds": float(np.median(seconds)),
            "slowest": max(seconds), "boxes": float(np.median(boxes)), "points": float(np.median(points)),
            "complete": sum(complete), "index_one": sum(i == 1 for i in index), "memory_mb": memory / 1024,
        }  # fmt: skip
        rows.append(row)
        flag = "" if row["complete"] == count else f"  only {row['complete']} of {count} certified"
        cells = f"{row['seconds']:7.3f}  {row['boxes']:.3g}  {row['points']:g}  {row['memory_mb']:.0f}{flag}"
        print(f"  {rank}  {gain:4g}  {cells}", flush=True)
    return rows


def tanh(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """512 tanh units in three latents."""
    rows = []
    for gain in GAINS:
        found, seconds = [], []
        for seed in range(5):
            network = random_network(512, 3, "tanh", gain, seed)
            begin = time.perf_counter()
            found.append(fixed_points(network))
            seconds.append(time.perf_counter() - begin)
        rows.append(
            {"gain": gain, "seconds": float(np.median(seconds)), "complete": sum(f.complete for f in found)}
        )
        print(
            f"  tanh, R = 3, gain {gain:g}: {rows[-1]['seconds']:.2f} s, {rows[-1]['complete']} of 5 certified"
        )
    return rows


def boxes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Boxes against the number of units, the rank and the leak, as a figure."""
    from matplotlib.figure import Figure

    def count(units: int, rank: int, leak: float) -> float:
        return float(
            np.median(
                [
                    fixed_points(random_network(units, rank, "clipped_relu", 3.0, s, leak)).boxes
                    for s in range(5)
                ]
            )
        )

    sweeps: dict[str, tuple[list[Any], list[float]]] = {}
    sizes, leaks = [32, 64, 128, 256, 512, 1024], [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98]
    for rank in (2, 3, 4):
        sweeps[f"units, R = {rank}"] = (sizes, [count(n, rank, 0.9) for n in sizes])
    sweeps["rank"] = ([1, 2, 3, 4, 5], [count(512, r, 0.9) for r in (1, 2, 3, 4, 5)])
    sweeps["leak"] = (leaks, [count(512, 3, a) for a in leaks])
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for name, (x, y) in sweeps.items():
        axis = axes[0 if name.startswith("units") else 1 if name == "rank" else 2]
        axis.plot(x, y, "o-", label=name.removeprefix("units, "))
    axes[0].set(xscale="log", yscale="log", xlabel="units N (leak 0.9)", ylabel="boxes looked at")
    axes[0].legend(frameon=False)
    axes[1].set(yscale="log", xlabel="rank R (512 units, leak 0.9)")
    axes[2].set(yscale="log", xlabel="leak a (512 units, R = 3)")
    figure.supxlabel(
        "Boxes until the certificate; clipped networks with random weights, gain 3, medians of 5.", fontsize=8
    )
    figure.savefig(OUT / "fixed_points_boxes.png", dpi=150)
    print(f"  boxes against N, R and leak: {OUT / 'fixed_points_boxes.png'}")
    return {name: {"x": x, "boxes": y} for name, (x, y) in sweeps.items()}


def brute(arguments: argparse.Namespace) -> dict[str, Any]:
    """Small networks of every degenerate kind against the list of all their patterns."""
    import neurito.analysis.search as search

    rows: dict[str, Any] = {}
    usual = search.crowd
    for kind in KINDS:
        row = dict.fromkeys(
            ("networks", "missed", "spurious", "wrongly_complete", "not_complete", "continua"), 0
        )
        for seed in range(arguments.networks // (2 * len(KINDS)) + 1):
            for activation in ("relu", "clipped_relu"):
                search.crowd = (
                    (lambda rank: 0) if seed % 4 == 0 else usual
                )  # a quarter with descents in every box
                network = awkward_network(kind, activation, 10_000 + seed)
                found, truth = (
                    fixed_points(network, max_boxes=300_000, workers=1),
                    enumerate_patterns(network),
                )
                near = 1e-6 * (1.0 + np.abs(truth.points).max(initial=0.0))
                distance = np.abs(truth.points[:, None] - found.points[None]).max(-1)
                missed = int((distance.min(1, initial=np.inf) > near).sum())
                differ = bool(truth.continua) != bool(found.continua)
                row["networks"] += 1
                row["missed"] += missed if found.complete else 0
                row["spurious"] += int((distance.min(0, initial=np.inf) > near).sum())
                row["wrongly_complete"] += bool(found.complete and (missed or differ))
                row["not_complete"] += not found.complete
                row["continua"] += bool(found.continua)
        search.crowd = usual
        rows[kind] = row
        print(f"  {kind}: {row}", flush=True)
    return rows


def sweep(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Every region of 128 planes in three latents: all vertices, and the eight patterns around each."""
    return [
        _swept(random_network(128, 3, "relu", gain, seed)) for gain, seed in ((1.0, 16), (3.0, 22), (3.0, 13))
    ]


def _swept(network: Network) -> dict[str, Any]:
    found = fixed_points(network)
    m, n, h, R = network.m, network.n, network.h, network.rank
    corners = np.array(list(combinations(range(len(m)), R)))
    base, points, regions = np.diag(network.leak) - np.eye(R), [], 0
    signs = np.array(np.meshgrid(*[[0.0, 1.0]] * R)).reshape(R, -1).T
    outer = np.einsum("ri,is->irs", n, m)
    for chunk in np.array_split(corners, 200):
        z = np.linalg.solve(m[chunk], h[chunk][..., None])[..., 0]
        on = (z @ m.T > h).astype(float)
        np.put_along_axis(on, chunk, 0.0, 1)
        A = base + np.einsum("ci,irs->crs", on, outer, optimize=True)
        b = network.constant - (on * h) @ n.T
        for sign in signs:
            A_here = A + np.einsum("ck,ckrs->crs", np.broadcast_to(sign, chunk.shape), outer[chunk])
            b_here = b - np.einsum("k,ckr->cr", sign, (n[:, chunk] * h[chunk]).transpose(1, 2, 0))
            at = np.linalg.solve(A_here, -b_here[..., None])[..., 0]
            pattern = on.copy()
            np.put_along_axis(pattern, chunk, np.broadcast_to(sign, chunk.shape), 1)
            regions += len(at)
            points.append(at[np.all((at @ m.T > h) == (pattern > 0.5), axis=1)])
    every = np.concatenate(points)
    every = every[np.unique(np.round(every, 7), axis=0, return_index=True)[1]] if len(every) else every
    distance = np.abs(every[:, None] - found.points[None]).max(-1)
    same = len(every) == len(found) and distance.min(1, initial=0.0).max(initial=0.0) < 1e-6
    print(f"  sweep of {regions} patterns: {len(every)} points, search: {len(found)}, equal: {bool(same)}")
    return {"patterns": regions, "points": len(every), "equal": bool(same), "complete": found.complete}


def solves(arguments: argparse.Namespace) -> dict[str, Any]:
    """Points found against linear systems solved: this search, and two random ones, for the reach teacher."""
    from matplotlib.figure import Figure

    network = teacher("reach_rnn")
    exact = fixed_points(network)
    g, R, budget = np.random.default_rng(0), network.rank, 20_000

    def random_search(admissible: bool) -> list[int]:
        seen: list[np.ndarray] = []
        counts = []
        for _ in range(budget):
            # admissible: the pattern of some state, so that its region exists
            state = network.m @ (3.0 * g.standard_normal(R)) > network.h
            on = state if admissible else g.random(network.units) < 0.5
            A = np.diag(network.leak - 1.0) + (network.n * on) @ network.m
            z = np.linalg.solve(A, network.n @ (on * network.h))
            if np.array_equal(network.m @ z > network.h, on) and not any(
                np.abs(z - y).max() < 1e-6 for y in seen
            ):
                seen.append(z)
            counts.append(len(seen))
        return counts

    anywhere, admissible = random_search(False), random_search(True)
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axis = figure.add_subplot()
    axis.plot(np.arange(1, budget + 1), admissible, label="random, regions that exist")
    axis.plot(np.arange(1, budget + 1), anywhere, label="random patterns")
    axis.plot([exact.solves], [len(exact)], "k*", ms=9, label="branch and bound (all, certified)")
    axis.axhline(len(exact), color="0.8", zorder=0)
    axis.set(xscale="log", xlabel="linear systems solved", ylabel="fixed points found")
    axis.legend(frameon=False, fontsize=7, loc=(0.02, 0.66))
    axis.set_yticks(range(0, len(exact) + 1, 2))
    figure.supxlabel(f"Reach teacher, N = 60, R = 2: {len(exact)} fixed points.", fontsize=8)
    figure.savefig(OUT / "fixed_points_solves.png", dpi=150)
    row = {
        "points": len(exact), "solves": exact.solves, "random": anywhere[-1], "admissible": admissible[-1],
        "admissible_all_after": admissible.index(len(exact)) + 1 if admissible[-1] == len(exact) else None,
    }  # fmt: skip
    print(f"  {row} after {budget} solves of the random searches; {OUT / 'fixed_points_solves.png'}")
    return row


def reference(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The published finder beside this one, R = 2, alternated; NEURITO_REFERENCE is a checkout of mackelab/smc_rnns."""
    checkout = os.environ.get("NEURITO_REFERENCE")
    if checkout is None:
        print("  NEURITO_REFERENCE is not set: the published finder is not timed")
        return []
    path = Path(checkout) / "fixed_points" / "find_fixed_points_analytic.py"
    module = importlib.util.module_from_spec(
        spec := importlib.util.spec_from_file_location("published", path)
    )
    spec.loader.exec_module(module)
    small = teacher("reach_rnn")
    g = np.random.default_rng(0)
    which = g.integers(0, 60, 128)
    large = Network(
        small.leak, small.m[which] + 0.1 * g.normal(size=(128, 2)), small.n[:, which] * 60 / 128,
        small.h[which] + 0.1 * g.normal(size=128), "relu",
    )  # fmt: skip
    rows = []
    for network in (small, large):

        def published(network: Network = network) -> Any:
            with contextlib.redirect_stdout(io.StringIO()):
                return module.find_fixed_points_analytic(
                    network.leak, network.n, network.m, np.zeros(2), network.h
                )

        count = len(published()[2])
        theirs, ours = [], []
        for _ in range(7):
            theirs.append(spent(published, 1))
            ours.append(spent(lambda network=network: fixed_points(network), 100))
        (wall, cpu), (own_wall, own_cpu) = np.median(theirs, axis=0), np.median(ours, axis=0)
        row = {
            "units": network.units, "published_s": wall, "published_cpu_s": cpu, "seconds": own_wall,
            "cpu_s": own_cpu, "ratio": wall / own_wall, "cpu_ratio": cpu / own_cpu, "published": count,
            "points": len(fixed_points(network)),
        }  # fmt: skip
        rows.append(row)
        print(
            f"  N = {row['units']}: published {wall:.3f} s ({cpu:.3f} of the processor), here {1e3 * own_wall:.2f} ms "
            f"({1e3 * own_cpu:.2f}), {row['ratio']:.0f} ({row['cpu_ratio']:.0f}) times faster; "
            f"points {row['published']} and {row['points']}"
        )
    return rows


SECTIONS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "first_call": first_call,
    "reference": reference,
    "scale": scale,
    "tanh": tanh,
    "boxes": boxes,
    "solves": solves,
    "sweep": sweep,
    "brute": brute,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"any of {', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--networks", type=int, default=10_000, help="small networks for `brute`")
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"unknown sections {sorted(unknown)}: choose from {', '.join(SECTIONS)}")
    OUT.mkdir(exist_ok=True)
    path = OUT / "fixed_points.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in arguments.sections or SECTIONS:
        print(f"{name} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True)
        load = os.getloadavg()[0]
        results[name] = {
            "result": SECTIONS[name](arguments),
            "load_before": load,
            "load_after": os.getloadavg()[0],
        }
        results["machine"] = (
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
