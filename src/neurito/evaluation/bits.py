r"""Poisson likelihoods and bits per spike, as in the Neural Latents Benchmark.

With expected counts r and counts y, \(\mathrm{NLL}(r; y) = \sum r - y \log r + \log y!\) over what is scored,
and \(\text{bits per spike} = (\mathrm{NLL}(\bar y; y) - \mathrm{NLL}(r; y)) / (\ln 2 \sum y)\).

A number called bits per spike is only given for counts that the model did not read; what it read is
*reconstruction*, which a model that copies its input wins.

Source: Pei, Ye et al., "Neural Latents Benchmark '21", NeurIPS Datasets and Benchmarks 2021 (arXiv
2109.04463).
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from neurito.data.trials import Trials
from neurito.errors import NeuritoError
from neurito.evaluation.masks import same_shape, scored

FLOOR = 1e-9  # what an expected count of zero is taken for


def _expected(
    expected: Real[np.ndarray, "..."], covered: Bool[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Expected counts in double precision, zeros lifted, 1 where nothing is scored."""
    rate = np.where(covered, expected, 1.0).astype(np.float64)
    if not (rate >= 0).all():
        found = "NaN" if np.isnan(rate).any() else f"{rate.min():.3g}"
        raise NeuritoError(f"expected: {found} found where a count is scored; expected counts are 0 or more")
    return np.where(rate == 0, FLOOR, rate)


def poisson_nll(
    expected: Real[np.ndarray, "..."],
    counts: Real[np.ndarray, "..."],
    score: Bool[np.ndarray, "..."] | None = None,
) -> float:
    r"""Poisson negative log-likelihood \(\sum r - y \log r + \log y!\) in nats, all constants included.

    Args:
        expected: expected counts per bin, r; a zero counts as 1e-9.
        counts: counts per bin, y; NaN is missing.
        score: which entries to sum over, all that are not missing by default.

    Raises:
        NeuritoError: shapes differ, an expected count is negative or NaN, or nothing is left to score.
    """
    from scipy.special import gammaln

    same_shape(expected=expected, counts=counts)
    covered = scored(counts, score)
    rate, y = _expected(expected, covered)[covered], counts[covered].astype(np.float64)
    return float(np.sum(rate - y * np.log(rate) + gammaln(y + 1)))


def mean_counts(
    counts: Real[np.ndarray, "trial time neuron"],
    score: Bool[np.ndarray, "..."] | None = None,
    session: Int[np.ndarray, " trial"] | None = None,
) -> Float[np.ndarray, "trial time neuron"]:
    """Each neuron's mean count per bin, in every bin: the null model of bits per spike.

    Args:
        counts: counts per bin; NaN is missing.
        score: which entries to average, all that are not missing by default.
        session: session of each trial, where one channel is another neuron in every session.
    """
    covered = scored(counts, score)
    spikes = np.where(covered, counts, 0).sum(1, dtype=np.float64)
    return np.broadcast_to(_means(spikes, covered.sum(1), session)[:, None], counts.shape)


def _means(
    spikes: Float[np.ndarray, "trial neuron"],
    bins: Int[np.ndarray, "trial neuron"],
    session: Int[np.ndarray, " trial"] | None,
) -> Float[np.ndarray, "trial neuron"]:
    """Spikes per bin of each neuron, over the trials of each session."""
    group = np.zeros(len(spikes), int) if session is None else np.unique(session, return_inverse=True)[1]
    member = np.eye(group.max() + 1)[group]
    means: np.ndarray = member @ ((member.T @ spikes) / np.maximum(member.T @ bins, 1))
    return means


def _gain(
    expected: Real[np.ndarray, "trial time neuron"],
    counts: Real[np.ndarray, "trial time neuron"],
    covered: Bool[np.ndarray, "trial time neuron"],
    session: Int[np.ndarray, " trial"] | None = None,
    null: Float[np.ndarray, "#trial neuron"] | None = None,
) -> tuple[Float[np.ndarray, " neuron"], Float[np.ndarray, " neuron"]]:
    """Per neuron: NLL(null) - NLL(expected) in bits (log y! cancels), and the number of spikes.

    The null model is a mean per trial and neuron, that over what is covered by default.
    """
    rate = _expected(expected, covered)
    y = np.where(covered, counts, 0).astype(np.float64)
    spikes, bins = y.sum(1), covered.sum(1)
    y *= np.log(rate)
    nll = np.where(covered, rate, 0).sum(1) - y.sum(1)
    null = _means(spikes, bins, session) if null is None else null
    null = np.where(null == 0, FLOOR, null)
    gain = bins * null - spikes * np.log(null) - nll
    return gain.sum(0) / math.log(2), spikes.sum(0)


def _per_spike(bits: Float[np.ndarray, " neuron"], spikes: Float[np.ndarray, " neuron"]) -> float:
    total = spikes.sum()
    if total == 0:
        raise NeuritoError(
            "counts: no spike among what is scored: bits per spike has no value; score more bins or neurons"
        )
    return float(bits.sum() / total)


def _unread(
    counts: Real[np.ndarray, "..."],
    score: Bool[np.ndarray, "..."] | None,
    read: Bool[np.ndarray, "..."] | None,
) -> Bool[np.ndarray, "..."]:
    covered = scored(counts, score)
    if read is not None and (seen := int(np.count_nonzero(covered & read))):
        raise NeuritoError(
            f"score: {seen} of {np.count_nonzero(covered)} scored counts were read by the model; "
            "score what it did not read (score & ~read), or call it `reconstruction`"
        )
    return covered


def bits_per_spike(
    expected: Real[np.ndarray, "trial time neuron"],
    counts: Real[np.ndarray, "trial time neuron"],
    score: Bool[np.ndarray, "..."] | None = None,
    read: Bool[np.ndarray, "..."] | None = None,
    session: Int[np.ndarray, " trial"] | None = None,
) -> float:
    """Bits per spike above each neuron's mean over what is scored (the benchmark's null).

    Args:
        expected: expected counts per bin.
        counts: counts per bin; NaN is missing.
        score: which entries to score, all that are not missing by default.
        read: what the model looked at (``Head.read``); given, a scored count among it is an error.
        session: session of each trial; the null is then a mean per session and neuron.

    Raises:
        NeuritoError: shapes differ, an expected count is negative or NaN, a scored count was read, or none is
            a spike.
    """
    same_shape(expected=expected, counts=counts)
    covered = _unread(counts, score, read)
    return _per_spike(*_gain(expected, counts, covered, session))


def bits_per_spike_per_neuron(
    expected: Real[np.ndarray, "trial time neuron"],
    counts: Real[np.ndarray, "trial time neuron"],
    score: Bool[np.ndarray, "..."] | None = None,
    read: Bool[np.ndarray, "..."] | None = None,
) -> Float[np.ndarray, " neuron"]:
    """`bits_per_spike` of each neuron by itself, NaN for one without a scored spike; arguments as there."""
    same_shape(expected=expected, counts=counts)
    covered = _unread(counts, score, read)
    bits, spikes = _gain(expected, counts, covered)
    return np.where(spikes > 0, bits / np.maximum(spikes, 1), np.nan)


def bits_per_spike_train_null(
    expected: Real[np.ndarray, "trial time neuron"],
    counts: Real[np.ndarray, "trial time neuron"],
    train_counts: Real[np.ndarray, "train_trial train_time neuron"],
    score: Bool[np.ndarray, "..."] | None = None,
    read: Bool[np.ndarray, "..."] | None = None,
    train_score: Bool[np.ndarray, "..."] | None = None,
) -> float:
    """Bits per spike above each neuron's mean over the *training* trials: not the benchmark's number.

    This null could have been known beforehand, the benchmark's could not. A neuron silent in training has a
    null of 1e-9, and each of its spikes then counts for some 20 bits. One session only.

    Args:
        expected: expected counts per bin.
        counts: counts per bin; NaN is missing.
        train_counts: counts of the training trials, for the same neurons.
        score: which entries to score, all that are not missing by default.
        read: what the model looked at; given, a scored count among it is an error.
        train_score: which training entries to average.

    Raises:
        NeuritoError: as `bits_per_spike`.
    """
    same_shape(expected=expected, counts=counts)
    covered = _unread(counts, score, read)
    null = mean_counts(train_counts, train_score)[:1, 0]
    return _per_spike(*_gain(expected, counts, covered, null=null))


def co_bps(expected: Real[np.ndarray, "trial time neuron"], trials: Trials, head: str | None = None) -> float:
    """Co-smoothing: bits per spike of the neurons held out of a trial, up to the last bin that was read.

    Args:
        expected: expected counts per bin, of all neurons.
        trials: the trials as the model saw them (``Trials.hold_out``).
        head: name of the head with the counts, the main one by default.

    Raises:
        NeuritoError: no neuron is held out; otherwise as `bits_per_spike`.
    """
    spikes = trials.head(head)
    held_out = ~spikes.read.any(axis=1, keepdims=True) & ~_after(spikes.read)
    return bits_per_spike(expected, spikes.values, spikes.score & held_out, spikes.read, trials.session)


def fp_bps(expected: Real[np.ndarray, "trial time neuron"], trials: Trials, head: str | None = None) -> float:
    """Forward prediction: bits per spike of all neurons after the last bin of each trial that was read.

    Args:
        expected: expected counts per bin, of all neurons.
        trials: the trials as the model saw them (``Trials.forward``).
        head: name of the head with the counts, the main one by default.

    Raises:
        NeuritoError: no bin comes after the last one read; otherwise as `bits_per_spike`.
    """
    spikes = trials.head(head)
    unread = spikes.score & _after(spikes.read)
    return bits_per_spike(expected, spikes.values, unread, spikes.read, trials.session)


def _after(read: Bool[np.ndarray, "trial time neuron"]) -> Bool[np.ndarray, "trial time 1"]:
    """Bins after the last one in which anything was read."""
    some: np.ndarray = read.max(axis=2, keepdims=True)
    still: np.ndarray = np.logical_or.accumulate(some[:, ::-1], axis=1)
    return ~still[:, ::-1]


class Reconstruction(NamedTuple):
    """Bits per spike of counts that a model read: no score, only what to set it beside."""

    bits: float
    """of the model"""
    ceiling: float
    """of the true rates (simulations), NaN where they are not known; above it a model copies its input"""
    copy: float
    """of a model whose expected counts are the counts themselves"""


def reconstruction(
    expected: Real[np.ndarray, "trial time neuron"],
    counts: Real[np.ndarray, "trial time neuron"],
    true_expected: Real[np.ndarray, "trial time neuron"] | None = None,
    score: Bool[np.ndarray, "..."] | None = None,
) -> Reconstruction:
    """Bits per spike of counts that the model read, beside the ceiling and what a copy of the input gets.

    Args:
        expected: expected counts per bin.
        counts: counts per bin; NaN is missing.
        true_expected: the true expected counts per bin, where they are known.
        score: which entries to cover, all that are not missing by default.

    Raises:
        NeuritoError: as `bits_per_spike`.
    """
    return Reconstruction(
        bits=bits_per_spike(expected, counts, score),
        ceiling=math.nan if true_expected is None else bits_per_spike(true_expected, counts, score),
        copy=bits_per_spike(np.nan_to_num(counts), counts, score),
    )
