"""How a gradient step grows: time against every size; memory against bins; compilation.

    python benchmarks/scaling.py [--model neural-sde] [--only time memory compile]

low-rank-rnn: Gaussian observations of 64 channels, clipped units, the optimal guide, particles. neural-sde: the same
observations, a drift of 64 hidden units, a control that sees state and encoder, the ELBO. Each point is timed through
the ordinary fit, all points of a sweep in turn, several rounds, the median taken. Memory is the peak of a process of
its own, less that of the same fit with 25 bins. Compilation is the first call of a fresh process, without a cache of
compiled programs and with one.
Results go to benchmarks/out/scaling-MODEL.json and docs/figures/scaling-MODEL.png.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
OUT = HERE / "out"
FIGURES = HERE.parent / "docs" / "figures"
BASES: dict[str, dict[str, int]] = {
    "low-rank-rnn": {"trials": 16, "bins": 50, "particles": 16, "units": 256, "rank": 3},
    "neural-sde": {"trials": 64, "bins": 50, "substeps": 1, "latents": 8},
}
SWEEPS: dict[str, dict[str, tuple[int, ...]]] = {
    "low-rank-rnn": {
        "trials": (8, 16, 32, 64, 128),
        "bins": (25, 50, 100, 200, 400),
        "particles": (8, 16, 32, 64, 128),
        "units": (128, 256, 512, 1024, 2048),
        "rank": (1, 2, 3, 4, 6, 8, 16),
    },
    "neural-sde": {
        "trials": (32, 64, 128, 256, 512),
        "bins": (25, 50, 100, 200, 400),
        "substeps": (1, 2, 4, 8, 16),
        "latents": (4, 8, 16, 32, 64),
    },
}
STRETCH = 5


def fit(name: str, epochs: int, *, trials: int, bins: int, **sizes: int) -> list[dict[str, float]]:
    """A short fit; its history has one entry per stretch of steps."""
    import neurito
    from neurito.models import named

    values = np.random.default_rng(0).standard_normal((STRETCH * trials, bins, 64))
    recording = neurito.Trials.from_array(values, bin_width=0.01)
    options = {"batch_size": trials, "steps_per_call": STRETCH, "score": "none"}
    return neurito.fit(
        named(name)(**sizes), recording, epochs=epochs, evaluations=epochs, progress=False, **options
    ).history


def seconds_per_step(name: str, **sizes: int) -> float:
    """The median over the stretches of a fit that is already compiled."""
    marks = [entry["seconds"] for entry in fit(name, 6, **sizes)]
    return float(np.median(np.diff(marks)[1:])) / STRETCH


def times(model: str, rounds: int) -> dict[str, Any]:
    """Seconds per step for every point of every sweep, and the slope in logarithms over the larger half."""
    found = {}
    for name, sizes in SWEEPS[model].items():
        taken = [
            [seconds_per_step(model, **{**BASES[model], name: size}) for size in sizes] for _ in range(rounds)
        ]
        medians = np.median(taken, 0)
        half = len(sizes) // 2
        slope = np.polyfit(np.log(sizes[half:]), np.log(medians[half:]), 1)[0]
        found[name] = {"sizes": sizes, "seconds": medians.tolist(), "slope": float(slope)}
        print(
            f"{name:10s} slope {slope:.2f}  "
            + "  ".join(f"{s}: {1e3 * m:.1f} ms" for s, m in zip(sizes, medians, strict=True))
        )
    return found


def child(*words: str, cache: str | None = None) -> dict[str, float]:
    """Runs this script's own worker in a fresh process."""
    import os

    environment = os.environ | ({} if cache is None else {"JAX_COMPILATION_CACHE_DIR": cache})
    command = [sys.executable, __file__, "--child", *words]
    return json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    )


def memory(model: str) -> dict[str, Any]:
    """Peak memory against bins, MB above the same fit with 25 bins, and the part that the data and states explain."""
    sizes = (25, 100, 400, 1600)
    peaks = [child("memory", model, str(bins))["peak_mb"] for bins in sizes]
    above = [peak - peaks[0] for peak in peaks]
    print("bins: MB above 25 bins  " + "  ".join(f"{s}: {m:.0f}" for s, m in zip(sizes, above, strict=True)))
    return {"bins": sizes, "peak_mb": peaks, "above_mb": above}


def compilation(model: str) -> dict[str, Any]:
    """Seconds from the start of a fit to the end of its first call, cold and cached."""
    with tempfile.TemporaryDirectory() as cache:
        cold, cached = (child("compile", model, cache=cache)["seconds"] for _ in range(2))
    print(f"first call: {cold:.1f} s cold, {cached:.1f} s cached")
    return {"cold": cold, "cached": cached}


def worker(model: str, bins: int) -> dict[str, float]:
    """What a child measures."""
    import neurito
    import neurito.models

    neurito.start()
    _ = neurito.fit, neurito.Trials  # imported here, not timed
    start = time.monotonic()
    fit(model, 1, **{**BASES[model], "bins": bins})
    seconds = time.monotonic() - start
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def figure(content: dict[str, Any], path: Path) -> None:
    """One panel per sweep, with a line of slope one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = content["time"]
    fig, axes = plt.subplots(1, len(panels), figsize=(3 * len(panels), 3), layout="constrained", sharey=True)
    for axis, (name, found) in zip(axes, panels.items(), strict=True):
        x, y = np.array(found["sizes"]), 1e3 * np.array(found["seconds"])
        axis.loglog(x, y, "o-", color="#0072B2", label="measured")
        axis.loglog(x, y[-1] * x / x[-1], "--", color="0.6", label="slope 1")
        axis.set_xticks(found["sizes"], [str(size) for size in found["sizes"]])
        axis.minorticks_off()
        axis.set(xlabel=name, title=f"slope {found['slope']:.2f} (larger half)")
    axes[0].set_ylabel("ms per gradient step")
    axes[0].legend(frameon=False)
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main() -> None:
    """Measures what is asked for, and keeps what was measured before of the rest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=["time", "memory", "compile"], default=["time", "memory", "compile"]
    )
    parser.add_argument("--model", choices=list(BASES), default="low-rank-rnn")
    parser.add_argument("--rounds", type=int, default=3, help="of every sweep")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _, model, *bins = options.child
        print(json.dumps(worker(model, int(bins[0]) if bins else 50)))
        return
    OUT.mkdir(exist_ok=True)
    path = OUT / f"scaling-{options.model}.json"
    content = json.loads(path.read_text()) if path.is_file() else {}
    for name, measure in (
        ("compile", lambda: compilation(options.model)),
        ("memory", lambda: memory(options.model)),
        ("time", lambda: times(options.model, options.rounds)),
    ):
        if name in options.only:
            content[name] = measure()
    path.write_text(json.dumps(content, indent=1))
    if "time" in content:
        figure(content, FIGURES / f"scaling-{options.model}.png")


if __name__ == "__main__":
    main()
