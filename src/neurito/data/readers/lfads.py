"""HDF5 files in the layouts that LFADS and its successors read, training and validation parts together.

Known are ``train_data`` with ``valid_data`` (and ``test_data``), and ``train_encod_data`` with
``train_recon_data``: what is encoded is the corner of what is reconstructed (held-in neurons, observed
bins), so that the rest is scored and not read. The part is kept as metadata column ``split``; true rates and
latents, where the file has them, are heads that are neither read nor scored.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data.construct import named_head
from neurito.data.head import Head
from neurito.data.options import Options
from neurito.data.readers.hdf5 import opened
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn

TAKES = ("bin_width", "kind", "name", "unit", "missing")
PARTS = {"train": "train", "valid": "validation", "test": "test"}
_MAIN = ("recon_data", "data")


def is_lfads(names: Any) -> bool:
    """Whether datasets of these names are of this layout."""
    return any(all(f"{part}_{main}" in names for part in ("train", "valid")) for main in _MAIN)


def read(path: Path, options: Options) -> Trials:
    """All parts as one `Trials`; `Trials.split(by="split")` takes them apart."""
    with opened(path) as file:
        data = {name: np.asarray(dataset[()]) for name, dataset in file.items() if hasattr(dataset, "dtype")}
    main = next(name for name in _MAIN if f"train_{name}" in data)
    parts = [part for part in PARTS if f"{part}_{main}" in data]

    def joined(suffix: str) -> np.ndarray | None:
        if not all(f"{part}_{suffix}" in data for part in parts):
            return None
        return np.concatenate([data[f"{part}_{suffix}"] for part in parts])

    values = joined(main)
    if values is None or values.ndim != 3:
        raise NeuritoError(f"{path}: {main} of the parts are not (trial, time, neuron)")
    if options.bin_width is None:
        raise NeuritoError(f"{path}: does not say how wide its bins are; give bin_width=SECONDS")
    read = _read(path, values, joined("encod_data") if main == "recon_data" else None)
    spikes = named_head(main, values, options.kind, read=read, unit=options.unit, missing=options.missing)
    heads = {options.name or ("spikes" if spikes.kind == "counts" else "signal"): spikes}
    for suffix in ("behavior", "behaviour"):
        if (behaviour := joined(suffix)) is not None:
            heads["behaviour"] = Head.of(behaviour, "continuous", read=False, missing="nan")
    heads.update(_truth(path, joined, spikes, options.bin_width))
    return Trials(
        heads=heads,
        dt=np.array(options.bin_width),
        inputs=_float(joined("ext_input")),
        metadata=_metadata(data, parts, main),
    )


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_store, suggest
    from neurito.data.readers.hdf5 import arrays

    store = arrays(path)
    lines = describe_store(store, advise=False)
    return ["layout      LFADS: training and validation parts", *lines, *suggest(path, bin_width=None)]


def _float(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else array.astype(np.float32)


def _read(path: Path, values: np.ndarray, encoded: np.ndarray | None) -> np.ndarray:
    """What of the values is read: all, or the corner that equals what is encoded."""
    read = np.ones(values.shape, bool)
    if encoded is None:
        return read
    _, bins, neurons = encoded.shape
    if not np.array_equal(values[:, :bins, :neurons], encoded, equal_nan=True):
        raise NeuritoError(
            f"{path}: encod_data {encoded.shape} is no corner of recon_data {values.shape}; "
            "read one of them by format='hdf5', key=NAME"
        )
    read[:, bins:], read[:, :, neurons:] = False, False
    return read


def _truth(path: Path, joined: Any, spikes: Head, bin_width: float) -> dict[str, Head]:
    """True rates in spikes/s, and latents. Files hold rates per second or per bin: their mean says which."""
    heads = {}
    rates, latents = joined("truth"), joined("lowd")
    if rates is not None and rates.shape == spikes.values.shape:
        unit, scale = spikes.unit, 1.0
        if spikes.kind == "counts":
            per_bin = float(np.mean(rates)) / max(float(np.nanmean(spikes.values)), 1e-12)
            if 0.8 < per_bin * bin_width < 1.25:
                unit = "spikes/s"
            elif 0.8 < per_bin < 1.25:
                unit, scale = "spikes/s", 1 / bin_width
            else:
                unit = "unknown"
                warn(
                    f"{path}: true rates are {per_bin:.3g} times the counts, neither per bin nor per second "
                    f"at bin_width={bin_width:g}; check bin_width"
                )
        heads["truth_rates"] = Head.of(rates * scale, "continuous", read=False, score=False, unit=unit)
    if latents is not None and latents.ndim == 3 and latents.shape[:2] == spikes.values.shape[:2]:
        heads["truth_latents"] = Head.of(latents, "continuous", read=False, score=False)
    return heads


def _metadata(data: Mapping[str, np.ndarray], parts: list[str], main: str) -> dict[str, np.ndarray]:
    """The part of each trial; its number in the recording and its condition where the file tells."""
    columns = {"split": np.concatenate([np.full(len(data[f"{p}_{main}"]), PARTS[p]) for p in parts])}
    if all(data.get(f"{part}_inds", np.zeros(0)).shape == data[f"{part}_{main}"].shape[:1] for part in parts):
        number = np.concatenate([data[f"{part}_inds"] for part in parts]).astype(int)
        columns["number"] = number
        if (per_condition := data.get("n_trials_per_init_cond")) is not None:
            columns["condition"] = number // int(np.ravel(per_condition)[0])
    return columns
