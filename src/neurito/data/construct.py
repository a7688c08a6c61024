"""Trials from arrays in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurito.data.arrays import ArrayLike, Ragged
from neurito.data.head import Head, Kind, Missing, numeric
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn


def from_array(
    values: Ragged,
    *,
    bin_width: float | ArrayLike | None = None,
    bin_edges: ArrayLike | None = None,
    kind: Kind | None = None,
    name: str | None = None,
    names: Sequence[str] = (),
    unit: str | None = None,
    missing: Missing = "error",
    read: ArrayLike = True,
    score: ArrayLike = True,
    inputs: Ragged | Mapping[str, Ragged] | None = None,
    input_names: Sequence[str] = (),
    behaviour: Mapping[str, Ragged] | None = None,
    lengths: ArrayLike | None = None,
    start: ArrayLike = 0.0,
    session: ArrayLike = 0,
    session_names: Sequence[str] = (),
    metadata: Mapping[str, ArrayLike] | None = None,
) -> Trials:
    """As `Trials.from_array`, which says what the arguments are, without its warning."""
    array, lengths = pad(values, lengths, "values")
    n_bins = array.shape[1]
    exists = np.arange(n_bins) < np.asarray(lengths)[:, None] if lengths is not None else np.array(True)
    main = named_head(
        name or "values",
        array,
        kind,
        names=names,
        unit=unit,
        missing=missing,
        read=read,
        score=score,
        exists=exists,
    )
    name = name or ("spikes" if main.kind == "counts" else "signal")
    heads = {name: main}
    for other, behave in (behaviour or {}).items():
        if other in heads:
            raise NeuritoError(f"behaviour {other!r} has the name of the main head; give it another name")
        heads[other] = named_head(
            other,
            _aligned(behave, array, f"behaviour {other!r}"),
            "continuous",
            unit="",
            missing=missing,
            read=False,
            exists=exists,
        )
    driven, input_names = _inputs(inputs, input_names, array)
    return Trials(
        heads=heads,
        dt=widths(bin_width, bin_edges, n_bins),
        start=np.asarray(start),
        exists=exists,
        inputs=driven,
        input_names=tuple(input_names),
        session=np.asarray(session),
        session_names=tuple(session_names),
        metadata={key: np.asarray(column) for key, column in (metadata or {}).items()},
    )


def warn_silent(trials: Trials) -> None:
    """Warns of neurons that never fire."""
    for name, head in trials.heads.items():
        if head.kind == "counts":
            silent = [head.names[i] for i in np.flatnonzero(~(head.values > 0).any((0, 1)))]
            if silent:
                some = ", ".join(silent[:5]) + (", ..." if len(silent) > 5 else "")
                warn(f"head {name!r}: {len(silent)} of {head.n_channels} channels never fire ({some})")


def pad(values: Ragged, lengths: ArrayLike | None, what: str) -> tuple[np.ndarray, np.ndarray | None]:
    """An array (trial, time, channel) and each trial's bins (None = all of them)."""
    pieces = _ragged(values)
    if pieces is None:
        array = numeric(values)  # type: ignore[arg-type]  # it is no list of arrays
        if array.ndim == 2:
            if array.shape[1] > array.shape[0]:
                raise NeuritoError(
                    f"{what} have shape {array.shape}: (time, channel) would be {array.shape[1]} channels in "
                    f"{array.shape[0]} bins; give values.T, or values[None] if this is meant"
                )
            array = array[None]
        if array.ndim != 3:
            raise NeuritoError(f"{what} have shape {array.shape}; give (trial, time, channel)")
        if array.shape[0] == 0:
            raise NeuritoError(f"{what} have shape {array.shape}: no trials; give at least one")
        if lengths is None:
            return array, None
        given = np.asarray(lengths)
        if given.shape != array.shape[:1] or given.dtype.kind not in "iu":
            raise NeuritoError(
                f"lengths have shape {given.shape}, {given.dtype}; give {len(array)} whole numbers"
            )
        if given.min() < 1 or given.max() > array.shape[1]:
            raise NeuritoError(
                f"lengths go from {given.min()} to {given.max()}; give 1 to {array.shape[1]} bins"
            )
        return array, given
    if lengths is not None:
        raise NeuritoError("lengths belong to a padded array; a list of arrays says them by itself")
    shapes = [piece.shape for piece in pieces]
    for i, piece in enumerate(pieces):
        if piece.ndim != 2 or piece.shape[1] != pieces[0].shape[-1]:
            hint = (
                "; these look like (channel, time), give each transposed"
                if len({s[0] for s in shapes}) == 1
                else ""
            )
            raise NeuritoError(
                f"{what} of trial {i} have shape {piece.shape}, trial 0 has {shapes[0]}; "
                f"give (time, channel) with the same channels in every trial{hint}"
            )
    counts = np.array([len(piece) for piece in pieces])
    array = np.full((len(pieces), counts.max(), pieces[0].shape[1]), np.nan, np.float32)
    for row, piece in zip(array, pieces, strict=True):
        row[: len(piece)] = piece
    return array, None if (counts == counts[0]).all() else counts


def _ragged(values: Ragged) -> list[np.ndarray] | None:
    """The arrays of a list of arrays, None for one array."""
    if isinstance(values, list | tuple):
        if not values:
            raise NeuritoError("values are an empty list: no trials; give at least one")
        if all(np.ndim(piece) >= 1 and hasattr(piece, "shape") for piece in values):
            return [numeric(piece) for piece in values]
    return None


def _aligned(values: Ragged, main: np.ndarray, what: str) -> np.ndarray:
    """An array (trial, time, any) with the trials and bins of the main head."""
    pieces = _ragged(values)
    if pieces is not None:
        array, _ = pad([p[:, None] if p.ndim == 1 else p for p in pieces], None, what)
    else:
        array = numeric(values)  # type: ignore[arg-type]  # it is no list of arrays
        if array.shape == main.shape[:2]:
            array = array[..., None]
        if len(main) == 1 and array.ndim in (1, 2) and len(array) == main.shape[1]:
            array = array.reshape(1, main.shape[1], -1)
    if array.ndim != 3 or array.shape[:2] != main.shape[:2]:
        raise NeuritoError(
            f"{what} has shape {np.shape(array)}; "
            f"give (trial, time, ...) of {main.shape[0]} trials and {main.shape[1]} bins"
        )
    return array


def _inputs(
    inputs: Ragged | Mapping[str, Ragged] | None, names: Sequence[str], main: np.ndarray
) -> tuple[np.ndarray | None, Sequence[str]]:
    if inputs is None:
        return None, ()
    if not isinstance(inputs, Mapping):
        return _aligned(inputs, main, "inputs"), names
    parts = {name: _aligned(values, main, f"input {name!r}") for name, values in inputs.items()}
    labels = [
        name if part.shape[2] == 1 else f"{name}_{i}"
        for name, part in parts.items()
        for i in range(part.shape[2])
    ]
    return np.concatenate(list(parts.values()), 2), names or labels


def named_head(label: str, values: ArrayLike, kind: Kind | None, **options: Any) -> Head:
    """As `Head.of`, with the head's name in errors."""
    try:
        return Head.of(values, kind, **options)
    except NeuritoError as error:
        raise NeuritoError(f"head {label!r}: {error}") from None


def widths(bin_width: float | ArrayLike | None, bin_edges: ArrayLike | None, n_bins: int) -> np.ndarray:
    """Bin widths in seconds from a width or from edges (..., time + 1)."""
    if (bin_width is None) == (bin_edges is None):
        raise NeuritoError("the bin width is not known; give one of bin_width=SECONDS and bin_edges=SECONDS")
    if bin_edges is None:
        return np.asarray(bin_width, np.float64)
    edges = np.asarray(bin_edges, np.float64)
    if edges.ndim not in (1, 2) or edges.shape[-1] != n_bins + 1:
        raise NeuritoError(f"bin_edges have shape {edges.shape}; {n_bins} bins have {n_bins + 1} edges")
    width = np.diff(edges)
    middle = np.median(width)
    return np.asarray(middle) if np.allclose(width, middle, rtol=1e-6, atol=0) else width
