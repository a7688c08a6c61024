"""A fit from beginning to end."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax
import pytest
from tests.fitting.small import OPTIONS, SPEC, STEPS, TRAIN, VALIDATION, history, recording, run, same

import neurito
from neurito.core.parameters import parameters
from neurito.data import Splits, Trials
from neurito.errors import NeuritoError, NeuritoWarning
from neurito.fitting import Training, fit, steps
from neurito.fitting.trainer import _Job


def test_the_bound_rises_and_history_tells() -> None:
    fitted = run(epochs=40)
    first, last = fitted.history[0], fitted.history[-1]
    assert last["step"] == 80
    assert last["bound"] > first["bound"] + 0.3
    assert last["score"] > first["score"]
    assert 1 / 3 <= last["ess"] <= 1
    assert last["learning_rate"] == pytest.approx(0.01)
    assert "80 steps" in repr(fitted)


def test_one_seed_one_result() -> None:
    first = run(seed=3)
    same(first, run(seed=3))
    assert history(run(seed=4)) != history(first)


def test_nothing_compiles_again_for_other_numbers() -> None:
    def compiled() -> int:
        return steps.train._cache_size()

    wide = recording(trials=16)
    run(SPEC, wide, None)
    before = compiled()
    run(SPEC, wide, None, seed=9)
    run(SPEC, wide, None, learning_rate=0.03, schedule="cosine", warmup=3)
    run(SPEC, wide[:15], None)
    run(SPEC, wide, None, epochs=9)
    assert compiled() == before
    run(replace(SPEC, particles=2), wide, None)
    assert compiled() == before + 1


def test_the_best_model_is_kept() -> None:
    """With a rate that ruins it after a while, the parameters are those of the best score, not the last."""
    fitted = run(schedule=lambda step: 0.02 if step < 6 else 3.0)
    scores = [entry["score"] for entry in fitted.history]
    assert np.argmax(scores) < len(scores) - 1
    again = neurito.inference.bound_per_bin(fitted, VALIDATION, covered="train")
    assert again == pytest.approx(max(scores), rel=1e-6)


def test_patience() -> None:
    fitted = run(schedule=lambda step: 0.02 if step < 4 else 3.0, patience=2, epochs=50, evaluations=50)
    scores = [entry["score"] for entry in fitted.history]
    assert len(scores) == np.argmax(scores) + 3
    assert fitted.history[-1]["step"] < 100


def test_without_validation_the_last_model_is_kept() -> None:
    fitted = run(SPEC, TRAIN, None)
    assert np.isnan([entry["score"] for entry in fitted.history]).all()
    for name, value in run(score="none").parameters.items():
        np.testing.assert_array_equal(fitted.parameters[name], value)


def test_a_split_is_three_parts() -> None:
    parts = Splits(TRAIN, VALIDATION, recording(13)[12:])
    same(fit(SPEC, parts, **OPTIONS), run())


def test_training_and_validation_may_not_share_bins() -> None:
    with pytest.raises(NeuritoError, match="share trial 8 "):
        run(SPEC, recording(), VALIDATION)


def test_fixed_parameters_do_not_move() -> None:
    spec = replace(SPEC, fixed=("dynamics.A", "heads.*.readout.bias", "dynamics.noise", "*.initial.sd"))
    start = _Job(spec, TRAIN, None, Training(), None, None, False)
    start = parameters(start.packing.unpack(start.state.vector, start.rest))
    still = {"dynamics.A", "heads.signal.readout.bias", "dynamics.noise.sd", "dynamics.initial.sd"}
    end = run(spec).parameters
    assert still < set(end)
    for name, value in end.items():
        assert np.array_equal(value, start[name]) == (name in still), name


def test_a_fixed_name_that_is_none() -> None:
    with pytest.raises(NeuritoError, match=r"dynamics\.decy.*names no parameter: .*"):
        run(replace(SPEC, fixed=("dynamics.decy",)))


def test_double_precision() -> None:
    with jax.enable_x64(True):
        fitted = run()
        assert {x.dtype for x in fitted.parameters.values()} == {np.dtype("float64")}
    single = run()
    assert fitted.history[-1]["bound"] == pytest.approx(single.history[-1]["bound"], abs=0.5)


def test_an_optimiser_of_ones_own() -> None:
    rule = optax.scale_by_adam(b1=0.5)
    assert history(run(rule=rule)) != history(run())
    with pytest.raises(NeuritoError, match="did you mean 'adam'"):
        steps.optimiser("adm", 0.0, 0.0)


def test_options_by_name() -> None:
    with pytest.raises(NeuritoError, match="no option 'learning_rte': did you mean 'learning_rate'"):
        run(learning_rte=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs=0: at least 1"),
        ({"learning_rate": -1.0}, "both positive"),
        ({"learning_rate": 0.001, "final_learning_rate": 0.1}, "the second not larger"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"window": 11}, "window=11 bins, and the longest trial has 10"),
        ({"devices": 1000}, "devices=1000"),
        ({"device": "tpu"}, "device='tpu' was asked for"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NeuritoError, match=message):
        run(**options)


def test_windows_shorter_than_trials() -> None:
    lengths = np.array([10, 10, 4, 10, 10, 10, 3, 10])
    ragged = recording(8, lengths=lengths)
    with pytest.warns(NeuritoWarning, match="2 of 8 trials are shorter"):
        fitted = run(SPEC, ragged, None, window=5)
    assert np.isfinite(fitted.history[-1]["bound"])


def test_trials_of_unequal_length_and_missing_values() -> None:
    values = recording(8).main.values.copy()
    values[np.random.default_rng(0).uniform(size=values.shape) < 0.2] = np.nan
    ragged = Trials.from_array(values, bin_width=0.01, missing="nan", lengths=[10, 9, 8, 10, 4, 1, 10, 10])
    assert np.isfinite(run(SPEC, ragged, None).history[-1]["bound"])


def test_particles_in_stages_and_a_rising_divergence() -> None:
    staged = run(particle_stages=(2,))
    assert np.isfinite(staged.history[-1]["bound"])
    elbo = replace(SPEC, objective="elbo", resampling="none")
    assert history(run(elbo, kl_warmup=0.5)) != history(run(elbo))


def test_number_of_steps() -> None:
    assert run().history[-1]["step"] == STEPS
    assert [entry["step"] for entry in run(evaluations=2).history] == [6, 12]
