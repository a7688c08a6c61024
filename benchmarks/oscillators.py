"""What a fit by coupled oscillators recovers from spikes, and what noise in the dynamics is worth.

    python benchmarks/oscillators.py                     both studies, resumable, then tables and figure
    python benchmarks/oscillators.py --only recovery --seeds 0

recovery: four coupled Hopf oscillators observed through Poisson spikes; a CO-SDE is fitted, its oscillators are paired
with the true ones, and frequencies and couplings are compared. noise: the same oscillators driven by noise of rising
size; a CO-SDE and the same equations without noise (an ODE) are fitted, and scored on neurons that they did not read.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import neurito
from neurito.analysis.alignment import match
from neurito.analysis.oscillation import cycles_of, measured
from neurito.data.files import atomic_write
from neurito.data.simulators import coupled_oscillators
from neurito.data.simulators.simulation import Simulation
from neurito.evaluation.bits import co_bps
from neurito.inference import infer
from neurito.models import CoupledOscillatorSDE
from page import fill

HERE = Path(__file__).parent
OUT = HERE / "out" / "oscillators"
FIGURE = HERE.parent / "docs" / "figures" / "oscillators_noise.png"
FREQUENCY = (2.0, 3.0, 4.4, 6.0)  # Hz
COUPLING = np.array([[0, 4, 0, -3], [-3, 0, 3, 0], [0, -4, 0, 3], [3, 0, -3, 0]], float)  # 1/s
STARTS = (0, 1, 2)  # of every fit; the one with the best bound counts
NOISE = (0.0, 0.2, 0.5, 1.0, 2.0)  # per square root of a second
MODEL = CoupledOscillatorSDE(
    oscillators=4, readout="affine", link="exp", time_constant=0.05, diffusion_sd=0.2
)
TRAINING: dict[str, Any] = {"learning_rate": 6e-3, "batch_size": 64, "kl_warmup": 0.0, "progress": False}


def simulated(seed: int, noise: float, trials: int, neurons: int) -> Simulation:
    """Limit cycles of radius 4, about 30 spikes/s and neuron, trials of a second in bins of 10 ms."""
    return coupled_oscillators(
        FREQUENCY, COUPLING, sigma=16.0, noise=noise, trials=trials, neurons=neurons, base_rate=20.0, gain=0.35,
        seed=seed,
    )  # fmt: skip


def recovery(seed: int, start: int) -> dict[str, Any]:
    """One data set and fit: frequencies (Hz) and couplings (1/s), paired with the true ones; the bound in training."""
    simulation = simulated(seed, 0.5, 400, 80)
    started = time.process_time()
    pair, which = divmod(start, 2)
    run = neurito.fit(
        MODEL, simulation.trials, seed=10 * pair + 2 * seed + which, epochs=200, score="none", **TRAINING
    )
    seconds = time.process_time() - started
    z = infer(run, simulation.trials, samples=8, quantiles=(), seed=seed)["latent_mean"].values
    dynamics = run.fitted.model.dynamics
    cycles = cycles_of(dynamics, z)
    paired, found = match(cycles, simulation.latents), measured(dynamics, cycles)
    K, frequency = paired.coupling(found.coupling), paired.each(found.frequency)
    others = ~np.eye(4, dtype=bool)
    return {
        "frequency": frequency.tolist(),
        "coupling": K.tolist(),
        "error": float(np.abs(frequency / FREQUENCY - 1).max()),
        "correlation": float(np.corrcoef(K[others], COUPLING[others])[0, 1]),
        "latents": paired.correlation.tolist(),
        "bound": float(np.mean([entry["bound"] for entry in run.history[-5:]])),
        "seconds": seconds,
    }


def noisy(seed: int, noise: float, diffusion: str) -> dict[str, Any]:
    """Co-bps of a quarter of the neurons on the last fifth of the trials."""
    parts = (
        simulated(seed, noise, 200, 60)
        .trials.hold_out(fraction=0.25, seed=seed)
        .split((0.7, 0.1, 0.2), seed=seed)
    )
    model = replace(MODEL, diffusion=diffusion)
    run = neurito.fit(model, parts, seed=seed, epochs=150, score="co_bps", evaluations=5, **TRAINING)
    assert parts.test is not None
    expected = infer(run, parts.test, samples=16, quantiles=(), seed=seed)["rate_mean"].values * 0.01
    return {"co-bps": float(co_bps(expected, parts.test))}


def cell(name: str, compute: Any, *arguments: Any) -> dict[str, Any]:
    """Computes what is not on disk yet."""
    path = OUT / f"{name}.json"
    if not path.is_file():
        found = compute(*arguments)
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(found))
        print(name, {k: v for k, v in found.items() if isinstance(v, float)}, flush=True)
    return json.loads(path.read_text())


def recovery_table(cells: list[list[dict[str, Any]]]) -> str:
    """What every seed found: the start with the best bound."""
    names = [f"{f:g} Hz" for f in FREQUENCY]
    rows = [
        f"| seed | {' | '.join(names)} | largest error | r of couplings | r of latents, smallest | bound, nats/bin "
        "| other starts: bound, largest error | CPU s per start |",
        "|" + "---|" * (len(names) + 7),
    ]
    for seed, starts in enumerate(cells):
        best, *others = sorted(starts, key=lambda one: -one["bound"])
        found = " | ".join(f"{f:.3f}" for f in best["frequency"])
        rest = "; ".join(f"{one['bound']:.3f}, {one['error']:.1%}" for one in others)
        rows.append(
            f"| {seed} | {found} | {best['error']:.1%} | {best['correlation']:.3f} | {min(best['latents']):.3f} "
            f"| {best['bound']:.3f} | {rest} | {best['seconds']:.0f} |"
        )
    return "\n".join(rows)


def noise_table(scores: dict[str, np.ndarray]) -> str:
    """Co-bps against noise, mean and range over seeds; figure beside."""
    rows = ["| noise | SDE | ODE | difference, same seed |", "|---|---|---|---|"]
    gap = scores["constant"] - scores["none"]
    for i, noise in enumerate(NOISE):
        words = [
            f"{x[i].mean():.4f} ({x[i].min():.4f} to {x[i].max():.4f})"
            for x in (scores["constant"], scores["none"], gap)
        ]
        rows.append(f"| {noise:g} | {' | '.join(words)} |")
    return "\n".join(rows)


def draw(scores: dict[str, np.ndarray]) -> None:
    """Scores and their difference against noise, a point per seed."""
    import matplotlib.pyplot as plt

    from neurito.plots.style import CYCLE

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8), layout="constrained")
    for (name, label), colour in zip((("constant", "SDE"), ("none", "ODE")), CYCLE, strict=False):
        left.plot(NOISE, scores[name].mean(1), "o-", color=colour, label=label)
        left.plot(NOISE, scores[name], ".", color=colour, alpha=0.5)
    gap = scores["constant"] - scores["none"]
    right.plot(NOISE, gap.mean(1), "o-", color=CYCLE[2])
    right.plot(NOISE, gap, ".", color=CYCLE[2], alpha=0.5)
    right.axhline(0, color="0.6", lw=0.8)
    left.set_ylabel("co-smoothing (bits/spike)")
    right.set_ylabel("SDE - ODE (bits/spike)")
    left.legend(frameon=False)
    for axes in (left, right):
        axes.set_xlabel(r"noise of the oscillators (per $\sqrt{\mathrm{s}}$)")
    figure.savefig(FIGURE, dpi=150)
    plt.close(figure)


def main() -> None:
    """Computes what is missing, writes tables and figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["recovery", "noise"])
    parser.add_argument("--seeds", nargs="+", type=int, help="compute these, write no table")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if options.only != "noise":
        seeds = options.seeds or range(5)
        starts = [[cell(f"recovery-{s}-{i}", recovery, s, i) for i in STARTS] for s in seeds]
        if not options.seeds:
            fill("oscillators", recovery_table(starts))
    if options.only != "recovery":
        seeds = options.seeds or range(3)
        scores = {
            kind: np.array(
                [[cell(f"noise-{n:g}-{kind}-{s}", noisy, s, n, kind)["co-bps"] for s in seeds] for n in NOISE]
            )
            for kind in ("constant", "none")
        }
        if not options.seeds:
            fill("oscillators in noise", noise_table(scores))
            draw(scores)


if __name__ == "__main__":
    main()
