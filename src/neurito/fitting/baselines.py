"""Fits of baselines, as runs."""

from pathlib import Path
from typing import Any

from neurito.baselines import Baseline
from neurito.data.trials import Trials
from neurito.fitting import checkpoint
from neurito.fitting.run import Run, configuration, read_json, write_json
from neurito.fitting.training import Training


def fit_baseline(
    options: Baseline,
    trials: Trials,
    validation: Trials | None,
    training: Training,
    folder: Path | None,
    provenance: dict[str, Any],
) -> Run:
    """Fits a baseline and writes the run folder of any other model, without a checkpoint: it takes seconds.

    Args:
        options: the baseline in words.
        trials: training trials.
        validation: trials that choose, where there is something to be chosen.
        training: recorded, of no effect: nothing here is random or a gradient step.
        folder: the run; None = nothing is written.
        provenance: plain data that the saved model carries along.

    Raises:
        NeuritoError: as `Baseline.fit`; or the folder holds another fit.
    """
    identity = {
        **configuration(options, training),
        "data": trials.fingerprint(),
        "validation": None if validation is None else validation.fingerprint(),
    }
    if folder is not None:
        if any((folder / file).is_file() for file in ("model.json", checkpoint.FILE)):
            checkpoint.refuse_another(folder, read_json(folder / "config.json"), identity)
        folder.mkdir(parents=True, exist_ok=True)
    fitted = options.fit(trials, validation)
    run = Run(fitted, training, fitted.history, folder)
    if folder is not None:
        write_json(folder / "config.json", {**identity, **provenance})
        run.save(folder, data=identity["data"], **provenance)
    return run
