"""Latent models on a small recording of a known system: they find rates, and their dynamics are at work."""

import jax
import numpy as np
import pytest

import neurito
from neurito.core.dynamics import Langevin
from neurito.data import Splits
from neurito.data.simulators import lorenz
from neurito.errors import NeuritoError
from neurito.evaluation.bits import co_bps
from neurito.models import LFADS, LangevinFlow, NeuralSDE
from neurito.models.specification import Specification

SMALL = {"hidden": 16, "context": 16, "control": 16, "decoder": (16,)}


def parts() -> Splits:
    """Ten initial states, a quarter of the neurons held out."""
    found = lorenz(conditions=10, trials_per_condition=12, neurons=32, bins=40, base_rate=40.0, seed=1)
    return found.trials.hold_out(0.25, seed=0).split()


def fitted(specification: Specification, epochs: int = 60) -> tuple[neurito.Run, float]:
    """A short fit, and its co-bps on validation trials."""
    whole = parts()
    run = neurito.fit(
        specification, whole, epochs=epochs, batch_size=40, learning_rate=1e-2, evaluations=1, progress=False
    )
    assert whole.validation is not None
    posterior = neurito.infer(run, whole.validation, samples=8, quantiles=())
    expected = posterior["rate_mean"].values * whole.validation.dt[..., None]
    return run, float(co_bps(expected, whole.validation))


def test_langevin_flow_moves() -> None:
    """Its kernels leave their start, its position its place within a trial, and held-out neurons are predicted."""
    specification = LangevinFlow(latents=3, anharmonic=8, active=8, **SMALL)
    run, score = fitted(specification)
    assert score > 0.1
    dynamics = run.fitted.model.dynamics
    assert isinstance(dynamics, Langevin)
    before = specification.build(run.fitted.layout, jax.random.key(0)).dynamics
    assert isinstance(before, Langevin)
    start, end = (np.asarray(d.potential.springs.between.value) for d in (before, dynamics))  # type: ignore[attr-defined]
    assert np.abs(np.log(end / start)).max() > 0.05
    validation = parts().validation
    assert validation is not None
    z = neurito.infer(run, validation, samples=8, quantiles=())["latent_mean"].values[..., :3]
    displacement = np.abs(z[:, -1] - z[:, 0]).mean((0,)) / z.std((0, 1))
    assert displacement.max() > 0.5  # 0.14 in the released form


@pytest.mark.parametrize(
    "specification",
    [NeuralSDE(latents=3, drift_widths=(16,), **SMALL), LFADS(units=16, seed_dim=8, inferred=2, **SMALL)],
    ids=lambda s: s.name,
)
def test_held_out_neurons_are_predicted(specification: Specification) -> None:
    assert fitted(specification)[1] > 0.1


def test_the_released_form_refuses_what_it_cannot_do() -> None:
    """It has no bound to be selected by, no likelihood, no simulations; it infers, and that without one."""
    specification = LangevinFlow.as_released(hidden=8, feedforward=16)
    with pytest.raises(NeuritoError, match="has no bound; hold out neurons"):
        neurito.fit(specification, parts(), score="bound")
    run = neurito.fit(specification, parts(), epochs=2, batch_size=40, evaluations=1, progress=False)
    validation = parts().validation
    assert validation is not None
    assert np.isnan(neurito.infer(run, validation, samples=2, quantiles=())["log_likelihood"]).all()
    with pytest.raises(NeuritoError, match="no likelihood: its decoder reads the data"):
        neurito.log_likelihood(run, validation)
    with pytest.raises(NeuritoError, match="no simulations"):
        neurito.generate(run, 2, 5)
    assert "bound" not in neurito.evaluate(run, validation, samples=2)
