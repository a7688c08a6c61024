"""NumPy's files: one array (npy) or several (npz). Nothing is unpickled."""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from neurito.data import stored
from neurito.data.options import ARRAYS, Options
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

TAKES = ARRAYS


def arrays(path: Path) -> stored.Store:
    """The arrays in the file; of an npy file, one named after it."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as plain:
                shape, dtype = _header(plain)
            whole = {path.stem: stored.Array(shape, dtype, lambda: np.load(path, allow_pickle=False))}
            return stored.Store(str(path), whole)
        with zipfile.ZipFile(path) as archive:
            headers = {}
            for member in archive.namelist():
                with archive.open(member) as file:
                    headers[member.removesuffix(".npy")] = _header(file)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise NeuritoError(f"{path}: is damaged, or no NumPy file ({error}); save it again") from error

    def load(name: str) -> np.ndarray:
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[name])

    return stored.Store(
        str(path),
        {n: stored.Array(s, d, lambda n=n: load(n)) for n, (s, d) in headers.items() if s},  # type: ignore[misc]
        {n: load(n).item() for n, (s, d) in headers.items() if not s and not d.hasobject},
    )


def read(path: Path, options: Options) -> Trials:
    """Trials from arrays; see `stored.to_trials`."""
    try:
        return stored.to_trials(arrays(path), options)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise NeuritoError(f"{path}: is damaged ({error}); save it again") from error


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_store

    return describe_store(arrays(path))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled Python objects, which neurito does not read; save plain arrays")
    return shape, dtype
