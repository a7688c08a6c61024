"""neurito report."""

from pathlib import Path
from typing import Literal

from neurito.cli import output
from neurito.cli.options import Given
from neurito.cli.posterior import Part
from neurito.data.trials import Trials
from neurito.errors import NeuritoError


def report(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    part: Literal["", "train", "validation", "test", "all"] = "",
    beside: tuple[Path, ...] = (),
    out: Path | None = None,
    seed: int = 0,
    given: Given,
) -> None:
    """Writes one HTML page about a run, to look through in any browser, without a network.

    Recorded and inferred activity, latents to be turned, the course of the fit, simulations beside the data, scores
    with their meaning, what to be careful about, the model in equations with its fitted values, and where all came
    from. Of a large recording it shows a few trials and neurons, and says so.

    Args:
        run: the run folder.
        data: the recording; by default where it was for the fit.
        part: train, validation, test, or all; by default validation, or all where there is none.
        beside: other runs, baselines for instance, whose scores stand beside.
        out: file to write; by default report.html in the run folder.
        seed: of particles and simulations.
        given: options of how the recording is read.
    """
    from neurito.data.files import atomic_write
    from neurito.fitting.run import Run
    from neurito.report import page

    target = output.target(out or run / "report.html") if run.is_dir() else run
    fitted = Run.load(run)
    trials, shown = _part(run, data, given, part)
    text = page(fitted, trials, part=shown, beside=beside, seed=seed)
    with atomic_write(target) as path:
        path.write_text(text, encoding="utf-8")
    output.fact("written", f"{target} ({len(text.encode()) / 1e6:.1f} MB); open it in a browser")


def _part(run: Path, data: tuple[str, ...], given: Given, part: Part | Literal[""]) -> tuple[Trials, str]:
    """The part that was asked for; unasked the validation trials, or all where they are not known."""
    from neurito.cli.recording import Recorded, chosen

    recorded = None if data else Recorded.in_run(run)
    for file in recorded.files if recorded else ():
        if not Path(file).exists():
            raise NeuritoError(
                f"{file}: the recording that {run} was fitted to is no longer there; give DATA"
            )
    if part:
        return chosen(run, data, given["data"], part)[0], part
    try:
        return chosen(run, data, given["data"], "validation")[0], "validation"
    except NeuritoError:
        return chosen(run, data, given["data"], "all")[0], "all"
