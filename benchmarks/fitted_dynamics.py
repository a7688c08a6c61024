"""Dynamics of the fitted networks: all fixed points and short cycles of every EEG and ALM fit, certified.

    python benchmarks/results.py --only eeg eeg-80 alm     the fits
    python benchmarks/fitted_dynamics.py                   what is missing, then the section of docs/results.md
    python benchmarks/fitted_dynamics.py --again           everything once more

One JSON and one portrait (up to three latents) per fit go to benchmarks/out/fitted_dynamics, the portrait of one EEG
fit, with latents inferred from the recording, to docs/figures.
"""

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import neurito
from neurito.analysis import Limits, Network, cycles, fixed_points, orthonormal_basis, portrait
from neurito.analysis.fitted import network_of
from neurito.analysis.portraits import DATA as DATA_COLOUR
from neurito.analysis.portraits import MARKS, STYLE
from neurito.data.files import atomic_write
from page import fill
from results import DATA, eeg

HERE = Path(__file__).parent
FITS, OUT = HERE / "out" / "results", HERE / "out" / "fitted_dynamics"
FIGURE = HERE.parent / "docs" / "figures" / "fitted_dynamics_eeg.png"
SHOWN = "eeg-1"  # the fit in the figure
LATENTS = slice(0, 1600)  # bins of it that are drawn, ten seconds
TYPES = ("stable", "saddle", "unstable", "marginal", "boundary")
PERIODS = (2, 3)


def analyse(run: neurito.Run, seconds: float) -> dict[str, Any]:
    """Fixed points and cycles of a fit, and its portrait."""
    assert run.folder is not None
    dynamics, name = run.fitted.model.dynamics, run.folder.name
    network = network_of(dynamics)
    found = fixed_points(network, max_seconds=seconds, basis="orthonormal")
    found.save(OUT / f"{name}-points.json")
    if network.rank <= 3:
        draw(network, name).savefig(OUT / f"{name}.png", dpi=150)
    turning = found.eigenvalues[np.abs(found.eigenvalues.imag) > 1e-9]
    row: dict[str, Any] = {
        "rank": network.rank,
        "units": network.units,
        "types": dict(Counter(found.stability)),
        "complete": found.complete,
        "index_sum": found.index_sum,
        "continua": len(found.continua),
        "boxes": found.boxes,
        "seconds": found.seconds,
        "largest_residual": float(found.residual.max(initial=0.0)),
        "hertz": sorted(
            set(np.round(np.abs(np.angle(turning)) / (2 * np.pi * run.fitted.layout.bin_width), 3))
        ),
        "cycles": {},
    }
    for period in PERIODS:
        begin = time.perf_counter()
        orbits = cycles(network, period, max_seconds=seconds)
        row["cycles"][str(period)] = {
            "found": len(orbits.points),
            "stability": orbits.stability,
            "complete": orbits.complete,
            "unresolved": orbits.unresolved,
            "boxes": orbits.boxes,
            "seconds": time.perf_counter() - begin,
        }
    return row | {"cores": Limits().cores, "load": os.getloadavg()[0]}


def draw(network: Network, name: str) -> Figure:
    """The portrait in coordinates in which the columns of m are orthonormal."""
    found = fixed_points(network, basis="orthonormal")
    return portrait(network.in_basis(orthonormal_basis(network)), found, title=name)


def figure() -> None:
    """One EEG fit: its fixed points among the recording's latents, and their eigenvalues."""
    run = neurito.Run.load(FITS / SHOWN)
    network, dt = network_of(run.fitted.model.dynamics), run.fitted.layout.bin_width
    found, T = fixed_points(network, basis="orthonormal"), orthonormal_basis(network)
    latents = neurito.infer(run, eeg(), samples=8)["latent_mean"].values[0].astype(float) @ T.T
    axes_of = np.linalg.svd(latents - latents.mean(0), full_matrices=False)
    share, plane = axes_of[1][:2] ** 2 / (axes_of[1] ** 2).sum(), axes_of[2][:2].T
    with mpl.rc_context(STYLE):
        made = Figure(figsize=(7, 3.5), layout="constrained")
        left, right = made.subplots(1, 2, width_ratios=[1.15, 1])
        left.plot(*(latents[LATENTS] @ plane).T, color=DATA_COLOUR, lw=0.5, alpha=0.6, label="EEG, 10 s")
        kinds = np.array(found.stability)
        for kind, (marker, face) in MARKS.items():
            if not (kinds == kind).any():
                continue
            look = {"mfc": face, "mec": "black", "mew": 0.7, "ms": 4.5, "ls": "", "label": kind}
            left.plot(*(found.points[kinds == kind] @ plane).T, marker, **look)
            values = found.eigenvalues[kinds == kind].ravel()
            right.plot(values.real, values.imag, marker, **look)
        circle = np.exp(1j * np.linspace(0, 2 * np.pi, 400))
        right.plot(circle.real, circle.imag, color="0.6", lw=0.8, zorder=0)
        for hertz in (2, 5):
            ray = np.exp(2j * np.pi * hertz * dt) * np.array([0.86, 1.17])
            right.plot(ray.real, ray.imag, color="0.85", lw=0.8, zorder=0)
            right.annotate(f"{hertz} Hz", (ray.real[1], ray.imag[1]), fontsize=7, color="0.4")
        left.set(
            xlabel=f"component 1, {100 * share[0]:.0f} % of variance (arbitrary units)",
            ylabel=f"component 2, {100 * share[1]:.0f} % (arbitrary units)",
            title=f"{len(found)} fixed points among the latents",
        )
        right.set(
            xlabel="real part (per bin of 6.25 ms)", ylabel="imaginary part (per bin)", xlim=(0.84, 1.24),
            ylim=(-0.32, 0.42),
            title="their eigenvalues, and the unit circle",
        )  # fmt: skip
        right.set_aspect("equal")
        left.legend()
    FIGURE.parent.mkdir(exist_ok=True)
    with atomic_write(FIGURE) as path:
        made.savefig(path, format="png", dpi=130)


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows of all fits in Markdown."""
    lines = [
        "| fit | R, units | fixed points | stable | saddle | unstable | turning at, Hz | complete | "
        "index sum | boxes | seconds | 2-cycles | 3-cycles |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        types = row["types"]
        odd = sum(types.get(kind, 0) for kind in TYPES[3:])
        hertz = row["hertz"]
        turning = f"{np.median(hertz):.1f} ({hertz[0]:.1f} to {hertz[-1]:.1f})" if hertz else "none"
        total = sum(types.values())
        cells = [
            name, f"{row['rank']}, {row['units']}", f"{total}" + (f" ({odd} on kinks)" if odd else ""),
            *(str(types.get(kind, 0)) for kind in TYPES[:3]), turning, "yes" if row["complete"] else "no",
            str(row["index_sum"]), str(row["boxes"]), f"{row['seconds']:.2g}",
            *(_cycles(row["cycles"][str(k)]) for k in PERIODS),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cycles(row: dict[str, Any]) -> str:
    proof = "certified" if row["complete"] else "not certified"
    return f"{row['found']}, {proof}, {row['seconds']:.0f} s"


def write(rows: dict[str, dict[str, Any]]) -> None:
    """The section of the page between its markers."""
    fill("dynamics", table(rows))


def main() -> None:
    """Analyses what is missing, writes the section and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--again", action="store_true", help="also what was done before")
    parser.add_argument("--seconds", type=float, default=120.0, help="cap of each search")
    parser.add_argument("--figure", action="store_true", help="only the figure")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    rows = {}
    warm = Network(0.5, [[1.0]], [[1.0]], [0.3], "clipped_relu")  # compiles, or reads what was compiled
    fixed_points(warm), cycles(warm, 2)
    for folder in sorted([*FITS.glob("eeg*/"), *FITS.glob("alm*/")]) if not options.figure else ():
        path = OUT / f"{folder.name}.json"
        if options.again or not path.is_file():
            row = analyse(neurito.Run.load(folder), options.seconds)
            path.write_text(json.dumps(row, indent=1) + "\n")
        rows[folder.name] = json.loads(path.read_text())
        print(table({folder.name: rows[folder.name]}).splitlines()[-1], flush=True)
    if rows:
        write(rows)
    if DATA.is_dir():
        figure()
    else:
        print(f"no recordings at {DATA}: set NEURITO_DATA for the figure")


if __name__ == "__main__":
    main()
