"""The figures of a run."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurito.cli import output
from neurito.data.files import atomic_write
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurito.fitting.run import Run

_MOST = 30
"""Most trials whose rates and latents are inferred for figures."""


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
    if not 0 <= trial < trials.n_trials:
        raise NeuritoError(f"--trial {trial}: this part has trials 0 to {trials.n_trials - 1}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in _figures(run, trials, trial, seed):
        try:
            made = figure()
        except NeuritoError as error:  # a simulation that diverges, say, takes no other figure with it
            warn(f"figure {name!r} cannot be drawn: {error}")
            continue
        written.append(folder / f"{name}.png")
        with atomic_write(written[-1]) as path:
            made.savefig(path, format="png")
    output.fact("figures", f"{folder}: {', '.join(path.name for path in written)}")
    return written


def _figures(
    run: "Run", trials: Trials, trial: int, seed: int
) -> Iterator[tuple[str, Callable[[], "Figure"]]]:
    """Names of the figures that this run has, and what draws them."""
    from neurito import plots
    from neurito.inference import results
    from neurito.models.fitted import Fitted

    fitted = run.fitted
    main, *others = fitted.specification.observed(fitted.layout)
    rows = sorted({trial, *range(min(trials.n_trials, _MOST))})
    few, shown = trials[rows], rows.index(trial)
    head = few.head(main)
    unread = head.kind == "counts" and bool((head.score & ~head.read & few.exists[..., None]).any())
    levels = (0.025, 0.5, 0.975, *(plots.LEVELS if unread else ()))
    posterior = results.infer(run, few, seed=seed, quantiles=tuple(sorted(levels)))
    true: dict[str, Any] = {
        key: few.heads[f"truth_{key}"].values for key in ("rates", "latents") if f"truth_{key}" in few.heads
    }
    bands = "latent_sd" in posterior
    yield "rates", lambda: plots.rates(posterior, few, shown, true=true.get("rates"), head=main)
    if bands:
        yield "latents", lambda: plots.latents(posterior, few, shown, true=true.get("latents"))
    if unread:
        yield (
            "calibration",
            lambda: plots.calibration(plots.predictive_pit(posterior, few, fitted, head=main)),
        )
    by = next((name for name in few.metadata if name.lower() in ("condition", "conditions")), "")
    if by:
        yield "psths", lambda: plots.psths(posterior, few, by, true=true.get("rates"), head=main)
        if bands:
            yield "trajectories", lambda: plots.trajectories(posterior, few, by)
    for other in others:
        yield f"decoded_{other}", partial(plots.decoded, posterior, few, other, shown)
    if not isinstance(fitted, Fitted):
        return
    if run.history:
        yield "training", lambda: plots.training(run.history, run.training.score)
    if fitted.specification.generative and trials.n_bins >= 8:
        yield "generated", lambda: plots.generated(trials, _simulated(run, trials, seed), main)
    if fitted.model.dynamics.latent_dim > 1:
        yield "flow", lambda: plots.flow(run, posterior)
    for name, figure in (
        ("oscillators", lambda: plots.oscillators(run)),
        ("potential", lambda: plots.potential(run, posterior)),
    ):
        if name in _special(fitted):
            yield name, figure


def _special(fitted: Any) -> tuple[str, ...]:
    """Figures that only some dynamics have."""
    from neurito.core.dynamics import Langevin, ReleasedLangevin
    from neurito.plots import rhythms

    found = ("potential",) if isinstance(fitted.model.dynamics, Langevin | ReleasedLangevin) else ()
    try:
        rhythms(fitted)
    except NeuritoError:
        return found
    return (*found, "oscillators")


def _simulated(run: "Run", trials: Trials, seed: int) -> Trials:
    from neurito.inference import results

    return results.generate(run, trials.n_trials, trials.n_bins, inputs=trials.inputs, seed=seed).trials
