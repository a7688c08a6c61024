"""Fits of real recordings, one JSON per cell (model, recording, seed), and the table in docs/results.md.

    python benchmarks/results.py                        every cell that is missing, then the table
    python benchmarks/results.py --only eeg --seeds 0   some of them
    python benchmarks/results.py --table                the table alone

A cell that was interrupted goes on where it was. Recordings are found through NEURITO_DATA; a cell whose recording is
not there, or that was not run, is shown as missing.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

import neurito
from neurito.data.files import atomic_write
from neurito.data.trials import Splits, Trials
from neurito.evaluation.behaviour import decode
from neurito.evaluation.bits import co_bps
from neurito.evaluation.distances import reproduction
from neurito.evaluation.spikes import compare, spike_statistics
from neurito.inference import bound_per_bin, expected_counts, generate, infer
from page import fill

HERE = Path(__file__).parent
DATA = Path(os.environ.get("NEURITO_DATA", HERE.parents[1] / "shared" / "data"))
OUT = HERE / "out" / "results"

Scores = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """A model on a recording.

    Attributes:
        recording: its short name.
        model: in words.
        options: of the fit.
        parts: loads and splits the recording.
        score: scores a fitted run on the parts.
    """

    recording: str
    model: neurito.LowRankRNN
    options: dict[str, Any]
    parts: Callable[[], Splits]
    score: Callable[[neurito.Run, Splits, int], Scores]


def eeg() -> Trials:
    """64 channels at 160 Hz, one continuous recording."""
    return neurito.load(DATA / "eeg" / "eeg_s001r01_smoothed.npy", axes="time channel", bin_width=1 / 160)


def eeg_whole() -> Splits:
    """Everything trains: the distances of dynamics compare the whole recording with simulations of its model."""
    return Splits(eeg(), None, None)


def eeg_parts() -> Splits:
    """The first 80 % train, the rest is scored."""
    return eeg().split((0.8, 0.0, 0.2))


def score_dynamics(run: neurito.Run, parts: Splits, seed: int) -> Scores:
    """D_stsp and D_H of five simulations, with observation noise, smoothed and z-scored as the recording was."""
    data = parts.train.main.values[0]
    drawn = generate(run.fitted, 5, len(data) + 2400, seed=seed)
    distances = reproduction(data, drawn.trials.main.values, seed=seed)
    return {"D_stsp": distances.d_stsp.mean, "D_H": distances.d_h}


def score_bound(run: neurito.Run, parts: Splits, seed: int) -> Scores:
    """The bound on the last fifth, with 64 particles."""
    assert parts.test is not None
    return {
        "test bound (nats/bin)": bound_per_bin(run.fitted, parts.test, seed=seed, particles=64),
        "train bound (nats/bin)": bound_per_bin(run.fitted, parts.train, seed=seed, particles=64),
    }


def alm() -> Splits:
    """51 neurons, trials of unequal length, contiguous blocks of trials; a quarter of the neurons held out."""
    (path,) = (DATA / "alm_delay").glob("*.h5")
    trials = neurito.load(
        path, key="all_matrices", axes="trial channel time", lengths="trial_matrices", bin_width=0.02
    )
    return trials.hold_out(0.25, seed=0).split(contiguous=True)


def score_spikes(run: neurito.Run, parts: Splits, seed: int) -> Scores:
    """Held-out neurons of the test trials, and how simulated spikes compare with recorded ones."""
    test = parts.test
    assert test is not None
    spikes = test.main
    scores = {"co-bps": co_bps(expected_counts(run.fitted, test, seed=seed), test)}
    bins = int(test.lengths.min())
    drawn = generate(run.fitted, test.n_trials, bins, seed=seed).trials.main.values
    real = spike_statistics(spikes.values[:, :bins], test.bin_width)
    found = compare(real, spike_statistics(drawn, test.bin_width))
    return scores | {f"r of {name}": found[name] for name in ("rate", "isi_mean", "correlation")}


def linear_track() -> Splits:
    """31 units of rat hippocampus and the rat's position in bins of 100 ms, contiguous blocks of time.

    From 32 s to 975 s, while the rat is on the track; after that the tracked position does not change any more.
    """
    folder = DATA / "linear_track"
    trials = neurito.load(
        folder / "linear-track_spikes.mat",
        behaviour_file=folder / "linear-track_trajectory.videoPositionTracking",
        bin_width=0.1,
    ).select(time=slice(320, 9750))
    return trials.hold_out(0.25, seed=0).split()


def score_track(run: neurito.Run, parts: Splits, seed: int) -> Scores:
    """As `score_spikes`, on windows of 10 s, and position decoded from the latents, beside smoothed counts."""
    cut = Splits(*(None if p is None else p.windows(100) for p in parts))
    assert cut.test is not None
    scores = score_spikes(run, cut, seed)
    position = next(name for name in cut.test.heads if name != cut.test.name)
    both = Trials.concatenate([cut.train, cut.test])
    latents = infer(run.fitted, both, seed=seed)["latent_mean"].values
    split = cut.train.n_trials
    read = both.main.read.all((0, 1))
    smooth = gaussian_filter1d(both.main.values[..., read], 5, axis=1)
    found = {
        f"position R2 from {name}": decode(
            features, both.heads[position].values, slice(0, split), slice(split, None)
        ).r2
        for name, features in (("latents", latents), ("smoothed counts (sd 0.5 s)", smooth))
    }
    return scores | found


CELLS = [
    Cell(
        "eeg",
        neurito.LowRankRNN(rank=3, units=512, noise="full", initial="full", particles=10),
        {
            "window": 50,
            "windows_per_epoch": 500,
            "batch_size": 10,
            "epochs": 400,
            "final_learning_rate": 1e-6,
            "score": "none",
        },
        eeg_whole,
        score_dynamics,
    ),
    Cell(
        "eeg-80",
        neurito.LowRankRNN(rank=3, units=512, noise="full", initial="full", particles=10),
        {
            "window": 50,
            "windows_per_epoch": 500,
            "batch_size": 10,
            "epochs": 400,
            "final_learning_rate": 1e-6,
            "score": "none",
        },
        eeg_parts,
        score_bound,
    ),
    Cell(
        "alm",
        neurito.LowRankRNN(rank=5, units=128, particles=16, kernels=(21, 11, 1)),
        {
            "window": 100,
            "windows_per_epoch": 640,
            "batch_size": 16,
            "epochs": 60,
            "score": "co_bps",
            "evaluations": 20,
        },
        alm,
        score_spikes,
    ),
    Cell(
        "linear-track",
        neurito.LowRankRNN(rank=3, units=256, particles=32, encoder="gru", noise_sd=0.3),
        {
            "window": 100,
            "windows_per_epoch": 320,
            "batch_size": 16,
            "epochs": 100,
            "learning_rate": 5e-3,
            "final_learning_rate": 1e-4,
            "clip": 10.0,
            "evaluations": 20,
        },
        linear_track,
        score_track,
    ),
]


def run(cell: Cell, seed: int) -> None:
    """Fits and scores one cell, and writes its JSON."""
    folder = OUT / f"{cell.recording}-{seed}"
    load = os.getloadavg()[0]
    parts = cell.parts()
    start = time.monotonic()
    found = neurito.fit(cell.model, parts, run=folder, seed=seed, **cell.options)
    seconds = found.history[-1]["seconds"]
    scores = cell.score(found, parts, seed)
    content = {
        "recording": cell.recording,
        "model": cell.model.name,
        "seed": seed,
        "parameters": int(sum(np.size(v) for v in found.parameters.values())),
        "steps": found.history[-1]["step"],
        "fit_seconds": seconds,
        "score_seconds": time.monotonic() - start - seconds,
        "load_before": load,
        "version": neurito.__version__,
        "scores": scores,
    }
    with atomic_write(OUT / f"{cell.recording}-{seed}.json") as path:
        path.write_text(json.dumps(content, indent=1))
    print(f"{cell.recording} seed {seed}: {scores} in {seconds:.0f} s", flush=True)


def table(seeds: list[int]) -> str:
    """One row per recording and score: mean and spread over seeds, missing cells named."""
    rows = [
        "| recording | model | parameters | steps | score | mean | spread (min to max) | seeds | fit, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in CELLS:
        files = [OUT / f"{cell.recording}-{seed}.json" for seed in seeds]
        cells = [json.loads(f.read_text()) for f in files if f.is_file()]
        words = f"{cell.model.name}, R {cell.model.rank}, {cell.model.units} units, K {cell.model.particles}"
        if not cells:
            rows.append(f"| {cell.recording} | {words} | | | missing | | | | |")
            continue
        one = cells[0]
        lost = len(seeds) - len(cells)
        for name in one["scores"]:
            values = np.array([c["scores"][name] for c in cells])
            seconds = np.median([c["fit_seconds"] for c in cells])
            count = f"{len(cells)}" + (f" ({lost} missing)" if lost else "")
            rows.append(
                f"| {cell.recording} | {words} | {one['parameters']} | {one['steps']} | {name} | {values.mean():.4g} "
                f"| {values.min():.4g} to {values.max():.4g} | {count} | {seconds:.0f} |"
            )
    return "\n".join(rows)


def main() -> None:
    """Runs what is missing and writes the table into the page."""
    names = [cell.recording for cell in CELLS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="only write the table")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    for seed in [] if options.table else options.seeds:
        for cell in CELLS:
            if cell.recording in options.only and not (OUT / f"{cell.recording}-{seed}.json").is_file():
                if DATA.is_dir():
                    run(cell, seed)
                else:
                    print(f"{cell.recording}: no recordings at {DATA}, set NEURITO_DATA")
    content = table(options.seeds)
    fill("table", content)
    print(content)


if __name__ == "__main__":
    main()
