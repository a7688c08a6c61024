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

import numpy as np

import neurito
from neurito.analysis import Limits, Network, cycles, fixed_points, orthonormal_basis, portrait
from neurito.analysis.fitted import network_of
from neurito.data.files import atomic_write
from results import DATA, eeg

HERE = Path(__file__).parent
FITS, OUT = HERE / "out" / "results", HERE / "out" / "fitted_dynamics"
PAGE = HERE.parent / "docs" / "results.md"
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


def draw(network: Network, name: str, latents: np.ndarray | None = None) -> Any:
    """The portrait in coordinates in which the columns of m are orthonormal."""
    found, T = fixed_points(network, basis="orthonormal"), orthonormal_basis(network)
    data = None if latents is None else latents @ T.T
    return portrait(
        network.in_basis(T), found, data=data, trajectories=0 if latents is not None else 8, title=name
    )


def figure() -> None:
    """The portrait of one EEG fit, with the recording's latents."""
    run = neurito.Run.load(FITS / SHOWN)
    latents = neurito.infer(run, eeg(), samples=8)["latent_mean"].values[:, LATENTS].astype(float)
    FIGURE.parent.mkdir(exist_ok=True)
    made = draw(network_of(run.fitted.model.dynamics), "EEG, a fit of rank 3 with 512 clipped units", latents)
    with atomic_write(FIGURE) as path:
        made.savefig(path, format="png", dpi=110)


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
    before, rest = PAGE.read_text().split("<!-- dynamics -->")
    _, after = rest.split("<!-- end dynamics -->")
    with atomic_write(PAGE) as path:
        path.write_text(f"{before}<!-- dynamics -->\n\n{table(rows)}\n\n<!-- end dynamics -->{after}")


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
