"""The scores of a fitted model on a recording, with their units and meanings."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from neurito.baselines import FittedBaseline
from neurito.core.observations import NegativeBinomial
from neurito.data.head import Head
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn
from neurito.evaluation import behaviour, bits, calibration, distances, rates, spikes
from neurito.inference.baselines import baseline_of
from neurito.inference.checks import simulated
from neurito.inference.results import bound_per_bin, generate, infer
from neurito.models.fitted import Fitted, HasFitted, fitted_of

TRUTH = "truth_rates"  # a head of simulated recordings
SIMULATIONS = 5  # of a continuous recording
BURN_IN = 2400  # bins dropped from the start of each
_LEVELS = tuple((np.arange(8) + 0.5) / 8)  # of quantiles that stand for draws of a rate
_CALIBRATED = 1 << 20  # counts, of all channels, by which calibration is told
_PAIRED = 200  # neurons whose pairs are compared: coherence takes memory with their square


class Score(NamedTuple):
    """What a score means."""

    unit: str
    meaning: str


_R = "simulated against recorded, over"
SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "bound": Score("nats/bin", "lower bound on the log-likelihood of what is read"),
        "bound_with_unread": Score("nats/bin", "the same and what is scored unread; chooses the best epoch"),
        "co_bps": Score("bits/spike", "co-smoothing: held-out neurons, above their mean rates"),
        "fp_bps": Score("bits/spike", "forward prediction: bins after the last one read, above mean rates"),
        "unread_r2": Score("R2", "of held-out channels and forward bins, mean over channels"),
        "coverage_90": Score("0 to 1", "unread counts inside 90 % predictive intervals: 0.9 is right"),
        "pit_distance": Score("0 to 1", "of randomised PITs of unread counts from uniform (KS): 0 is right"),
        "reconstruction": Score("bits/spike", "of counts that were read: no score, a copy of them wins"),
        "reconstruction_copy": Score("bits/spike", "what a copy of the counts gets"),
        "truth_r2": Score("R2", "of inferred against true rates, where those are known, mean over neurons"),
        "ess": Score("of K", "effective sample size, mean over bins"),
        "ess_low": Score("of K", "effective sample size, 5th percentile over bins"),
        "r2_from_rates": Score(
            "R2", "decoded linearly from inferred rates, the decoder fitted to training trials"
        ),
        "r2_from_latents": Score(
            "R2", "decoded linearly from latents, the decoder fitted to training trials"
        ),
        "generated_rate": Score("r", f"correlation of mean rates, {_R} neurons"),
        "generated_isi_mean": Score("r", f"correlation of mean inter-spike intervals, {_R} neurons"),
        "generated_isi_cv": Score("r", f"correlation of their variability (CV), {_R} neurons"),
        "generated_correlation": Score("r", f"correlation of pairwise correlations, {_R} pairs"),
        "generated_power": Score("r", f"correlation of log power, {_R} neurons and frequencies"),
        "generated_coherence": Score("r", f"correlation of mean coherence, {_R} pairs"),
        "d_stsp": Score("nats", "distance in state space between data and simulations; 0 = alike"),
        "d_h": Score("0 to 1", "Hellinger distance of power spectra of data and simulations; 0 = alike"),
    }
)
"""Every score that `evaluate` may give; before those of behaviour stands its name: ``velocity_r2_from_rates``."""


def about(name: str) -> Score:
    """Unit and meaning of a score by its name."""
    if name in SCORES:
        return SCORES[name]
    head, found, of = name.rpartition("_r2_from_")
    return Score("R2", f"{head} {SCORES['r2_from_' + of].meaning}") if found else Score("", "")


def evaluate(
    model: Fitted | HasFitted,
    trials: Trials,
    train: Trials | None = None,
    samples: int = 64,
    seed: int = 0,
    *,
    lag: int = 0,
    particles: int | None = None,
    mesh: Mesh | None = None,
) -> dict[str, float]:
    """Scores a fitted model on trials that it was not fitted to.

    Which scores there are depends on the data, and on the model: a baseline has no bound and simulates nothing;
    `SCORES` has the unit and meaning of each. Bits per spike are given for counts that were not read: held-out
    neurons (`co_bps`) and forward bins (`fp_bps`); of counts that were read there is `reconstruction`. Behaviour,
    any other head that is not read but scored, is decoded if training trials are given. Simulations of the model
    are compared with the data: spike trains by the correlation of their statistics, continuous signals by `d_stsp`
    and `d_h` (z-scored; of a recording in one piece without inputs, five simulations from which the first 2,400
    bins are dropped).

    Args:
        model: a run or its fitted model.
        trials: what to score, with held-out channels and forward bins marked as unread.
        train: training trials, for decoders of behaviour.
        samples: posterior trajectories per trial.
        seed: of particles and simulations.
        lag: bins by which behaviour follows the spikes.
        particles: K; None = as in training.
        mesh: devices.

    Returns:
        Scores by name; NaN, with a warning, where one cannot be had (no spike among what is scored, say).

    Raises:
        NeuritoError: the trials do not fit the model.

    Warns:
        NeuritoWarning: the particles' weights degenerate, or a score cannot be had.
    """
    fitted: Fitted | FittedBaseline = baseline_of(model) or fitted_of(model)
    name = fitted.specification.observed(fitted.layout)[0]
    options: dict[str, Any] = {"particles": particles, "mesh": mesh}
    head = trials.head(name)
    some = _some(trials, name)
    every = some is not None and some.n_trials == trials.n_trials
    levels = _LEVELS if every else ()
    found = infer(fitted, trials, samples=samples, seed=seed, quantiles=levels, **options)
    scores: dict[str, float] = {}
    unread = _unread(trials, head)
    joint = isinstance(fitted, Fitted) and fitted.specification.generative
    if joint:
        scores["bound"] = float(found.log_likelihood.sum()) / float(trials.lengths.sum())
        if unread.any():
            scores["bound_with_unread"] = bound_per_bin(fitted, trials, seed=seed, covered="train", **options)
    if head.kind == "counts":
        scores |= _bits(found.rate_mean.values * trials.dt[..., None], trials, name)
        if some is not None:
            spread = (
                found
                if every
                else infer(fitted, some, samples=samples, seed=seed, quantiles=_LEVELS, **options)
            )
            scores |= _calibration(fitted, some, name, spread.rate_quantile.values, seed)
    elif unread.any():
        r2 = rates.r_squared(head.values, found.rate_mean.values, unread)
        scores["unread_r2"] = float(np.nanmean(r2))
    truth = trials.heads.get(TRUTH)
    if truth is not None and truth.values.shape == head.values.shape:
        scores["truth_r2"] = rates.rates_r2(truth.values, found.rate_mean.values).mean
    if isinstance(fitted, Fitted):
        ess = found.ess.values[trials.exists]
        scores |= {"ess": float(ess.mean()), "ess_low": float(np.quantile(ess, 0.05))}
        _warn_degenerate(scores["ess"], found.attrs["particles"])
    decoded = {} if train is None else _behaviour(trials, name)
    if train is not None and decoded:
        learnt = infer(fitted, train, samples=samples, seed=seed, quantiles=(), **options)
        for other, target in decoded.items():
            for source, key in (("rates", "rate_mean"), ("latents", "latent_mean")):
                if key in found:  # a baseline may have no latents
                    scores[f"{other}_r2_from_{source}"] = _attempt(
                        other,
                        _decoding(learnt[key].values, train.head(other), found[key].values, target, lag),
                    )
    if not isinstance(fitted, Fitted) or not joint:
        return scores
    try:
        return scores | (_spikes if head.kind == "counts" else _signals)(fitted, trials, name, seed)
    except NeuritoError as error:
        warn(f"simulations cannot be compared with the data: {error}")
        return scores


def _bits(expected: np.ndarray, trials: Trials, name: str) -> dict[str, float]:
    """Bits per spike of what was not read, by kind, and of what was read."""
    head = trials.head(name)
    scores: dict[str, float] = {}
    ahead = ~np.flip(np.logical_or.accumulate(np.flip(head.read.any(2), 1), 1), 1)
    unread = head.score & trials.exists[..., None] & ~head.read
    if (unread & ~ahead[..., None] & ~head.read.any(1, keepdims=True)).any():
        scores["co_bps"] = _attempt("co_bps", lambda: bits.co_bps(expected, trials, name))
    if (unread & ahead[..., None]).any():
        scores["fp_bps"] = _attempt("fp_bps", lambda: bits.fp_bps(expected, trials, name))
    if head.read.any() and head.values[head.read].any():
        found = bits.reconstruction(expected, head.values, score=head.read)
        scores |= {"reconstruction": found.bits, "reconstruction_copy": found.copy}
    return scores


def _some(trials: Trials, name: str) -> Trials | None:
    """Trials enough to tell calibration by, evenly spread; None where no count is scored unread."""
    head = trials.head(name)
    if head.kind != "counts" or not _unread(trials, head).any():
        return None
    count = min(max(_CALIBRATED // head.values[0].size, 1), trials.n_trials)
    some = (
        trials[np.linspace(0, trials.n_trials - 1, count).astype(int)] if count < trials.n_trials else trials
    )
    return some if _unread(some, some.head(name)).any() else None


def _unread(trials: Trials, head: Head) -> Bool[np.ndarray, "trial time channel"]:
    return np.asarray(head.score & ~head.read & trials.exists[..., None])


def _calibration(
    fitted: Fitted | FittedBaseline,
    trials: Trials,
    name: str,
    quantiles: Float[np.ndarray, "trial time quantile channel"],
    seed: int,
) -> dict[str, float]:
    """Of the counts that were not read; the quantiles of their rates stand for draws."""
    head = trials.head(name)
    expected = np.moveaxis(quantiles, 2, 0) * trials.dt[..., None]
    observation = fitted.model.heads[name] if isinstance(fitted, Fitted) else None
    if isinstance(observation, NegativeBinomial):  # Poisson counts of a gamma rate
        r = np.asarray(observation.concentration.value, np.float64)
        expected = np.repeat(expected, 4, 0)
        expected *= np.random.default_rng(seed).gamma(r, 1 / r, expected.shape)
    found = calibration.calibration_of(expected, head.values, _unread(trials, head), seed)
    return {"coverage_90": found.coverage, "pit_distance": found.distance}


def _behaviour(trials: Trials, main: str) -> dict[str, Head]:
    """What may be decoded: continuous, scored, and nowhere read."""
    return {
        name: head
        for name, head in trials.heads.items()
        if name != main and head.kind == "continuous" and head.score.any() and not head.read.any()
    }


def _decoding(
    learnt: Float[np.ndarray, "train time feature"],
    known: Head,
    features: Float[np.ndarray, "trial other_time feature"],
    target: Head,
    lag: int,
) -> Callable[[], float]:
    """R2 of a decoder fitted to training trials, which may be of another length."""

    def r2() -> float:
        decoder = behaviour.fit_decoder(learnt, behaviour.shift(_observed(known), lag))
        moved = behaviour.shift(_observed(target), lag)
        there = ~np.isnan(moved).any(-1)
        varies = np.ptp(moved[there], axis=0) > 0  # a constant dimension says nothing
        if not varies.any():
            raise NeuritoError("it is constant")
        return float(rates.r_squared(moved[there], decoder.predict(features[there]))[varies].mean())

    return r2


def _observed(head: Head) -> Float[np.ndarray, "trial time channel"]:
    return np.where(head.score, head.values, np.nan)


def _spikes(fitted: Fitted, trials: Trials, name: str, seed: int) -> dict[str, float]:
    """Statistics of simulated against recorded spike trains, mean over sessions."""
    head = trials.head(name)
    if trials.n_bins < 4 or head.n_channels < 3:
        return {}
    some = np.unique(np.linspace(0, head.n_channels - 1, min(head.n_channels, _PAIRED)).astype(int))
    found: list[dict[str, float]] = []
    for session in np.unique(trials.session):
        rows = trials.session == session
        own = trials[rows]
        counts = own.head(name).values[..., some]
        drawn = simulated(fitted, own, seed)[0][..., some]
        drawn = np.where(np.isnan(counts), np.nan, drawn)
        statistics = [spikes.spike_statistics(y, trials.bin_width) for y in (counts, drawn)]
        found.append(spikes.compare(*statistics))
    table = {key: np.array([one[key] for one in found]) for key in found[0]}
    return {
        f"generated_{key}": float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else np.nan
        for key, values in table.items()
    }


def _signals(fitted: Fitted, trials: Trials, name: str, seed: int) -> dict[str, float]:
    """Distances of simulated from recorded signals, both z-scored."""
    shortest = int(trials.lengths.min())
    if shortest < 4:
        return {}
    values = trials.head(name).values.astype(np.float64)
    alone = trials.n_trials == 1
    if alone and trials.inputs is None:
        drawn = generate(fitted, SIMULATIONS, trials.n_bins, burn_in=BURN_IN, seed=seed).trials.main.values
        clouds = [_z_scored(one[None])[0] for one in drawn]
    else:
        drawn = np.where(trials.exists[..., None], simulated(fitted, trials, seed)[0], np.nan)
        clouds = [_z_scored(drawn)[trials.exists]]
    z = _z_scored(values)

    def d_h() -> float:
        if alone:
            return float(np.mean([distances.d_h(z, cloud[None]) for cloud in clouds]))
        return distances.d_h(z[:, :shortest], _z_scored(drawn)[:, :shortest])

    points = z[trials.exists]
    return {
        "d_stsp": _attempt("d_stsp", lambda: distances.d_stsp(points, np.stack(clouds), seed).mean),
        "d_h": _attempt("d_h", d_h),
    }


def _z_scored(values: Float[np.ndarray, "trial time channel"]) -> Float[np.ndarray, "trial time channel"]:
    """Every channel with mean 0 and sd 1 over all trials; a constant one 0."""
    with np.errstate(all="ignore"):
        mean, sd = np.nanmean(values, (0, 1)), np.nanstd(values, (0, 1))
        scored: np.ndarray = (values - mean) / np.where(sd > 0, sd, 1)
    return scored


def _attempt(name: str, score: Callable[[], float]) -> float:
    """The score, or NaN and a warning that says why there is none."""
    try:
        return score()
    except NeuritoError as error:
        warn(f"{name} cannot be had: {error}", stacklevel=4)
        return float("nan")


def _warn_degenerate(share: float, particles: int) -> None:
    if particles > 3 and share * particles < 2:
        warn(
            f"the effective sample size is {share * particles:.2f} of {particles} particles on average: weights "
            "degenerate, and with them bound and posterior; use more particles or another guide",
            stacklevel=4,
        )
