"""Several sessions with neurons of their own: shared dynamics, a readout each."""

import jax
import numpy as np
import pytest
from tests.fitting.small import OPTIONS, recording

import neurito
from neurito.data import Trials
from neurito.fitting import Run, fit
from neurito.models import LowRankRNN

SPEC = LowRankRNN(rank=2, units=4, particles=3, kernels=(3, 1), widths=(4,), guide="encoder")


def sessions() -> Trials:
    """Channels 0 and 1 are there in the first session, 2 and 3 in the second."""
    first, second = recording(4, seed=1).main.values, recording(4, seed=2).main.values + 5
    values = np.full((8, 10, 4), np.nan, np.float32)
    values[:4, :, :2], values[4:, :, 2:] = first[..., :2], second[..., :2]
    return Trials.from_array(
        values, bin_width=0.01, missing="nan", session=[0] * 4 + [1] * 4, session_names=["monday", "tuesday"]
    )


@pytest.fixture(scope="module")
def fitted() -> Run:
    return fit(SPEC, sessions(), **OPTIONS)


def test_every_session_has_its_own_readout(fitted: Run) -> None:
    start = SPEC.build(neurito.models.Layout.of(sessions()), jax.random.split(jax.random.key(0), 3)[0])
    readout, sd = start.heads["signal"].readout, start.heads["signal"].sd.value
    moved = np.asarray(fitted.parameters["heads.signal.readout.weight"] != readout.weight)
    there = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], bool)
    np.testing.assert_array_equal(moved.any(1), there)
    np.testing.assert_array_equal(np.asarray(fitted.parameters["heads.signal.sd"] != sd), there)
    assert np.isfinite(fitted.history[-1]["bound"])


def test_sessions_are_known_by_name_not_by_number(fitted: Run) -> None:
    both = neurito.log_likelihood(fitted, sessions(), seed=0)
    turned = Trials.from_array(
        sessions().main.values, bin_width=0.01, missing="nan", session=[1] * 4 + [0] * 4,
        session_names=["tuesday", "monday"],
    )  # fmt: skip
    np.testing.assert_array_equal(neurito.log_likelihood(fitted, turned, seed=0), both)


def test_one_session_alone(fitted: Run) -> None:
    values = sessions().main.values[4:]
    alone = Trials.from_array(values, bin_width=0.01, missing="nan", session_names=["tuesday"])
    result = neurito.infer(fitted, alone, particles=200)
    together = neurito.infer(fitted, sessions(), particles=200)
    gap = abs(result["rate_mean"] - together["rate_mean"][4:].values)
    assert gap[..., 2:].mean() < 0.1  # only the noise differs
    assert abs(result["rate_mean"][..., 2:].mean() - 5) < 1
