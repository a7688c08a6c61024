"""Does a fit find the size of the latent noise?

    python benchmarks/noise_recovery.py [--epochs 100] [--seeds 0] [--only K10 bootstrap]

A student network is fitted to a noisy oscillating teacher (Pals et al. 2024: 20 relu units of rank 2, 400 trials of
75 bins, one unit per channel from its current, observation noise 0.1) at true latent noise 0.05, 0.1 and 0.2, with 1,
10 and 64 particles under the optimal guide and with 64 under the prior (bootstrap). Reported: the standard deviation of
the noise per latent in the orthonormal basis of the network's column space. Published: K = 64 is right, K = 10 a little
too large, K = 1 much too large, and the bootstrap finds about 0.19 whatever the truth. One JSON per fit in
benchmarks/out/noise; what is there is not fitted again.
"""

import argparse
import json
import os
import time
from pathlib import Path

import matplotlib
import numpy as np

import neurito
from neurito.data.files import atomic_write
from neurito.data.simulators import teacher

HERE = Path(__file__).parent
OUT = HERE / "out" / "noise"
WEIGHTS = (
    Path(os.environ.get("NEURITO_DATA", HERE.parents[1] / "shared" / "data"))
    / "low_rank_rnn"
    / "teachers.npz"
)
TRUTH = (0.05, 0.1, 0.2)
SETTINGS = {
    "K64": (64, "optimal"),
    "K10": (10, "optimal"),
    "K1": (1, "optimal"),
    "bootstrap": (64, "bootstrap"),
}
PUBLISHED = {
    "K64": (0.053, 0.102, 0.200),
    "K10": (0.059, 0.11, 0.205),
    "K1": (0.097, 0.185, 0.235),
    "bootstrap": (0.19, 0.19, 0.19),
}


def recovered(run: neurito.Run) -> np.ndarray:
    """Standard deviation of the noise per latent, in the orthonormal basis of the network's column space."""
    p = run.parameters
    m, n = p["dynamics.m"].T.astype(float), p["dynamics.n"].astype(float)
    basis = np.linalg.svd(m @ n)[0][:, : m.shape[1]]
    sd, lower = p["dynamics.noise.sd"].astype(float), np.tril(p["dynamics.noise.lower"], -1)
    root = basis.T @ m @ (sd[:, None] * (np.eye(len(sd)) + lower))
    return np.sqrt(np.diag(root @ root.T))


def fit(setting: str, noise: float, seed: int, epochs: int) -> dict[str, object]:
    """One student."""
    particles, guide = SETTINGS[setting]
    weights = WEIGHTS if WEIGHTS.is_file() else None
    simulated = teacher(
        "oscillator", weights, trials=400, bins=75, noise=noise, observation_noise=0.1, seed=seed
    )
    model = neurito.LowRankRNN(
        rank=2,
        units=20,
        activation="relu",
        decay=0.7,
        noise="full",
        initial="full",
        readout="currents",
        guide=guide,  # type: ignore[arg-type]
        particles=particles,
        observation_sd=0.1 / float(simulated.trials.main.values.std()),
        fixed=("heads.*.readout.*",),
    )
    start = time.monotonic()
    run = neurito.fit(
        model,
        simulated.trials,
        epochs=epochs,
        batch_size=10,
        learning_rate=5e-3,
        final_learning_rate=5e-5,
        score="none",
        seed=seed,
        evaluations=5,
        progress=False,
    )
    return {
        "setting": setting,
        "noise": noise,
        "seed": seed,
        "epochs": epochs,
        "recovered": recovered(run).tolist(),
        "bound": run.history[-1]["bound"],
        "seconds": time.monotonic() - start,
    }


def figure(cells: list[dict], path: Path) -> None:
    """Recovered against true, one line per setting."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axis = plt.subplots(figsize=(5, 4), layout="constrained")
    axis.plot([0, 0.25], [0, 0.25], color="0.7", linewidth=1, label="true")
    for setting, colour in zip(SETTINGS, ("#0072B2", "#009E73", "#E69F00", "#D55E00"), strict=True):
        mine = [c for c in cells if c["setting"] == setting]
        if mine:
            x = np.repeat([c["noise"] for c in mine], 2) + 0.002 * list(SETTINGS).index(setting)
            axis.plot(x, np.ravel([c["recovered"] for c in mine]), "o", color=colour, label=setting)
    axis.set(
        xlabel="true noise (sd per bin)", ylabel="recovered noise (sd per bin)", xlim=(0, 0.25), ylim=(0, 0.3)
    )
    axis.legend(frameon=False)
    fig.savefig(path, dpi=150)


def main() -> None:
    """Fits what is missing and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    cells = []
    for seed in options.seeds:
        for setting in options.only:
            for noise in TRUTH:
                path = OUT / f"{setting}-{noise}-{seed}.json"
                if not path.is_file():
                    with atomic_write(path) as temporary:
                        temporary.write_text(json.dumps(fit(setting, noise, seed, options.epochs)))
                cells.append(json.loads(path.read_text()))
                print(cells[-1], flush=True)
    print("| particles | true 0.05 | 0.1 | 0.2 | published |\n|---|---|---|---|---|")
    for setting in options.only:
        values = []
        for noise in TRUTH:
            found = np.ravel(
                [c["recovered"] for c in cells if c["setting"] == setting and c["noise"] == noise]
            )
            values.append(f"{found.mean():.3f} ({found.min():.3f} to {found.max():.3f})")
        print(f"| {setting} | {' | '.join(values)} | {' / '.join(map(str, PUBLISHED[setting]))} |")
    figure(cells, OUT / "noise_recovery.png")


if __name__ == "__main__":
    main()
