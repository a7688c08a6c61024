"""The state of a fit on disk: enough to go on as if nothing had happened."""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from neurito.data.files import atomic_write
from neurito.errors import NeuritoError
from neurito.fitting.steps import State
from neurito.models import MODELS

FILE = "checkpoint.safetensors"


class Checkpoint(NamedTuple):
    """Where a fit is.

    Attributes:
        state: parameters and optimiser.
        best: the parameters of the best score so far.
        notes: step, attempt, rate scale, scores, history: plain data.
    """

    state: State
    best: np.ndarray
    notes: dict[str, Any]

    def save(self, folder: Path, identity: dict[str, Any]) -> None:
        """Writes it whole; `identity` says which fit it belongs to."""
        from safetensors.numpy import save

        leaves = jax.tree.leaves(self.state)
        arrays = {f"state.{i}": np.asarray(x) for i, x in enumerate(leaves)} | {"best": np.asarray(self.best)}
        words = {"identity": json.dumps(identity, sort_keys=True), "notes": json.dumps(self.notes)}
        with atomic_write(folder / FILE) as path:
            path.write_bytes(save(arrays, metadata=words))  # an OSError if the disk is full


def load(folder: Path, like: State, identity: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint in a folder, None where there is none.

    Args:
        folder: the run.
        like: a state of the right structure.
        identity: which fit is asked for.

    Raises:
        NeuritoError: it is damaged, or of another fit.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="numpy") as file:
            words = file.metadata()
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        notes = json.loads(words["notes"])
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise NeuritoError(
            f"{path}: the checkpoint is damaged ({error}); remove it to start again"
        ) from error
    refuse_another(folder, json.loads(words["identity"]), identity)
    leaves, structure = jax.tree.flatten(like)
    state = jax.tree.unflatten(structure, [jnp.asarray(arrays[f"state.{i}"]) for i in range(len(leaves))])
    return Checkpoint(state, arrays["best"], notes)


def refuse_another(folder: Path, before: dict[str, Any], identity: dict[str, Any]) -> None:
    """Raises NeuritoError if what a folder holds is not the fit that is asked for."""
    before = _completed(before)
    for key, value in json.loads(json.dumps(identity)).items():
        if before.get(key) != value:
            raise NeuritoError(
                f"{folder}: holds a fit with another {key} ({_difference(before.get(key), value)}); "
                "choose another run folder, or give the same options to resume"
            )


def _completed(before: dict[str, Any]) -> dict[str, Any]:
    """A fit that was started before its model had some option has that option's default."""
    model = MODELS.get(before.get("model", ""))
    if model is None:
        return before
    known = before["options"]
    new = {f.name: f.default for f in dataclasses.fields(model) if f.name not in known}
    return {**before, "options": {**known, **json.loads(json.dumps(new, default=str))}}


def _difference(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in now:
            if before.get(key) != now[key]:
                return f"{key}={before.get(key)!r}, now {now[key]!r}"
    return f"{before!r}, now {now!r}"
