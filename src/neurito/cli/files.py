"""neurito info and neurito simulate."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurito.cli import output
from neurito.cli.options import Given, Section
from neurito.data.head import Head
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest


def info(file: Path) -> None:
    """Says what is in a file and how to load it, or what a run folder holds.

    Args:
        file: a recording, or a run folder.
    """
    from neurito.data.load import describe

    if file.is_dir():
        _run(file)
    else:
        print(describe(file))


def simulate(system: str, *, out: Path, given: Given) -> None:
    """Simulates a known system, as a recording that neurito reads like any other.

    The file also holds the truth, as the heads truth_rates and truth_latents, which no model reads and which
    figures show: neurito simulate oscillator_poisson --out sim.h5, then neurito fit sim.h5

    Args:
        system: one of
        out: file to write, for instance simulated.h5.
        given: options of the simulation.
    """
    out = output.target(out)
    call, _ = _simulator(system)
    made = call(**given["simulator"])
    trials = with_truth(
        made.trials, made.expected if made.trials.main.kind == "counts" else made.rates, made.latents
    )
    trials.save(out)
    output.fact("written", f"{out}\n{trials.summary()}")


def systems() -> list[str]:
    """The systems that can be simulated."""
    from neurito.data.simulators.teachers import TEACHERS

    return [*TEACHERS, *_others()]


def simulator_section(system: str) -> Section:
    """The options of a simulator."""
    return _simulator(system)[1]


def with_truth(trials: Trials, mean: np.ndarray, latents: np.ndarray) -> Trials:
    """Trials that carry true means (as rates, of counts) and latents as heads that nobody reads or scores."""
    counts = trials.main.kind == "counts"
    rates = mean / trials.dt[..., None] if counts else mean
    unit = "spikes/s" if counts else trials.main.unit
    for name, values, what in (("truth_rates", rates, unit), ("truth_latents", latents, "")):
        head = Head.of(values, "continuous", read=False, score=False, unit=what)
        trials = trials.with_head(name, head)
    return trials


def _others() -> Mapping[str, Callable[..., Any]]:
    from neurito.data import simulators as all_

    return {
        f.__name__: f
        for f in (all_.lorenz, all_.coupled_oscillators, all_.linear_gaussian, all_.linear_poisson)
    }


def _simulator(system: str) -> tuple[Callable[..., Any], Section]:
    """What simulates, and its options with the defaults that it has."""
    from neurito.data.simulators.low_rank import low_rank_rnn
    from neurito.data.simulators.teachers import TEACHERS, teacher

    title = f"the simulation, {system}"
    if system in TEACHERS:
        task, section = TEACHERS[system].options, Section.of("simulator", title, low_rank_rnn)
        kept = [
            replace(option, default=task.get(option.name, option.default))
            for option in section.options
            if option.name != "decay"
        ]
        return lambda **options: teacher(system, **options), replace(section, options=tuple(kept))
    others = _others()
    if system in others:
        return others[system], Section.of("simulator", title, others[system])
    raise NeuritoError(f"there is no system {system!r} to simulate; {nearest(system, systems())}")


def _run(folder: Path) -> None:
    """Prints what a run folder holds."""
    from neurito.cli.recording import Recorded
    from neurito.fitting.run import Run, read_json

    run = Run.load(folder)
    output.fact("run", str(folder))
    output.fact("model", output.sentence(run.fitted))
    recorded = Recorded.in_run(folder)
    if recorded is not None:
        output.fact("recording", ", ".join(recorded.files))
    if run.history:
        last = run.history[-1]
        bound = "" if np.isnan(last["bound"]) else f", bound {last['bound']:.4g} nats/bin"
        output.fact("fit", f"{last['step']} steps in {last['seconds']:.0f} s{bound}")
    scores = folder / "scores.json"
    for part, found in (read_json(scores) if scores.is_file() else {}).items():
        output.scores(part, {k: np.nan if v["value"] is None else v["value"] for k, v in found.items()})
