"""The page itself: its skeleton, style and script, filled with what is known of a run."""

import json
from html import escape
from importlib.resources import files
from typing import Any


def filled(*, title: str, data: dict[str, Any], **sections: str) -> str:
    """The page as HTML.

    Args:
        title: plain text.
        data: for the script.
        **sections: HTML, by the name of their place in page.html.
    """
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    here = files(__package__)
    read = {name: here.joinpath(name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")}
    numbers = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    places = {
        "title": escape(title),
        "style": read["page.css"],
        **sections,
        "data": numbers.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
        "plotly": get_plotlyjs(),
        "script": read["page.js"],
    }
    pieces = read["page.html"].split("{{")
    out = [pieces[0]]
    for piece in pieces[1:]:  # in one go: what is put in is never searched for places
        name, rest = piece.split("}}", 1)
        out += [places[name], rest]
    return "".join(out)
