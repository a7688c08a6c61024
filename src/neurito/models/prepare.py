"""From trials to arrays on the device."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import DTypeLike

from neurito.core.batch import Batch, Mask, Signal
from neurito.data.trials import Head, Trials


def to_batch(trials: Trials, heads: Iterable[str], pad_to: int | None = None) -> Batch:
    """Everything a scan needs of the given heads.

    Args:
        trials: the recording.
        heads: the heads that the model observes or its encoder reads.
        pad_to: number of trials to pad to; padding has weight 0 and is never drawn.
    """
    dtype = jnp.result_type(float)
    n = trials.n_trials
    rows = np.concatenate([np.arange(n), np.zeros((pad_to or n) - n, int)])
    exists = trials.exists
    signals, read_any = {}, np.zeros(exists.shape, bool)
    for name in heads:
        head = trials.heads[name]
        read = head.read & exists[..., None]
        read_any |= read.any(-1)
        signals[name] = _signal(head, read, exists, trials.session, rows, dtype)
    ahead = np.flip(np.maximum.accumulate(np.flip(read_any, 1), 1), 1)
    informed = ahead | ~exists
    return Batch(
        signals,
        _put(trials.dt[rows], dtype),
        None if trials.inputs is None else _put(trials.inputs[rows], dtype),
        None if exists.all() else _put(exists[rows], bool),
        None if informed.all() else _put(informed[rows], bool),
        _put(trials.session[rows], np.int32),
        _put(np.arange(len(rows)), np.int32),
        _put(np.arange(len(rows)) < n, dtype),
    )


def _put(x: np.ndarray, dtype: DTypeLike) -> Array:
    """An array of a type on the device; cast here, which compiles nothing."""
    found: Array = jax.device_put(x.astype(dtype))
    return found


def _signal(
    head: Head, read: np.ndarray, exists: np.ndarray, session: np.ndarray, rows: np.ndarray, dtype: np.dtype
) -> Signal:
    train = (head.read | head.score) & exists[..., None]
    values = np.where(train | read, head.values, 0)
    same = bool((train == read).all())
    return Signal(
        _put(values[rows], dtype),
        _mask(read, exists, session, rows, dtype),
        None if same else _mask(train, exists, session, rows, dtype),
    )


def _mask(
    used: np.ndarray, exists: np.ndarray, session: np.ndarray, rows: np.ndarray, dtype: np.dtype
) -> Mask:
    """The distinct rows of a mask; what stands where no bin exists does not matter and makes no pattern of its own."""
    trials, bins, _ = used.shape
    packed = np.packbits(used, axis=-1)
    tag = np.broadcast_to(session.astype(">u4").view(np.uint8).reshape(-1, 1, 4), (trials, bins, 4))
    labels = np.ascontiguousarray(np.concatenate([tag, packed], -1)).view(
        np.dtype((np.void, packed.shape[-1] + 4))
    )
    _, first, inverse = np.unique(labels[exists], return_index=True, return_inverse=True)
    pattern = np.zeros((trials, bins), np.int32)
    pattern[exists] = inverse.ravel()
    # Beyond a trial's end its own last pattern goes on.
    last = exists.sum(1) - 1
    pattern = np.where(exists, pattern, pattern[np.arange(trials), last][:, None])
    flat = used[exists]
    of = np.broadcast_to(session[:, None], (trials, bins))[exists]
    return Mask(_put(pattern[rows], np.int32), _put(flat[first], dtype), _put(of[first], np.int32))


def padded(count: int) -> int:
    """Trials to pad to, so that a few more or fewer do not compile again: two significant bits and a half."""
    unit = 1 << max(max(count, 1).bit_length() - 3, 0)
    return -(-count // unit) * unit
