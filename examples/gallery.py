"""The figures of docs/gallery.md, from small fits to simulated recordings.

Run it with `python examples/gallery.py`; it takes some minutes, keeps its fits in demo/gallery and writes
docs/figures/gallery-*.png and docs/gallery.md.
"""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import neurito
from neurito import Trials, plots
from neurito.analysis import fixed_points
from neurito.analysis.fitted import network_of
from neurito.compare import Comparison
from neurito.data.simulators import coupled_oscillators, teacher
from neurito.models import CoupledOscillatorSDE, LangevinFlow

RUNS, DOCS = Path("demo/gallery"), Path("docs")
FAST: dict[str, Any] = {"learning_rate": 1e-2, "final_learning_rate": 5e-4, "progress": False}


def main() -> None:
    """Simulates, fits, draws, and writes the page."""
    sections = [spikes(), oscillators()]
    (DOCS / "figures").mkdir(parents=True, exist_ok=True)
    introduction, _, _ = (DOCS / "gallery.md").read_text("utf-8").partition("## ")
    page = [introduction.rstrip() + "\n"]
    for title, code, figures in sections:
        page.append(f"## {title}\n\n{textwrap.indent(textwrap.dedent(code).strip(), '    ')}\n")
        for name, (call, figure) in figures.items():
            save(figure, DOCS / "figures" / f"gallery-{name}.png")
            page.append(f"`{call}`\n\n![{name}](figures/gallery-{name}.png)\n")
    (DOCS / "gallery.md").write_text("\n".join(page), encoding="utf-8")


def spikes() -> tuple[str, str, dict[str, tuple[str, Figure]]]:
    """Spikes of a network with a limit cycle, started in four phases."""
    truth = teacher("oscillator_poisson", trials=240, bins=100, seed=3)
    phase = np.arctan2(truth.latents[:, 0, 1], truth.latents[:, 0, 0])
    start = np.array(["east", "north", "west", "south"])[np.round(phase / (np.pi / 2)).astype(int) % 4]
    trials = truth.trials.with_metadata(condition=start).hold_out(0.2)
    split = trials.split()
    assert split.test is not None
    model = neurito.LowRankRNN(rank=2, units=40, kernels=(21, 11, 1), widths=(32, 32))
    run = neurito.fit(model, split, epochs=120, run=RUNS / "low-rank", **FAST)
    langevin = neurito.fit(
        LangevinFlow(latents=2), split, epochs=40, run=RUNS / "langevin", **FAST | {"learning_rate": 3e-3}
    )
    test = split.test
    true_rates, true_latents = truth.rates[test.ids], truth.latents[test.ids]
    quantiles = (0.025, *plots.LEVELS, 0.975)
    posterior = neurito.infer(run, test, quantiles=quantiles)
    points = fixed_points(network_of(run.fitted.model.dynamics))
    folders = [RUNS / "low-rank", RUNS / "langevin", RUNS / "smoothing"]
    neurito.fit(neurito.Smoothing(), split, run=folders[-1], progress=False)
    for folder in folders:
        score(folder, test, split.train)
    code = """
        trials = truth.trials.with_metadata(condition=start).hold_out(0.2)
        run = neurito.fit(neurito.LowRankRNN(rank=2, units=40), trials.split(), epochs=120)
        posterior = neurito.infer(run, test, quantiles=(0.025, *plots.LEVELS, 0.975))
    """
    return (
        "Spikes of a network",
        code,
        {
            "rates": (
                "plots.rates(posterior, test, true=true_rates)",
                plots.rates(posterior, test, true=true_rates),
            ),
            "latents": (
                "plots.latents(posterior, test, true=true_latents)",
                plots.latents(posterior, test, true=true_latents),
            ),
            "psths": ("plots.psths(posterior, test, 'condition')", plots.psths(posterior, test, "condition")),
            "trajectories": (
                "plots.trajectories(posterior, test, 'condition')",
                plots.trajectories(posterior, test, "condition"),
            ),
            "flow": (
                "plots.flow(run, posterior, points=fixed_points(network_of(run.fitted.model.dynamics)))",
                plots.flow(run, posterior, points=points),
            ),
            "generated": (
                "plots.generated(test, neurito.generate(run, test.n_trials, test.n_bins).trials)",
                plots.generated(test, neurito.generate(run, test.n_trials, test.n_bins).trials),
            ),
            "calibration": (
                "plots.calibration(plots.predictive_pit(posterior, test))",
                plots.calibration(plots.predictive_pit(posterior, test)),
            ),
            "potential": (
                "plots.potential(langevin, neurito.infer(langevin, test))",
                plots.potential(langevin, neurito.infer(langevin, test)),
            ),
            "comparison": (
                "plots.comparison(neurito.Comparison.of(folders, 'test'))",
                plots.comparison(Comparison.of(folders, "test", ("co_bps", "coverage_90"))),
            ),
        },
    )


def oscillators() -> tuple[str, str, dict[str, tuple[str, Figure]]]:
    """Coupled oscillators, seen through a linear readout."""
    truth = coupled_oscillators(seed=0)
    run = neurito.fit(
        CoupledOscillatorSDE(oscillators=3), truth.trials.split(), epochs=30, run=RUNS / "oscillators", **FAST
    )
    code = "run = neurito.fit(CoupledOscillatorSDE(oscillators=3), truth.trials.split(), epochs=30)"
    return "Coupled oscillators", code, {"oscillators": ("plots.oscillators(run)", plots.oscillators(run))}


def score(folder: Path, test: Trials, train: Trials) -> None:
    """Puts the scores of test trials into a run, as `neurito evaluate` does."""
    from neurito.cli.output import write_scores

    write_scores(folder, "test", neurito.evaluate(neurito.Run.load(folder), test, train), test)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure in few colours, which keeps the repository small."""
    from PIL import Image

    figure.savefig(path, dpi=110)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main()
