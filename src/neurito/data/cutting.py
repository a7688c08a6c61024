"""Trials cut into splits and windows, and put together again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from neurito.data.arrays import ArrayLike
from neurito.data.head import Head
from neurito.data.trials import Splits, Trials
from neurito.errors import NeuritoError, nearest

PARTS = ("train", "validation", "test")


def split(trials: Trials, fractions: Sequence[float], seed: int, contiguous: bool | None, gap: int) -> Splits:
    """Parts of these fractions (see `Trials.split`)."""
    shares = _shares(fractions)
    if _continuous(trials) and contiguous is not False:
        return _blocks(trials, shares, gap)
    order = _order(trials, None if contiguous else seed)
    edges = np.rint(np.cumsum([0, *shares]) * len(order)).astype(int)
    parts = [order[a:b] for a, b in pairwise(edges)]
    for name, part, share in zip(PARTS, parts, shares, strict=False):
        if share and not part.size:
            raise NeuritoError(
                f"{name} gets none of {len(order)} trials at fraction {share:g}; give larger fractions"
            )
    rows = [np.flatnonzero(np.isin(trials.ids, part)) for part in parts]
    return Splits(*(trials[row] if row.size else None for row in rows))  # type: ignore[arg-type]


def windows(trials: Trials, width: int, step: int | None = None, *, keep_tail: bool = False) -> Trials:
    """Windows of `width` bins, `step` apart, none across or beyond a trial's end (see `Trials.windows`)."""
    step = width if step is None else step
    if width < 1 or step < 1:
        raise NeuritoError(f"windows of {width} bins, {step} apart; give whole numbers of at least one")
    pieces = []
    for trial, length in enumerate(trials.lengths.tolist()):
        first = np.arange(0, length - width + 1, step)
        if keep_tail and (tail := first[-1] + step if first.size else 0) < length:
            first = np.append(first, tail)
        pieces.append(np.stack([np.full_like(first, trial), first, np.minimum(width, length - first)]))
    trial, first, length = np.concatenate(pieces, 1)
    if not trial.size:
        raise NeuritoError(
            f"windows of {width} bins in trials of at most {trials.lengths.max()}; choose a smaller width"
        )
    return trials.pieces(trial, first, length)


def rebin(trials: Trials, bins: int) -> Trials:
    """Every `bins` bins joined to one: counts are added, continuous values and inputs averaged.

    A joined bin is missing, not read, or not scored where one of its bins is; what is left over at a trial's
    end is dropped.

    Raises:
        NeuritoError: a trial is shorter than one joined bin.
    """
    if bins < 1 or trials.lengths.min() < bins:
        raise NeuritoError(
            f"rebin({bins}) of trials of {trials.lengths.min()} bins; choose a smaller whole number"
        )
    n_bins = trials.n_bins // bins

    def blocks(array: np.ndarray) -> Any:
        kept = array[:, : n_bins * bins]
        return kept.reshape(len(kept), n_bins, bins, *array.shape[2:])

    def head(old: Head) -> Head:
        values = blocks(old.values)
        return replace(
            old,
            values=values.sum(2) if old.kind == "counts" else values.mean(2),
            read=blocks(old.read).all(2),
            score=blocks(old.score).all(2),
        )

    return replace(
        trials,
        heads={name: head(old) for name, old in trials.heads.items()},
        dt=trials.dt[:1, :1] * bins if trials.regular else blocks(trials.dt).sum(2),
        exists=blocks(trials.exists).all(2),
        inputs=None if trials.inputs is None else blocks(trials.inputs).mean(2),
        origin=trials.origin // bins,
    )


def concatenate(parts: Sequence[Trials], sessions: Sequence[str] | None, channels: str) -> Trials:
    """Several recordings as one (see `Trials.concatenate`)."""
    if not parts:
        raise NeuritoError("concatenate got no parts; give at least one Trials")
    if channels not in ("name", "pad"):
        raise NeuritoError(f"channels={channels!r} is unknown; {nearest(channels, ('name', 'pad'))}")
    if sessions is not None:
        if len(sessions) != len(parts):
            raise NeuritoError(f"{len(sessions)} session names for {len(parts)} parts; give one for each")
        parts = [
            replace(part, session=np.array(0), session_names=(name,))
            for part, name in zip(parts, sessions, strict=True)
        ]
    if len({part.input_names for part in parts}) > 1:
        raise NeuritoError("parts have different inputs; give all of them the same")
    n_bins = max(part.n_bins for part in parts)
    names = tuple(dict.fromkeys(name for part in parts for name in part.session_names))
    ids = [part.ids for part in parts]
    if sum(len(np.unique(i)) for i in ids) > len(np.unique(np.concatenate(ids))):
        offsets = np.cumsum([0, *(i.max() + 1 for i in ids)])
        ids = [i - i.min() + offset for i, offset in zip(ids, offsets, strict=False)]
    columns = [name for name in parts[0].metadata if all(name in part.metadata for part in parts)]
    heads = dict.fromkeys(name for part in parts for name in part.heads)

    def frames(arrays: Sequence[np.ndarray], fill: Any) -> np.ndarray:
        return np.concatenate([_longer(array, n_bins, fill) for array in arrays])

    return Trials(
        heads={name: _join(name, parts, n_bins, channels) for name in heads},
        dt=frames([part.dt for part in parts], None),
        start=np.concatenate([part.start for part in parts]),
        exists=frames([part.exists for part in parts], False),
        inputs=None
        if parts[0].inputs is None
        else frames([p.inputs for p in parts if p.inputs is not None], 0),
        input_names=parts[0].input_names,
        session=np.concatenate(
            [np.array([names.index(s) for s in p.session_names])[p.session] for p in parts]
        ),
        session_names=names,
        metadata={name: np.concatenate([part.metadata[name] for part in parts]) for name in columns},
        ids=np.concatenate(ids),
        origin=np.concatenate([part.origin for part in parts]),
    )


def _longer(array: np.ndarray, n_bins: int, fill: Any) -> np.ndarray:
    """Padded in time to `n_bins` with `fill`; None = the last value again."""
    extra = n_bins - array.shape[1]
    if not extra:
        return array
    shape = (len(array), extra, *array.shape[2:])
    tail = np.broadcast_to(array[:, -1:], shape) if fill is None else np.full(shape, fill, array.dtype)
    return np.concatenate([array, tail], 1)


def _join(name: str, parts: Sequence[Trials], n_bins: int, channels: str) -> Head:
    """One head of all parts."""
    heads = [part.heads.get(name) for part in parts]
    have = [head for head in heads if head is not None]
    if len({(head.kind, head.unit) for head in have}) > 1:
        raise NeuritoError(f"head {name!r} differs in kind or unit between parts; convert one of them")
    by_name = channels == "name" or len({head.names for head in have}) == 1
    if by_name:
        names = tuple(dict.fromkeys(label for head in have for label in head.names))
    else:
        names = tuple(map(str, range(max(head.n_channels for head in have))))
    column = {label: i for i, label in enumerate(names)}

    def widened(part: Trials, head: Head | None, mask: str, fill: Any) -> np.ndarray:
        if head is not None and head.names == names and part.n_bins == n_bins:
            return np.asarray(getattr(head, mask))
        whole = np.full((part.n_trials, n_bins, len(names)), fill)
        if head is not None:
            to = [column[label] for label in head.names] if by_name else list(range(head.n_channels))
            whole[:, : part.n_bins, to] = getattr(head, mask)
        return whole

    def joined(mask: str, fill: Any) -> np.ndarray:
        return np.concatenate([widened(p, h, mask, fill) for p, h in zip(parts, heads, strict=True)])

    return Head(
        joined("values", np.float32(np.nan)),
        have[0].kind,
        joined("read", False),
        joined("score", False),
        names,
        have[0].unit,
    )


def by_metadata(trials: Trials, name: str) -> Splits:
    """Parts as a metadata column says (see `Trials.split`)."""
    if name not in trials.metadata:
        raise NeuritoError(f"no metadata column {name!r}; {nearest(name, trials.metadata)}")
    column = trials.metadata[name].astype(str)
    unknown = set(column.tolist()) - set(PARTS)
    if unknown:
        raise NeuritoError(
            f"metadata {name!r} says {min(unknown)!r}; every trial is one of {', '.join(PARTS)}"
        )
    return by_indices(trials, {part: np.flatnonzero(column == part) for part in PARTS})


def by_indices(trials: Trials, indices: Mapping[str, ArrayLike] | Sequence[ArrayLike]) -> Splits:
    """Parts of these trials, by name or in order (see `Trials.split`)."""
    if not isinstance(indices, Mapping):
        indices = dict(zip(PARTS, indices, strict=False))
    for name in indices:
        if name not in PARTS:
            raise NeuritoError(f"no part {name!r} in a split; {nearest(name, PARTS)}")
    found = {name: trials[rows] for name, rows in indices.items() if np.size(rows)}
    if "train" not in found:
        raise NeuritoError("a split needs trials to train on; give train indices")
    return Splits(**found)


def _shares(fractions: Sequence[float]) -> list[float]:
    shares = [float(f) for f in fractions]
    if not 2 <= len(shares) <= 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6 or not shares[0]:
        raise NeuritoError(
            f"fractions={tuple(shares)}; give two or three of train, validation and test that add up to 1"
        )
    return shares


def _continuous(trials: Trials) -> bool:
    """Whether every session is one trial, in one piece or several."""
    return all(len(np.unique(trials.ids[trials.session == s])) == 1 for s in np.unique(trials.session))


def _blocks(trials: Trials, shares: Sequence[float], gap: int) -> Splits:
    """Blocks of time, one after another, of every session; windows go whole to a block, or to none."""
    stop = trials.origin + trials.lengths
    _, session = np.unique(trials.session, return_inverse=True)
    first, last = np.full(session.max() + 1, np.iinfo(int).max), np.zeros(session.max() + 1, int)
    np.minimum.at(first, session, trials.origin)
    np.maximum.at(last, session, stop)
    edges = first[:, None] + np.rint(np.cumsum([0, *shares]) * (last - first)[:, None]).astype(int)
    single = len(first) == trials.n_trials
    parts: list[Any] = []
    for i, (name, share) in enumerate(zip(PARTS, shares, strict=False)):
        low = np.maximum(edges[session, i] + (gap if i and share else 0), 0)
        high = edges[session, i + 1]
        if single:
            rows, low, high = np.arange(trials.n_trials), low - trials.origin, high - trials.origin
        else:
            rows = np.flatnonzero((trials.origin >= low) & (stop <= high))
        if share and (not rows.size or (single and (high <= low).any())):
            raise NeuritoError(
                f"{name} gets nothing at fraction {share:g} and gap {gap}; give a larger fraction"
            )
        if not share:
            parts.append(None)
        else:
            parts.append(trials.pieces(rows, low, high - low) if single else trials[rows])
    return Splits(*parts)


def _order(trials: Trials, seed: int | None) -> np.ndarray:
    """Trial identities in the order in which they go to the parts; at random, sessions evenly mixed."""
    ids, first = np.unique(trials.ids, return_index=True)
    if seed is None:
        return ids[np.argsort(first, kind="stable")]
    session = trials.session[first]
    rank = np.random.default_rng(seed).permutation(len(ids))
    position = np.empty(len(ids))
    for s in np.unique(session):
        own = session == s
        position[own] = (np.argsort(np.argsort(rank[own])) + 0.5) / own.sum()
    return ids[np.lexsort((rank, position))]
