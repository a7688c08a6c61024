"""What stands on the page of a run, gathered from the run, its folder and a recording."""

import hashlib
import json
import os
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import neurito
from neurito.compare import LEADING, Scored, scores_in, shown
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn
from neurito.fitting.run import Run, read_json
from neurito.inference import results
from neurito.inference.scores import about
from neurito.models.fitted import Fitted
from neurito.report import cautions, figures, model
from neurito.report.cautions import Caution
from neurito.report.template import filled
from neurito.report.thinning import thinned

Scores = Mapping[str, Mapping[str, float]]
"""By column (a part of the recording, or another run) and name."""


def page(
    run: Run,
    trials: Trials,
    *,
    part: str = "all",
    beside: Sequence[str | os.PathLike[str]] = (),
    seed: int = 0,
) -> str:
    """One self-contained HTML page about a run; it asks nothing of any network.

    Args:
        run: a fitted model or a baseline, best one with a folder, which holds scores and provenance.
        trials: what is shown; of a large recording a few trials and neurons are, and the page says so.
        part: what these trials are: train, validation, test or all.
        beside: folders of other runs, whose scores stand beside.
        seed: of particles and simulations.

    Raises:
        NeuritoError: the trials do not fit the model, or a file of the run is damaged.
    """
    fitted, folder = run.fitted, run.folder
    main = fitted.specification.observed(fitted.layout)[0]
    fitted.layout.check(trials, fitted.specification.observed(fitted.layout))
    few = thinned(trials, main)
    posterior = results.infer(run, few.trials, quantiles=figures.QUANTILES, seed=seed)
    heads, rows = figures.signals(run, few.trials, posterior, few.channels)
    states = figures.latents(run, posterior)
    data = {
        "trials": figures.index(few.trials),
        "signals": heads,
        "latents": states,
        "course": figures.course(run.history, run.training.score),
        "simulated": figures.simulated(run, few.trials, main, rows, seed),
        "calibrated": figures.calibrated(run, few.trials, posterior, main),
        "flow": figures.flow(run, posterior),
        "potential": figures.potential(run, posterior),
    }
    stored = scores_in(folder) if folder else {}
    own = _columns(stored, part)
    rivals = _rivals(beside, part)
    leading = next((name for name in LEADING if any(name in column for column in own.values())), "")
    said = [
        *_of_scores(run, own, rivals, leading, part, stored, trials),
        *cautions.of_fit(run.history if isinstance(fitted, Fitted) else [], run.training.score),
        *cautions.of_data(trials, main, _called(part)),
        *cautions.always(states is not None, part, len(rivals) > 0),
    ]
    name = shown(folder) if folder else fitted.specification.name
    return filled(
        title=f"{fitted.specification.name}: {name}",
        data=data,
        lead=_lead(run, trials, part),
        thinned=f"To keep this page small it shows {few.said}. Scores are of all trials." if few.said else "",
        cautions=_cautions(sorted(said, key=lambda one: one.weight == "note")),
        scores=_scores(own, rivals, part),
        model=_model(run),
        provenance=_provenance(run, trials, part),
    )


def _called(part: str) -> str:
    return "all" if part == "all" else f"the {part} part"


def _columns(stored: Mapping[str, Mapping[str, Any]], part: str) -> dict[str, dict[str, float]]:
    """Scores of every part of the recording, the one that is shown first."""
    order = sorted(stored, key=lambda name: name != part)
    return {
        name: {
            key: float("nan") if one["value"] is None else one["value"] for key, one in stored[name].items()
        }
        for name in order
    }


def _rivals(beside: Sequence[str | os.PathLike[str]], part: str) -> dict[str, dict[str, float]]:
    """Scores of other runs, by model and folder; one that cannot be read is left out with a warning."""
    found = {}
    for folder in beside:
        try:
            other = Scored.read(folder, part)
        except NeuritoError as error:
            warn(f"left out: {error}")
            continue
        if not other.scores:
            warn(f"{shown(other.folder)}: has no scores on the {part} trials; neurito evaluate gives it some")
        found[f"{other.model} ({shown(other.folder)})"] = dict(other.scores)
    return found


def _of_scores(
    run: Run, own: Scores, rivals: Scores, leading: str, part: str, stored: Mapping[str, Any], trials: Trials
) -> Iterator[Caution]:
    """Remarks on the scores of the part that is shown, or of the first that was scored."""
    if not own:
        yield Caution(
            "warning",
            "Not scored",
            "This run has no scores: neurito evaluate RUN gives it some, then make this page again.",
        )
        return
    first = next(iter(own))
    if first != part:
        yield Caution(
            "warning",
            "Not scored on these trials",
            f"The scores are of the {first} trials, the figures of the {part}.",
        )
    elif {one.get("data") for one in stored[part].values()} - {None, trials.fingerprint()}:
        yield Caution(
            "warning",
            "Scores of other trials",
            "The scores were computed on other trials than the figures show.",
        )
    particles = run.fitted.specification.particles if isinstance(run.fitted, Fitted) else None
    yield from cautions.of_scores(own[first], particles)
    yield from cautions.of_rivals(own[first], rivals, leading)


def _lead(run: Run, trials: Trials, part: str) -> str:
    """Model and recording in a few lines."""
    from neurito.cli.output import sentence

    facts = [("Model", sentence(run.fitted)), ("Shown", f"{_called(part)} of the recording")]
    facts += [
        (name if name in {*trials.heads, *trials.metadata} else name.capitalize(), value.strip())
        for name, value in (line.split(maxsplit=1) for line in trials.summary().splitlines())
    ]
    if run.history and "seconds" in run.history[-1]:
        last = run.history[-1]
        facts.append(("Fit", f"{last.get('step', 0):.0f} steps in {last['seconds']:.0f} s"))
    return "<dl>" + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in facts) + "</dl>"


def _cautions(found: Sequence[Caution]) -> str:
    words = {"warning": "Warning", "note": "Note"}
    return "".join(
        f'<li class="{one.weight}"><strong>{words[one.weight]}: {escape(one.title)}.</strong> {escape(one.text)}</li>'
        for one in found
    )


def _scores(own: Scores, rivals: Scores, part: str) -> str:
    """The scores as a table: meaning, this run on every part, other runs."""
    if not own and not any(rivals.values()):
        return "<p>There are no scores yet.</p>"
    first = next(iter(own), part)
    columns = {f"this run, {name}": column for name, column in own.items()} | dict(rivals)
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    rows = []
    for name in names:
        unit, meaning = about(name)
        cells = "".join(
            f"<td>{_number(column[name]) if name in column else '<span class=none>none</span>'}</td>"
            for column in columns.values()
        )
        rows.append(
            f'<tr><th scope="row"><code>{escape(name)}</code> <small>{escape(unit)}</small>'
            f'<span class="words">{escape(meaning)}</span></th>{cells}</tr>'
        )
    beside = f" Other runs are scored on the {escape(first)} part too." if rivals else ""
    return (
        '<div class="scroll" role="region" aria-label="Scores" tabindex="0"><table class="scores">'
        "<caption>Scores of all trials of a part; names and meanings as in <code>neurito evaluate</code>."
        f'{beside}</caption><thead><tr><th scope="col">score, unit, meaning</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _number(value: float) -> str:
    return "cannot be had" if np.isnan(value) else f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _model(run: Run) -> str:
    """The model in words, then part by part in equations and fitted values."""
    out = [f"<p>{escape(model.words(type(run.fitted.specification)))}</p>"]
    derived = model.physical(run.fitted) if isinstance(run.fitted, Fitted) else None
    for part in (*([derived] if derived else []), *model.parts(run.fitted)):
        text = "".join(_paragraph(one) for one in part.text.split("\n\n"))
        out.append(f"<h3>{escape(part.title)} <small>{escape(part.kind)}</small></h3>{text}")
        if part.values:
            out.append(_values(part))
    return "".join(out)


def _values(part: model.Part) -> str:
    """The fitted values of a part as a table."""
    head = ("parameter", "shape", "fitted value; of many: mean ± sd (range)")
    body = "".join(
        f'<tr><th scope="row"><code>{escape(name)}</code></th><td>{escape(shape)}</td>'
        f"<td>{escape(value)}</td></tr>"
        for name, shape, value in part.values
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Fitted values: {escape(part.title)}"><table>'
        f"<thead><tr>{''.join(f'<th scope=col>{name}</th>' for name in head)}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _paragraph(text: str) -> str:
    """A paragraph of a docstring; one with equations is set as such."""
    if "\n    " in f"\n{text}":
        return f'<pre class="equation">{model.typeset(text)}</pre>'
    kind = ' class="equation"' if (" = " in text or " ~ " in text) and len(text) < 200 else ""
    return f"<p{kind}>{model.typeset(text)}</p>"


def _provenance(run: Run, trials: Trials, part: str) -> str:
    """Where everything came from, and how to get it again."""
    config = read_json(run.folder / "config.json") if run.folder else {}
    recording = config.get("recording") or {}
    facts = [("Recording", f"{file} ({_digest(Path(file))})") for file in recording.get("files", [])]
    if not recording:
        facts.append(("Recording", "given from Python; the run does not say in which file it was"))
    known = {"of the whole recording": recording.get("trials"), "of the training trials": config.get("data")}
    known |= {f"of the {part} trials shown here": trials.fingerprint()}
    facts += [("Content hash", f"{value} {name}") for name, value in known.items() if value]
    if recording:
        facts.append(("Read with", _options(recording.get("load", {})) or "no options"))
        facts.append(("Cut with", _options(recording.get("split", {}))))
    facts.append(("Seed", str(run.training.seed)))
    facts.append(
        ("Fitted with", f"neurito {config['neurito']}" if "neurito" in config else "an unknown version")
    )
    versions = ", ".join(f"{name} {_version(name)}" for name in ("jax", "numpy", "equinox"))
    facts.append(
        (
            "Page made with",
            f"neurito {neurito.__version__}, Python {platform.python_version()}, {versions}, "
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )
    )
    table = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in facts)
    return f"<dl>{table}</dl>{_again(run, recording)}"


def _again(run: Run, recording: Mapping[str, Any]) -> str:
    """The command that fits the same model again."""
    if not run.folder:
        return "<p>The run is not saved.</p>"
    if not recording:
        return "<p>The fit was called from Python: its options are in config.json of the run.</p>"
    config, other = shlex.quote(shown(run.folder / "config.json")), shlex.quote(shown(run.folder) + "-again")
    return (
        "<p>The same fit again (same machine and versions: the same numbers):</p>"
        f"<pre>neurito fit --config {escape(config)} --run {escape(other)}</pre>"
    )


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return f"SHA-256 {hashlib.file_digest(content, 'sha256').hexdigest()}"
    except OSError:
        return "no longer there"


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in options.items())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
