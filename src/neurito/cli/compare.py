"""neurito compare."""

from pathlib import Path

from neurito.cli import output
from neurito.cli.options import Given
from neurito.cli.posterior import Part


def compare(
    run: tuple[Path, ...],
    *,
    data: tuple[str, ...] = (),
    part: Part = "validation",
    scores: tuple[str, ...] = (),
    out: Path | None = None,
    samples: int = 64,
    seed: int = 0,
    given: Given,
) -> None:
    """Puts runs side by side, best first: scores, size and time of each configuration.

    Runs that differ only by their seed are one row, with the mean and the range of each score. Differences to the
    best are paired by seed. The scores are those that neurito fit and neurito evaluate have put into scores.json;
    with --data, runs that have none on these trials are scored first.

    Args:
        run: run folders.
        data: the recording; runs without scores on it are scored.
        part: train, validation, test, or all.
        scores: which, the first of them sorts; by default those on what was not read.
        out: file to write besides, .html, .csv or .md.
        samples: posterior trajectories per trial, of runs that are scored.
        seed: of particles and simulations, likewise.
        given: options of how the recording is read.
    """
    from neurito.compare import FORMATS, Comparison
    from neurito.data.files import known_ending

    if out is not None:
        known_ending(output.target(out), FORMATS)
    if data:
        for folder in run:
            _score(folder, data, part, samples, seed, given)
    found = Comparison.of(run, part, scores)
    print(found.text())
    if out is not None:
        found.save(out)
        output.fact("written", str(out))


def _score(folder: Path, data: tuple[str, ...], part: Part, samples: int, seed: int, given: Given) -> None:
    """Scores a run, unless it has been on these very trials; what cannot be read is told of later."""
    from neurito.cli.recording import chosen
    from neurito.compare import scores_in
    from neurito.errors import NeuritoError
    from neurito.fitting.run import Run
    from neurito.inference.scores import evaluate

    try:
        fitted = Run.load(folder)
    except NeuritoError:
        return
    trials, train = chosen(folder, data, given["data"], part)
    before = scores_in(folder).get(part, {})
    if trials.fingerprint() not in {one.get("data") for one in before.values()}:
        found = evaluate(fitted, trials, train, samples=samples, seed=seed)
        output.write_scores(folder, part, found, trials)
