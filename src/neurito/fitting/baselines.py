"""Fits of baselines, as runs."""

import dataclasses
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
        config = folder / "config.json"
        if config.is_file():
            checkpoint.refuse_another(folder, read_json(config), identity)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(config, {**identity, **provenance})
    fitted = options.fit(trials, validation)
    run = Run(fitted, dataclasses.replace(training, score="none"), fitted.history, folder)
    if folder is not None:
        run.save(folder, data=identity["data"], **provenance)
    return run
