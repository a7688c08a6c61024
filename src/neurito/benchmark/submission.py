"""Submission files: HDF5 with a group for every set, named after it (with ``_20`` behind it at 20 ms).

In each are train_rates_heldin, train_rates_heldout, eval_rates_heldin and eval_rates_heldout, expected counts
per bin (trial, time, neuron), and eval_rates_heldin_forward and eval_rates_heldout_forward where the bins after
the window are predicted.
"""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from neurito.benchmark.prediction import Prediction
from neurito.benchmark.tasks import WIDTHS, checked_width, find
from neurito.data.files import atomic_write
from neurito.data.readers.hdf5 import opened
from neurito.errors import NeuritoError, nearest

NEEDED = ("train_rates_heldin", "train_rates_heldout", "eval_rates_heldin", "eval_rates_heldout")


def write(path: str | os.PathLike[str], *predictions: Prediction, add: bool = False) -> None:
    """Writes a submission, whole or not at all.

    Args:
        path: the file.
        *predictions: of one set each.
        add: keeps the other sets that the file has already.

    Raises:
        NeuritoError: the file cannot be written, or what is there is no submission.
    """
    import h5py

    path, image = Path(path), io.BytesIO()  # in memory: HDF5 does not survive a full disk
    keys = {prediction.task.key(prediction.width) for prediction in predictions}
    with h5py.File(image, "w") as file:
        if add and path.exists():
            with opened(path) as old:
                for key in set(old) - keys:
                    if not all(name in old[key] for name in NEEDED):
                        raise NeuritoError(f"{path}: is no submission ({key}); write to another file")
                    old.copy(key, file)
        for prediction in predictions:
            group = file.create_group(prediction.task.key(prediction.width))
            for name, rates in prediction.rates.items():
                group.create_dataset(
                    name, data=rates.astype(np.float32), compression="gzip", compression_opts=1
                )
    with atomic_write(path) as temporary:
        temporary.write_bytes(image.getbuffer())


def read_submission(path: str | os.PathLike[str], name: str, bin_width: float = 0.02) -> Prediction:
    """The prediction for one set in a submission.

    Args:
        path: the file.
        name: of the set.
        bin_width: seconds, 0.005 or 0.02.

    Raises:
        NeuritoError: the set or an array is missing, shapes do not fit, or a rate is negative or NaN.
    """
    path, task, width = Path(path), find(name), checked_width(bin_width)
    keys = (task.key(width), *((f"{task.name}_5",) if width == WIDTHS[0] else ()))
    with opened(path) as file:
        key = next((key for key in keys if key in file), None)
        if key is None:
            raise NeuritoError(f"{path}: has no set {keys[0]!r}; {nearest(keys[0], file or ['none'])}")
        arrays = {k: np.asarray(d[()], np.float64) for k, d in file[key].items() if hasattr(d, "shape")}
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise NeuritoError(f"{path}: {key} has no {missing[0]}; a submission has {', '.join(NEEDED)}")
    for name, array in arrays.items():
        if array.ndim != 3:
            raise NeuritoError(f"{path}: {key}/{name} has shape {array.shape}; give (trial, time, neuron)")
    parts = {part: _whole(f"{path}: {key}", arrays, part) for part in ("train", "eval")}
    try:
        held_in = arrays["train_rates_heldin"].shape[2]
        if arrays["eval_rates_heldin"].shape[2] != held_in:
            raise NeuritoError(f"eval_rates_heldin are not of the {held_in} neurons of train_rates_heldin")
        return Prediction(task, width, held_in, parts["train"], parts["eval"])
    except NeuritoError as error:
        raise NeuritoError(f"{path}: {key}: {error}") from None


def _whole(where: str, arrays: dict[str, np.ndarray], part: str) -> Any:
    """Window and forward bins, held-in and held-out neurons."""

    def beside(suffix: str) -> np.ndarray:
        held_in, held_out = (arrays.get(f"{part}_rates_{kind}{suffix}") for kind in ("heldin", "heldout"))
        if held_in is None or held_out is None or held_in.shape[:2] != held_out.shape[:2]:
            shapes = [None if one is None else one.shape for one in (held_in, held_out)]
            raise NeuritoError(
                f"{where}: {part}_rates_heldin{suffix} and {part}_rates_heldout{suffix} have shapes "
                f"{shapes[0]} and {shapes[1]}; give both for the same trials and bins"
            )
        return np.concatenate([held_in, held_out], 2)

    window = beside("")
    if not any(name.startswith(part) and name.endswith("_forward") for name in arrays):
        return window
    ahead = beside("_forward")
    if ahead.shape[::2] != window.shape[::2]:
        raise NeuritoError(
            f"{where}: {part} rates of forward bins have shape {ahead.shape}, those of the window "
            f"{window.shape}; give both for the same trials and neurons"
        )
    return np.concatenate([window, ahead], 1)
