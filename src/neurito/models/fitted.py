"""A fitted model: its words, its parameters, what it was fitted to; saved and loaded without unpickling."""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurito.core.parameters import name, parameters
from neurito.core.scan import Model
from neurito.data.files import atomic_write
from neurito.errors import NeuritoError
from neurito.models import MODELS, Layout, Specification, describing

FORMAT = 2  # 1: one observed head, called `head`


@dataclass(frozen=True)
class Fitted:
    """A model and where it came from.

    Attributes:
        specification: the model in words.
        layout: the recording it fits.
        model: dynamics, observation, guide, encoder.
    """

    specification: Specification
    layout: Layout
    model: Model

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Every parameter by name, as the value it stands for."""
        return parameters(self.model)

    def _repr_html_(self) -> str:
        return describing.fitted(self)

    def save(self, folder: str | os.PathLike[str], **provenance: Any) -> None:
        """Writes model.safetensors and model.json into a folder that exists."""
        arrays = {
            name(p): np.asarray(x)
            for p, x in jax.tree_util.tree_leaves_with_path(self.model)
            if eqx.is_array(x)
        }
        write(Path(folder), self.specification, self.layout, arrays, provenance)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Fitted":
        """Reads what `save` wrote.

        Raises:
            NeuritoError: a file is missing, cut short, or of a newer format, or it holds a baseline.
        """
        folder = Path(folder)
        words, arrays = read(folder)
        if words["model"] not in MODELS:
            raise NeuritoError(
                f"{folder}: holds {words['model']}, which is no model of this version: a baseline is read with "
                "neurito.Run.load"
            )
        specification = revive(MODELS[words["model"]], words["options"])
        layout = Layout.from_json(words["layout"])

        def fill(path: Any, leaf: Any) -> Any:
            if not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
                return leaf
            found = arrays.get(name(path))
            if found is None or found.shape != leaf.shape:
                raise NeuritoError(f"{folder}: parameter {name(path)} does not fit the model in model.json")
            return jnp.asarray(found, leaf.dtype)

        return cls(
            specification, layout, jax.tree_util.tree_map_with_path(fill, specification.skeleton(layout))
        )


def write(
    folder: Path,
    specification: Any,
    layout: Layout,
    arrays: dict[str, np.ndarray],
    provenance: dict[str, Any],
) -> None:
    """Writes model.safetensors and model.json."""
    from safetensors.numpy import save

    words = {
        "format": FORMAT,
        "model": specification.name,
        "options": dataclasses.asdict(specification),
        "layout": layout.to_json(),
        **provenance,
    }
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}  # `save` ignores strides
    with atomic_write(folder / "model.safetensors") as path:
        path.write_bytes(save(whole))  # an OSError if the disk is full
    with atomic_write(folder / "model.json") as path:
        path.write_text(json.dumps(words, indent=1))


def read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `write` wrote: words and arrays.

    Raises:
        NeuritoError: a file is missing, cut short, or of a newer format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not folder.is_dir():
        raise NeuritoError(f"{folder}: no such run folder")
    for file in ("model.json", "model.safetensors"):
        if not (folder / file).is_file():
            raise NeuritoError(f"{folder}: has no {file}; the fit did not finish, run it again to resume")
    try:
        words = json.loads((folder / "model.json").read_text())
        arrays = load_file(str(folder / "model.safetensors"))
    except (json.JSONDecodeError, SafetensorError, UnicodeDecodeError) as error:
        raise NeuritoError(
            f"{folder}: the saved model is damaged ({error}); fit again or restore it"
        ) from error
    if not isinstance(words, dict) or not {"format", "model", "options", "layout"} <= words.keys():
        raise NeuritoError(f"{folder}: model.json was not written by neurito; fit again or restore it")
    if words["format"] > FORMAT:
        raise NeuritoError(
            f"{folder}: model format {words['format']} is newer than this neurito reads ({FORMAT}): upgrade"
        )
    if words["format"] < 2 and "head" in words["options"]:
        head = words["options"].pop("head")
        words["options"]["heads"] = [head] if head else []
    return words, arrays


@runtime_checkable
class HasFitted(Protocol):
    """Anything that holds a fitted model: a run."""

    @property
    def fitted(self) -> Any:
        """The model, or a baseline."""


def fitted_of(model: Fitted | HasFitted) -> Fitted:
    """The fitted model of a run, or the fitted model itself.

    Raises:
        NeuritoError: it is a baseline.
    """
    found: Any = getattr(model, "fitted", model)
    if not isinstance(found, Fitted):
        raise NeuritoError(
            f"{found.specification.name} is a baseline: it has no dynamics, likelihood, forecasts or simulations; "
            "infer and evaluate work"
        )
    return found


def revive(kind: type[Any], options: dict[str, Any]) -> Any:
    """A specification from plain data; lists become tuples, unknown names are an error with the nearest right one."""
    from neurito.errors import nearest

    known = {f.name for f in dataclasses.fields(kind)}
    for key in options:
        if key not in known:
            raise NeuritoError(f"{kind.name} has no option {key!r}: {nearest(key, known)}")
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return kind(**plain)
