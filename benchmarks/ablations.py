"""What the dynamics of the Lorenz fits are worth: `neurito ablate` on runs of latent_models.py, for docs/results.md.

python benchmarks/ablations.py [MODEL ...] [--seeds 0]
"""

import argparse

import neurito
from latent_models import OUT, lorenz, path
from page import fill


def main() -> None:
    """Ablates the runs that are there and fills the page's section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=["langevin-flow"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    parts = lorenz()
    for model in options.models:
        folder = path("lorenz", model, options.seeds[0]).with_suffix("")
        found = neurito.ablate(folder, parts, seeds=options.seeds, part="test", samples=50, progress=False)
        found.save(OUT / f"ablation-{model}.md")
        found.save(OUT / f"ablation-{model}.csv")
        print(found, flush=True)
        fill(f"ablation {model}", (OUT / f"ablation-{model}.md").read_text())


if __name__ == "__main__":
    main()
