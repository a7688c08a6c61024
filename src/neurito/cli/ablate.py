"""neurito ablate."""

from pathlib import Path
from typing import Literal

from neurito.cli import output
from neurito.cli.fit import _interrupts
from neurito.cli.options import Given
from neurito.errors import NeuritoError


def ablate(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    seeds: tuple[int, ...] = (0, 1, 2),
    part: Literal["train", "validation", "test"] = "validation",
    samples: int = 50,
    out: Path | None = None,
    quiet: bool = False,
    given: Given,
) -> None:
    """Says how much of a run's score its latent dynamics carry: the score with them, and with parts taken away.

    The model is refitted for the other seeds, without force, and with encoder and decoder only; the full fits are
    scored once more without force, with latents drawn from the prior, and with one posterior sample. Everything is
    kept in RUN/ablations: Ctrl-C stops, the same command goes on, and what is done is not done again.

    Args:
        run: the run folder.
        data: the recording; by default where it was for the fit.
        seeds: of the fits; the run itself stands for its own seed.
        part: train, validation or test, whose trials are scored.
        samples: posterior samples of every variant but the one with a single one.
        out: file to write besides, .html, .csv or .md.
        quiet: shows the table, warnings and errors only.
        given: options of how the recording is read.
    """
    from neurito.ablation import ablate as ablate_
    from neurito.cli.recording import chosen
    from neurito.compare import FORMATS
    from neurito.data.files import known_ending
    from neurito.data.trials import Splits
    from neurito.fitting.run import Run, read_json

    if out is not None:
        known_ending(output.target(out), FORMATS)
    fitted = Run.load(run)
    scored, train = chosen(run, data, given["data"], part)
    if train is None:
        raise NeuritoError(
            f"{run}: the trials that it was fitted to are not known; give its recording as DATA"
        )
    selecting = None
    if read_json(run / "config.json").get("validation") is not None:
        selecting = scored if part == "validation" else chosen(run, data, given["data"], "validation")[0]
    parts = Splits(train, selecting, scored if part == "test" else None)
    with _interrupts() as stopped:
        found = ablate_(
            fitted,
            parts,
            seeds=seeds,
            part=part,
            samples=samples,
            progress=False if quiet else None,
            stop=lambda: bool(stopped),
        )
    print(found.text())
    if out is not None:
        found.save(out)
        output.fact("written", str(out))
