"""Latent models and baselines on the same recordings and splits: one JSON per cell, and the tables in docs/results.md.

    python benchmarks/latent_models.py                           every cell that is missing, then the tables
    python benchmarks/latent_models.py --only lorenz --models neural-sde --seeds 0
    python benchmarks/latent_models.py --again                   scores the fits that are there once more
    python benchmarks/latent_models.py --table                   the tables alone

Neurons are held out: they are scored in every part, and read in none. The epoch is chosen by co-bps on the selection
part; the test part is scored once per seed. A cell that was interrupted goes on where it was. Recordings are found
through NEURITO_DATA.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import r2_score

import neurito
from neurito import baselines
from neurito.data.files import atomic_write
from neurito.data.trials import Head, Splits, Trials
from neurito.errors import NeuritoError
from neurito.evaluation.behaviour import decode
from neurito.evaluation.bits import co_bps, fp_bps
from neurito.evaluation.calibration import calibration_of
from neurito.inference import infer
from neurito.models import (
    LFADS,
    CoupledOscillatorSDE,
    LangevinFlow,
    LatentODE,
    LinearSDE,
    LowRankRNN,
    MechanisticSDE,
    NeuralSDE,
)
from page import fill
from results import DATA, HERE, alm, linear_track

OUT = HERE / "out" / "latent_models"
SAMPLES = 64
SEEDS = [0, 1, 2]
LEVELS = (0.0625, 0.1875, 0.3125, 0.4375, 0.5625, 0.6875, 0.8125, 0.9375)
Scores = dict[str, float]


def lorenz() -> Splits:
    """640 + 160 trials of 100 bins; the last three training trials per condition select; neurons 45 to 59 held out."""
    trials = neurito.load(DATA / "lorenz" / "lfads_lorenz.h5", bin_width=0.01)
    trials = trials.hold_out(channels=list(range(45, 60)))
    train = trials[trials.metadata["split"] == "train"]
    condition = train.metadata["condition"]
    select = np.zeros(train.n_trials, bool)
    for one in np.unique(condition):
        select[np.flatnonzero(condition == one)[-3:]] = True
    return Splits(train[~select], train[select], trials[trials.metadata["split"] != "train"])


def m1() -> Splits:
    """Reaching in 388 windows of 40 bins of 50 ms: 248 train, 62 select, 78 test; 42 of 171 neurons held out."""
    trials = neurito.load(
        DATA / "m1_reach" / "m1_stevenson_2011.mat", key="spikes", axes="channel time", bin_width=0.05
    )
    windows = trials.windows(40)
    held = np.random.default_rng(0).permutation(171)[-42:]
    windows = windows.hold_out(channels=sorted(int(i) for i in held))
    hand = Head.of(velocity(), "continuous", read=False, names=("x", "y"))
    windows = windows.with_head("velocity", hand)
    return Splits(windows[:248], windows[248:310], windows[310:388])


def velocity() -> np.ndarray:
    """Hand velocity in the same windows, (window, time, 2)."""
    from scipy.io import loadmat

    moves = loadmat(DATA / "m1_reach" / "m1_stevenson_2011.mat")["handVel"][:2]
    return moves[:, : 388 * 40].T.reshape(388, 40, 2)


def rates_r2(run: neurito.Run, parts: Splits, expected: np.ndarray, seed: int) -> Scores:
    """R2 of the held-out neurons' true rates, mean over neurons; and what a forecast of the last 20 bins is worth."""
    test = parts.test
    assert test is not None
    true = test.heads["truth_rates"].values * test.dt[..., None]
    held = range(45, 60)
    r2 = np.mean([r2_score(true[..., i].ravel(), expected[..., i].ravel()) for i in held])
    return {"R2": float(r2), "fp-bps": ahead(run, test.forward(20), seed)}


def moves(run: neurito.Run, parts: Splits, expected: np.ndarray, seed: int) -> Scores:
    """Velocity decoded from log rates of all neurons, the decoder fitted to the training windows."""
    seen = infer(run, parts.train, samples=SAMPLES, quantiles=(), seed=seed)["rate_mean"].values * 0.05
    features = np.log(np.concatenate([seen, expected]) + 1e-4)
    known = np.concatenate([velocity()[:248], velocity()[310:388]])
    found = {"velocity R2": decode(features, known, slice(0, 248), slice(248, None)).r2}
    return found | beside(run, parts, "velocity", seed)


def beside(run: neurito.Run, parts: Splits, head: str, seed: int) -> Scores:
    """R2 of behaviour that the model observed in training and reads nowhere."""
    assert parts.test is not None
    if head not in getattr(run.fitted.specification, "heads", ()):
        return {}
    found = infer(run, parts.test, samples=SAMPLES, quantiles=(), seed=seed)[f"{head}_mean"].values
    true = parts.test.heads[head].values
    here = np.isfinite(true).all(-1)
    return {
        f"{head} R2 of its own head": float(
            r2_score(true[here], found[here], multioutput="variance_weighted")
        )
    }


def track() -> Splits:
    """Rat hippocampus and the rat's position, windows of 10 s; later blocks of time select and test."""
    return Splits(*(part.windows(100) for part in linear_track() if part is not None))


def places(run: neurito.Run, parts: Splits, expected: np.ndarray, seed: int) -> Scores:
    """Position decoded from log rates of all units, the decoder fitted to the training windows."""
    assert parts.test is not None
    head = next(name for name in parts.test.heads if name != parts.test.name)
    seen = infer(run, parts.train, samples=SAMPLES, quantiles=(), seed=seed)["rate_mean"].values * 0.1
    features = np.log(np.concatenate([seen, expected]) + 1e-4)
    known = np.concatenate([parts.train.heads[head].values, parts.test.heads[head].values])
    n = parts.train.n_trials
    found = {"position R2": decode(features, known, slice(0, n), slice(n, None)).r2}
    return found | beside(run, parts, head, seed)


def delayed(run: neurito.Run, parts: Splits, expected: np.ndarray, seed: int) -> Scores:
    """A forecast of the last 500 ms of every test trial."""
    assert parts.test is not None
    last = int(parts.test.lengths.min())
    return {"fp-bps": ahead(run, parts.test.select(time=slice(0, last)).forward(25), seed)}


def ahead(run: neurito.Run, trials: Trials, seed: int) -> float:
    """Fp-bps; NaN for a model that cannot forecast."""
    try:
        found = infer(run, trials, samples=SAMPLES, quantiles=(), seed=seed)["rate_mean"].values
        return float(fp_bps(found * trials.dt[..., None], trials))
    except NeuritoError:
        return float("nan")


RECORDINGS: dict[str, tuple[Callable[[], Splits], Callable[..., Scores]]] = {
    "lorenz": (lorenz, rates_r2),
    "m1": (m1, moves),
    "alm": (alm, delayed),
    "linear-track": (track, places),
}

MODELS: dict[str, Any] = {
    "langevin-flow": LangevinFlow(),
    "neural-sde": NeuralSDE(),
    "co-sde": CoupledOscillatorSDE(),
    "co-sde hybrid": CoupledOscillatorSDE(neural=(64,)),
    "linear-sde": LinearSDE(),
    "latent-ode": LatentODE(),
    "lfads": LFADS(),
    "langevin-flow-released": LangevinFlow.as_released(),
    "rate-rnn": MechanisticSDE(drift="rate-rnn", units=16),
    "low-rank-rnn": LowRankRNN(
        rank=4,
        units=128,
        noise_sd=0.3,
        guide="control",
        control=128,
        context=128,
        encoder="gru",
        readout="mlp",
        keep=0.7,
        objective="elbo",
        particles=1,
        resampling="none",
    ),
    "gpfa": baselines.GPFA(),
    "factor-analysis": baselines.FactorAnalysis(),
    "smoothing": baselines.Smoothing(),
    "mean-rate": baselines.MeanRate(),
}
WEIGHTS = (0.1, 0.3)
for weight in WEIGHTS:
    for name in ("langevin-flow", "neural-sde", "co-sde", "linear-sde", "lfads"):
        MODELS[f"{name}, KL weight {weight}"] = replace(MODELS[name], kl_weight=weight)
MODELS["neural-sde, 4 latents"] = replace(MODELS["neural-sde"], latents=4)
for name in ("langevin-flow", *(f"langevin-flow, KL weight {weight}" for weight in WEIGHTS)):
    MODELS[name.replace("flow", "flow, 4 oscillators")] = replace(MODELS[name], latents=4)
MODELS["langevin-flow, guide blind to the state, KL weight 0.1"] = replace(
    MODELS["langevin-flow"], kl_weight=0.1, control_state=False
)
MODELS["neural-sde, 4 particles"] = replace(
    MODELS["neural-sde"], guide="encoder", objective="vsmc", resampling="systematic", particles=4
)

# Spikes and behaviour on one latent: behaviour counts in the bound of the training part, and is read nowhere.
for name in ("linear-sde, KL weight 0.1", "neural-sde"):
    MODELS[f"{name}, with behaviour"] = MODELS[name]

# Fitted to the selection part too, selected on nothing: the last step is scored.
UNDIVIDED = ", all trials"
for name in (
    "langevin-flow",
    "lfads",
    "lfads, KL weight 0.1",
    "langevin-flow, guide blind to the state, KL weight 0.1",
    *(name for name in MODELS if "4 oscillators" in name),
    "neural-sde",
    "neural-sde, 4 latents",
):
    MODELS[name + UNDIVIDED] = MODELS[name]

# On the other recordings the divergence counts in full from the first step.
TRAINING: dict[str, dict[str, Any]] = {
    "lorenz": {"epochs": 60, "evaluations": 20},
    "m1": {"batch_size": 32, "epochs": 190, "kl_warmup": 0.0},
    "alm": {"batch_size": 16, "epochs": 60, "window": 100, "windows_per_epoch": 640, "kl_warmup": 0.0},
    "linear-track": {"batch_size": 16, "epochs": 400, "kl_warmup": 0.0},
}

# Trained as recommended for them, where that differs; the released form's epochs on Lorenz alone.
OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("lorenz", "langevin-flow-released"): {"epochs": 500, "evaluations": 10},
    ("m1", "langevin-flow-released"): {"kl_warmup": 1.0},
    ("alm", "langevin-flow-released"): {"kl_warmup": 1.0},
    ("lorenz", "latent-ode"): {"epochs": 150, "evaluations": 10},
}

# Trained like the others: particles are recommended for the low-rank RNN.
ALIKE: dict[str, dict[str, Any]] = {"low-rank-rnn": dict(NeuralSDE.recommended)}

# What the released form does otherwise, one thing at a time. On Lorenz alone, in a table of their own.
BASE = "langevin-flow, 4 oscillators"
OTHERWISE: dict[str, dict[str, Any]] = {
    "z moves by a hundredth of v per bin": {"time_constant": 1.0},
    "indefinite potential and that step": {"potential": "indefinite", "time_constant": 1.0},
    "no active force": {"active": 0},
    "data reach the first bin only": {"control_later": False},
    "causal, lagged encoder": {"direction": "forward", "lagged": True},
    "Transformer decoder": {"readout": "transformer"},
    "its dropout": {"keep": 0.5, "pass_rate": 0.5, "feature_dropout": 0.05},
    "KL weight 0.1": {"kl_weight": 0.1},
}
OTHERWISE["all of these"] = {key: value for one in OTHERWISE.values() for key, value in one.items()}
for name, one in OTHERWISE.items():
    MODELS[f"{BASE}, {name}"] = replace(MODELS[BASE], **one)
APART = {f"{BASE}, {name}" for name in OTHERWISE} - {f"{BASE}, KL weight 0.1"}


def path(recording: str, model: str, seed: int) -> Path:
    """Where a cell's JSON lies."""
    return OUT / f"{recording}-{model.replace(', ', '-').replace(' ', '-')}-{seed}.json"


def run(recording: str, model: str, seed: int) -> None:
    """Fits and scores one cell, and writes its JSON."""
    load, score = RECORDINGS[recording]
    parts = load()
    test = parts.test
    assert test is not None
    assert parts.validation is not None
    if model.endswith(UNDIVIDED):
        parts = Splits(Trials.concatenate([parts.train, parts.validation]), None, test)
    where, before, start = path(recording, model, seed), os.getloadavg()[0], time.process_time()
    specification = MODELS[model]
    if model.endswith("with behaviour"):
        specification = replace(specification, heads=tuple(test.heads))
    classical = isinstance(specification, baselines.Baseline)
    options = {"evaluations": 10, **ALIKE.get(model, {}), **TRAINING[recording], "score": "co_bps"}
    options |= OWN.get((recording, model), {})
    if classical:  # the same windows; GPFA's time grows with the cube of a trial's length
        window = TRAINING[recording].get("window")
        parts = parts._replace(train=parts.train.windows(window)) if window else parts
        options = {}
    if parts.validation is None:
        options["score"] = "none"
    folder = where.with_suffix("")
    if where.is_file():
        found = neurito.Run.load(folder)
    else:
        found = neurito.fit(specification, parts, run=folder, seed=seed, progress=False, **options)
    history = found.history[-1] if found.history else {"step": 0, "seconds": 0.0}
    fitted = time.process_time() - start
    posterior = infer(found, test, samples=SAMPLES, quantiles=LEVELS, seed=seed)
    expected = posterior["rate_mean"].values * test.dt[..., None]
    scores = {"co-bps": float(co_bps(expected, test))} | score(found, parts, expected, seed)
    if "rate_quantile" in posterior:
        draws = np.moveaxis(posterior["rate_quantile"].values, 2, 0) * test.dt[..., None]
        unread = test.main.score & ~test.main.read & test.exists[..., None]
        calibration = calibration_of(draws, test.main.values, unread, seed)
        scores |= {"coverage": calibration.coverage, "PIT distance": calibration.distance}
    drift = 0
    if not classical:
        dynamics = found.fitted.model.dynamics
        drift = size(getattr(dynamics, "drift", dynamics))
    content = {
        "recording": recording, "model": model, "seed": seed, "parameters": size(found.parameters), "drift": drift,
        "kl_weight": getattr(specification, "kl_weight", None), "steps": history["step"], "seconds": history["seconds"],
        "cpu_seconds": fitted, "load_before": before, "version": neurito.__version__, "scores": scores,
    }  # fmt: skip
    if where.is_file():  # scored again: the fit took what it took then
        old = json.loads(where.read_text())
        content |= {key: old[key] for key in ("cpu_seconds", "load_before", "version")}
    with atomic_write(where) as temporary:
        temporary.write_text(json.dumps(content, indent=1))
    print(
        f"{recording} {model} seed {seed}: {scores} in {history['seconds']:.0f} s, CPU {fitted:.0f} s",
        flush=True,
    )


def size(tree: Any) -> int:
    """Number of parameters."""
    import equinox as eqx
    import jax

    return int(
        sum(np.size(x) for x in jax.tree.leaves(tree) if eqx.is_inexact_array(x) or isinstance(x, np.ndarray))
    )


def table(recording: str, seeds: list[int]) -> str:
    """One row per model, best co-bps first: mean and spread over seeds."""
    rows: list[tuple[float, str]] = []
    columns: list[str] = []
    cells: dict[str, list[dict[str, Any]]] = {}
    for model in (name for name in MODELS if name not in APART):
        files = [path(recording, model, seed) for seed in seeds]
        cells[model] = [json.loads(f.read_text()) for f in files if f.is_file()]
        for cell in cells[model]:
            columns += [name for name in cell["scores"] if name not in columns]
    for model, found in cells.items():
        if not found:
            continue
        words = []
        for name in columns:
            values = np.array([c["scores"].get(name, np.nan) for c in found], float)
            words.append("" if np.isnan(values).all() else _spread(values))
        one = found[0]
        seconds = np.median([c["cpu_seconds"] for c in found])
        weight = "" if one["kl_weight"] is None else f"{one['kl_weight']:g}"
        name = re.sub(r", KL weight [^,]*", "", model)
        rows.append(
            (
                -float(np.mean([c["scores"]["co-bps"] for c in found])),
                f"| {name} | {weight} | {' | '.join(words)} | {one['parameters']} | {one['drift'] or ''} "
                f"| {one['steps'] or ''} | {seconds:.0f} | {len(found)} |",
            )
        )
    head = ["model", "KL weight", *columns, "parameters", "in the drift", "steps", "CPU s", "seeds"]
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(row for _, row in sorted(rows))])


def otherwise(seeds: list[int]) -> str:
    """What each thing that the released form does otherwise changes, against the same seed without it."""
    names = ("co-bps", "R2", "fp-bps")
    rows = []
    for what in ("", *OTHERWISE):
        model = f"{BASE}, {what}" if what else BASE
        pairs = []
        for seed in seeds:
            files = [path("lorenz", one, seed) for one in (model, BASE)]
            if all(f.is_file() for f in files):
                pairs.append([json.loads(f.read_text())["scores"] for f in files])
        if pairs:
            values = [[found[n] - (base[n] if what else 0) for found, base in pairs] for n in names]
            words = [_spread(np.array(v), "+" if what else "") for v in values]
            rows.append(f"| {what or BASE} | {' | '.join(words)} | {len(pairs)} |")
    return "\n".join([f"| what differs | {' | '.join(names)} | seeds |", "|" + "---|" * 5, *rows])


def courses(model: str, seeds: list[int]) -> dict[int, list[tuple[float, float]]]:
    """Of each seed on Lorenz, the course of selection: CPU seconds with compilation, and co-bps."""
    found = {}
    for seed in seeds:
        where = path("lorenz", model, seed)
        history = where.with_suffix("") / "history.json"
        if where.is_file() and history.is_file():
            cell, entries = json.loads(where.read_text()), json.loads(history.read_text())
            rate = cell["cpu_seconds"] / cell["seconds"]  # the clock counts other programs too
            found[seed] = [(rate * entry["seconds"], entry["score"]) for entry in entries]
    return found


def soonest(seeds: list[int]) -> str:
    """When the others' best co-bps on the selection part is reached: CPU seconds, same seed."""
    others = {name: courses(name, seeds) for name in ("langevin-flow-released", "lfads")}
    head = [
        "model",
        *(f"{word} {name}" for name in others for word in ("the best of", "share of the time of")),
    ]
    rows = []
    mine = [name for name in MODELS if name.startswith("langevin-flow") and UNDIVIDED not in name]
    for model in (*others, *(name for name in mine if name not in APART.union(others))):
        words, own = [], courses(model, seeds)
        for theirs_by_seed in others.values():
            when, share = [], []
            for seed, course in theirs_by_seed.items():
                if seed not in own:
                    continue
                best = max(score for _, score in course)
                theirs = next(seconds for seconds, score in course if score == best)
                ours = [seconds for seconds, score in own[seed] if score >= best]
                when.append(f"{ours[0]:.0f}" if ours else f"no ({max(score for _, score in own[seed]):.3f})")
                share.append(f"{ours[0] / theirs:.2f}" if ours else "")
            words += [", ".join(when), ", ".join(filter(None, share))]
        if own and any(words):
            rows.append(f"| {model} | {' | '.join(words)} |")
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows])


def _spread(values: np.ndarray, sign: str = "") -> str:
    middle, low, high = np.nanmean(values), np.nanmin(values), np.nanmax(values)
    return f"{middle:{sign}.3f}" + (
        f" ({low:{sign}.3f} to {high:{sign}.3f})" if len(values) > 1 and high > low else ""
    )


def main() -> None:
    """Runs what is missing and writes the tables into the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(RECORDINGS), default=list(RECORDINGS))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--again", action="store_true", help="score the fits that are there once more")
    parser.add_argument("--table", action="store_true", help="only write the tables")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    for seed in [] if options.table else options.seeds:
        for recording in options.only:
            for model in options.models:
                classical = isinstance(MODELS[model], baselines.Baseline)
                if model in APART and recording != "lorenz":
                    continue
                if path(recording, model, seed).is_file() is not options.again or (classical and seed):
                    continue
                if DATA.is_dir():
                    run(recording, model, seed)
                else:
                    print(f"{recording}: no recordings at {DATA}, set NEURITO_DATA")
    for recording in RECORDINGS:
        fill(recording, table(recording, SEEDS))
    fill("soonest", soonest(SEEDS))
    fill("otherwise", otherwise(SEEDS))


if __name__ == "__main__":
    main()
