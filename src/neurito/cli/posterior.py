"""What is asked of a run: neurito evaluate, infer, forecast, generate, plot."""

from pathlib import Path
from typing import Any, Literal

from neurito.cli import output
from neurito.cli.options import Given
from neurito.errors import NeuritoError

Part = Literal["train", "validation", "test", "all"]
Device = Literal["", "cpu", "gpu"]


def evaluate(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    part: Part = "validation",
    forward: int | None = None,
    samples: int = 64,
    particles: int | None = None,
    lag: int = 0,
    seed: int = 0,
    device: Device = "",
    given: Given,
) -> None:
    """Scores a run on a part of the recording that it was fitted to, or on another one.

    The recording is read, split and held out as in the fit. The scores are printed with their units and
    meanings, and put into scores.json of the run.

    Args:
        run: the run folder.
        data: the recording; by default where it was for the fit.
        part: train, validation, test, or all; of another recording, all.
        forward: bins at the end of each trial that are not read; by default as in the fit.
        samples: posterior trajectories per trial.
        particles: K; by default as in the fit.
        lag: bins by which behaviour follows the spikes.
        seed: of particles and simulations.
        device: cpu or gpu.
        given: options of how the recording is read.
    """
    from neurito.cli.recording import chosen
    from neurito.fitting.run import Run
    from neurito.inference import scores

    mesh = mesh_of(device)
    fitted = Run.load(run)
    trials, train = chosen(run, data, given["data"], part, forward)
    found = scores.evaluate(
        fitted, trials, train, samples=samples, seed=seed, lag=lag, particles=particles, mesh=mesh
    )
    output.write_scores(run, part if not data or train is not None else ", ".join(data), found, trials)
    output.scores(part, found)
    output.fact("files", f"{run / 'scores.json'}")


def infer(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    out: Path,
    part: Part = "all",
    samples: int = 64,
    keep_samples: int = 0,
    particles: int | None = None,
    seed: int = 0,
    device: Device = "",
    given: Given,
) -> None:
    """Infers latents and rates of every trial from what is read of it, as a NetCDF file for xarray.

    Args:
        run: the run folder.
        data: the recording; by default where it was for the fit.
        out: file to write, for instance posterior.nc.
        part: train, validation, test, or all.
        samples: posterior trajectories per trial.
        keep_samples: latent trajectories per trial to keep in the file.
        particles: K; by default as in the fit.
        seed: of the particles.
        device: cpu or gpu.
        given: options of how the recording is read.
    """
    from neurito.cli.recording import chosen
    from neurito.fitting.run import Run
    from neurito.inference import results

    out, mesh = output.target(out), mesh_of(device)
    fitted = Run.load(run)
    trials, _ = chosen(run, data, given["data"], part)
    found = results.infer(
        fitted, trials, samples=samples, keep_samples=keep_samples, particles=particles, seed=seed, mesh=mesh
    )
    output.write_dataset(found, out)


def forecast(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    bins: int,
    out: Path,
    future_inputs: Literal["", "last", "zero"] = "",
    part: Part = "all",
    samples: int = 64,
    particles: int | None = None,
    seed: int = 0,
    device: Device = "",
    given: Given,
) -> None:
    """Infers every trial and goes on past its end, as a NetCDF file for xarray.

    Args:
        run: the run folder.
        data: the recording; by default where it was for the fit.
        bins: how many bins past the end.
        out: file to write, for instance forecast.nc.
        future_inputs: what drives the model past the end: the last inputs of each trial, or zero; needed if the model
            has inputs.
        part: train, validation, test, or all.
        samples: posterior trajectories per trial.
        particles: K; by default as in the fit.
        seed: of the particles.
        device: cpu or gpu.
        given: options of how the recording is read.
    """
    from neurito.cli.recording import chosen
    from neurito.fitting.run import Run
    from neurito.inference import results

    out, mesh = output.target(out), mesh_of(device)
    fitted = Run.load(run)
    trials, _ = chosen(run, data, given["data"], part)
    inputs: Any = None
    if trials.inputs is not None:
        if not future_inputs:
            raise NeuritoError(
                f"the recording has inputs {trials.input_names}; give --future-inputs last or zero"
            )
        inputs = trials.inputs[:, -1:] if future_inputs == "last" else 0
    found = results.forecast(
        fitted, trials, bins, inputs=inputs, samples=samples, particles=particles, seed=seed, mesh=mesh
    )
    output.write_dataset(found, out)


def generate(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    out: Path,
    trials: int | None = None,
    bins: int | None = None,
    burn_in: int = 0,
    seed: int = 0,
    device: Device = "",
    given: Given,
) -> None:
    """Simulates the fitted model, as a recording that neurito reads like any other.

    The file also holds the simulated latents and the means of the observations, as the heads truth_latents and
    truth_rates, which no model reads.

    Args:
        run: the run folder.
        data: a recording whose inputs drive the model; needed if it was fitted with inputs.
        out: file to write, for instance generated.h5.
        trials: how many; by default as in DATA, or 100.
        bins: of each; by default as in DATA, or the recording of the fit.
        burn_in: bins dropped at the start.
        seed: of the draws.
        device: cpu or gpu.
        given: options of how the recording is read.
    """
    from neurito.cli.files import with_truth
    from neurito.cli.recording import Recorded, chosen
    from neurito.fitting.run import Run
    from neurito.inference import results

    out = output.target(out)
    mesh_of(device)
    fitted = Run.load(run)
    like = chosen(run, data, given["data"], "all")[0] if data else None
    if fitted.fitted.layout.inputs and like is None:
        raise NeuritoError(
            f"the model has inputs {fitted.fitted.layout.inputs}; give DATA, whose inputs drive it"
        )
    recorded = Recorded.in_run(run)
    n_bins = bins or (like.n_bins if like is not None else recorded.bins if recorded is not None else None)
    if n_bins is None:
        raise NeuritoError("--bins is missing: how many bins to simulate")
    n_trials = trials or (like.n_trials if like is not None else 100)
    inputs = None if like is None or like.inputs is None else like.inputs[:n_trials, :n_bins]
    drawn = results.generate(fitted, n_trials, n_bins, inputs=inputs, burn_in=burn_in, seed=seed)
    made = with_truth(drawn.trials, drawn.mean, drawn.latents)
    made.save(out)
    output.fact("written", f"{out}\n{made.summary()}")


def plot(
    run: Path,
    data: tuple[str, ...] = (),
    *,
    part: Part = "validation",
    out: Path | None = None,
    trial: int = 0,
    seed: int = 0,
    given: Given,
) -> None:
    """Draws the course of the fit, rates and latents of a trial, and simulations of the model beside the data.

    Args:
        run: the run folder.
        data: the recording; by default where it was for the fit.
        part: train, validation, test, or all.
        out: folder for the figures; by default figures in the run folder.
        trial: which trial of that part.
        seed: of the particles.
        given: options of how the recording is read.
    """
    from neurito.cli.figures import draw
    from neurito.cli.recording import chosen
    from neurito.fitting.run import Run

    fitted = Run.load(run)
    trials, _ = chosen(run, data, given["data"], part)
    draw(fitted, trials, out or run / "figures", trial=trial, seed=seed)


def mesh_of(device: str) -> Any:
    """The devices asked for, on which everything then runs."""
    from neurito.core import runtime

    found = runtime.mesh(None, device or None)
    if device:
        import jax

        jax.config.update("jax_default_device", found.devices.flat[0])
    return found
