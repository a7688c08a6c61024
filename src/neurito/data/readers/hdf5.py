"""HDF5 files of any layout: datasets by full name, numbered datasets of a group as a list of trials."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data import stored
from neurito.data.layout import WORDS
from neurito.data.options import ARRAYS, Options
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

TAKES = ARRAYS


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, open for reading; what goes wrong in it becomes one line."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        reason = "it is cut short" if "truncated" in str(error) else str(error).splitlines()[0]
        raise NeuritoError(
            f"{path}: is damaged, or no HDF5 file ({reason}); copy or download it again"
        ) from error


def arrays(path: Path) -> stored.Store:
    """Datasets by full name; attributes and single values as scalars."""
    import h5py

    found: dict[str, stored.Array] = {}
    scalars: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}

    def load(name: str) -> np.ndarray:
        with opened(path) as file:
            values = file[name].asstr()[()] if h5py.check_string_dtype(file[name].dtype) else file[name][()]
        return np.asarray(values)

    def visit(name: str, thing: Any) -> None:
        scalars.update({f"{name}/{key}": value for key, value in thing.attrs.items() if np.ndim(value) == 0})
        if not isinstance(thing, h5py.Dataset):
            return
        if thing.size == 1:
            scalars[name] = np.asarray(load_one(thing)).item()
        text = h5py.check_string_dtype(thing.dtype) is not None
        if thing.shape:
            dtype = np.dtype(str) if text else thing.dtype
            found[name] = stored.Array(thing.shape, dtype, lambda: load(name), axes=_labels(thing))
            groups.setdefault(name.rpartition("/")[0], []).append(name)

    def load_one(thing: Any) -> Any:
        return thing.asstr()[()] if h5py.check_string_dtype(thing.dtype) else thing[()]

    with opened(path) as file:
        scalars.update({key: value for key, value in file.attrs.items() if np.ndim(value) == 0})
        file.visititems(visit)
    for group, names in groups.items():
        if group and (whole := _numbered(path, names, found)):
            for name in names:
                del found[name]
            found[group] = whole
    return stored.Store(str(path), found, scalars)


def read(path: Path, options: Options) -> Trials:
    """Trials from arrays; see `stored.to_trials`."""
    return stored.to_trials(arrays(path), options)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_store

    return describe_store(arrays(path))


def _labels(dataset: Any) -> tuple[str, ...] | None:
    """Axes by the labels or the scales of their dimensions (netCDF), where these are words for them."""
    words = [dim.label or (dim[0].name.rpartition("/")[2] if len(dim) else "") for dim in dataset.dims]
    axes = tuple(WORDS.get(word.lower(), "") for word in words)
    return axes if all(axes) and len(set(axes)) == len(axes) and "time" in axes else None


def _numbered(path: Path, names: list[str], found: dict[str, stored.Array]) -> stored.Array | None:
    """Matrices whose names differ by a number only, as one list in that order."""
    pieces = [found[name] for name in names]
    same = len({re.sub(r"\d+", "#", name) for name in names}) == 1
    if (
        len(names) < 2
        or not same
        or not all(p.numeric and len(p.shape) == 2 and not p.lengths for p in pieces)
    ):
        return None
    order = sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])

    def load() -> list[np.ndarray]:
        with opened(path) as file:
            return [file[name][()] for name in order]

    return stored.array_list([(found[name].shape, found[name].dtype) for name in order], load)
