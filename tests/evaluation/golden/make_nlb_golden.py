"""Writes nlb.npz: small inputs, and what the metric functions of nlb_tools 0.0.4 make of them.

    pip install --no-deps --target SOMEWHERE nlb_tools==0.0.4
    PYTHONPATH=SOMEWHERE python tests/evaluation/golden/make_nlb_golden.py

nlb_tools pins an old pandas, so it is no dependency; its metrics need NumPy, SciPy, scikit-learn and h5py.
They write into their arguments: each gets a copy.
"""

import warnings
from pathlib import Path

import numpy as np
from nlb_tools import evaluation as nlb

RNG = np.random.default_rng(2021)
TRIALS, BINS, NEURONS = 20, 10, 5
stored: dict[str, np.ndarray] = {}


def keep(case: str, **values: np.ndarray | float) -> None:
    stored.update({f"{case}/{name}": np.asarray(value) for name, value in values.items()})


def bits() -> None:
    rates = RNG.gamma(1.0, 0.3, (TRIALS, BINS, NEURONS)).astype(np.float32)
    counts = RNG.poisson(rates).astype(np.float32)
    missing, zero, silent = (x.copy() for x in (counts, rates, counts))
    missing[RNG.random(counts.shape) < 0.2] = np.nan
    missing[3] = np.nan
    missing[:, :, 2] = np.nan
    zero[RNG.random(counts.shape) < 0.1] = 0
    silent[:, :, 4] = 0
    both = np.where(np.isnan(missing), np.nan, silent)
    unpredicted = np.where(np.isnan(missing), np.nan, rates)
    cases = {
        "plain": (rates, counts),
        "missing": (rates, missing),
        "unpredicted": (unpredicted, missing),
        "zero": (zero, counts),
        "silent": (rates, silent),
        "all": (zero, both),
    }
    for name, (expected, y) in cases.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mean of a neuron that is nowhere observed
            keep(
                f"bits/{name}",
                expected=expected,
                counts=y,
                nll=nlb.neg_log_likelihood(expected.astype(float), y.astype(float)),
                bits=nlb.bits_per_spike(expected.astype(float), y.astype(float)),
            )


def velocity() -> None:
    latent = RNG.standard_normal((TRIALS, BINS, 2))
    rates = np.exp(0.4 * latent @ RNG.standard_normal((2, NEURONS)))
    behaviour = latent @ RNG.standard_normal((2, 2)) + RNG.standard_normal((TRIALS, BINS, 2))
    behaviour[RNG.random((TRIALS, BINS)) < 0.1] = np.nan
    masks = {"one": np.ones((TRIALS, 1), bool), "two": np.arange(TRIALS)[:, None] % 2 == [0, 1]}
    n = TRIALS * 2 // 3
    for name, mask in masks.items():
        parts = (rates[:n], behaviour[:n], mask[:n], rates[n:], behaviour[n:], mask[n:])
        r2 = nlb.velocity_decoding(*(part.copy() for part in parts))
        keep(f"velocity/{name}", rates=rates, behaviour=behaviour, masks=mask, r2=r2)


def psth() -> None:
    target = RNG.gamma(2.0, 5.0, (4, BINS, NEURONS))
    target[1, :3] = np.nan
    target[2, -2:] = np.nan
    condition = RNG.permutation(np.arange(TRIALS) % 3)  # the fourth condition has no trial
    rates = np.nan_to_num(target[condition]) + RNG.standard_normal((TRIALS, BINS, NEURONS))
    index = [np.flatnonzero(condition == c) for c in range(4)]
    keep(
        "psth/plain", target=target, rates=rates, condition=condition, r2=nlb.eval_psth(target, rates, index)
    )
    jitter = np.where(condition == 1, RNG.integers(0, 4, TRIALS), 0)
    r2 = nlb.eval_psth(target, rates.copy(), index, jitter)
    keep("psth/jitter", target=target, rates=rates, condition=condition, jitter=jitter, r2=r2)


def tp() -> None:
    spikes = RNG.poisson(0.5, (TRIALS, BINS, 3)).astype(float)
    for trial, start in enumerate(RNG.integers(0, BINS - 3, TRIALS)):
        spikes[trial, :start] = np.nan
    rates = RNG.gamma(2.0, 1.0, (TRIALS, BINS, NEURONS))
    behaviour = np.column_stack(
        [np.indices((TRIALS, 2))[0] // [[8, 4]] % 2, np.zeros(TRIALS), RNG.random((TRIALS, 2))]
    )
    behaviour[5] = np.nan
    r = nlb.speed_tp_correlation(spikes.copy(), rates.copy(), behaviour.copy())
    keep("tp", spikes=spikes, rates=rates, behaviour=behaviour, r=r)


if __name__ == "__main__":
    for make in (bits, velocity, psth, tp):
        make()
    np.savez_compressed(Path(__file__).with_name("nlb.npz"), **stored)
