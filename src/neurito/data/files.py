"""Files are written whole or not at all."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from neurito.errors import NeuritoError


def known_ending(path: Path, endings: Sequence[str]) -> Path:
    """The path, if its name says in which of the known formats the file should be.

    Raises:
        NeuritoError: it ends otherwise.
    """
    if path.suffix not in endings:
        raise NeuritoError(f"{path}: give a name that ends in {', '.join(endings[:-1])} or {endings[-1]}")
    return path


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success it takes the place of `path`, on failure it goes.

    Args:
        path: the file to be written; its folder must exist.

    Raises:
        NeuritoError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise NeuritoError(
            f"{path}: could not be written ({error.strerror or error}); free space or choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
