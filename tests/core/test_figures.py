"""The published student on its published data: likelihoods to agree with."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core.build import batch, covariance, put, recording, run

from neurito.core.dynamics import LowRankRNN, Step
from neurito.core.guides import Optimal
from neurito.core.observations import Currents, Gaussian
from neurito.core.scan import Inference, Model


@pytest.fixture(scope="module")
def folder(recordings: Path) -> Path:
    return recordings / "low_rank_rnn"


@pytest.fixture(scope="module")
def student(folder: Path) -> Model:
    with np.load(folder / "student_gaussian.npz") as file:
        s = {key: np.asarray(file[key], float) for key in file.files}
    units, rank = s["m"].shape
    dynamics = put(
        LowRankRNN(
            rank, units, covariance(s["cov_z"]), covariance(s["cov_z0"]), key=jax.random.key(0),
            activation="relu", decay=s["decay"],
        ),
        m=s["m"].T, n=s["n"], h=s["h"], initial_mean=s["mean_z0"],
    )  # fmt: skip
    readout = put(Currents(units), gain=s["obs_gain"], bias=s["obs_bias"])
    return Model(dynamics, {"signal": Gaussian(readout, jnp.sqrt(s["var_y"]), (1, units))}, Optimal(), None)


@pytest.mark.recording
def test_deterministic_part(student: Model) -> None:
    step = Step(jnp.zeros(1), jnp.ones(1), None)
    mean, _ = student.dynamics.affine(jnp.array([[1.0, -0.5]]), step)
    np.testing.assert_allclose(mean[0], [0.95618, -0.72897], atol=1e-5)


@pytest.mark.recording
@pytest.mark.parametrize(("particles", "expected"), [(1, 14.015), (10, 14.400), (64, 14.467)])
def test_likelihood_of_the_published_student(
    student: Model, folder: Path, particles: int, expected: float
) -> None:
    values = np.load(folder / "continuous_data.npy").transpose(0, 2, 1)
    outcome = run(
        student, batch(recording(values)), jax.random.key(1), inference=Inference(particles=particles)
    )
    assert outcome.bound.sum() / values[..., 0].size == pytest.approx(expected, abs=0.01)
