"""Does each system's inference find the latents that made the data? Simulation-based calibration (Talts et al. 2018).

    python benchmarks/simulation_calibration.py [--simulations 400] [--only "low-rank RNN" ...]

Small models of the three systems simulate latents and data; the library infers the latents; the true ones are ranked
among the posterior's samples. Linear Gaussian cases and many particles are exact but for Monte Carlo error and have to
be flat. Guides that are networks are trained for a short while on simulations of the model, whose own parameters are
held at the truth, and are used as they are (draws of the guide) and with particles. Faults are planted in an exact
case. One JSON per case in benchmarks/out/simulation_calibration; what is there is not computed again. Writes a section
of docs/results.md and docs/figures/simulation_calibration.png.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

import neurito
from neurito.core.scan import Model
from neurito.data import Trials
from neurito.data.files import atomic_write
from neurito.evaluation import Ranks, path_quantities, ranks_of
from neurito.inference.simulation_based import latent_calibration
from neurito.models import (
    CoupledOscillatorSDE,
    LangevinFlow,
    Layout,
    LinearSDE,
    LowRankRNN,
    Specification,
)
from neurito.models.fitted import Fitted
from neurito.plots.ranked import CLASSES, ranks
from page import fill

SYSTEMS = ["low-rank RNN", "Langevin", "latent SDE"]
BINS, SAMPLES, TRAINED = 12, 63, 2000
OUT = Path(__file__).parent / "out" / "simulation_calibration"
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "simulation_calibration.png"
DRAWN = ("z1 in bin 0", "z1 in bin 6", "z1 in bin 11", "mean of z1", "log p(y | z)")
PARTICLES: dict[str, Any] = {
    "objective": "vsmc",
    "resampling": "systematic",
    "keep": 1.0,
    "readout": "affine",
}
NETWORK: dict[str, Any] = {
    "guide": "control", "encoder": "gru", "hidden": 32, "context": 32, "control": 64,
    "objective": "elbo", "resampling": "none", "particles": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One model and one way to infer.

    Attributes:
        system: which of the three.
        model: in a word.
        inference: how, in words.
        ranks: what came out.
        seconds: of all of it, the guide's training included.
    """

    system: str
    model: str
    inference: str
    ranks: Ranks
    seconds: float


def truth(specification: Specification, kind: str, channels: int, seed: int = 0) -> Fitted:
    """The model at its start, on signals of unit variance or counts of one per bin."""
    rng = np.random.default_rng(seed)
    shape = (50, BINS, channels)
    values = rng.poisson(1.0, shape) if kind == "counts" else rng.standard_normal(shape)
    layout = Layout.of(Trials.from_array(values, bin_width=0.02, kind=kind))
    return Fitted(specification, layout, specification.build(layout, jax.random.key(seed)))


def taught(true: Fitted, epochs: int, **options: Any) -> Fitted:
    """The true model with a guide trained on its simulations."""

    class Taught(type(true.specification)):  # type: ignore[misc]
        def build(self, layout: Layout, key: Any) -> Model:
            fresh = super().build(layout, key)
            return Model(true.model.dynamics, true.model.heads, fresh.guide, fresh.encoder)

    mine = {**asdict(true.specification), **options, "fixed": ("dynamics.*", "heads.*")}
    drawn = neurito.generate(true, TRAINED, BINS, seed=1000).trials
    run = neurito.fit(
        Taught(**mine), drawn, epochs=epochs, batch_size=100, learning_rate=3e-3, final_learning_rate=1e-4,
        schedule="cosine", optimiser="adam", clip=1.0, kl_warmup=0.0, score="none", progress=False,
    )  # fmt: skip
    specification = type(true.specification)(**mine)
    return Fitted(specification, true.layout, run.fitted.model)


def case(system: str, model: str, inference: str, simulations: int, compute: Callable[[], Ranks]) -> Case:
    """One case, computed unless it was."""
    words = f"{system} {model} {inference} {simulations}".lower()
    file = OUT / f"{'-'.join(re.findall('[a-z0-9]+', words))}.json"
    if not file.is_file():
        start = time.monotonic()
        found = compute()
        kept = {"ranks": found.ranks.tolist(), "names": found.names, "seconds": time.monotonic() - start}
        OUT.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as path:
            path.write_text(json.dumps(kept))
    kept = json.loads(file.read_text())
    found = Ranks(np.array(kept["ranks"]), SAMPLES, tuple(kept["names"]))
    return Case(system, model, inference, found, kept["seconds"])


def cases(simulations: int, epochs: int, only: list[str]) -> Iterator[Case]:
    """Everything, one after the other."""

    def inferred(true: Fitted, with_: Fitted | None = None) -> Ranks:
        return latent_calibration(
            true, inferred_with=with_, simulations=simulations, bins=BINS, samples=SAMPLES
        )

    def one(system: str, model: str, inference: str, compute: Callable[[], Ranks]) -> Case:
        return case(system, model, inference, simulations, compute)

    def network(system: str, model: str, true: Fitted) -> Iterator[Case]:
        """A trained guide by itself, then with particles, then the prior with many."""
        guide = cache(lambda: taught(true, epochs, **NETWORK))

        def weighed() -> Fitted:
            return replace(guide(), specification=replace(guide().specification, **PARTICLES, particles=1024))

        yield one(system, model, "control guide by ELBO, its draws", lambda: inferred(true, guide()))
        yield one(system, model, "the same guide, 1,024 particles", lambda: inferred(true, weighed()))
        many = f"bootstrap, {true.specification.particles:,} particles"
        yield one(system, model, many, lambda: inferred(true))

    if "low-rank RNN" in only:
        linear = truth(
            LowRankRNN(rank=2, units=16, activation="identity", noise_sd=0.3, guide="optimal", particles=1024),
            "continuous", 4,
        )  # fmt: skip
        yield one(
            "low-rank RNN", "identity, Gaussian", "optimal guide, 1,024 particles", lambda: inferred(linear)
        )
        for name, spoil in FAULTS.items():
            yield one(
                "planted fault", "identity, Gaussian", name, partial(spoilt, linear, simulations, spoil)
            )
        counts = truth(
            LowRankRNN(rank=2, units=32, noise_sd=0.3, guide="bootstrap", particles=1024), "counts", 4
        )
        yield from network("low-rank RNN", "clipped relu, Poisson", counts)
    if "Langevin" in only:
        common: dict[str, Any] = {
            "latents": 1, "anharmonic": 0, "active": 0, "guide": "bootstrap", "particles": 4096, **PARTICLES,
        }  # fmt: skip
        harmonic = truth(LangevinFlow(potential="harmonic", observation_sd=1.0, **common), "continuous", 2)
        yield one("Langevin", "harmonic, Gaussian", "bootstrap, 4,096 particles", lambda: inferred(harmonic))
        well = truth(
            LangevinFlow(potential="double_well", temperature=0.3, time_constant=0.08, **common), "counts", 4
        )
        yield from network("Langevin", "double well, Poisson", well)
    if "latent SDE" in only:
        straight = truth(LinearSDE(latents=2, guide="optimal", particles=1024, **PARTICLES), "continuous", 4)
        yield one(
            "latent SDE", "linear, Gaussian", "optimal guide, 1,024 particles", lambda: inferred(straight)
        )
        hopf = truth(
            CoupledOscillatorSDE(oscillators=1, guide="bootstrap", particles=1024, **PARTICLES), "counts", 4
        )
        yield from network("latent SDE", "Hopf oscillator, Poisson", hopf)


FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "samples 0.7 times as wide": lambda z: 0.3 * z.mean(2, keepdims=True) + 0.7 * z,
    "samples one bin late": lambda z: np.roll(z, 1, 1),
}


def spoilt(true: Fitted, simulations: int, spoil: Callable[[np.ndarray], np.ndarray]) -> Ranks:
    """Samples of an exact posterior with a fault planted in them."""
    drawn = neurito.generate(true, simulations, BINS, seed=0)
    found = neurito.infer(true, drawn.trials, samples=SAMPLES, keep_samples=SAMPLES, quantiles=(), seed=1)
    at = (0, BINS // 2, BINS - 1)
    return ranks_of(
        path_quantities(drawn.latents, at), path_quantities(spoil(found.latent_sample.values), at)
    )


def row(case: Case) -> str:
    """A line of the table."""
    tests, names = case.ranks.uniformity(CLASSES), case.ranks.names
    outside = int((~case.ranks.within(0.99, CLASSES)).sum())
    worst = int(np.argmax([test.distance for test in tests]))
    name = names[worst].replace("|", r"\|")
    p = min(1.0, min(test.p for test in tests) * len(tests))  # Bonferroni
    return (
        f"| {case.system} | {case.model} | {case.inference} | {outside} of {len(tests)} | "
        f"{tests[worst].distance:.3f} ({name}) | {'< .001' if p < 1e-3 else f'{p:.2f}'} | {case.seconds:.0f} |"
    )


def main() -> None:
    """Runs the cases, draws them and fills the page's section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=60, help="of the guides' training")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    options = parser.parse_args()
    neurito.start()
    table = [
        "| system | model | inference | quantities outside the band | largest distance | p | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    found: dict[str, Ranks] = {}
    for case in cases(options.simulations, options.epochs, options.only):
        table.append(row(case))
        found[f"{case.system}\n{case.model}\n{case.inference}"] = case.ranks
        print(table[-1], flush=True)
    if options.only == SYSTEMS:
        fill("simulation calibration", "\n".join(table))
        with atomic_write(FIGURE) as path:
            ranks(found, names=DRAWN).savefig(path, format="png")


if __name__ == "__main__":
    main()
