"""Runs side by side: one row per configuration, best first, and paired differences over seeds."""

import csv
import html
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from neurito.baselines import BASELINES
from neurito.data.files import atomic_write, known_ending
from neurito.errors import NeuritoError, nearest, warn
from neurito.fitting.run import read_json
from neurito.inference.scores import about
from neurito.models import fitted

FORMATS = (".html", ".csv", ".md")
LEADING = ("co_bps", "fp_bps", "unread_r2", "bound_with_unread", "bound", "truth_r2")
LATER = ("d_stsp", "d_h", "coverage_90", "pit_distance")
LOWER = ("d_stsp", "d_h", "pit_distance")  # is better
IDEAL = {"coverage_90": 0.9}
NONE = "-"


@dataclass(frozen=True)
class Scored:
    """A run folder, as far as a comparison goes.

    Attributes:
        folder: where it is.
        model: name of the model.
        options: of model and training, without the seed.
        seed: of the training.
        data: hash of the training trials.
        scores: of one part, by name.
        scored: hashes of the trials that were scored.
        parameters: how many numbers the model has.
        seconds: that the fit took.
        steps: of the fit.
    """

    folder: Path
    model: str
    options: Mapping[str, Any]
    seed: int
    data: str
    scores: Mapping[str, float]
    scored: frozenset[str]
    parameters: int
    seconds: float | None
    steps: int | None

    @classmethod
    def read(cls, folder: str | os.PathLike[str], part: str) -> "Scored":
        """Reads a run folder; nothing is computed, no model is built.

        Raises:
            NeuritoError: it is no run folder, or a fit that did not finish.
        """
        folder = Path(folder)
        words, arrays = fitted.read(folder)
        config, history = read_json(folder / "config.json"), read_json(folder / "history.json")
        if not isinstance(config, dict) or not {"options", "training"} <= config.keys():
            raise NeuritoError(f"{shown(folder)}: config.json was not written by neurito; fit again")
        training = dict(config["training"])
        last = history[-1] if history else {}
        found = scores_in(folder).get(part, {})
        return cls(
            folder,
            words["model"],
            {**training, **config["options"], "seed": None},
            int(training.get("seed", 0)),
            str(config.get("data", "")),
            {name: one["value"] for name, one in found.items() if one["value"] is not None},
            frozenset(one["data"] for one in found.values() if "data" in one),
            sum(array.size for array in arrays.values()),
            last.get("seconds"),
            last.get("step"),
        )


def scores_in(folder: Path) -> dict[str, dict[str, Any]]:
    """The scores of a run by part and name; none if it was not scored."""
    file = folder / "scores.json"
    found: dict[str, dict[str, Any]] = read_json(file) if file.is_file() else {}
    return found


def shown(path: Path) -> str:
    """A path that can be printed, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "replace")


@dataclass(frozen=True)
class Row:
    """Runs that differ by their seeds only.

    Attributes:
        label: the model, and the options in which it differs from others of its kind.
        runs: one or more.
    """

    label: str
    runs: tuple[Scored, ...]

    def values(self, score: str) -> list[float]:
        """That score of every run that has it."""
        return [run.scores[score] for run in self.runs if score in run.scores]

    def mean(self, score: str) -> float | None:
        """Over the runs; None without a run that has it."""
        values = self.values(score)
        return sum(values) / len(values) if values else None

    def differences(self, best: "Row", score: str) -> list[float]:
        """Score less that of the best, for every seed that both have; a baseline, which has none, goes with any."""
        mine, theirs = (
            {run.seed: run.scores[score] for run in row.runs if score in run.scores} for row in (self, best)
        )
        if mine and self.runs[0].model in BASELINES:
            mine = dict.fromkeys(theirs, next(iter(mine.values())))
        elif theirs and best.runs[0].model in BASELINES:
            theirs = dict.fromkeys(mine, next(iter(theirs.values())))
        return [mine[seed] - theirs[seed] for seed in sorted(mine.keys() & theirs.keys())]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        rows: one per configuration, best first by the first score.
        scores: which are shown.
        part: the part of the recording that they are of.
    """

    rows: tuple[Row, ...]
    scores: tuple[str, ...]
    part: str

    @classmethod
    def of(
        cls, folders: Iterable[str | os.PathLike[str]], part: str = "validation", scores: Sequence[str] = ()
    ) -> "Comparison":
        """Reads run folders; the scores are those that `neurito evaluate` and `neurito fit` have stored there.

        Args:
            folders: the runs. One that cannot be read is left out with a warning.
            part: train, validation, test, all, or the name of another recording that was scored.
            scores: which, the first of them sorts; by default those on what was not read, and no copies of it.

        Raises:
            NeuritoError: none of the folders can be read, or no run has such a score.

        Warns:
            NeuritoWarning: a run cannot be read or has no scores, or runs were scored on different trials.
        """
        runs, failed = [], []
        for folder in dict.fromkeys(map(Path, folders)):
            try:
                runs.append(Scored.read(folder, part))
            except NeuritoError as error:
                failed.append(error)
        if not runs:
            raise failed[0] if failed else NeuritoError("no run is given; give the folders of one or more")
        for why in failed:
            warn(f"left out: {why}")
        for run in runs:
            if not run.scores:
                warn(
                    f"{shown(run.folder)}: has no scores on the {part} trials; neurito evaluate gives it some"
                )
        if len({run.scored for run in runs if run.scored}) > 1:
            warn(f"the runs were scored on different {part} trials: their scores cannot be compared")
        known = sorted({name for run in runs for name in run.scores})
        for name in scores:
            if name not in known:
                raise NeuritoError(f"no run has a score {name!r}: {nearest(name, known)}")
        chosen = tuple(scores) or _usual(known)
        return cls(tuple(_sorted(_rows(runs), chosen[:1])), chosen, part)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What stands above the cells."""
        versus = (f"{self.scores[0]} against the best",) if self.scores and len(self.rows) > 1 else ()
        return ("model", *self.scores, *versus, "seeds", "parameters", "time", "steps")

    @cached_property
    def cells(self) -> list[list[str]]:
        """What stands in them, one list per row."""
        return [self._cells(row) for row in self.rows]

    def _cells(self, row: Row) -> list[str]:
        versus = [] if len(self.columns) == len(self.scores) + 5 else [self._versus(row)]
        seconds = [run.seconds for run in row.runs if run.seconds is not None]
        steps = [run.steps for run in row.runs if run.steps is not None]
        return [
            row.label,
            *(_spread(row.values(name)) for name in self.scores),
            *versus,
            str(len({run.seed for run in row.runs})),
            str(row.runs[0].parameters),
            f"{sum(seconds) / len(seconds):.3g} s" if seconds else NONE,
            f"{sum(steps) / len(steps):.0f}" if steps else NONE,
        ]

    def _versus(self, row: Row) -> str:
        if row is self.rows[0]:
            return "best"
        differences = row.differences(self.rows[0], self.scores[0])
        many = f", {len(differences)} seeds" if len(differences) > 1 else ""
        return f"{_spread(differences, '+')}{many}"

    def text(self) -> str:
        """A table in columns."""
        table = [list(self.columns), *self.cells]
        wide = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in table
        )

    __str__ = text

    def markdown(self) -> str:
        """The same in Markdown."""
        table = [list(self.columns), ["---"] * len(self.columns), *self.cells]
        return (
            "\n".join(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in row)} |" for row in table) + "\n"
        )

    def csv(self) -> str:
        """Plain numbers: mean, least and largest value of every score."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        parts = [f"{name}{end}" for name in self.scores for end in ("", "_min", "_max")]
        writer.writerow(["model", *parts, "seeds", "parameters", "seconds", "steps", "runs"])
        for row in self.rows:
            numbers: list[Any] = []
            for name in self.scores:
                values = row.values(name)
                numbers += [row.mean(name), min(values), max(values)] if values else ["", "", ""]
            ends = [[getattr(run, key) for run in row.runs] for key in ("seconds", "steps")]
            means = ["" if None in values else sum(values) / len(values) for values in ends]
            folders = " ".join(shown(run.folder) for run in row.runs)
            writer.writerow(
                [
                    row.label,
                    *numbers,
                    len({r.seed for r in row.runs}),
                    row.runs[0].parameters,
                    *means,
                    folders,
                ]
            )
        return out.getvalue()

    def html(self) -> str:
        """A page by itself, for bright and dark screens."""
        title = f"<h1>Runs, scored on the {html.escape(self.part)} trials</h1>"
        return f"<!doctype html>\n{_HEAD}\n{title}\n{self._repr_html_()}\n"

    def _repr_html_(self) -> str:
        heads = []
        for name in self.columns:
            score = about(name)
            said = f' title="{html.escape(score.meaning)}"' if score.meaning else ""
            unit = f"<small>{html.escape(score.unit)}</small>" if score.unit else ""
            heads.append(f"<th{said}>{html.escape(name)}{unit}</th>")
        body = []
        for row, cells in zip(self.rows, self.cells, strict=True):
            folders = html.escape("\n".join(shown(run.folder) for run in row.runs))
            body.append(
                f'<tr title="{folders}">'
                + "".join(
                    f"<td{' class=best' if self._best(row, name) else ''}>{html.escape(cell)}</td>"
                    for name, cell in zip(self.columns, cells, strict=True)
                )
                + "</tr>"
            )
        return f"<table>\n<tr>{''.join(heads)}</tr>\n" + "\n".join(body) + "\n</table>"

    def _best(self, row: Row, score: str) -> bool:
        if score not in self.scores or row.mean(score) is None or len(self.rows) < 2:
            return False
        return _worth(row, score) == max(_worth(other, score) for other in self.rows)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the table as .html, .csv or .md, whole or not at all.

        Raises:
            NeuritoError: the name ends otherwise, or the file cannot be written.
        """
        path = Path(path)
        known_ending(path, FORMATS)
        written: dict[str, Callable[[], str]] = {".html": self.html, ".csv": self.csv, ".md": self.markdown}
        with atomic_write(path) as temporary:
            temporary.write_text(written[path.suffix](), encoding="utf-8")


_HEAD = """<meta charset="utf-8"><title>neurito: comparison of runs</title>
<style>
:root { color-scheme: light dark; --line: #ccc; --mark: #0a6b3d }
@media (prefers-color-scheme: dark) { :root { --line: #444; --mark: #6fd8a3 } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem }
h1 { font-size: 1.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
small { display: block; font-weight: normal; opacity: .7 }
.best { color: var(--mark); font-weight: 600 }
</style>"""


def _spread(values: Sequence[float], sign: str = "") -> str:
    """The mean, and from where to where it goes."""
    if not values:
        return NONE
    mean = format(sum(values) / len(values), f"{sign}.4g")
    return mean if len(values) == 1 else f"{mean} ({min(values):{sign}.4g} to {max(values):{sign}.4g})"


def _usual(known: Sequence[str]) -> tuple[str, ...]:
    """The scores worth a column: on what was not read, decoded behaviour, distances."""
    decoded = [name for name in known if "_r2_from_" in name]
    return tuple(name for name in (*LEADING, *decoded, *LATER) if name in known)


def _rows(runs: Sequence[Scored]) -> list[Row]:
    """Runs grouped by what they share, named by what they do not."""
    groups: dict[str, list[Scored]] = {}
    for run in runs:
        key = json.dumps([run.model, run.options, run.data], sort_keys=True)
        groups.setdefault(key, []).append(run)
    labels = [_label(group[0], runs) for group in groups.values()]
    return [
        Row(label if labels.count(label) == 1 else f"{label} ({shown(group[0].folder)})", tuple(group))
        for label, group in zip(labels, groups.values(), strict=True)
    ]


def _label(run: Scored, runs: Sequence[Scored]) -> str:
    kin = [other.options for other in runs if other.model == run.model]
    own = [
        f"{name}={value}"
        for name, value in run.options.items()
        if any(other.get(name, value) != value for other in kin)
    ]
    return " ".join([run.model, *own])


def _worth(row: Row, score: str) -> float:
    """The mean score as a number that is larger for better."""
    mean = row.mean(score)
    if mean is None:
        return float("-inf")
    if score in IDEAL:
        return -abs(mean - IDEAL[score])
    return -mean if score in LOWER else mean


def _sorted(rows: Sequence[Row], first: Sequence[str]) -> list[Row]:
    return sorted(rows, key=lambda row: [-_worth(row, score) for score in first])
