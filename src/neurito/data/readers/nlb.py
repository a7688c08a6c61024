"""HDF5 files in the layout of the Neural Latents Benchmark, training and evaluation parts together.

``train_spikes_heldin`` and ``train_spikes_heldout`` (trial, time, neuron), the same with ``eval``, each perhaps
with ``_forward`` behind it for the bins after the window, ``train_behavior`` and ``eval_behavior``; at the top of
the file or in a group named after the set. Held-in neurons come first in the trials; held-out neurons and
forward bins are scored and not read. Metadata column ``split`` keeps the part: what is evaluated is called
``validation`` where the file has its held-out neurons, and ``test`` where it does not.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data.head import Head
from neurito.data.options import Options
from neurito.data.readers.hdf5 import opened
from neurito.data.stored import Store, bin_width_of
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, nearest

TAKES = ("key", "bin_width", "name")
PARTS = ("train", "eval")
_MAIN = tuple(f"{part}_spikes_{kind}" for part in PARTS for kind in ("heldin", "heldout"))


def is_nlb(file: Any) -> bool:
    """Whether an open file is of this layout."""
    return bool(_groups(file))


def read(path: Path, options: Options) -> Trials:
    """All parts as one `Trials`; `Trials.split(by="split")` takes them apart."""
    arrays, stated = contents(path, options.key)
    if options.bin_width and stated and not np.isclose(options.bin_width, stated):
        raise NeuritoError(
            f"{path}: has bins of {stated:g} s, not {options.bin_width:g}; leave bin_width out"
        )
    width = options.bin_width or stated
    if width is None:
        raise NeuritoError(f"{path}: does not say how wide its bins are; give bin_width=SECONDS")
    return to_trials(path, arrays, width, name=options.name or "spikes")


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_store, suggest
    from neurito.data.readers.hdf5 import arrays

    lines = describe_store(arrays(path), advise=False)
    return ["layout      Neural Latents Benchmark", *lines, *suggest(path, bin_width=None)]


def contents(path: Path, key: str | None = None) -> tuple[dict[str, np.ndarray], float | None]:
    """The arrays of one set, and the bin width in seconds where the file says it.

    Raises:
        NeuritoError: the set is not there, or which one is meant is not known.
    """
    import h5py

    with opened(path) as file:
        groups = _groups(file)
        if not groups:
            raise NeuritoError(f"{path}: has none of {', '.join(_MAIN)}; give a file of the benchmark")
        if key is None and len(groups) > 1:
            raise NeuritoError(f"{path}: holds the sets {', '.join(groups)}; give key=NAME")
        if key is not None and key not in groups and "" not in groups:
            raise NeuritoError(f"{path}: has no set {key!r}; {nearest(key, groups)}")
        name = key if key in groups else next(iter(groups))
        group = groups[name]
        scalars = {**file.attrs, **group.attrs}
        scalars |= {k: d[()] for k, d in group.items() if isinstance(d, h5py.Dataset) and not d.shape}
        arrays = {k: np.asarray(d[()]) for k, d in group.items() if isinstance(d, h5py.Dataset) and d.shape}
    stated = bin_width_of(Store(str(path), {}, scalars))
    if stated is None and name:
        stated = (0.02 if name.endswith("_20") else 0.005), "the set's name"
    return arrays, stated[0] if stated else None


def to_trials(
    source: Any,
    arrays: Mapping[str, np.ndarray],
    width: float,
    *,
    name: str = "spikes",
    behaviour: str = "behaviour",
    columns: tuple[str, ...] = (),
) -> Trials:
    """Trials from the arrays of one set.

    Args:
        source: the file, for errors.
        arrays: by name.
        width: of a bin, seconds.
        name: of the main head.
        behaviour: name of the head with the behaviour.
        columns: names of behaviour that is one row of numbers per trial.

    Raises:
        NeuritoError: held-in or held-out neurons are missing, or shapes do not fit together.
    """
    parts = [part for part in PARTS if f"{part}_spikes_heldin" in arrays]
    if not parts:
        raise NeuritoError(
            f"{source}: has no spikes of held-in neurons; give the folder that also has the input file"
        )
    if not any("spikes_heldout" in key for key in arrays):
        raise NeuritoError(f"{source}: has no held-out neurons (train_spikes_heldout); make it with them")
    sizes = _Sizes.of(source, arrays, parts)
    spikes = np.concatenate([_spikes(source, arrays, part, sizes) for part in parts])
    read = np.zeros(spikes.shape[1:], bool)
    read[: sizes.bins, : sizes.held_in] = True
    heads = {name: Head.of(spikes, "counts", read=read, missing="nan")}
    metadata: dict[str, np.ndarray] = {"split": np.repeat([_called(arrays, p) for p in parts], sizes.trials)}
    behaved = [arrays.get(f"{part}_behavior") for part in parts]
    if any(b is not None and b.ndim == 2 for b in behaved):
        table = np.concatenate([_table(source, b, n) for b, n in zip(behaved, sizes.trials, strict=True)])
        labels = columns or [f"behaviour_{i}" for i in range(table.shape[1])]
        metadata |= dict(zip(labels, table.T, strict=True))
    elif any(b is not None for b in behaved):
        moved = np.full(
            (len(spikes), spikes.shape[1], max(b.shape[2] for b in behaved if b is not None)), np.nan
        )
        for b, rows in zip(behaved, sizes.rows, strict=True):
            if b is not None:
                _fits(source, "behavior", b, moved[rows, : sizes.bins].shape)
                moved[rows, : sizes.bins] = b
        heads[behaviour] = Head.of(moved, "continuous", read=False, missing="nan")
    metadata |= _labels(arrays, parts, sizes)
    return Trials(heads=heads, dt=np.array(width), metadata=metadata)


class _Sizes:
    """How many trials, bins and neurons."""

    def __init__(self, trials: list[int], bins: int, ahead: int, held_in: int, held_out: int) -> None:
        self.trials, self.bins, self.ahead, self.held_in, self.held_out = (
            trials,
            bins,
            ahead,
            held_in,
            held_out,
        )
        ends = np.cumsum([0, *trials]).tolist()
        self.rows = [slice(a, b) for a, b in itertools.pairwise(ends)]

    @classmethod
    def of(cls, source: Any, arrays: Mapping[str, np.ndarray], parts: list[str]) -> "_Sizes":
        for key, array in arrays.items():
            if "_spikes_held" in key and array.ndim != 3:
                raise NeuritoError(f"{source}: {key} has shape {array.shape}; give (trial, time, neuron)")
        first = arrays[f"{parts[0]}_spikes_heldin"]
        out = next(array for key, array in arrays.items() if "spikes_heldout" in key)
        ahead = [arrays[f"{main}_forward"].shape[1] for main in _MAIN if f"{main}_forward" in arrays]
        return cls(
            [len(arrays[f"{part}_spikes_heldin"]) for part in parts],
            first.shape[1],
            ahead[0] if ahead else 0,
            first.shape[2],
            out.shape[2],
        )


def _spikes(source: Any, arrays: Mapping[str, np.ndarray], part: str, sizes: _Sizes) -> np.ndarray:
    """(trial, window and forward bins, held-in and held-out neurons), NaN where the file has nothing."""
    n = len(arrays[f"{part}_spikes_heldin"])
    whole = np.full((n, sizes.bins + sizes.ahead, sizes.held_in + sizes.held_out), np.nan, np.float32)
    for kind, neurons in (("heldin", slice(sizes.held_in)), ("heldout", slice(sizes.held_in, None))):
        for suffix, bins in (("", slice(sizes.bins)), ("_forward", slice(sizes.bins, None))):
            found = arrays.get(key := f"{part}_spikes_{kind}{suffix}")
            if found is not None:
                _fits(source, key, found, whole[:, bins, neurons].shape)
                whole[:, bins, neurons] = found
    return whole


def _fits(source: Any, key: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise NeuritoError(f"{source}: {key} has shape {array.shape}, the other arrays ask for {shape}")


def _called(arrays: Mapping[str, np.ndarray], part: str) -> str:
    return "train" if part == "train" else "validation" if "eval_spikes_heldout" in arrays else "test"


def _table(source: Any, table: np.ndarray | None, n: int) -> np.ndarray:
    if table is None or table.ndim != 2 or len(table) != n:
        found = "no" if table is None else f"shape {table.shape} of"
        raise NeuritoError(f"{source}: {found} behavior for {n} trials; give one row per trial in every part")
    return table.astype(float)


def _labels(arrays: Mapping[str, np.ndarray], parts: list[str], sizes: _Sizes) -> dict[str, np.ndarray]:
    """Conditions, groups of decoders and jitter of the trials, where every part has them."""
    found: dict[str, np.ndarray] = {}

    def every(key: str) -> list[np.ndarray]:
        there = [arrays[f"{part}_{key}"] for part in parts if f"{part}_{key}" in arrays]
        return there if len(there) == len(parts) else []

    if masks := every("decode_mask"):
        found["group"] = np.concatenate([mask.argmax(1) for mask in masks])
    if jitter := every("jitter"):
        found["jitter"] = np.concatenate(jitter).astype(int)
    if lists := every("cond_idx"):
        condition = [np.full(n, -1) for n in sizes.trials]
        for labels, members in zip(condition, lists, strict=True):
            for i, rows in enumerate(members):
                labels[np.asarray(rows, int)] = i
        found["condition"] = np.concatenate(condition)
    return found


def _groups(file: Any) -> dict[str, Any]:
    """The sets in a file by name; the empty name = at its top."""
    import h5py

    if any(name in file for name in _MAIN):
        return {"": file}
    return {n: g for n, g in file.items() if isinstance(g, h5py.Group) and any(m in g for m in _MAIN)}
