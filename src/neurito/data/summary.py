"""A few lines about trials, for people."""

import html as _html
from collections.abc import Iterator

import numpy as np

from neurito.data.head import Head
from neurito.data.trials import Trials


def summary(trials: Trials) -> str:
    """What is in the trials: one line per fact."""
    return "\n".join(f"{name:<11} {value}" for name, value in _facts(trials))


def html(trials: Trials) -> str:
    """The same as a table."""
    rows = "".join(
        f"<tr><th>{_html.escape(n)}</th><td>{_html.escape(v)}</td></tr>" for n, v in _facts(trials)
    )
    return f"<table>{rows}</table>"


def values_of(column: np.ndarray) -> str:
    """The values of a column, in a few words."""
    column = np.asarray(column)
    if column.dtype.kind in "iuf" and len(np.unique(column)) > 5:
        return f"{np.nanmin(column):.6g} to {np.nanmax(column):.6g}"
    some = np.unique(column.astype(str))
    return ", ".join(some[:5].tolist()) + (f", ... ({len(some)} values)" if len(some) > 5 else "")


def _facts(trials: Trials) -> Iterator[tuple[str, str]]:
    low, high = int(trials.lengths.min()), int(trials.lengths.max())
    total = float(np.where(trials.exists, trials.dt, 0).sum())
    yield "trials", f"{trials.n_trials} of {low if low == high else f'{low} to {high}'} bins"
    yield (
        "bins",
        f"{trials.bin_width:g} s{'' if trials.regular else ' (median; irregular)'}, {total:.6g} s in all",
    )
    for name, head in trials.heads.items():
        yield name, _head(head, trials)
    if trials.inputs is not None:
        yield "inputs", ", ".join(trials.input_names)
    if len(trials.session_names) > 1:
        yield "sessions", ", ".join(trials.session_names)
    for name, column in trials.metadata.items():
        yield name, values_of(column)


def _head(head: Head, trials: Trials) -> str:
    there = ~np.isnan(head.values)
    facts = [f"{head.n_channels} {'neurons' if head.kind == 'counts' else 'channels'}", head.kind]
    if head.unit:
        facts.append(head.unit)
    if head.kind == "counts" and there.any():
        seconds = np.where(there, trials.dt[..., None], 0).sum((0, 1))
        rates = np.nansum(head.values, (0, 1)) / np.where(seconds > 0, seconds, np.nan)
        facts.append(
            f"mean rate {np.nanmean(rates):.3g} spikes/s ({np.nanmin(rates):.3g} to {np.nanmax(rates):.3g})"
        )
    inside = trials.exists[..., None]
    absent = 1 - there.sum() / np.broadcast_to(inside, there.shape).sum()
    if absent > 0:
        facts.append(f"{100 * absent:.3g} % missing")
    held = (head.score & ~head.read & there).any((0, 1)) & ~head.read.any((0, 1))
    if held.all():
        facts.append("not read")
    elif held.any():
        facts.append(f"{held.sum()} held out")
    return ", ".join(facts)
