"""MATLAB files: version 5 by SciPy, version 7.3 (HDF5) by h5py. Axes are as MATLAB shows them."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data import stored
from neurito.data.options import ARRAYS, Options
from neurito.data.readers.hdf5 import opened
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

TAKES = ARRAYS
Leaf = tuple[tuple[int, ...], np.dtype[Any], Callable[[], np.ndarray]]
"""Shape, type and reader of a matrix."""


def arrays(path: Path) -> stored.Store:
    """Matrices by name, fields of structures as ``name/field``, cells of matrices as lists of trials."""
    if is_hdf5(path):
        with opened(path) as file:
            leaves = dict(_hdf5_leaves(path, file))
    else:
        leaves = dict(_leaves({k: v for k, v in load(path).items() if not k.startswith("__")}))
    found: dict[str, stored.Array] = {}
    scalars: dict[str, Any] = {}
    for name, leaf in leaves.items():
        if isinstance(leaf, list):
            if len({len(shape) for shape, _, _ in leaf}) == 1 and all(d.kind in "biuf" for _, d, _ in leaf):
                found[name] = stored.array_list([(s, d) for s, d, _ in leaf], partial(_read_all, leaf))
            continue
        shape, dtype, get = leaf
        if np.prod(shape) == 1:
            scalars[name] = get().item()
        else:
            found[name] = stored.Array(shape, dtype, get)
    return stored.Store(str(path), found, scalars)


def read(path: Path, options: Options) -> Trials:
    """Trials from arrays; see `stored.to_trials`."""
    return stored.to_trials(arrays(path), options)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_store

    return describe_store(arrays(path))


def is_hdf5(path: Path) -> bool:
    """Whether the file is of version 7.3."""
    import h5py

    return bool(h5py.is_hdf5(path))


def load(path: Path) -> dict[str, Any]:
    """Everything in a file of version 5 or older."""
    import scipy.io

    try:
        return dict(scipy.io.loadmat(path))
    except Exception as error:  # SciPy raises anything on damaged files, zlib.error and TypeError among them
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NeuritoError(f"{path}: is damaged, or no MATLAB file ({reason}); save it again") from error


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Leaf | list[Leaf]]]:
    """Matrices in nested structures and cells."""
    for name, value in values.items():
        array = np.asarray(value)
        full = prefix + name
        if array.dtype.names and array.size == 1:
            inner = array.reshape(-1)[0]
            yield from _leaves({field: inner[field] for field in array.dtype.names}, f"{full}/")
        elif array.dtype.names:
            for field in array.dtype.names:
                yield full + "/" + field, [_leaf(element[field]) for element in array.ravel()]
        elif array.dtype == object and array.size == 1:
            yield from _leaves({name: array.reshape(-1)[0]}, prefix)
        elif array.dtype == object:
            yield full, [_leaf(element) for element in array.ravel()]
        else:
            yield full, _leaf(array)


def _read_all(leaves: list[Leaf]) -> list[np.ndarray]:
    return [get() for _, _, get in leaves]


def _leaf(value: Any) -> Leaf:
    array = np.asarray(value)
    return array.shape, array.dtype, lambda: array


def _hdf5_leaves(path: Path, group: Any) -> Iterator[tuple[str, Leaf | list[Leaf]]]:
    """The same in HDF5, where MATLAB stores matrices transposed and cells as references."""
    import h5py

    def leaf(name: str) -> Leaf:
        def get() -> np.ndarray:
            with opened(path) as file:
                array = np.asarray(file[name][()]).T
                if file[name].attrs.get("MATLAB_class") == b"char":
                    return np.array("".join(map(chr, array.T.ravel())))
                return array

        thing = group.file[name]
        if thing.attrs.get("MATLAB_class") == b"char":
            return (), np.dtype(str), get
        return thing.shape[::-1], thing.dtype, get

    for name, thing in group.items():
        if name.startswith("#"):
            continue
        if isinstance(thing, h5py.Group):
            yield from ((f"{name}/{inner}", found) for inner, found in _hdf5_leaves(path, thing))
        elif thing.dtype == h5py.ref_dtype:
            names = [group.file[reference].name for reference in thing[()].T.ravel()]
            if all(isinstance(group.file[n], h5py.Dataset) for n in names):
                yield name, [leaf(n) for n in names]
        elif "MATLAB_empty" not in thing.attrs:
            yield name, leaf(thing.name)
