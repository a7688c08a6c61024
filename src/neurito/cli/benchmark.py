"""neurito benchmark: from a fitted run to a submission."""

from pathlib import Path
from typing import Literal

from neurito.cli import output


def benchmark(
    name: str,
    data: Path,
    run: Path,
    *,
    out: Path,
    part: Literal["", "validation", "test"] = "",
    add: bool = False,
    samples: int = 64,
    particles: int | None = None,
    seed: int = 0,
) -> None:
    """Predicts a set of the Neural Latents Benchmark, writes the submission file and scores the validation trials.

    The run is one of neurito fit on the file that neurito data prepare NAME wrote, or of neurito.fit on what
    neurito.benchmark.read gave. Targets of the test trials are not public: the scores printed are those of the
    validation trials, with decoders fitted to the training trials.

    Args:
        name: of the set, as in mc_maze_small.
        data: the folder with its files, or the prepared file.
        run: the run folder.
        out: submission file to write, for instance submission.h5.
        part: validation or test; by default test, if its trials are there.
        add: keeps other sets that are in the file already.
        samples: posterior trajectories per trial.
        particles: K; by default as in the fit.
        seed: of the particles.
    """
    from neurito import benchmark as nlb
    from neurito.benchmark.prediction import expected
    from neurito.benchmark.reading import files
    from neurito.benchmark.scoring import SCORES
    from neurito.data.load import sniff
    from neurito.fitting.run import Run

    out, task = output.target(out), nlb.find(name)
    fitted = Run.load(run)
    width = fitted.fitted.layout.bin_width
    trials = nlb.read(data, name, width)
    there = set(trials.metadata["split"].tolist())
    chosen = part or ("test" if "test" in there else "validation")
    rates = expected(fitted, trials, samples=samples, particles=particles, seed=seed)
    made = nlb.Prediction.of(rates, trials, task, chosen)
    if "validation" in there:
        raw = sniff(files(data, task)[0]) == "nwb"
        target = nlb.target(data, name, width) if raw else nlb.Target.of(trials, task)
        scores = nlb.score(nlb.Prediction.of(rates, trials, task), target)
        rows = [f"{k:<14}  {v:>9.4g}  {SCORES[k].unit:<10}  {SCORES[k].meaning}" for k, v in scores.items()]
        output.fact("scores", "on the validation trials\n" + "\n".join(rows))
    nlb.write(out, made, add=add)
    shape = f"{len(made.train)} train and {len(made.evaluation)} {chosen} trials"
    output.fact("written", f"{out}: {task.key(made.width)}, {shape}")
