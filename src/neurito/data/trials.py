"""The trials container: what was recorded, when, and what of it is read and scored."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from neurito.data.arrays import ArrayLike, Ragged, compact, frozen, gather, once, place, spread
from neurito.data.head import Head, Kind, Missing, pick
from neurito.errors import NeuritoError, nearest

__all__ = ["Head", "Kind", "Missing", "Splits", "Trials"]


def _zero() -> np.ndarray:
    return np.array(0)


def _true() -> np.ndarray:
    return np.array(True)


@dataclass(frozen=True, eq=False)
class Trials:
    """Recordings cut in trials (trial, time, channel), in bins of known width.

    What exists, what is read and what is scored are different things. `exists` is False after a trial's end
    (padding); `Head.read` is what encoders, guides and weights may look at; `Head.score` is what predictions
    are compared with. A held-out neuron is scored and not read; a missing bin is neither.

    Attributes:
        heads: the signals by name, the main one first; behaviour is a head that is nowhere read.
        dt: float64 (trial, time), bin widths in seconds; a broadcast view when regular.
        start: float64 (trial,), left edge of the first bin in the recording's clock, in seconds.
        exists: bool (trial, time), False after a trial's end.
        inputs: float32 (trial, time, input) or None; what drives the system, known everywhere.
        input_names: one per input.
        session: int (trial,), index into `session_names`.
        session_names: one per session.
        metadata: (trial,) arrays by name, for instance the condition.
        ids: int (trial,), which trial of the recording a piece comes from.
        origin: int (trial,), at which bin of that trial the piece starts.

    Anything that broadcasts to these shapes may be given.

    Raises:
        NeuritoError: shapes do not fit, widths are not positive, inputs are not finite, nothing exists.
    """

    __no_type_check__ = True  # at run time: __post_init__ spreads arrays, or says what is wrong

    heads: Mapping[str, Head]
    dt: Float64[np.ndarray, "trial time"]
    start: Float64[np.ndarray, " trial"] = field(default_factory=_zero)
    exists: Bool[np.ndarray, "trial time"] = field(default_factory=_true)
    inputs: Float32[np.ndarray, "trial time input"] | None = None
    input_names: tuple[str, ...] = ()
    session: Int[np.ndarray, " trial"] = field(default_factory=_zero)
    session_names: tuple[str, ...] = ()
    metadata: Mapping[str, np.ndarray] = field(default_factory=dict)
    ids: Int[np.ndarray, " trial"] = field(default_factory=lambda: np.zeros(0, int))
    origin: Int[np.ndarray, " trial"] = field(default_factory=_zero)

    def __post_init__(self) -> None:
        if not self.heads:
            raise NeuritoError("no heads; give at least one recorded signal")
        main, head = next(iter(self.heads.items()))
        shape = n, _ = head.values.shape[:2]
        for name, other in self.heads.items():
            if other.values.shape[:2] != shape:
                raise NeuritoError(
                    f"head {name!r} has {_size(other.values.shape)}, {main!r} has {_size(shape)}; "
                    "all heads share trials and bins"
                )
        dt = _fit(self.dt, shape, np.float64, "dt")
        exists = _fit(self.exists, shape, bool, "exists")
        if not (np.isfinite(dt).all() and (dt > 0).all()):
            trial, time = place(~(np.isfinite(dt) & (dt > 0)))
            raise NeuritoError(
                f"bin {time} of trial {trial} is {dt[trial, time]:g} s wide; times must increase"
            )
        if not exists[:, 0].all():
            raise NeuritoError(f"trial {place(~exists[:, 0])[0]} has no bins; leave it out")
        if (exists[:, 1:] & ~exists[:, :-1]).any():
            trial, time = place(exists[:, 1:] & ~exists[:, :-1])
            raise NeuritoError(
                f"trial {trial} exists again at bin {time + 1} after its end; mark missing bins by NaN"
            )
        ids = np.asarray(self.ids)
        fitted = {
            "heads": {name: _within(head, exists) for name, head in self.heads.items()},
            "dt": dt,
            "exists": exists,
            "start": _fit(self.start, (n,), np.float64, "start"),
            "ids": _fit(ids if ids.size else np.arange(n), (n,), np.int64, "ids"),
            "origin": _fit(self.origin, (n,), np.int64, "origin"),
            "metadata": {str(name): _column(name, values, n) for name, values in self.metadata.items()},
            **_sessions(self.session, self.session_names, n),
            **_inputs(self.inputs, self.input_names, exists),
        }
        for key, value in fitted.items():
            object.__setattr__(self, key, frozen(value) if isinstance(value, np.ndarray) else value)

    # making, writing

    @staticmethod
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
    ) -> "Trials":
        """Trials from an array, or from a list of arrays of unequal length.

        Args:
            values: (trial, time, channel); or (time, channel), one continuous recording; or a list of arrays
                (time, channel), one per trial.
            bin_width: seconds, one number or anything that broadcasts to (trial, time); or
            bin_edges: seconds, (time + 1,) or (trial, time + 1).
            kind: ``"counts"`` or ``"continuous"``; None = counts if all values are integers of at least zero.
            name: of the main head; None = ``"spikes"`` for counts, ``"signal"`` otherwise.
            names: of the channels.
            unit: of the values; None = ``"counts/bin"`` for counts.
            missing: ``"nan"`` = NaN means missing (in `values` and `behaviour`); ``"error"`` = NaN is an error.
            read: what may be looked at; anything that broadcasts to the shape of `values`.
            score: what predictions are compared with; likewise.
            inputs: like `values`, or several by name; known everywhere.
            input_names: of the inputs.
            behaviour: by name, like `values`, or (trial, time); each a head that is scored, never read.
            lengths: bins of each trial, where the arrays are padded.
            start: seconds, of each trial's first bin in the recording's clock.
            session: of each trial, a number.
            session_names: one per session.
            metadata: one value per trial, by name.

        Raises:
            NeuritoError: shapes do not fit, or values are not what they are said to be.

        Warns:
            NeuritoWarning: a neuron never fires.
        """
        options = {name: value for name, value in locals().items() if name != "values"}
        from neurito.data.construct import from_array, warn_silent

        trials = from_array(values, **options)
        warn_silent(trials)
        return trials

    @staticmethod
    def concatenate(
        parts: Iterable["Trials"], *, sessions: Sequence[str] | None = None, channels: str = "name"
    ) -> "Trials":
        """Several recordings as one; shorter trials are padded.

        Trials are numbered anew where two parts use the same number. Heads that a part lacks are missing
        there. Metadata are kept where all parts have them.

        Args:
            parts: what is put together.
            sessions: a session name for each part; None = as they are: parts whose sessions have the same
                name are of the same session.
            channels: ``"name"`` = channels of the same name are the same, a channel that a part lacks is
                missing there; ``"pad"`` = sessions have neurons of their own, the i-th of each in column i.

        Raises:
            NeuritoError: no parts, or inputs or kinds differ.
        """
        from neurito.data.cutting import concatenate

        return concatenate(list(parts), sessions, channels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything to one HDF5 file, whole or not at all."""
        from neurito.data.store import save

        save(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Trials":
        """Reads what `save` wrote, bit for bit."""
        from neurito.data.store import load

        return load(path)

    # what is there

    @property
    def n_trials(self) -> int:
        """How many trials."""
        return int(self.exists.shape[0])

    @property
    def n_bins(self) -> int:
        """How many bins, padding included."""
        return int(self.exists.shape[1])

    @property
    def name(self) -> str:
        """The name of the main head."""
        return next(iter(self.heads))

    @property
    def main(self) -> Head:
        """The main head."""
        return self.heads[self.name]

    @property
    def lengths(self) -> Int[np.ndarray, " trial"]:
        """Bins of each trial that exist."""
        return np.asarray(self.exists.sum(1))

    @property
    def bin_width(self) -> float:
        """The median bin width in seconds: the reference width of rates and links."""
        return float(self.dt[0, 0] if self.regular else np.median(self.dt[self.exists]))

    @property
    def regular(self) -> bool:
        """Whether all bins are of one width."""
        return compact(self.dt).size == 1

    @property
    def time(self) -> Float64[np.ndarray, "trial time"]:
        """Bin centres in seconds after each trial's start."""
        if self.regular:  # by multiplication, so that rounding does not add up
            return spread((np.arange(self.n_bins) + 0.5) * self.dt[0, 0], self.dt.shape, np.float64)
        return np.cumsum(self.dt, 1) - self.dt / 2

    def head(self, name: str | None = None) -> Head:
        """The head of that name; None = the main one."""
        return self.heads[self._name(name)]

    def __len__(self) -> int:
        return self.n_trials

    def __repr__(self) -> str:
        heads = ", ".join(f"{name} {head.n_channels} {head.kind}" for name, head in self.heads.items())
        return f"Trials({self.n_trials} trials, {self.n_bins} bins of {self.bin_width:g} s; {heads})"

    def summary(self) -> str:
        """A few lines about what is in here."""
        from neurito.data.summary import summary

        return summary(self)

    def _repr_html_(self) -> str:
        from neurito.data.summary import html

        return html(self)

    def fingerprint(self) -> str:
        """A hash of the content, equal for equal content on any machine."""
        from neurito.data.store import fingerprint

        return fingerprint(self)

    # selecting

    def __getitem__(self, index: Any) -> "Trials":
        """``trials[some]``, ``trials[some, bins]`` or ``trials[some, bins, channels]``, always with all axes.

        Trials are given by number, slice, mask or list of numbers, bins by number or slice, channels as in
        `select`.
        """
        if isinstance(index, tuple):
            some, bins, channels, *more = (*index, None, None)[: max(3, len(index))]
            if more:
                raise NeuritoError(f"{len(index)} indices; give those of trials, bins and channels")
            if isinstance(bins, int):
                bins = slice(bins, bins + 1 or None)
            if not isinstance(bins, slice | None):
                raise NeuritoError(f"bins chosen by {bins!r}; bins follow one another, give a slice")
            return self[some].select(time=bins, channels=channels)
        rows = pick(index, self.n_trials, "trial")
        return self._cut(lambda array: gather(array, rows), lambda array: array[rows])

    def select(self, *, time: slice | None = None, channels: Any = None, head: str | None = None) -> "Trials":
        """Some bins of every trial, some channels of one head.

        Args:
            time: bins, counted from each trial's start.
            channels: names, numbers, a slice or a mask.
            head: the head whose channels are meant; None = the main one.

        Raises:
            NeuritoError: a channel is not there, or a trial has no such bins.
        """
        chosen = self
        if channels is not None:
            name, old = self._name(head), self.head(head)
            keep = old.channels(channels)
            new = replace(
                old,
                values=old.values[..., keep],
                read=_channels(old.read, keep),
                score=_channels(old.score, keep),
                names=tuple(old.names[i] for i in keep),
            )
            chosen = replace(self, heads={**self.heads, name: new})
        if time is not None:
            first, last, step = time.indices(self.n_bins)
            if step != 1:
                raise NeuritoError(
                    f"time is a slice with step {step}; bins are kept one after another, use step 1"
                )
            rows = np.arange(self.n_trials)
            chosen = chosen.pieces(rows, np.full(rows.shape, first), np.minimum(self.lengths, last) - first)
        return chosen

    def pieces(
        self,
        trial: Int[np.ndarray, " piece"],
        first: Int[np.ndarray, " piece"],
        length: Int[np.ndarray, " piece"],
    ) -> "Trials":
        """Pieces of trials, each from bin `first` of `trial` on, `length` bins long.

        Raises:
            NeuritoError: a piece is empty or reaches beyond its trial.
        """
        outside = (length < 1) | (first < 0) | (first + length > self.lengths[trial])
        if outside.any():
            i = place(outside)[0]
            raise NeuritoError(
                f"bins {first[i]} to {first[i] + length[i]} are asked of trial {trial[i]}, which has "
                f"{self.lengths[trial[i]]} bins; choose bins inside every trial, or fewer trials"
            )
        step = np.arange(int(length.max()))
        bins = np.minimum(first[:, None] + step, self.n_bins - 1)
        if compact(self.dt).shape[1] == 1:
            elapsed = first * self.dt[trial, 0]
        else:
            elapsed = np.cumsum(self.dt, 1)[trial, first] - self.dt[trial, first]
        cut = self._cut(
            lambda array: gather(array, trial, bins), lambda array: array[trial], step < length[:, None]
        )
        return replace(cut, start=cut.start + elapsed, origin=cut.origin + first)

    def windows(self, width: int, step: int | None = None, *, keep_tail: bool = False) -> "Trials":
        """Windows of `width` bins, `step` apart, none across or beyond a trial's end.

        Args:
            width: bins.
            step: bins from one window's start to the next; None = `width`, no overlap.
            keep_tail: whether the bins left over at a trial's end make a last, shorter window.
        """
        from neurito.data.cutting import windows

        return windows(self, width, step, keep_tail=keep_tail)

    def rebin(self, bins: int) -> "Trials":
        """Bins joined by `bins`: counts are added, continuous values averaged; see `cutting.rebin`."""
        from neurito.data.cutting import rebin

        return rebin(self, bins)

    def split(
        self,
        fractions: Sequence[float] = (0.64, 0.16, 0.2),
        *,
        seed: int = 0,
        contiguous: bool | None = None,
        indices: Mapping[str, ArrayLike] | Sequence[ArrayLike] | None = None,
        by: str | None = None,
        gap: int = 0,
    ) -> "Splits":
        """Train, validation and test parts that never share a trial.

        A continuous recording (every session is one trial) is cut into blocks of time, in that order; windows
        of one go whole to a block, those across a border to none. Anything else is split by trials, at
        random, every session in like proportion.

        Args:
            fractions: of train, validation and test; they add up to one, validation and test may be zero.
            seed: of the random choice of trials.
            contiguous: True = the first trials train and the last test.
            indices: instead of fractions, the trials of each part, by name or in order.
            by: instead of fractions, the metadata column that says ``train``, ``validation`` or ``test``.
            gap: bins left out between the blocks of a continuous recording.

        Raises:
            NeuritoError: a part would be empty, or parts overlap.
        """
        from neurito.data.cutting import by_indices, by_metadata, split

        if by is not None:
            return by_metadata(self, by)
        return split(self, fractions, seed, contiguous, gap) if indices is None else by_indices(self, indices)

    # what is read, what is scored

    def hold_out(
        self, fraction: float | None = None, *, channels: Any = None, seed: int = 0, head: str | None = None
    ) -> "Trials":
        """Channels that are no longer read, still scored (held-out neurons, for co-smoothing).

        Args:
            fraction: of the channels, chosen by `seed`; or
            channels: names, numbers, a slice or a mask.
            seed: of the choice.
            head: None = the main one.
        """
        name, old = self._name(head), self.head(head)
        if (fraction is None) == (channels is None):
            raise NeuritoError("hold_out takes either fraction or channels; give one of them")
        if fraction is not None:
            count = round(fraction * old.n_channels)
            if not 0 < count < old.n_channels:
                raise NeuritoError(
                    f"fraction={fraction:g} of {old.n_channels} channels holds out {count}; "
                    "at least one must be held out and one held in"
                )
            channels = np.random.default_rng(seed).permutation(old.n_channels)[:count]
        kept = np.ones(old.n_channels, bool)
        kept[old.channels(channels)] = False
        return replace(self, heads={**self.heads, name: replace(old, read=compact(old.read) & kept)})

    def forward(self, bins: int) -> "Trials":
        """The last `bins` bins of each trial are read in no head any more, still scored."""
        if not 0 < bins < self.lengths.min():
            raise NeuritoError(
                f"forward({bins}) in a trial of {self.lengths.min()} bins; choose from 1 to one bin less"
            )
        known = (np.arange(self.n_bins) < self.lengths[:, None] - bins)[..., None]
        heads = {name: replace(head, read=compact(head.read) & known) for name, head in self.heads.items()}
        return replace(self, heads=heads)

    def with_head(self, name: str, head: Head) -> "Trials":
        """With one more head, or another in place of the one of that name."""
        return replace(self, heads={**self.heads, name: head})

    def without_head(self, name: str) -> "Trials":
        """Without the head of that name."""
        self.head(name)
        return replace(self, heads={key: head for key, head in self.heads.items() if key != name})

    def with_inputs(self, inputs: ArrayLike | None, names: Sequence[str] = ()) -> "Trials":
        """With these inputs (trial, time, input), or any array that broadcasts to it; None = without."""
        array = None if inputs is None else np.asarray(inputs, np.float32)
        return replace(self, inputs=array, input_names=tuple(names))

    def with_metadata(self, **columns: ArrayLike) -> "Trials":
        """With more metadata, one value per trial."""
        return replace(self, metadata={**self.metadata, **{k: np.asarray(v) for k, v in columns.items()}})

    # inside

    def _name(self, name: str | None) -> str:
        if name is not None and name not in self.heads:
            raise NeuritoError(f"no head {name!r}; {nearest(name, self.heads)}")
        return self.name if name is None else name

    def _cut(
        self,
        frames: Callable[[np.ndarray], np.ndarray],
        rows: Callable[[np.ndarray], np.ndarray],
        exists: np.ndarray | bool = True,
    ) -> "Trials":
        """Every (trial, time, ...) array through `frames`, every (trial,) array through `rows`."""
        exists = frames(self.exists) & exists
        heads = {
            name: replace(head, values=frames(head.values), read=frames(head.read), score=frames(head.score))
            for name, head in self.heads.items()
        }
        return replace(
            self,
            heads=heads,
            dt=frames(self.dt),
            exists=exists,
            inputs=None if self.inputs is None else frames(self.inputs),
            start=rows(self.start),
            session=rows(self.session),
            metadata={name: rows(column) for name, column in self.metadata.items()},
            ids=rows(self.ids),
            origin=rows(self.origin),
        )


class _Parts(NamedTuple):
    train: Trials
    validation: Trials | None = None
    test: Trials | None = None


class Splits(_Parts):
    """Train, validation and test parts, which never share a trial.

    Parts of one continuous recording (the only trial of its session) may be blocks of it that do not overlap.

    Raises:
        NeuritoError: two parts share a trial, or bins of a continuous recording.
    """

    __slots__ = ()

    def __new__(cls, train: Trials, validation: Trials | None = None, test: Trials | None = None) -> "Splits":
        """Checks that the parts share nothing."""
        parts = {"train": train, "validation": validation, "test": test}
        given = {name: _spans(part) for name, part in parts.items() if part is not None}
        trials = {key for spans in given.values() for key in spans}
        sessions = [session for session, _ in trials]
        for (name, part), (other_name, other) in combinations(given.items(), 2):
            for session, trial in sorted(part.keys() & other.keys()):
                a, b = part[session, trial][:, None], other[session, trial][None]
                if sessions.count(session) > 1 or ((a[..., 0] < b[..., 1]) & (b[..., 0] < a[..., 1])).any():
                    raise NeuritoError(
                        f"{name} and {other_name} overlap: trial {trial} of {session!r} is in both; "
                        "give it to one part, or different ids if these are different trials"
                    )
        return super().__new__(cls, train, validation, test)


def _spans(trials: Trials) -> dict[tuple[str, int], np.ndarray]:
    """First and last + 1 bin (piece, 2) of each trial's pieces, by session and trial."""
    spans: dict[tuple[str, int], list[tuple[int, int]]] = {}
    stop = trials.origin + trials.lengths
    for i, (session, trial) in enumerate(zip(trials.session.tolist(), trials.ids.tolist(), strict=True)):
        where = spans.setdefault((trials.session_names[session], trial), [])
        where.append((int(trials.origin[i]), int(stop[i])))
    return {key: np.array(where) for key, where in spans.items()}


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} trials of {shape[1]} bins"


def _fit(values: ArrayLike, shape: tuple[int, ...], dtype: Any, name: str) -> np.ndarray:
    try:
        return once(spread(values, shape, dtype))
    except ValueError:
        raise NeuritoError(f"{name} has shape {np.shape(values)}; give one that fits {shape}") from None


def _within(head: Head, exists: np.ndarray) -> Head:
    """The head with nothing where nothing exists."""
    if exists.all() or (np.isnan(head.values[~exists]).all() and not (head.read | head.score)[~exists].any()):
        return head
    there = exists[..., None]
    return replace(
        head,
        values=np.where(there, head.values, np.float32(np.nan)),
        read=compact(head.read) & there,
        score=compact(head.score) & there,
    )


def _column(name: str, values: ArrayLike, n: int) -> np.ndarray:
    column = np.asarray(values)
    if column.dtype == object:
        column = column.astype(str)
    if column.shape != (n,):
        raise NeuritoError(
            f"metadata {name!r} has shape {column.shape}; give one value for each of {n} trials"
        )
    return frozen(column)


def _sessions(session: ArrayLike, names: Sequence[str], n: int) -> dict[str, Any]:
    index = _fit(session, (n,), np.int64, "session")
    names = tuple(map(str, names)) or tuple(f"session {i}" for i in range(int(index.max()) + 1))
    if index.min() < 0 or index.max() >= len(names):
        wrong = index[(index < 0) | (index >= len(names))][0]
        raise NeuritoError(f"session {wrong} of a trial is not among the {len(names)} session names")
    return {"session": index, "session_names": names}


def _inputs(inputs: ArrayLike | None, names: Sequence[str], exists: np.ndarray) -> dict[str, Any]:
    if inputs is None:
        return {"inputs": None, "input_names": ()}
    array = np.asarray(inputs, np.float32)
    if array.ndim != 3 or array.shape[2] == 0:
        raise NeuritoError(f"inputs have shape {array.shape}; give (trial, time, input)")
    array = _fit(array, (*exists.shape, array.shape[2]), np.float32, "inputs")
    if not exists.all() and array[~exists].any():  # NaN counts as true
        array = np.where(exists[..., None], array, np.float32(0))
    names = tuple(map(str, names)) or tuple(map(str, range(array.shape[2])))
    if len(names) != array.shape[2]:
        raise NeuritoError(f"{len(names)} input names for {array.shape[2]} inputs; give one per input")
    if not np.isfinite(array).all():
        trial, time, channel = place(~np.isfinite(array))
        raise NeuritoError(
            f"input {names[channel]!r} is {array[trial, time, channel]:g} at trial {trial}, bin {time}; "
            "inputs must be known everywhere"
        )
    return {"inputs": array, "input_names": names}


def _channels(mask: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Channels of a mask; a repeated channel axis stays so."""
    return mask[..., : len(keep)] if mask.strides[2] == 0 else mask[..., keep]
