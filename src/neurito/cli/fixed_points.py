"""neurito fixed-points: the dynamics of a fitted network, with a certificate."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurito.cli import output
from neurito.errors import NeuritoError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurito.analysis import Bifurcations, FixedPoints, Progress
    from neurito.analysis.periodic import Orbits

SHOWN = 100  # rows of a table; the files hold them all
WEIGHTS = ("n", "m", "h", "leak")


def fixed_points(
    run: Path,
    *,
    input: str = "",
    cycles: int = 1,
    method: Literal["auto", "certified", "numerical"] = "auto",
    boxes: int | None = None,
    seconds: float | None = None,
    resume: bool = False,
    orthonormal: bool = False,
    starts: int = 256,
    scale: float = 1.0,
    seed: int = 0,
    sweep: str = "",
    out: Path | None = None,
) -> None:
    """Finds all fixed points of a fitted network, with a proof that none is missing.

    Prints and writes (fixed_points.json and .csv) each point with its type, eigenvalues per bin and residual, then
    what is proved; draws a phase portrait of one to three latents. Models that are no network of units, and ranks
    out of reach, are searched from many starts, which proves nothing and is said so. Ctrl-C keeps what there is.

    Args:
        run: the run folder.
        input: constant inputs, comma-separated, in the recording's units; by default zeros.
        cycles: also finds cycles of 2 to so many bins.
        method: certified, numerical, or auto, the first where it is feasible.
        boxes: stops each search after about so many boxes.
        seconds: stops each search after about so long.
        resume: goes on with the search that the folder holds.
        orthonormal: latents as orthonormal coordinates of the units' currents.
        starts: of the numerical search.
        scale: standard deviation of these starts, in latent units.
        seed: of these starts.
        sweep: input=NAME:low:high:values, or n, m, h or leak in place of input=NAME, which the values then multiply:
            how the points move, appear and vanish.
        out: folder for the files; by default fixed_points in the run folder.
    """
    from neurito import analysis
    from neurito.analysis.fitted import is_network, map_of, network_of
    from neurito.fitting.run import Run
    from neurito.models.fitted import fitted_of

    if cycles < 1:
        raise NeuritoError(f"--cycles {cycles}: give the longest period, 1 or more")
    fitted = fitted_of(Run.load(run))
    dynamics, names = fitted.model.dynamics, fitted.layout.inputs
    u = _inputs(input, names)
    network = network_of(dynamics, u) if is_network(dynamics) else None
    step: Callable[[np.ndarray], np.ndarray] = network or map_of(dynamics, fitted.layout.bin_width, u)
    if network is None and (cycles > 1 or sweep or orthonormal):
        raise NeuritoError(
            f"{type(dynamics).__name__} is no network of units: leave out --cycles, --sweep, --orthonormal"
        )
    # everything that can be wrong is looked at before the work begins
    family = _family(sweep, dynamics, names, u) if sweep else None
    folder = out or run / "fixed_points"
    folder.mkdir(parents=True, exist_ok=True)
    before = analysis.FixedPoints.load(folder / "fixed_points.json") if resume else None
    if before is not None and not before.open:
        raise NeuritoError(f"{folder / 'fixed_points.json'}: has no open boxes, there is nothing to resume")
    written = []
    limits: dict[str, Any] = {"max_boxes": boxes, "max_seconds": seconds}
    with _Report() as report:
        found = analysis.fixed_points(
            step,
            method=method,
            resume=before,
            basis="orthonormal" if orthonormal else "model",
            starts=starts,
            scale=scale,
            dim=dynamics.latent_dim,
            seed=seed,
            progress=report,
            **limits,
        )
    for ending in ("json", "csv"):
        written.append(folder / f"fixed_points.{ending}")
        found.save(written[-1])
    _show(found)
    stopped = any(part.interrupted for part in found.search)
    for period in range(2, cycles + 1):
        if stopped:
            break
        with _Report() as report:
            orbits = analysis.cycles(network, period, progress=report, **limits)
        stopped = orbits.interrupted
        _show_cycles(orbits)
        written.append(folder / f"cycles_{period}.csv")
        _save_cycles(orbits, written[-1])
    drawn = _drawn(step, orthonormal)
    if dynamics.latent_dim <= 3 and drawn is not None:
        written += _draw(analysis.portrait(drawn, found), folder / "portrait")
    if family is not None and not stopped:
        name, values, member = family
        branches = analysis.bifurcations(member, values, name=name, **limits)
        _show_events(branches)
        written.append(folder / "sweep.csv")
        _save(_frame(branches), written[-1])
        written += _draw(analysis.diagram(branches), folder / "sweep")
    output.fact("files", f"{folder}: {', '.join(path.name for path in written)}")
    if found.open:
        output.fact("next", f"the same command with --resume goes on with {found.open} open boxes")
    if stopped:
        raise KeyboardInterrupt


def _inputs(text: str, names: Sequence[str]) -> np.ndarray | None:
    """The constant inputs; None where the model has none."""
    said = ", ".join(names) or "none"
    try:
        values = np.array([float(word) for word in text.split(",")] if text else [0.0] * len(names))
    except ValueError:
        raise NeuritoError(f"--input {text}: give numbers with commas between, for {said}") from None
    if len(values) != len(names):
        raise NeuritoError(f"--input {text}: {len(values)} values, but the model's inputs are: {said}")
    if not np.isfinite(values).all():
        raise NeuritoError(f"--input {text}: give finite numbers")
    return values if len(names) else None


def _family(
    text: str, dynamics: Any, names: Sequence[str], u: np.ndarray | None
) -> tuple[str, np.ndarray, Callable[[float], Any]]:
    """What a sweep moves: its name, its values, and the network at each."""
    from neurito.analysis import Network
    from neurito.analysis.fitted import network_of

    what, *rest = text.rsplit(":", 3)
    try:
        low, high, count = (float(word) for word in rest)
        if not (np.isfinite(low) and low < high < np.inf and 2 <= count == int(count) <= 10_000):
            raise ValueError
    except ValueError:
        raise NeuritoError(
            f"--sweep {text}: give WHAT:low:high:values, as in n:0.5:1.5:21 (two or more, ascending)"
        ) from None
    values = np.linspace(low, high, int(count))
    kind, _, name = what.partition("=")
    if kind == "input":
        if name not in names:
            raise NeuritoError(f"--sweep {text}: the model has no input {name!r}; {nearest(name, names)}")
        channel = list(names).index(name)
        base = np.zeros(len(names)) if u is None else u

        def driven(value: float) -> Network:
            return network_of(dynamics, np.where(np.arange(len(names)) == channel, value, base))

        return name, values, driven
    if what not in WEIGHTS:
        raise NeuritoError(f"--sweep {text}: cannot move {what!r}; give input=NAME, {', '.join(WEIGHTS)}")
    whole = network_of(dynamics, u)

    def scaled(value: float) -> Network:
        parts = vars(whole) | {what: value * getattr(whole, what)}
        return Network(**parts)

    return f"factor of {what}", values, scaled


class _Report:
    """How far a search is: one line written anew on a terminal, plain lines elsewhere."""

    def __enter__(self) -> "_Report":
        self._live, self._said, self._wide = sys.stderr.isatty(), time.monotonic(), 0
        return self

    def __call__(self, progress: "Progress") -> None:
        now = time.monotonic()
        if now - self._said < (0.2 if self._live else 10.0):
            return
        self._said = now
        text = f"{100 * progress.share:5.1f} % of the volume, {progress.boxes} boxes, {progress.rate:.0f} boxes/s"
        self._wide = max(self._wide, len(text))
        print(
            f"\r{text:<{self._wide}}" if self._live else text, end="" if self._live else "\n", file=sys.stderr
        )
        sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self._live and self._wide:
            print(f"\r{'':<{self._wide}}\r", end="", file=sys.stderr, flush=True)


def _show(found: "FixedPoints") -> None:
    """The points, then what is proved of them."""
    rows = [("", "type", "eigenvalues per bin", "boundary", "residual", "where")]
    for k, (kind, values) in enumerate(zip(found.kind[:SHOWN], found.eigenvalues[:SHOWN], strict=True)):
        where = ", ".join(f"{z:.4g}" for z in found.points[k])
        edge = "yes" if found.on_boundary[k] else "no"
        rows.append((f"{k + 1}", kind, _values(values), edge, f"{found.residual[k]:.0e}", f"({where})"))
    lines = [_table(rows)] if len(found) else []
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more, in the files")
    output.fact("points", "\n".join([str(found).splitlines()[0], *lines]))
    infinity = 0 if found.infinity is None else len(found.infinity)
    if found.method == "numerical":
        slow = np.empty((0, 0)) if found.slow is None else found.slow
        output.fact("certificate", f"none: {'; '.join(found.notes)}; {found.seconds:.2g} s")
        shown = [f"({', '.join(f'{z:.4g}' for z in point)})" for point in slow[:SHOWN]]
        output.fact("slow points", "\n".join([f"{len(slow)}, not exhaustive", *shown]))
        return
    total = "unknown" if found.index_sum is None else str(found.index_sum)
    expected = "" if found.index_expected is None else f" (expected {found.index_expected})"
    left = 0 if found.unresolved is None else len(found.unresolved)
    output.fact(
        "certificate",
        f"complete {'yes' if found.complete else 'no'}, index_sum {total}{expected}, {found.boxes} boxes, "
        f"{left} unresolved, {found.open} open, {found.seconds:.2g} s",
    )
    output.fact("others", f"{len(found.continua)} pieces of continua, {infinity} directions at infinity")
    for note in found.notes:
        output.fact("note", note)


def _show_cycles(orbits: "Orbits") -> None:
    rows = [("", "type", "multipliers", "boundary", "first state")]
    for k, kind in enumerate(orbits.stability[:SHOWN]):
        where = ", ".join(f"{z:.4g}" for z in orbits.points[k, 0])
        edge = "yes" if orbits.on_boundary[k] else "no"
        rows.append((f"{k + 1}", kind, _values(orbits.multipliers[k]), edge, f"({where})"))
    proof = (
        f"complete {'yes' if orbits.complete else 'no'}, {orbits.boxes} boxes, {orbits.unresolved} unresolved"
    )
    table = [_table(rows)] if len(orbits.points) else []
    output.fact(f"{orbits.period}-cycles", "\n".join([f"{len(orbits.points)}; {proof}", *table]))


def _show_events(branches: "Bifurcations") -> None:
    lines = [f"{e.kind} at {e.value:.6g}: {e.before} points before, {e.after} after" for e in branches.events]
    sure = int(branches.certified.sum())
    head = f"{branches.name}, {len(lines)} events; certified at {sure} of {len(branches.values)} values"
    output.fact("sweep", "\n".join([head, *lines[:SHOWN]]))


def _values(values: np.ndarray) -> str:
    """Eigenvalues, a complex pair as one."""
    words, seen = [], list(values)
    while seen:
        value = seen.pop(0)
        if abs(value.imag) <= 1e-9 * max(abs(value), 1e-9):
            words.append(f"{value.real:.4g}")
            continue
        twin = min(range(len(seen)), key=lambda k: abs(seen[k] - value.conjugate()), default=None)
        if twin is not None:
            seen.pop(twin)
        words.append(f"{value.real:.4g} ± {abs(value.imag):.4g}i")
    return ", ".join(words)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{w}}" for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows
    )


def _save_cycles(orbits: "Orbits", path: Path) -> None:
    """One row per state of each cycle."""
    import pandas as pd

    def rows() -> Iterator[dict[str, Any]]:
        for k, kind in enumerate(orbits.stability):
            for step, z in enumerate(orbits.points[k]):
                yield {"cycle": k + 1, "step": step + 1, **{f"z{j + 1}": v for j, v in enumerate(z)}} | {
                    "stability": kind,
                    "multipliers": " ".join(f"{v:.6g}" for v in orbits.multipliers[k]),
                    "on_boundary": orbits.on_boundary[k],
                    "complete": orbits.complete,
                }

    latents = [f"z{j + 1}" for j in range(orbits.points.shape[2])]
    columns = ["cycle", "step", *latents, "stability", "multipliers", "on_boundary", "complete"]
    _save(pd.DataFrame(rows(), columns=columns), path)


def _frame(branches: "Bifurcations") -> Any:
    """One row per value and point."""
    import pandas as pd

    parts = []
    for value, result, branch in zip(branches.values, branches.results, branches.branch, strict=True):
        part = result.table()
        part.insert(0, "branch", branch + 1)
        part.insert(0, branches.name.replace(" ", "_"), value)
        parts.append(part.assign(complete=result.complete))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _save(frame: Any, path: Path) -> None:
    from neurito.data.files import atomic_write

    with atomic_write(path) as temporary:
        frame.to_csv(temporary, index=False)


def _drawn(step: Any, orthonormal: bool) -> Any:
    """The map in the coordinates of the points; None where latents of different leaks are mixed."""
    from neurito.analysis import orthonormal_basis

    if not orthonormal:
        return step
    return step.in_basis(orthonormal_basis(step)) if np.ptp(step.leak) == 0.0 else None


def _draw(figure: "Figure", path: Path) -> list[Path]:
    """A figure as PNG and SVG."""
    from neurito.data.files import atomic_write

    written = []
    for ending in ("png", "svg"):
        written.append(path.with_suffix(f".{ending}"))
        with atomic_write(written[-1]) as temporary:
            figure.savefig(temporary, format=ending, dpi=200)
    return written
