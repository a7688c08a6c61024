"""Stopping, resuming, and what may go wrong on the disk."""

import errno
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fitting.small import SPEC, TRAIN, VALIDATION, history, recording, run, same

from neurito.errors import NeuritoError
from neurito.fitting import Run, checkpoint
from neurito.fitting.checkpoint import refuse_another
from neurito.fitting.progress import Progress
from neurito.models import NeuralSDE


class Killed(BaseException):
    """Stands for a signal that no handler sees."""


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, how: type[BaseException]) -> None:
    def update(self: Progress, done: int, *_: Any) -> None:
        if done == step:
            monkeypatch.undo()
            raise how

    monkeypatch.setattr(Progress, "update", update)


@pytest.mark.parametrize("evaluations", [6, 3])
@pytest.mark.parametrize("step", [2, 6, 12])
@pytest.mark.parametrize("how", [Killed, KeyboardInterrupt])
def test_a_resumed_fit_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: type[BaseException], step: int, evaluations: int
) -> None:
    stop_at(monkeypatch, step, how)
    if how is Killed:
        with pytest.raises(Killed):
            run(run=tmp_path, evaluations=evaluations)
        assert not (tmp_path / "model.json").exists()
    else:
        stopped = run(run=tmp_path, evaluations=evaluations)
        assert len(stopped.history) == len(run(evaluations=evaluations).history) * step // 12
    (tmp_path / ".checkpoint.safetensors.1.part").write_bytes(b"half")
    same(run(run=tmp_path, evaluations=evaluations), run(evaluations=evaluations))


def test_an_interrupted_score_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurito.inference import results

    taken: list[int] = []
    bound = results.bound_per_bin

    def interrupted(*arguments: Any, **options: Any) -> float:
        taken.append(1)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return bound(*arguments, **options)

    monkeypatch.setattr(results, "bound_per_bin", interrupted)
    assert len(run(run=tmp_path).history) == 2
    monkeypatch.undo()
    same(run(run=tmp_path), run())


def test_an_interruption_without_a_folder_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(monkeypatch, 4, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run()


def test_a_finished_fit_is_only_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurito.fitting import steps

    first = run(run=tmp_path)
    monkeypatch.setattr(steps, "train", None)
    same(run(run=tmp_path), first)


def test_it_says_that_it_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(monkeypatch, 6, KeyboardInterrupt)
    run(run=tmp_path, progress=None)
    assert f"stopped at step 6 of 12; the same command resumes it from {tmp_path}" in capsys.readouterr().out
    run(run=tmp_path, progress=None)
    assert "resuming at step 6 of 12" in capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    run(run=path)
    return path


def test_a_run_folder_of_other_data(folder: Path) -> None:
    with pytest.raises(NeuritoError, match="holds a fit with another data") as caught:
        run(SPEC, recording(seed=1)[:8], VALIDATION, run=folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"), [({"seed": 1}, "seed=0, now 1"), ({"epochs": 7}, "epochs=6, now 7")]
)
def test_a_run_folder_of_other_options(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NeuritoError, match=f"another training .{message}"):
        run(run=folder, **options)


def damaged(folder: Path, to: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    for file in folder.iterdir():
        content = file.read_bytes()
        (to / file.name).write_bytes(change(content) if file.name == name else content)


def test_an_option_that_did_not_exist_yet_has_its_default() -> None:
    now, other = ({"model": "neural-sde", "options": asdict(NeuralSDE(control_layers=n))} for n in (1, 2))
    before = {**now, "options": {k: v for k, v in now["options"].items() if k != "control_layers"}}
    refuse_another(Path("run"), json.loads(json.dumps(before)), now)
    with pytest.raises(NeuritoError, match="control_layers=1, now 2"):
        refuse_another(Path("run"), json.loads(json.dumps(before)), other)


@pytest.mark.parametrize("change", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"{}"])
@pytest.mark.parametrize(
    "name", ["checkpoint.safetensors", "model.safetensors", "model.json", "history.json"]
)
def test_a_damaged_file_is_named(
    folder: Path, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    damaged(folder, tmp_path, name, change)
    read = (lambda: run(run=tmp_path)) if name == "checkpoint.safetensors" else (lambda: Run.load(tmp_path))
    with pytest.raises(NeuritoError, match=str(tmp_path)) as caught:
        read()
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NeuritoError, match="no such run folder"):
        Run.load(tmp_path / "none")
    with pytest.raises(NeuritoError, match=r"has no model\.json"):
        Run.load(tmp_path)
    damaged(folder, tmp_path, "", lambda b: b)
    (tmp_path / "history.json").unlink()
    with pytest.raises(NeuritoError, match=r"history\.json: missing"):
        Run.load(tmp_path)


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before: dict[str, bytes] = {}
    write = Path.write_bytes
    written: list[int] = []

    def full(self: Path, data: bytes) -> int:
        written.append(1)
        if len(written) == 4:
            before["checkpoint"] = (tmp_path / checkpoint.FILE).read_bytes()
            write(self, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NeuritoError, match="No space left on device"):
        run(run=tmp_path)
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.safetensors", "config.json"]
    assert (tmp_path / checkpoint.FILE).read_bytes() == before["checkpoint"]
    same(run(run=tmp_path), run())


def test_what_is_in_a_run_folder(folder: Path) -> None:
    names = {p.name for p in folder.iterdir()}
    assert names == {
        "checkpoint.safetensors", "config.json", "history.json", "model.json", "model.safetensors",
    }  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    assert config["data"] == TRAIN.fingerprint()
    assert config["training"]["batch_size"] == 4
    loaded = Run.load(folder)
    same(loaded, run())
    assert loaded.training.learning_rate == 0.02
    assert np.isfinite([entry["seconds"] for entry in loaded.history]).all()
    assert len(history(loaded)) == 6
