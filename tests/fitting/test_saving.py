"""A saved model gives the same numbers, bit for bit."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from tests.fitting.small import TRAIN, VALIDATION, recording, run

import neurito
from neurito.data import Trials
from neurito.errors import NeuritoError
from neurito.fitting import Fitted
from neurito.models import MODELS, LatentODE, Layout, LinearDynamics, LowRankRNN, Specification, named
from neurito.models.fitted import revive

SEED = 0
COUNTS = Trials.from_array(np.random.default_rng(0).poisson(2.0, (4, 6, 3)), bin_width=0.01)
TWO = recording(4, session=[0, 1, 0, 1], session_names=["a", "b"], inputs=np.ones((4, 10, 2)))

SPECS: dict[str, tuple[Specification, Trials]] = {
    "linear": (LinearDynamics(latents=2, noise="full"), TRAIN),
    "two sessions": (LowRankRNN(rank=2, units=5, decay_per_latent=True, guide="encoder", encoder="gru"), TWO),
    "counts": (LowRankRNN(rank=2, units=3, observations="negative_binomial", readout="rates"), COUNTS),
}


def built(name: str) -> Fitted:
    spec, trials = SPECS[name]
    layout = Layout.of(trials)
    return Fitted(spec, layout, spec.build(layout, jax.random.key(3)))


@pytest.mark.parametrize("name", list(SPECS))
def test_a_model_survives_the_disk(tmp_path: Path, name: str) -> None:
    fitted = built(name)
    fitted.save(tmp_path, data="hash")
    loaded = Fitted.load(tmp_path)
    assert loaded.specification == fitted.specification
    assert loaded.layout == fitted.layout
    jax.tree.map(np.testing.assert_array_equal, loaded.model, fitted.model)
    assert jax.tree.structure(loaded.model) == jax.tree.structure(fitted.model)
    assert json.loads((tmp_path / "model.json").read_text())["data"] == "hash"


def test_a_loaded_model_gives_the_same_numbers(tmp_path: Path) -> None:
    first = run(run=tmp_path)
    a, b = (neurito.log_likelihood(model, VALIDATION, seed=SEED) for model in (first, Fitted.load(tmp_path)))
    np.testing.assert_array_equal(a, b)


def test_double_precision_survives_single(tmp_path: Path) -> None:
    with jax.enable_x64(True):
        fitted = built("linear")
        fitted.save(tmp_path)
        jax.tree.map(np.testing.assert_array_equal, Fitted.load(tmp_path).model, fitted.model)
    assert {x.dtype for x in Fitted.load(tmp_path).parameters.values()} == {np.dtype("float32")}


def test_a_model_of_a_newer_format(tmp_path: Path) -> None:
    built("linear").save(tmp_path)
    words = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(words | {"format": 99}))
    with pytest.raises(NeuritoError, match=r"format 99 is newer .* upgrade"):
        Fitted.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(words | {"options": {"latents": 3}}))
    with pytest.raises(NeuritoError, match=r"parameter dynamics\.\S+ does not fit"):
        Fitted.load(tmp_path)


def test_names_are_checked() -> None:
    with pytest.raises(NeuritoError, match="low-rank-rnn has no option 'rnak': did you mean 'rank'"):
        revive(LowRankRNN, {"rnak": 3})
    with pytest.raises(NeuritoError, match="did you mean 'low-rank-rnn'"):
        named("low-rank-rn")
    assert revive(LowRankRNN, {"kernels": [3, 1]}).kernels == (3, 1)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (recording(2)[:].select(channels=[0, 1]), "fitted to 3 channels, the data have 2"),
        (recording(2, name="eeg"), "observes 'signal', the data have eeg"),
        (recording(2, bin_width=0.02), "bins of 0.01 s, the data have 0.02 s"),
        (recording(2, inputs=np.ones((2, 10, 1))), "takes 0 inputs"),
        (
            recording(2, bin_width=np.random.default_rng(0).uniform(0.009, 0.011, (2, 10))),
            "bins of one width",
        ),
        (Trials.from_array(COUNTS.main.values, bin_width=0.01, name="signal"), "fitted to continuous values"),
    ],
    ids=["channels", "name", "width", "inputs", "irregular", "kind"],
)
def test_data_that_do_not_fit(other: Trials, message: str) -> None:
    with pytest.raises(NeuritoError, match=message):
        neurito.log_likelihood(built("linear"), other, seed=SEED)


def test_a_session_that_was_not_fitted() -> None:
    strange = replace(TWO, session_names=("a", "c"))
    with pytest.raises(NeuritoError, match=r"sessions \['c'\] were not fitted; known are a, b"):
        neurito.log_likelihood(built("two sessions"), strange, seed=SEED)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"user-sde"}))
def test_shapes_are_known_without_building(name: str) -> None:
    specification, layout = MODELS[name](), Layout.of(COUNTS)
    model, shapes = specification.build(layout, jax.random.key(0)), specification.skeleton(layout)
    assert jax.tree.structure(shapes) == jax.tree.structure(model)
    for want, found in zip(jax.tree.leaves(model), jax.tree.leaves(shapes), strict=True):
        assert (found.shape, found.dtype) == (want.shape, want.dtype)


def test_one_program_builds_a_model(caplog: pytest.LogCaptureFixture) -> None:
    """And none is compiled for another seed, or for other counts of as many neurons."""
    specification, key, other = LatentODE(latents=3), jax.random.key(0), jax.random.key(1)
    layout, same = (Layout.of(Trials.from_array(np.full((2, 5, 7), y), bin_width=0.01)) for y in (1.0, 2.0))
    with jax.log_compiles():
        models = [specification.build(*built) for built in ((layout, key), (layout, other), (same, key))]
    programs = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Finished XLA comp")]
    assert [text.split()[4] for text in programs] == ["jit(start)"]
    first, seed, counts = (model.heads["spikes"].readout for model in models)
    assert not np.array_equal(first.weight, seed.weight)
    assert np.array_equal(first.weight, counts.weight)
    assert not np.array_equal(first.bias, counts.bias)


@pytest.mark.parametrize("name", ["noise_sd", "initial_sd", "observation_sd"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_start_outside_its_domain_is_refused(name: str, value: float) -> None:
    """Also where a program builds the model, which sees no numbers."""
    with pytest.raises(NeuritoError, match=r"observation_sd=.* above 0|lies outside \(0"):
        LinearDynamics(latents=2, **{name: value}).build(Layout.of(TRAIN), jax.random.key(0))  # type: ignore[arg-type]
