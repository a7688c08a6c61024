"""neurito check: does the recording look like what the model draws?"""

import sys
import time
from pathlib import Path
from typing import Any

from neurito.cli import output
from neurito.cli.options import Given
from neurito.cli.posterior import Device, Part, mesh_of
from neurito.data.files import atomic_write


def check(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    part: Part = "test",
    out: Path | None = None,
    figure: Path | None = None,
    draws: int = 200,
    head: str = "",
    condition: str = "",
    window: float = 0.1,
    particles: int | None = None,
    seed: int = 0,
    quiet: bool = False,
    device: Device = "",
    given: Given,
) -> None:
    """Compares a part of the recording with draws from a run: predictive p-values, coverage, PIT.

    What was not read and what was read is compared with draws given the rest of each trial, and all of it with
    simulations of the model. Statistics: rates, Fano factors, intervals, autocorrelation, pairwise correlations,
    synchrony, power, PSTHs. p is two-sided and small where the model is wrong; "outside" is the share of neurons, pairs
    or lags outside their 90 % intervals, a tenth if the model is right; "p of all" tests them together.

    Args:
        run: the run folder.
        data: the recording; by default where it was for the fit.
        part: train, validation, test, or all; of another recording, all.
        out: file to write besides, .json or .csv, with every neuron, pair, lag and frequency.
        figure: figure to draw; by default figures/check.png in the run folder.
        draws: data sets drawn for each comparison.
        head: the signal; by default the main one.
        condition: metadata that says each trial's condition; by default one called condition, if any.
        window: seconds, in which spikes are counted for Fano factors and PSTHs.
        particles: K; by default as in the fit.
        seed: of particles and draws.
        quiet: shows the tables, warnings and errors only.
        device: cpu or gpu.
        given: options of how the recording is read.
    """
    from neurito.cli.recording import chosen
    from neurito.evaluation.predictive import checked
    from neurito.fitting.run import Run
    from neurito.inference import checks
    from neurito.plots.checked import check as draw

    if out is not None:
        checked(output.target(out))
    place = run / "figures" / "check.png" if figure is None else output.target(figure)
    mesh, fitted = mesh_of(device), Run.load(run)
    trials, _ = chosen(run, data, given["data"], part)
    with _Report(quiet) as report:
        found = checks.check(
            fitted, trials, draws=draws, head=head or None, condition=condition, window=window,
            particles=particles, seed=seed, mesh=mesh, progress=report,
        )  # fmt: skip
    for name, group in found.groups.items():
        output.fact(name, group.text())
    for note in found.notes:
        output.fact("note", note)
    written = [place]
    place.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(place) as temporary:
        draw(found).savefig(temporary, format=place.suffix[1:] or "png")
    if out is not None:
        found.save(out)
        written.append(out)
    output.fact("files", ", ".join(map(str, written)))


class _Report:
    """How many data sets are drawn: a bar on a terminal, a plain line every ten seconds elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._quiet, self._said = quiet, time.monotonic()

    def __enter__(self) -> "_Report":
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("drawing", total=None)
        return self

    def __call__(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif not self._quiet and time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            print(f"{done} of {total} data sets drawn", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
