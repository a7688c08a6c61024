"""NumPy's files: one array (npy) or several (npz). Nothing is unpickled."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data import stored
from neurito.data.options import ARRAYS, Options
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

TAKES = ARRAYS


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What goes wrong in reading becomes one line."""
    try:
        yield
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise NeuritoError(f"{path}: is damaged, or no NumPy file ({error}); save it again") from error


def arrays(path: Path) -> stored.Store:
    """The arrays in the file; of an npy file, one named after it."""

    def load(name: str | None = None) -> np.ndarray:
        with _whole(path):
            found = np.load(path, allow_pickle=False)
            if name is None:
                return np.asarray(found)
            with found:
                return np.asarray(found[name])

    with _whole(path):
        if not zipfile.is_zipfile(path):
            with path.open("rb") as plain:
                shape, dtype = _header(plain)
            return stored.Store(str(path), {path.stem: stored.Array(shape, dtype, load)})
        headers = {}
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    headers[member.removesuffix(".npy")] = _header(file)
    return stored.Store(
        str(path),
        {n: stored.Array(s, d, partial(load, n)) for n, (s, d) in headers.items() if s},
        {n: load(n).item() for n, (s, _) in headers.items() if not s},
    )


def read(path: Path, options: Options) -> Trials:
    """Trials from arrays; see `stored.to_trials`."""
    return stored.to_trials(arrays(path), options)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_store

    return describe_store(arrays(path))


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled Python objects, which are not read; save plain arrays")
    return shape, dtype
