"""Specifications, fitted models and runs as notebooks show them."""

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from html import escape
from typing import Any

import numpy as np


def specification(words: Any) -> str:
    """A model in words: what it is, and the options that say which, as HTML."""
    return _table(words.name, _first(type(words)), _options(words))


def fitted(model: Any) -> str:
    """A fitted model or baseline: the same, its recording, its parts and its size, as HTML."""
    return _table(model.specification.name, _first(type(model.specification)), _facts(model))


def run(of: Any) -> str:
    """A run: the same, the course of the fit and where it is saved, as HTML."""
    rows = list(_facts(of.fitted))
    history = [row for row in of.history if "step" in row]
    if history:
        last = history[-1]
        rows.append(
            ("fit", f"{last['step']:.0f} steps in {last.get('seconds', 0):.0f} s, seed {of.training.seed}")
        )
    scores = np.array([row.get("score", np.nan) for row in history], float)
    if np.isfinite(scores).any() and hasattr(of.fitted, "model"):
        best = int(np.nanargmax(scores))
        rows.append((f"best {of.training.score}", f"{scores[best]:.4g} at step {history[best]['step']:.0f}"))
    rows.append(("folder", str(of.folder or "not saved")))
    words = of.fitted.specification
    return _table(words.name, _first(type(words)), rows) + _course(scores)


def _facts(model: Any) -> Iterable[tuple[str, str]]:
    layout = model.layout
    yield from _options(model.specification)
    for name in model.specification.observed(layout):
        head = layout.heads[name]
        yield name, f"{head.channels} channels, {head.kind}{', ' + head.unit if head.unit else ''}"
    yield "bins", f"{layout.bin_width:g} s{'' if layout.regular else ' (median; irregular)'}"
    if layout.inputs:
        yield "inputs", ", ".join(layout.inputs)
    if len(layout.sessions) > 1:
        yield "sessions", ", ".join(layout.sessions)
    parts = getattr(model, "model", None)
    if parts is not None:
        yield (
            "parts",
            ", ".join(
                type(part).__name__
                for part in (parts.dynamics, *parts.heads.values(), parts.guide, parts.encoder)
                if part
            ),
        )
    yield "parameters", f"{sum(x.size for x in model.parameters.values()):,}"


def _options(words: Any) -> list[tuple[str, str]]:
    """Options that are the model's own, and others that differ from their defaults."""
    found, own = [], inspect.get_annotations(type(words))
    for field in fields(words):
        value = getattr(words, field.name)
        if field.name in own or field.default is MISSING or value != field.default:
            found.append((field.name, str(value)))
    return found


def _first(kind: type[Any]) -> str:
    """The first sentence of a docstring."""
    return inspect.cleandoc(kind.__doc__ or "").split("\n\n", 1)[0]


def _table(title: str, text: str, rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f"<p><b>{escape(title)}</b>: {escape(text)}</p><table>{body}</table>"


def _course(scores: Sequence[float] | np.ndarray) -> str:
    """The score over the fit as a small line."""
    known = np.flatnonzero(np.isfinite(scores))
    if len(known) < 3:
        return ""
    y = np.asarray(scores)[known]
    low = np.quantile(y, 0.1)  # the first scores are far below
    height = np.clip((y - low) / max(float(y.max() - low), 1e-12), 0, 1)
    points = " ".join(
        f"{200 * x / known[-1]:.1f},{38 - 34 * h:.1f}" for x, h in zip(known, height, strict=True)
    )
    return (
        '<svg width="204" height="40" role="img" aria-label="validation score over the fit">'
        f'<polyline points="{points}" fill="none" stroke="#0072B2" stroke-width="1.5"/></svg>'
    )
