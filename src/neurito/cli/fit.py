"""neurito fit."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from neurito.cli import output
from neurito.cli.options import Given
from neurito.errors import NeuritoError


def fit(
    data: tuple[str, ...] = (),
    *,
    model: str = "low-rank-rnn",
    run: Path | None = None,
    scores: bool = True,
    figures: bool = True,
    quiet: bool = False,
    given: Given,
) -> None:
    """Fits a model to a recording, as in neurito fit DATA --model low-rank-rnn --rank 3.

    Reads and splits the recording, fits the model to the training part, keeps the parameters that do best on the
    validation part, and scores them there. Nobody looks at the test part before neurito evaluate RUN --part test.

    The run folder then holds the model (model.json, model.safetensors), all options (config.json), the course of
    the fit (history.json), the scores (scores.json), figures, and a checkpoint: Ctrl-C stops a fit, the same
    command goes on with it.

    Args:
        data: the recording; several files are joined, as sessions where they are of different ones.
        model: which model
        run: folder for everything; by default runs/DATA-MODEL.
        scores: whether the fitted model is scored.
        figures: whether figures are drawn.
        quiet: shows warnings and errors only.
        given: options of the recording, the split, the model and the training.
    """
    from neurito import __version__
    from neurito.baselines import named
    from neurito.cli.recording import Cutting, Recorded, read
    from neurito.fitting.trainer import fit as fit_
    from neurito.fitting.training import Training
    from neurito.inference.scores import evaluate

    if not data:
        raise NeuritoError(
            "DATA is missing: give the file of a recording; neurito info FILE says what is in it"
        )
    specification = named(model)(**given["model"])
    training = Training(**{**getattr(specification, "recommended", {}), **given["training"]})
    cutting = Cutting(**given["split"])
    trials = read(data, given["data"])
    parts = cutting.split(trials)
    if parts.validation is None and training.score != "none":
        training = replace(training, score="none")
    folder = run or Path("runs") / f"{Path(data[0]).name.partition('.')[0]}-{model}"
    with contextlib.redirect_stdout(None) if quiet else contextlib.nullcontext():
        output.fact("recording", f"{', '.join(data)}\n{trials.summary()}")
        output.fact("split", _split(parts))
        output.fact("run", f"{folder}; Ctrl-C stops, the same command goes on")
        recorded = Recorded.of(data, given["data"], cutting, trials)
        about: dict[str, Any] = {"recording": recorded.to_json(), "neurito": __version__}
        with _interrupts() as stopped:
            done = fit_(
                specification,
                parts,
                run=folder,
                training=training,
                progress=False if quiet else None,
                provenance=about,
            )
        if stopped:
            raise KeyboardInterrupt
        output.fact("model", output.sentence(done.fitted))
        part, chosen = (
            ("training", parts.train) if parts.validation is None else ("validation", parts.validation)
        )
        if scores:
            found = evaluate(done, chosen, parts.train, seed=training.seed)
            output.write_scores(folder, part, found, chosen)
            output.scores(part, found)
        if figures:
            from neurito.cli.figures import draw

            draw(done, chosen, folder / "figures", seed=training.seed)
        output.fact("files", f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
        if parts.test is not None:
            output.fact("next", f"neurito evaluate {folder} --part test")


def _split(parts: Any) -> str:
    """How many trials each part has, and what is held out."""
    named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    sizes = [f"{part.n_trials} {name}" for name, part in named.items() if part is not None]
    head = parts.train.main
    held = int((~head.read.any((0, 1)) & head.score.any((0, 1))).sum())
    out = f"; {held} of {head.n_channels} channels held out" if held else ""
    last = parts.train.lengths.max() - 1
    ahead = int((~head.read.any((0, 2))[: last + 1]).sum())
    return f"{', '.join(sizes)} trials{out}" + (f"; {ahead} forward bins" if ahead else "")


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Notes Ctrl-C, which a fit takes as a request to save and stop."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread, where no interrupt arrives
        yield seen
        return
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
