"""What a statistician would say about a run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from neurito.compare import IDEAL, LOWER
from neurito.data.trials import Trials

RISING = 0.02
"""Share of a score's rise that may fall to the last tenth of a fit."""
FEW_SPIKES, FEW_TRIALS = 100, 20
"""Spikes of a neuron, trials of a part, below which estimates are poor."""


class Caution(NamedTuple):
    """One remark."""

    weight: Literal["warning", "note"]
    """warning = the numbers may mislead; note = good to know"""
    title: str
    text: str


def of_data(trials: Trials, head: str, part: str) -> Iterator[Caution]:
    """Remarks on the recording.

    Args:
        trials: the part of the recording that is shown, all of it.
        head: the signal that the model observes first.
        part: what it is called, in words.
    """
    signal = trials.head(head)
    if trials.n_trials < FEW_TRIALS and trials.lengths.sum() < 10_000:
        yield Caution(
            "note",
            "Few trials",
            f"Scores on {_many(trials.n_trials, 'trial')} ({part} of the recording) are uncertain; more trials, or "
            "several splits (--split-seed), would show by how much.",
        )
    if signal.kind != "counts":
        return
    total = np.nansum(signal.values, (0, 1))
    silent, few = int((total == 0).sum()), int(((total > 0) & (total < FEW_SPIKES)).sum())
    if silent:
        yield Caution(
            "warning",
            "Silent neurons",
            f"{_many(silent, 'neuron')} of {len(total)} did not fire in {part}; nothing can be said of them.",
        )
    if few:
        yield Caution(
            "warning",
            "Few spikes",
            f"{_many(few, 'neuron')} of {len(total)} fired fewer than {FEW_SPIKES} times in {part}: inferred "
            "rates of these rest on the others, and their scores are noise.",
        )


def of_fit(history: Sequence[Mapping[str, Any]], score: str) -> Iterator[Caution]:
    """Remarks on the course of a fit.

    Args:
        history: `Run.history`.
        score: what chose the parameters.
    """
    rows = [row for row in history if "step" in row and "bound" in row]
    if len(rows) < 2:
        return
    step = np.array([row["step"] for row in rows], float)
    bound = np.array([row["bound"] for row in rows], float)
    values = np.array([row.get("score", np.nan) for row in rows], float)
    if np.isfinite(values).any():
        best = step[int(np.nanargmax(values))]
        share = (best - step[0]) / max(step[-1] - step[0], 1)
        if share > 0.9 and _rise(values, step) > RISING:
            yield Caution(
                "warning",
                "Not converged",
                f"The {score} on validation trials still rose in the last tenth of the fit (best at step {best:.0f} of "
                f"{step[-1]:.0f}). Fit for more epochs.",
            )
        elif share < 0.2:
            yield Caution(
                "note",
                "Stopped early",
                f"The best {score} on validation trials was at step {best:.0f} of {step[-1]:.0f}; from there on the "
                "model fitted the training trials more closely than the rest. A smaller model may do as well.",
            )
    elif np.isfinite(bound).all() and len(bound) >= 10 and _rise(bound, step) > RISING:
        yield Caution(
            "warning",
            "Not converged",
            "The bound on training trials was still rising at the end of the fit. Fit for more epochs.",
        )
    if not np.isfinite(values).any():
        yield Caution(
            "note",
            "No validation",
            "No validation trials chose the parameters; they are those of the last step, and nothing guards against "
            "overfitting.",
        )


def of_scores(scores: Mapping[str, float], particles: int | None) -> Iterator[Caution]:
    """Remarks on scores.

    Args:
        scores: by name.
        particles: K of the model; None for a baseline.
    """
    ess = scores.get("ess", np.nan)
    if particles and particles > 3 and ess * particles < 2:
        yield Caution(
            "warning",
            "Low effective sample size",
            f"{ess * particles:.1f} of {particles} particles count on average: weights degenerate, and bounds and "
            "uncertainties are poor. Use more particles, or another guide.",
        )
    elif particles and particles > 3 and scores.get("ess_low", np.nan) * particles < 1.5:
        yield Caution(
            "note",
            "Effective sample size low in places",
            f"In one bin of twenty fewer than {max(1.5, scores['ess_low'] * particles):.1f} of {particles} particles "
            "count: the posterior is rough there.",
        )
    covered = scores.get("coverage_90", np.nan)
    if abs(covered - IDEAL["coverage_90"]) > 0.03:
        how = "too narrow: the model is overconfident" if covered < 0.9 else "too wide"
        yield Caution(
            "warning",
            "Coverage off",
            f"{100 * covered:.1f} % of the counts that were not read lie inside 90 % predictive intervals, which are "
            f"{how}.",
        )
    for name in ("co_bps", "fp_bps"):
        if scores.get(name, np.nan) <= 0:
            yield Caution(
                "warning",
                f"No better than mean rates ({name})",
                f"{name} is {scores[name]:.3g} bits/spike: a constant rate per neuron predicts what was not read as "
                "well. The latents say little about these neurons.",
            )
    if scores.get("unread_r2", np.nan) <= 0:
        yield Caution(
            "warning",
            "No better than the mean (unread_r2)",
            "The mean of every channel predicts what was not read as well as the model.",
        )
    if not {"co_bps", "fp_bps", "unread_r2"} & scores.keys() and scores:
        yield Caution(
            "note",
            "Nothing was held out",
            "No neurons and no bins were kept from the model, so no score here says how well it predicts. "
            "Fit with --hold-out 0.25 or --forward BINS.",
        )


def of_rivals(
    scores: Mapping[str, float], rivals: Mapping[str, Mapping[str, float]], leading: str
) -> Iterator[Caution]:
    """Remarks on runs beside this one.

    Args:
        scores: of this run.
        rivals: of others, by label.
        leading: the score that counts most.
    """
    if leading not in scores or leading in LOWER:
        return
    better = [label for label, other in rivals.items() if other.get(leading, -np.inf) >= scores[leading]]
    if better:
        yield Caution(
            "warning",
            "Others do as well",
            f"By {leading}, {', '.join(better)} do{'es' if len(better) == 1 else ''} as well as this run or better.",
        )


def always(latents: bool, part: str, beside: bool) -> Iterator[Caution]:
    """What holds for every run.

    Args:
        latents: whether there are latents.
        part: the part of the recording that is shown.
        beside: whether other runs stand beside this one.
    """
    if latents:
        yield Caution(
            "note",
            "Latents have no units",
            "Turned, stretched or bent latents with a readout to match fit as well. Compare what does not depend on "
            "that: rates, fixed points, frequencies, scores.",
        )
    if part == "validation":
        yield Caution(
            "note",
            "Validation scores are optimistic",
            "These trials chose the parameters. Report scores of trials that nobody looked at: "
            "neurito evaluate RUN --part test.",
        )
    yield Caution(
        "note",
        "One fit",
        "This is one fit from one seed. How much of it is luck shows when it is fitted again with other seeds: "
        "--seed 1, --seed 2, then neurito compare.",
    )
    if not beside:
        yield Caution(
            "note",
            "Nothing to compare with",
            "Fit a baseline to the same trials (neurito fit DATA --model smoothing, --model gpfa), then "
            "neurito report RUN --beside BASELINE.",
        )


def _rise(values: Float[np.ndarray, " step"], step: Float[np.ndarray, " step"]) -> float:
    """What was gained in the last tenth of a fit, as a share of what was gained since the first tenth."""
    values, step = values[np.isfinite(values)], step[np.isfinite(values)]
    early, late = (step <= step[0] + share * (step[-1] - step[0]) for share in (0.1, 0.9))
    best, first, before = (float(values[rows].max()) for rows in (slice(None), early, late))
    return (best - before) / max(best - first, 1e-12)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
