"""Worker that times the published code of the low-rank RNN on request, in that code's own environment.

Nothing of the published code is here: its checkout (NEURITO_REFERENCE) is imported, and what is timed is
its own training loop, with evaluation, saving and printing switched off. A parent sends lines on stdin and
reads one line of JSON for each on stdout, so that it can measure something else in between:

    build eeg      data, model and optimiser, one untimed step     {"case": "eeg", "parameters": 3926}
    time eeg 5     five gradient steps                  {"case": "eeg", "steps": 5, "seconds": 0.71}
    quit

A request that fails is answered by {"error": "..."}.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cases import CASES, Case

ROOT = Path(os.environ["NEURITO_REFERENCE"]).resolve()
DATA = Path(os.environ.get("NEURITO_DATA", Path(__file__).parents[2] / "shared" / "data"))
SEED = 0
# The published code finds some of its modules by their bare names.
sys.path[:0] = [str(ROOT), str(ROOT / "vi_rnn")]
# It prints as it goes: only answers may reach the parent.
ANSWERS, sys.stdout = sys.stdout, Path(os.devnull).open("w")  # noqa: SIM115

import vi_rnn.train as published  # noqa: E402  (only found once the checkout is on the path)
from vi_rnn.datasets import Basic_dataset, Basic_dataset_with_trials, Oscillations_Poisson  # noqa: E402
from vi_rnn.vae import VAE  # noqa: E402

Settings = dict[str, Any]

# Everything below is what the published training scripts set.
DYNAMICS: Settings = {
    "transition": "low_rank",
    "decay": 0.9,
    "weight_dist": "uniform",
    "train_neuron_bias": True,
    "initial_state": "trainable",
    "simulate_input": False,
    "train_obs_bias": True,
    "train_obs_weights": True,
    "train_noise_z": True,
    "train_noise_z_t0": True,
    "init_noise_z": 0.1,
    "init_noise_z_t0": 1,
}
CLIPPED_AFFINE: Settings = {"activation": "clipped_relu", "observation": "affine", "readout_from": "z"}
RELU_UNITS: Settings = {"activation": "relu", "observation": "one_to_one", "readout_from": "currents"}
COUNTS: Settings = {"obs_nonlinearity": "softplus", "obs_likelihood": "Poisson"}
COUNTS |= {"noise_z": "diag", "noise_z_t0": "diag"}
GAUSSIAN: Settings = {"obs_nonlinearity": "identity", "obs_likelihood": "Gauss", "noise_z": "full"}
GAUSSIAN |= {"noise_z_t0": "full", "noise_x": "diag", "train_noise_x": True, "init_noise_x": 0.1}
TRAINING: Settings = {"grad_norm": 0, "cuda": False, "resample": "systematic", "run_eval": False}
TRAINING |= {"lr": 1e-3, "lr_end": 1e-5, "n_epochs": 1}


def eeg(case: Case) -> tuple[Any, Settings, Settings]:
    """Random windows of the recording; dynamics; no encoder."""
    signal = np.load(DATA / "eeg" / "eeg_s001r01_smoothed.npy", allow_pickle=False).astype(np.float32)
    data = Basic_dataset({"dur": case.bins, "n_trials": case.batch}, signal.T)
    return data, DYNAMICS | CLIPPED_AFFINE | GAUSSIAN, {}


def poisson(case: Case) -> tuple[Any, Settings, Settings]:
    """Counts simulated from the teacher; dynamics; causal encoder."""
    with np.load(DATA / "low_rank_rnn" / "teachers.npz", allow_pickle=False) as teachers:
        m, n, h = (torch.from_numpy(teachers[f"osc_rnn_poisson/{name}"]).float() for name in "mnh")
    teacher = {"dur": case.bins, "n_trials": 400, "n_neurons": case.read, "R_z": 0.2, "out": "currents"}
    teacher |= {"B": 4, "Bias": -3, "non_lin": torch.nn.ReLU(), "obs_rectify": "softplus"}
    data = Oscillations_Poisson(teacher, m, n, -h)
    encoder = {"init_scale": 0.1, "padding_location": "causal", "padding_mode": "circular"}
    return data, DYNAMICS | RELU_UNITS | COUNTS, encoder


def maze(case: Case) -> tuple[Any, Settings, Settings]:
    """Random counts (what a step costs does not depend on them); dynamics; acausal encoder."""
    counts = np.random.default_rng(SEED).poisson(0.1, (1712, case.scored, case.bins))
    data = Basic_dataset_with_trials({}, counts.astype(np.float32))
    dynamics = DYNAMICS | CLIPPED_AFFINE | COUNTS | {"init_noise_z": 0.05, "initial_state": "zero"}
    return data, dynamics, {"init_scale": 0.05, "padding_location": "acausal", "padding_mode": "constant"}


MAKERS = {"eeg": eeg, "poisson": poisson, "maze": maze}


def build(case: Case) -> tuple[Callable[[int], float], int]:
    """Returns a function that times a number of gradient steps, and how many numbers are trained."""
    torch.manual_seed(SEED)
    data, dynamics, encoder = MAKERS[case.name](case)
    sizes = {"dim_x": case.read, "dim_x_hat": case.scored, "dim_z": case.rank, "dim_N": case.units}
    settings = sizes | {"rnn_params": dynamics}
    training = TRAINING | {"k": case.particles, "batch_size": case.batch}
    training["loss_f"] = "smc" if encoder else "opt_smc"
    if encoder:
        encoder |= {"kernel_sizes": list(case.kernels), "n_channels": list(case.channels)}
        encoder |= {"nonlinearity": "gelu", "constant_var": False}
        settings |= {"enc_architecture": "CNN", "enc_params": encoder}
    model = VAE(settings)
    optimiser = torch.optim.RAdam(model.parameters(), lr=training["lr"])
    constant = torch.optim.lr_scheduler.ExponentialLR(optimiser, 1.0)

    def steps(count: int) -> float:
        # One epoch of exactly `count` batches.
        data.n_trials = count * case.batch
        start = time.perf_counter()
        # It appends to the settings that it is given: hand it a copy.
        published.train_VAE(model, dict(training), data, optimizer=optimiser, scheduler=constant)
        return time.perf_counter() - start

    steps(1)
    return steps, sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def main() -> None:
    """Answers requests until the input ends."""
    torch.set_num_threads(int(os.environ.get("NEURITO_THREADS", "2")))
    # An epoch ends by saving the model: that is not part of a gradient step.
    published.save_model = lambda *_, **__: "nothing"
    timers: dict[str, Callable[[int], float]] = {}
    for line in sys.stdin:
        answer: Settings
        try:
            match line.split():
                case ["build", name]:
                    timers[name], parameters = build(CASES[name])
                    answer = {"case": name, "parameters": parameters}
                case ["time", name, count]:
                    answer = {"case": name, "steps": int(count), "seconds": timers[name](int(count))}
                case ["quit"]:
                    return
                case _:
                    raise ValueError(f"unknown request {line.strip()!r}: build CASE, time CASE STEPS or quit")
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
