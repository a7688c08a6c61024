r"""Predictive checks: does the recording look like what the model draws?

Data and draws are compared by their statistics (`neurito.evaluation.statistics`) and value by value. If the model is
right, the recording is one more draw: its rank among S draws is uniform on 0, ..., S, whatever the statistic, and with
ties broken at random for counts, too. So every p-value here is a rank: of a statistic, two-sided, (2 min(u, 1 - u),
u the randomised PIT of the observed value among the draws).

Neurons and bins of one recording depend on each other, so that a test which takes their PITs as independent rejects
right models. Here the Kolmogorov-Smirnov distance of the recording's PITs from uniform is compared with the same
distance of every draw, taken for the recording in turn: a permutation test, exact whatever the dependence. The ranges
beside coverages are those of the draws in the same way.

Source: Gelman, Meng, Stern, Statistica Sinica 6 (1996) 733 (predictive checks); Czado, Gneiting, Held 2009 (PIT).
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real

from neurito.data.files import atomic_write
from neurito.errors import NeuritoError
from neurito.evaluation.calibration import LEVELS, Uniformity, coverage, sample_pit
from neurito.evaluation.statistics import Statistic

_BLOCK = 1 << 22  # numbers sorted at a time
_WIDE = 0.9  # level of the intervals that tables show


class Covered(NamedTuple):
    """Coverage of a predictive interval."""

    found: float
    """share of the recording's values inside"""
    low: float
    """5th percentile of the same share over draws taken for the recording"""
    high: float
    """95th percentile"""


class SetRanks(NamedTuple):
    """Ranks of every data set's values among those of all, the recording first, then the draws."""

    histogram: Int[np.ndarray, "set rank"]
    """how many of a set's values have which rank"""

    @classmethod
    def of(
        cls, observed: Real[np.ndarray, " value"], draws: Real[np.ndarray, "draw value"], seed: int = 0
    ) -> "SetRanks":
        """Sorts, at random among equals.

        Args:
            observed: the recording's values, none missing.
            draws: the same of draws from the model.
            seed: for ties.
        """
        rng, n = np.random.default_rng(seed), len(draws) + 1
        counts, step, place = np.zeros(n * n, np.int64), max(1, _BLOCK // n), np.arange(n)[:, None]
        for start in range(0, len(observed), step):
            part = slice(start, start + step)
            x = np.concatenate([observed[None, part], draws[:, part]])
            order = np.lexsort((rng.random(x.shape, np.float32), x), axis=0)
            counts += np.bincount((order * n + place).ravel(), minlength=n * n)
        return cls(counts.reshape(n, n))

    def coverage(self, levels: Sequence[float] = LEVELS) -> dict[float, Covered]:
        """Coverage of central intervals; a rank that an end cuts through counts in part (randomised ends)."""
        share = self.histogram / self.histogram.sum(1, keepdims=True)
        n = share.shape[1]
        found = {}
        for level in levels:
            low, high = n * (1 - level) / 2, n * (1 + level) / 2
            rank = np.arange(n)
            inside = share @ np.clip(np.minimum(rank + 1, high) - np.maximum(rank, low), 0, 1)
            found[level] = Covered(float(inside[0]), *map(float, np.quantile(inside[1:], [0.05, 0.95])))
        return found

    def uniformity(self) -> Uniformity:
        """KS distance of the recording's PITs from uniform, and how many draws are as far from it."""
        share = np.cumsum(self.histogram, 1) / self.histogram.sum(1, keepdims=True)
        n = share.shape[1]
        distance = np.abs(share - np.arange(1, n + 1) / n).max(1)
        return Uniformity(float(distance[0]), float((distance >= distance[0] - 1e-12).mean()))


@dataclass(frozen=True, eq=False)
class Compared:
    """A statistic of the recording among those of draws.

    Attributes:
        name: what it is.
        unit: of it.
        entries: what its values belong to.
        observed: of the recording (entry,).
        draws: of the draws (draw, entry).
        seed: for ties.
    """

    name: str
    unit: str
    entries: tuple[str, ...]
    observed: Float[np.ndarray, " entry"]
    draws: Float[np.ndarray, "draw entry"]
    seed: int = 0

    @cached_property
    def pit(self) -> Float[np.ndarray, " entry"]:
        """Randomised rank of every entry among the draws, 0 to 1."""
        return sample_pit(self.draws, self.observed, self.seed)

    @property
    def p(self) -> Float[np.ndarray, " entry"]:
        """Two-sided predictive p-value of every entry."""
        return two_sided(self.pit)

    @cached_property
    def mean_p(self) -> float:
        """Two-sided predictive p-value of the mean over entries."""
        return float(
            two_sided(sample_pit(self.draws.mean(1)[:, None], self.observed.mean()[None], self.seed))[0]
        )

    @cached_property
    def uniformity(self) -> Uniformity:
        """Of all entries together, whatever their dependence."""
        return SetRanks.of(self.observed, self.draws, self.seed).uniformity()

    @property
    def outside(self) -> float:
        """Share of entries outside their 90 % predictive intervals: a tenth is right."""
        return 1 - coverage(self.pit, (_WIDE,))[_WIDE]

    def interval(self, level: float = _WIDE) -> Float[np.ndarray, "2 entry"]:
        """Central predictive interval of every entry."""
        return np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0)

    def mean_interval(self, level: float = _WIDE) -> tuple[float, float]:
        """Central predictive interval of the mean over entries."""
        low, high = np.quantile(self.draws.mean(1), [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def two_sided(pit: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """2 min(u, 1 - u)."""
    return np.asarray(2 * np.minimum(pit, 1 - pit))


def compared(
    observed: Iterable[Statistic], draws: Sequence[Sequence[Statistic]], seed: int = 0
) -> tuple[Compared, ...]:
    """Statistics of the recording beside those of draws, without entries that one of them lacks.

    Args:
        observed: of the recording, a single one.
        draws: of the draws, in pieces of so many draws each.
        seed: for ties.
    """
    found = []
    for one, *pieces in zip(observed, *draws, strict=True):
        drawn = np.concatenate([piece.values for piece in pieces]).astype(np.float32)
        value = one.values[0].astype(np.float32)
        kept = np.flatnonzero(np.isfinite(value) & np.isfinite(drawn).all(0))
        if len(kept):
            names = tuple(one.entries[i] for i in kept)
            found.append(Compared(one.name, one.unit, names, value[kept], drawn[:, kept], seed))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Group:
    """A part of the recording and what was drawn for it.

    Attributes:
        name: of the part.
        meaning: which values they are, and given what they were drawn.
        channels: how many.
        pit: randomised PITs of single values, a random choice where there are many.
        ranks: of the same values.
        statistics: compared.
    """

    name: str
    meaning: str
    channels: int
    pit: Float[np.ndarray, " value"]
    ranks: SetRanks
    statistics: tuple[Compared, ...]

    def text(self) -> str:
        """A table of statistics, then coverage."""
        rows = [("statistic", "unit", "data", "draws, 90 %", "p", "outside", "p of all")]
        for one in self.statistics:
            low, high = one.mean_interval()
            many = len(one.entries) > 1
            rows.append(
                (
                    one.name,
                    one.unit,
                    f"{one.observed.mean():.4g}",
                    f"{low:.4g} to {high:.4g}",
                    _p(one.mean_p),
                    f"{100 * one.outside:.0f} % of {len(one.entries)}" if many else "",
                    _p(one.uniformity.p) if many else "",
                )
            )
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(f"{c:<{w}}" for c, w in zip(row, wide, strict=True)).rstrip() for row in rows]
        covers = ", ".join(
            f"{100 * level:g} %: {c.found:.3f} ({c.low:.3f} to {c.high:.3f})"
            for level, c in self.ranks.coverage().items()
        )
        test = self.ranks.uniformity()
        return "\n".join(
            [
                self.meaning,
                *lines,
                f"coverage of {len(self.pit)} values (where it should be)  {covers}",
                f"PIT distance from uniform (KS) {test.distance:.4f}, p {_p(test.p)}",
            ]
        )

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        test = self.ranks.uniformity()
        return {
            "name": self.name,
            "meaning": self.meaning,
            "channels": self.channels,
            "values": len(self.pit),
            "coverage": {str(level): c._asdict() for level, c in self.ranks.coverage().items()},
            "pit_distance": test.distance,
            "pit_p": test.p,
            "statistics": {
                one.name: {
                    "unit": one.unit,
                    "mean": float(one.observed.mean()),
                    "mean_interval_90": one.mean_interval(),
                    "mean_p": one.mean_p,
                    "outside_90": one.outside,
                    "p_of_all": one.uniformity.p,
                    "entries": list(rows_of(one)),
                }
                for one in self.statistics
            },
        }


def rows_of(one: Compared) -> Iterable[dict[str, Any]]:
    """An entry of a statistic after the other."""
    low, high = one.interval()
    for i, entry in enumerate(one.entries):
        yield {
            "entry": entry, "observed": float(one.observed[i]), "low_90": float(low[i]), "high_90": float(high[i]),
            "p": float(one.p[i]),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """What a check found.

    Attributes:
        model: its name.
        head: the signal.
        draws: how many data sets were drawn, each time.
        groups: parts of the recording, by name.
        notes: what could not be done.
    """

    model: str
    head: str
    draws: int
    groups: Mapping[str, Group]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """All tables."""
        return "\n\n".join([*(f"{name}: {one.text()}" for name, one in self.groups.items()), *self.notes])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all entries as .csv, or everything as .json, whole or not at all.

        Raises:
            NeuritoError: the name ends otherwise, or the file cannot be written.
        """
        path = Path(path)
        checked(path)
        with atomic_write(path) as temporary:
            temporary.write_text(self.json() if path.suffix == ".json" else self.csv(), encoding="utf-8")

    def json(self) -> str:
        """Everything but the draws."""
        groups = [one.plain() for one in self.groups.values()]
        whole = {
            "model": self.model,
            "head": self.head,
            "draws": self.draws,
            "notes": self.notes,
            "groups": groups,
        }
        return json.dumps(whole, indent=1)

    def csv(self) -> str:
        """A line for every entry of every statistic."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["group", "statistic", "unit", "entry", "observed", "low_90", "high_90", "p"])
        for group in self.groups.values():
            for one in group.statistics:
                writer.writerows([group.name, one.name, one.unit, *row.values()] for row in rows_of(one))
        return out.getvalue()


def checked(path: Path) -> None:
    """Refuses a file that a check cannot be written to.

    Raises:
        NeuritoError: its name does not end in .json or .csv.
    """
    if path.suffix not in (".json", ".csv"):
        raise NeuritoError(f"{path}: checks are written as .json or .csv; end the name so")


def _p(p: float) -> str:
    return "< .001" if p < 1e-3 else f"{p:.3f}"
