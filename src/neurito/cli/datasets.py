"""neurito data: what recordings there are, fetching them, cutting the sets of the benchmark."""

import sys
from pathlib import Path
from typing import Literal

from neurito.cli import output
from neurito.errors import NeuritoError

Action = Literal["list", "fetch", "prepare"]


def data(
    action: Action,
    name: str = "",
    source: Path | None = None,
    *,
    to: Path | None = None,
    only: str = "",
    bin_width: float = 0.02,
    out: Path | None = None,
) -> None:
    """Lists recordings, fetches one, or cuts a set of the Neural Latents Benchmark for a fit.

    neurito data list

    neurito data fetch mc_maze_small --to data

    neurito data prepare mc_maze_small data --out small.h5, then neurito fit small.h5 and neurito benchmark

    Args:
        action: list, fetch or prepare.
        name: of the recording, for fetch and prepare.
        source: folder with its files, for prepare; by default where fetch puts them.
        to: folder of all recordings; by default $NEURITO_DATA, or data here.
        only: fetches files whose names are like this, as in *Cori*.
        bin_width: of a prepared set in seconds, 0.005 or 0.02.
        out: file to write, for prepare.
    """
    if action == "list":
        _list(to)
        return
    if not name:
        raise NeuritoError(f"NAME is missing: which recording to {action}; neurito data list names them")
    if action == "fetch":
        _fetch(name, to, only)
        return
    from neurito import benchmark
    from neurito.benchmark.downloads import default_folder

    if out is None:
        raise NeuritoError("--out is missing: the file to write, for instance small.h5")
    out = output.target(out)
    trials = benchmark.read(source or to or default_folder(), name, bin_width)
    trials.save(out)
    output.fact("written", f"{out}\n{trials.summary()}")


def _list(to: Path | None) -> None:
    from neurito.benchmark.downloads import RECORDINGS, default_folder

    folder = to or default_folder()
    rows = [("name", "size", "licence", "here", "what, and from where")]
    for one in RECORDINGS.values():
        here = "yes" if one.present(folder) else "no"
        rows.append((one.name, _size(one.size), one.licence, here, f"{one.about}, {one.source}"))
    wide = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(w) for cell, w in zip(row[:4], wide, strict=True)), row[4]]))


def _fetch(name: str, to: Path | None, only: str) -> None:
    from neurito.benchmark.downloads import fetch, find

    shown = sys.stderr.isatty()

    def report(path: str, have: int, size: int | None) -> None:
        share = f" of {_size(size)}" if size else ""
        print(f"\r{Path(path).name}: {_size(have)}{share}\033[K", end="", file=sys.stderr, flush=True)

    paths = fetch(name, to, only, report if shown else None)
    if shown:
        print(file=sys.stderr)
    output.fact("fetched", "\n".join(map(str, paths)))
    output.fact("checked", f"against {find(name).checked_by}")


def _size(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
