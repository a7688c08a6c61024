"""neurito drift."""

from pathlib import Path
from typing import Literal

from neurito.cli import output
from neurito.cli.options import Given
from neurito.cli.posterior import Part
from neurito.errors import NeuritoError


def drift(
    run: tuple[Path, ...],
    *,
    data: tuple[str, ...] = (),
    part: Part = "train",
    samples: int = 16,
    curvature: bool = False,
    objective: Literal["", "vsmc", "iwae", "elbo"] = "",
    particles: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    figure: Path | None = None,
    given: Given,
) -> None:
    """Says what fitted stochastic differential equations consist of: oscillators, coupling, the share of every term.

    Frequencies in Hz, growth rates and coupling of oscillators; the size of each term of the drift (known, learned,
    coupling, input) along inferred trajectories. With several runs, seeds of one model say, latents are aligned with
    those of the first, and means are given with their spread and the share of runs that agree on a sign; with one run
    and --curvature, standard errors of its parameters.

    Args:
        run: run folders.
        data: the recording; by default where it was for the fit of the first run.
        part: train, validation, test, or all; --curvature is that of these trials, so train for standard errors.
        samples: posterior trajectories per trial.
        curvature: standard errors of one run's oscillators from the curvature of its bound (Laplace approximation).
        objective: bound of which --curvature is taken, vsmc, iwae or elbo; by default as in the fit.
        particles: K for --curvature; by default as in the fit.
        seed: of the particles.
        out: file to write besides, .json or .csv.
        figure: image to write besides, .png, .pdf or .svg.
        given: options of how the recording is read.
    """
    from neurito.cli.recording import chosen
    from neurito.data.files import atomic_write, known_ending
    from neurito.fitting.run import Run
    from neurito.interpretation import FORMATS, drifts
    from neurito.models.fitted import Fitted

    if out is not None:
        known_ending(output.target(out), FORMATS)
    if figure is not None:
        known_ending(output.target(figure), (".png", ".pdf", ".svg"))
    runs = {}
    for folder in run:
        loaded = Run.load(folder)
        if not isinstance(loaded.fitted, Fitted):
            raise NeuritoError(f"{folder}: holds a baseline, which has no drift; give runs of co-sde or sde")
        if str(folder) in runs:
            raise NeuritoError(f"{folder}: was given twice; give each run once")
        runs[str(folder)] = loaded
    trials, _ = chosen(run[0], data, given["data"], part)
    found = drifts(
        runs,
        trials,
        samples=samples,
        seed=seed,
        errors=curvature,
        objective=objective or None,
        particles=particles,
    )
    print(found.text())
    if out is not None:
        found.save(out)
        output.fact("written", str(out))
    if figure is not None:
        from neurito.plots.drifts import drift as draw

        with atomic_write(figure) as path:
            draw(found).savefig(path, format=figure.suffix[1:])
        output.fact("written", str(figure))
