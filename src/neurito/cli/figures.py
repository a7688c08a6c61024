"""The figures of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from neurito.cli import output
from neurito.data.files import atomic_write
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurito.fitting.run import Run


def draw(run: "Run", trials: Trials, folder: Path, *, trial: int = 0, seed: int = 0) -> list[Path]:
    """Draws what there is to see of a run on these trials, as PNG files.

    Args:
        run: the run.
        trials: a part of the recording; true rates and latents are drawn where they are among its heads.
        folder: for the files.
        trial: which trial to draw by itself.
        seed: of particles and simulations.

    Raises:
        NeuritoError: there is no such trial, or a file cannot be written.
    """
    from neurito import plots
    from neurito.inference import results
    from neurito.inference.baselines import baseline_of

    if not 0 <= trial < trials.n_trials:
        raise NeuritoError(f"--trial {trial}: this part has trials 0 to {trials.n_trials - 1}")
    name = run.fitted.specification.observed(run.fitted.layout)[0]
    rows = sorted({trial, *range(min(trials.n_trials, 30))})
    few, shown = trials[rows], rows.index(trial)
    posterior = results.infer(run, few, seed=seed)
    true = {
        key: few.heads[f"truth_{key}"].values for key in ("rates", "latents") if f"truth_{key}" in few.heads
    }
    inputs = None if trials.inputs is None else trials.inputs
    drawn = {"training", "rates", "latents", "generated"}
    if baseline_of(run) is not None:  # nothing is generated; bands need standard deviations
        drawn = {"rates", "latents"} if "latent_sd" in posterior else {"rates"}
    figures: dict[str, Callable[[], Figure]] = {
        "training": lambda: plots.training(run.history, run.training.score),
        "rates": lambda: plots.rates(posterior, few, shown, true=true.get("rates"), head=name),
        "latents": lambda: plots.latents(posterior, few, shown, true=true.get("latents")),
        "generated": lambda: plots.generated(
            trials,
            results.generate(run, trials.n_trials, trials.n_bins, inputs=inputs, seed=seed).trials,
            name,
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for key, figure in figures.items():
        if (
            key not in drawn
            or (key == "training" and not run.history)
            or (key == "generated" and trials.n_bins < 8)
        ):
            continue
        try:
            made = figure()
        except NeuritoError as error:  # a simulation that diverges, say, takes no other figure with it
            warn(f"figure {key!r} cannot be drawn: {error}")
            continue
        written.append(folder / f"{key}.png")
        with atomic_write(written[-1]) as path:
            made.savefig(path, format="png")
    output.fact("figures", f"{folder}: {', '.join(path.name for path in written)}")
    return written
