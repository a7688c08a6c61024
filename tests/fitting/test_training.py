"""Schedules, and parameters as one vector."""

import jax
import numpy as np
import pytest

from neurito.core.parameters import Interval, parameters, resolve, trainable
from neurito.data import Trials
from neurito.errors import NeuritoError
from neurito.fitting import Training
from neurito.fitting.packing import Packing
from neurito.models import Layout, LowRankRNN


def test_rates_from_start_to_end() -> None:
    for schedule in ("exponential", "cosine"):
        rates = Training(learning_rate=1e-2, final_learning_rate=1e-4, schedule=schedule).rates(0, 101, 101)
        np.testing.assert_allclose(rates[[0, -1]], [1e-2, 1e-4])
        assert (np.diff(rates) < 0).all()
    np.testing.assert_allclose(rates[50], (1e-2 + 1e-4) / 2)
    exponential = Training(learning_rate=1e-2, final_learning_rate=1e-4).rates(0, 101, 101)
    np.testing.assert_allclose(exponential[50], 1e-3)
    assert (Training(schedule="constant").rates(5, 3, 10) == 1e-3).all()


def test_a_stretch_of_rates_is_a_part_of_all_of_them() -> None:
    training = Training(warmup=4)
    np.testing.assert_array_equal(training.rates(3, 5, 20), training.rates(0, 20, 20)[3:8])
    plain = Training().rates(0, 20, 20)
    np.testing.assert_allclose(training.rates(0, 20, 20)[:5] / plain[:5], [0.25, 0.5, 0.75, 1, 1])


def test_ramps_and_stages() -> None:
    np.testing.assert_allclose(Training(kl_warmup=0.5).kl_ramp(0, 8, 8), [0, 0.25, 0.5, 0.75, 1, 1, 1, 1])
    training = Training(particle_stages=(4, 16))
    assert [training.particles(step, 9, 64) for step in range(9)] == [4] * 3 + [16] * 3 + [64] * 3


@pytest.fixture(scope="module")
def model() -> object:
    trials = Trials.from_array(np.random.default_rng(0).normal(size=(2, 4, 3)), bin_width=0.01)
    return LowRankRNN(rank=2, units=4).build(Layout.of(trials), jax.random.key(0))


def test_packing_there_and_back(model: object) -> None:
    packing = Packing.of(model, ("dynamics.m", "heads.*"))
    vector, rest = packing.pack(model)
    jax.tree.map(np.testing.assert_array_equal, packing.unpack(vector, rest), model)
    assert hash(packing) == hash(Packing.of(model, ("dynamics.m", "heads.*")))
    changed = parameters(packing.unpack(vector + 1, rest))
    for name, value in parameters(model).items():
        fixed = name == "dynamics.m" or name.startswith("heads.")
        assert np.array_equal(changed[name], value) == fixed


def test_parameters_by_name(model: object) -> None:
    found = parameters(model)
    assert found["dynamics.decay"] == pytest.approx(0.9)
    assert found["dynamics.noise.sd"] == pytest.approx([0.1, 0.1])
    assert found["dynamics.n"].shape == (2, 4)
    assert all(jax.tree.leaves(trainable(model)))


def test_a_value_stays_inside_its_interval() -> None:
    for low, high, value in ((0.0, 1.0, 0.9), (0.0, float("inf"), 3.0), (-2.0, 5.0, np.array([-1.0, 4.9]))):
        interval = Interval(value, low, high)
        np.testing.assert_allclose(interval.value, value, rtol=1e-6)
        np.testing.assert_array_equal(resolve(interval).value, interval.value)
    with pytest.raises(NeuritoError, match=r"value 1\.0 lies outside \(0\.0, 1\.0\)"):
        Interval(1.0, 0.0, 1.0)
