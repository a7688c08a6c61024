"""Commands run in this process; small programs are compiled in a hurry."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from neurito.cli import main
from neurito.core import runtime

TINY = shlex.split(
    "--rank 1 --units 4 --guide bootstrap --particles 4 --epochs 1 --batch-size 4 --steps-per-call 1 "
    "--no-figures --hold-out 0.3"
)
DATA = shlex.split("--key spikes --axes 'trial time channel' --bin-width 0.02 --behaviour velocity")

SILENT = "neurito: warning: head 'spikes': 1 of 6 channels never fire (1)\n"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True, scope="package")
def _quickly_compiled() -> Iterator[None]:
    runtime.start()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def neurito(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command in a folder of its own: exit code, stdout, stderr but for the silent neuron."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err.replace(SILENT, "")

    return run


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten trials of twelve bins: six neurons, one of them silent, and a velocity that follows another."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "session.npz"
    spikes = rng.poisson([0.6, 0, 0.6, 0.6, 0.6, 0.6], (10, 12, 6))
    np.savez(
        path, spikes=spikes, velocity=spikes[..., :1] + 0.1 * rng.standard_normal((10, 12, 1)), bin_size=0.02
    )
    return path


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Options of a very small fit."""
    return list(TINY)


@pytest.fixture(scope="session")
def data() -> list[str]:
    """Options with which the recording is read."""
    return list(DATA)


@pytest.fixture(scope="session")
def fitted(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was not scored."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        options = ["--run", str(folder), "--quiet", "--no-scores", "--score", "none"]
        assert main(["fit", str(recording), *DATA, *TINY, *options]) == 0
    return folder
