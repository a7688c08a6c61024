"""Trials in one HDF5 file, bit for bit; and the hash of their content."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data.arrays import compact
from neurito.data.files import atomic_write
from neurito.data.head import Head
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

FORMAT = "neurito-trials"
VERSION = 1
_FRAMES = ("dt", "exists", "inputs")
_ROWS = ("start", "session", "ids", "origin")


def save(trials: Trials, path: str | os.PathLike[str]) -> None:
    """Writes everything to one HDF5 file, whole or not at all; repeated axes are stored once."""
    import h5py

    def put(group: Any, name: str, array: np.ndarray) -> None:
        small = compact(array)
        text = small.dtype.kind == "U"
        packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if small.size > 64 else {}
        stored = group.create_dataset(
            name,
            data=small.astype(object) if text else small,
            dtype=h5py.string_dtype() if text else None,
            **packed,
        )
        stored.attrs["dtype"] = small.dtype.str
        stored.attrs["shape"] = array.shape

    image = io.BytesIO()  # HDF5 does not survive a full disk
    with h5py.File(image, "w") as file:
        file.attrs.update(format=FORMAT, version=VERSION, text=json.dumps(_text(trials)))
        for name in (*_FRAMES, *_ROWS):
            if (array := getattr(trials, name)) is not None:
                put(file, name, array)
        for name, column in trials.metadata.items():
            put(file.require_group("metadata"), _key(name), column)
        for i, head in enumerate(trials.heads.values()):
            for part in ("values", "read", "score"):
                put(file.require_group(f"heads/{i}"), part, getattr(head, part))
    with atomic_write(path) as temporary:
        temporary.write_bytes(image.getbuffer())


def load(path: str | os.PathLike[str]) -> Trials:
    """Reads what `save` wrote.

    Raises:
        NeuritoError: the file is none of ours, newer than this version of neurito, or damaged.
    """
    import h5py

    path = Path(path)

    def get(stored: Any) -> np.ndarray:
        dtype = np.dtype(stored.attrs["dtype"])
        array = stored.asstr()[()].astype(dtype) if dtype.kind == "U" else stored[()]
        return np.broadcast_to(np.asarray(array, dtype), tuple(stored.attrs["shape"]))

    if not path.is_file():
        raise NeuritoError(
            f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; give a file of trials"
        )
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise NeuritoError(
                    f"{path}: is no file of trials saved by neurito; read recordings with neurito.load"
                )
            if file.attrs["version"] > VERSION:
                raise NeuritoError(
                    f"{path}: format version {file.attrs['version']} is newer than {VERSION}; update neurito"
                )
            text = json.loads(file.attrs["text"])
            heads = {
                about["name"]: Head(
                    **{part: get(file[f"heads/{i}/{part}"]) for part in ("values", "read", "score")},
                    kind=about["kind"],
                    names=tuple(about["names"]),
                    unit=about["unit"],
                )
                for i, about in enumerate(text["heads"])
            }
            return Trials(
                heads=heads,
                **{name: get(file[name]) for name in (*_FRAMES, *_ROWS) if name in file},
                input_names=tuple(text["inputs"]),
                session_names=tuple(text["sessions"]),
                metadata={name: get(file["metadata"][_key(name)]) for name in text["metadata"]},
            )
    except (OSError, KeyError) as error:
        raise NeuritoError(
            f"{path}: is damaged or no HDF5 file ({_short(error)}); save the trials again"
        ) from error


def fingerprint(trials: Trials) -> str:
    """SHA-256 of the content, in hexadecimal."""
    digest = hashlib.sha256(json.dumps(_text(trials), sort_keys=True).encode())

    def add(array: np.ndarray) -> None:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{little.dtype.str}{array.shape}".encode())
        for row in little:  # one at a time: broadcast views are not made whole in memory
            digest.update(np.ascontiguousarray(row).data)

    for name in (*_FRAMES, *_ROWS):
        if (array := getattr(trials, name)) is not None:
            add(array)
    for column in trials.metadata.values():
        add(column)
    for head in trials.heads.values():
        for part in (head.values, head.read, head.score):
            add(part)
    return digest.hexdigest()


def _text(trials: Trials) -> dict[str, Any]:
    return {
        "heads": [
            {"name": name, "kind": head.kind, "names": head.names, "unit": head.unit}
            for name, head in trials.heads.items()
        ],
        "inputs": trials.input_names,
        "sessions": trials.session_names,
        "metadata": list(trials.metadata),
    }


def _key(name: str) -> str:
    """A name without the slash, which HDF5 takes for a folder."""
    return name.replace("%", "%25").replace("/", "%2F")


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].strip("'\"")
