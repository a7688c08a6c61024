"""The sections of docs/results.md that scripts write."""

from pathlib import Path

from neurito.data.files import atomic_write

PAGE = Path(__file__).parents[1] / "docs" / "results.md"


def fill(name: str, content: str) -> None:
    """Puts content between the page's markers of that name; without markers the page stays as it is."""
    text, start, end = PAGE.read_text(), f"<!-- {name} -->", f"<!-- end {name} -->"
    if start not in text:
        return
    before, rest = text.split(start)
    _, after = rest.split(end)
    with atomic_write(PAGE) as path:
        path.write_text(f"{before}{start}\n\n{content.strip()}\n\n{end}{after}")
