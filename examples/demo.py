"""Spikes of a known network, a model fitted to them, and what it found beside the truth.

Run it with `make demo`, or `python examples/demo.py`; it takes one to three minutes and leaves figures in demo/.
"""

import shutil
import time
from pathlib import Path

import neurito
from neurito import plots
from neurito.data.simulators import teacher
from neurito.evaluation import rates_r2

OUT = Path("demo")


def main() -> None:
    """Simulates, fits, infers, compares, draws."""
    begun = time.monotonic()
    shutil.rmtree(OUT / "run", ignore_errors=True)  # a fit of before would be gone on with
    OUT.mkdir(exist_ok=True)

    print(
        "1. Simulating: a network of 40 units and two latents that run around a limit cycle, seen as Poisson spikes."
    )
    truth = teacher("oscillator_poisson", trials=300, bins=100, seed=1)
    print(truth.trials.summary())
    split = truth.trials.split()  # 64 % to train, 16 % to select, 20 % to test
    assert split.test is not None

    print("2. Fitting a stochastic low-rank RNN of rank 2 to the spikes alone.")
    model = neurito.LowRankRNN(rank=2, units=64, particles=16, kernels=(21, 11, 1), widths=(32, 32))
    run = neurito.fit(model, split, epochs=200, learning_rate=1e-2, final_learning_rate=1e-4, run=OUT / "run")

    print(
        "3. Inferring the rates of the test trials, which the fit has not seen, and comparing them with the true ones."
    )
    test = split.test
    posterior = neurito.infer(run, test)
    true_rates, true_latents = truth.rates[test.ids], truth.latents[test.ids]
    r2 = rates_r2(true_rates, posterior.rate_mean.values)
    _, _, latents_r2 = plots.aligned(posterior.latent_mean.values, true_latents)
    print(f"   R2 of the rates: {r2.mean:.3f} (mean over neurons; 1 is perfect)")
    print(f"   R2 of the latents, mapped onto the true ones by linear regression: {latents_r2:.3f}")

    print("4. Drawing.")
    figures = {
        "rates": plots.rates(posterior, test, true=true_rates),
        "latents": plots.latents(posterior, test, true=true_latents),
        "generated": plots.generated(test, neurito.generate(run, test.n_trials, test.n_bins).trials),
        "training": plots.training(run.history),
    }
    for name, figure in figures.items():
        figure.savefig(OUT / f"{name}.png")
    print(f"   {', '.join(f'{OUT / name}.png' for name in figures)}")
    print(f"Done in {time.monotonic() - begun:.0f} s.")


if __name__ == "__main__":
    main()
