"""A small run of a real fit, as `neurito fit` leaves it; small programs are compiled in a hurry."""

import json
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from neurito.cli import main
from neurito.core import runtime


@pytest.fixture(autouse=True, scope="package")
def _quickly_compiled() -> Iterator[None]:
    runtime.start()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten trials of twelve bins in two conditions, six neurons, three latents; names that are not ASCII."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("Läufe")
    spikes = rng.poisson(0.6, (20, 12, 6))
    np.savez(
        folder / "Aufnahme ñ.npz",
        spikes=spikes,
        condition=np.repeat(["links", "<b>rechts</b>"], 10),
        bin_size=0.02,
    )
    words = ["--key", "spikes", "--axes", "trial time channel", "--bin-width", "0.02", "--hold-out", "0.3"]
    words += ["--metadata", "condition"]
    words += [
        "--model",
        "linear",
        "--latents",
        "3",
        "--guide",
        "bootstrap",
        "--particles",
        "4",
        "--epochs",
        "2",
    ]
    words += ["--batch-size", "4", "--steps-per-call", "1", "--quiet", "--no-figures", "--no-scores"]
    assert main(["fit", str(folder / "Aufnahme ñ.npz"), *words, "--run", str(folder / "Lauf é")]) == 0
    return folder / "Lauf é"


@pytest.fixture(scope="package")
def page(run: Path) -> Path:
    """The page of that run."""
    scores = {"co_bps": -0.1, "coverage_90": 0.7, "ess": 0.9, "generated_rate": None}
    found = {name: {"value": value, "unit": "", "meaning": ""} for name, value in scores.items()}
    (run / "scores.json").write_text(json.dumps({"validation": found}))
    assert main(["report", str(run)]) == 0
    return run / "report.html"
