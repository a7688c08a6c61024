"""One simultaneously recorded signal, with what is missing, read and scored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float32

from neurito.data.arrays import ArrayLike, frozen, once, place, spread
from neurito.errors import NeuritoError, nearest

Kind = Literal["counts", "continuous"]
Missing = Literal["error", "nan"]


def _everywhere() -> np.ndarray:
    return np.array(True)


@dataclass(frozen=True, eq=False)
class Head:
    """One simultaneously recorded signal: spikes, EEG, the hand's velocity.

    Attributes:
        values: float32 (trial, time, channel); NaN = missing, and then neither read nor scored.
        kind: ``"counts"`` (non-negative integers per bin) or ``"continuous"``.
        read: bool (trial, time, channel): what encoders, guides and weights may look at.
        score: bool (trial, time, channel): what predictions are compared with, and what the training
            likelihood covers besides what is read.
        names: one per channel, all different; numbers where none are given.
        unit: of the values, for instance ``"counts/bin"`` or ``"mm/s"``.

    `read` and `score` may be given in any shape that broadcasts; they are kept as broadcast views.

    Raises:
        NeuritoError: a shape does not fit; NaN where something is read or scored (say ``missing="nan"`` to
            `Head.of` where NaN means missing); Inf; negative or fractional counts.
    """

    __no_type_check__ = True  # at run time: __post_init__ spreads arrays, or says what is wrong

    values: Float32[np.ndarray, "trial time channel"]
    kind: Kind
    read: Bool[np.ndarray, "trial time channel"] = field(default_factory=_everywhere)
    score: Bool[np.ndarray, "trial time channel"] = field(default_factory=_everywhere)
    names: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        values = numeric(self.values)
        if values.ndim != 3:
            raise NeuritoError(f"values have shape {values.shape}; give (trial, time, channel)")
        if 0 in values.shape:
            axis = ("trials", "bins", "channels")[values.shape.index(0)]
            raise NeuritoError(f"values have shape {values.shape}: no {axis}; give at least one")
        if self.kind not in get_args(Kind):
            raise NeuritoError(f"kind {self.kind!r} is unknown; {nearest(str(self.kind), get_args(Kind))}")
        names = tuple(map(str, self.names)) or tuple(map(str, range(values.shape[2])))
        if len(names) != values.shape[2]:
            raise NeuritoError(
                f"{len(names)} names for {values.shape[2]} channels; give one name per channel"
            )
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise NeuritoError(f"two channels are named {twice!r}; give every channel its own name")
        masks = {mask: _mask(getattr(self, mask), values.shape, mask) for mask in ("read", "score")}
        _check(values, self.kind, masks["read"] | masks["score"], names)
        for key, value in {"values": values, "names": names, **masks}.items():
            object.__setattr__(self, key, frozen(value) if isinstance(value, np.ndarray) else value)

    @classmethod
    def of(
        cls,
        values: ArrayLike,
        kind: Kind | None = None,
        *,
        read: ArrayLike = True,
        score: ArrayLike = True,
        names: Sequence[str] = (),
        unit: str | None = None,
        missing: Missing = "error",
        exists: ArrayLike = True,
    ) -> "Head":
        """A head from any array, with the kind guessed.

        Args:
            values: (trial, time, channel), any number type.
            kind: None = ``"counts"`` if all values are integers of at least zero, else ``"continuous"``.
            read: what may be looked at; anything that broadcasts to the shape of `values`.
            score: what predictions are compared with; likewise.
            names: one per channel.
            unit: None = ``"counts/bin"`` for counts, ``""`` otherwise.
            missing: ``"nan"`` = NaN means missing; ``"error"`` = NaN is an error.
            exists: bool (trial, time): False where a trial is over; whatever stands there is forgotten.
        """
        if missing not in get_args(Missing):
            raise NeuritoError(f"missing={missing!r} is unknown; {nearest(str(missing), get_args(Missing))}")
        array = numeric(values)
        if array.ndim == 3 and not np.all(exists):
            array = np.where(spread(exists, array.shape[:2], bool)[..., None], array, np.float32(np.nan))
        there = np.ones((), bool)
        if (missing == "nan" or not np.all(exists)) and np.isnan(array).any():
            there = ~np.isnan(array) if missing == "nan" else spread(exists, array.shape[:2], bool)[..., None]
        kind = kind or ("counts" if is_counts(array) else "continuous")
        return cls(
            array,
            kind,
            read=there & np.asarray(read, bool),
            score=there & np.asarray(score, bool),
            names=tuple(names),
            unit=unit if unit is not None else "counts/bin" if kind == "counts" else "",
        )

    @property
    def n_channels(self) -> int:
        """How many channels."""
        return int(self.values.shape[2])

    def channels(self, wanted: Any) -> np.ndarray:
        """Indices of channels given by name, index, slice, mask, or a list of these.

        Raises:
            NeuritoError: there is no such channel, or none is chosen.
        """
        return pick(wanted, self.names, "channel")


def pick(wanted: Any, names: Sequence[str] | int, what: str) -> np.ndarray:
    """Indices of things given by index, slice, mask, or name, or a list of these.

    Args:
        wanted: what is given.
        names: of the things; or how many there are, where they have none.
        what: a word for one of them.

    Raises:
        NeuritoError: there is no such thing, or none is chosen.
    """
    n = names if isinstance(names, int) else len(names)
    given = np.arange(n)[wanted] if isinstance(wanted, slice) else np.atleast_1d(np.asarray(wanted))
    if not given.size or (given.dtype == bool and given.shape == (n,) and not given.any()):
        raise NeuritoError(f"no {what} is chosen; choose at least one of the {n}")
    if given.dtype.kind in "UO" and not isinstance(names, int):
        lookup = {name: i for i, name in enumerate(names)}
        for name in map(str, given):
            if name not in lookup:
                raise NeuritoError(f"no {what} {name!r}; {nearest(name, names)}")
        return np.array([lookup[str(name)] for name in given])
    if given.dtype == bool:
        if given.shape != (n,):
            raise NeuritoError(f"a mask of shape {given.shape} for {n} {what}s; give ({n},)")
        return np.flatnonzero(given)
    if given.dtype.kind not in "iu" or given.ndim != 1:
        raise NeuritoError(f"{what}s chosen by {wanted!r}; give whole numbers, a slice, a mask or names")
    if (wrong := given[(given < -n) | (given >= n)]).size:
        raise NeuritoError(f"no {what} {wrong[0]}: there are {n}, counted from 0")
    return given % n


def numeric(values: ArrayLike) -> np.ndarray:
    """The values as float32.

    Raises:
        NeuritoError: they are not real numbers, or too large for float32.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise NeuritoError(f"values have type {array.dtype}; give real numbers")
    if array.dtype.itemsize <= 4 or array.dtype.kind in "biu":
        return array.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        small = array.astype(np.float32)
    if np.isinf(small).any() and not np.isinf(array).any():
        raise NeuritoError(f"values up to {np.nanmax(np.abs(array)):g} overflow float32; choose another unit")
    return small


def is_counts(values: np.ndarray) -> bool:
    """Whether all values that are there are integers of at least zero."""
    there = values[np.isfinite(values)] if not np.isfinite(values).all() else values
    return bool(there.size and there.min() >= 0 and np.array_equal(there, np.rint(there)))


def _mask(mask: ArrayLike, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.asarray(mask)
    if array.dtype != bool:
        raise NeuritoError(f"{name} has type {array.dtype}; give booleans")
    try:
        return once(spread(array, shape, bool))
    except ValueError:
        raise NeuritoError(
            f"{name} has shape {array.shape}, the values {shape}; give the same shape"
        ) from None


def _check(values: np.ndarray, kind: Kind, used: np.ndarray, names: tuple[str, ...]) -> None:
    """Refuses what is not finite where it is used, and what is no count."""

    def first(bad: np.ndarray) -> str:
        trial, time, channel = place(bad)
        return f"{values[trial, time, channel]:g} at trial {trial}, bin {time}, channel {names[channel]!r}"

    finite = np.isfinite(values)
    if not finite.all():
        bad = ~finite & (used | np.isinf(values))
        if bad.any():
            raise NeuritoError(
                f"{first(bad)}; mend it, or give NaN and missing='nan' where nothing was recorded"
            )
    if kind == "counts" and not is_counts(values):
        bad = finite & ((values < 0) | (values != np.rint(values)))
        if bad.any():
            raise NeuritoError(
                f"{first(bad)} is no count; give kind='continuous' for values that are not counts"
            )
