"""What commands print and write."""

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurito.data.files import atomic_write
from neurito.data.trials import Trials
from neurito.errors import NeuritoError


def fact(name: str, text: str) -> None:
    """Prints a name, and what there is to say; further lines are indented."""
    print(f"{name:<11} {textwrap.indent(text, ' ' * 12).lstrip()}", flush=True)


def scores(part: str, found: Mapping[str, float]) -> None:
    """Prints scores with units and meanings."""
    from neurito.inference.scores import about

    wide = max(map(len, found))
    rows = []
    for name, value in found.items():
        score = about(name)
        number = "none" if math.isnan(value) else f"{value:.4g}"
        rows.append(f"{name:<{wide}}  {number:>9}  {score.unit:<10}  {score.meaning}")
    fact("scores", f"on the {part} trials\n" + "\n".join(rows))


def write_scores(run: Path, part: str, found: Mapping[str, float], trials: Trials) -> None:
    """Puts the scores of a part into scores.json of a run, beside those of other parts.

    Args:
        run: the run folder.
        part: which part of the recording, or the name of another one.
        found: scores by name.
        trials: what was scored; its hash is kept.
    """
    from neurito.fitting.run import read_json, write_json
    from neurito.inference.scores import about

    file = run / "scores.json"
    before: dict[str, Any] = read_json(file) if file.is_file() else {}
    data = trials.fingerprint()
    before[part] = {
        name: {"value": None if math.isnan(value) else value, **about(name)._asdict(), "data": data}
        for name, value in found.items()
    }
    write_json(file, before)


def target(out: Path) -> Path:
    """A file that can be written, before long work is begun.

    Raises:
        NeuritoError: it is a folder, or in one that does not exist.
    """
    if out.is_dir():
        raise NeuritoError(f"--out {out}: is a folder; give a file in it")
    if not out.parent.is_dir():
        raise NeuritoError(f"--out {out}: there is no folder {out.parent}; make it first")
    return out


def write_dataset(dataset: Any, out: Path) -> None:
    """Writes an xarray Dataset as NetCDF, whole or not at all."""
    image = dataset.to_netcdf(engine="h5netcdf")  # in memory: HDF5 does not survive a full disk
    with atomic_write(out) as path:
        path.write_bytes(image)
    size = ", ".join(f"{count} {name}" for name, count in dataset.sizes.items())
    fact("written", f"{out}: NetCDF of {', '.join(map(str, dataset.data_vars))} ({size})")


def sentence(fitted: Any) -> str:
    """A fitted model in a sentence."""
    from dataclasses import fields

    from neurito.models import Specification
    from neurito.models.fitted import Fitted

    words = fitted.specification
    size = sum(value.size for value in fitted.parameters.values())
    if not isinstance(fitted, Fitted):
        own = ", ".join(f"{f.name} {getattr(words, f.name)}" for f in fields(words))
        return f"{words.name} ({own}), a baseline; {size} numbers"
    shared = {one.name for one in fields(Specification)}
    own = ", ".join(f"{f.name} {getattr(words, f.name)}" for f in fields(words) if f.name not in shared)
    heads = ", ".join(f"{type(head).__name__} {name}" for name, head in fitted.model.heads.items())
    guide = type(fitted.model.guide).__name__
    return (
        f"{words.name} ({own}), {heads}, {guide} guide, {words.objective} with {words.particles} particles; "
        f"{size} parameters"
    )
