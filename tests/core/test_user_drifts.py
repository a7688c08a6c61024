"""Drifts as models: those of the field, and one's own."""

import json
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurito
from neurito.cli import COMMANDS
from neurito.cli.arguments import parse
from neurito.data import Trials
from neurito.errors import NeuritoError, NeuritoWarning
from neurito.models import CoupledOscillatorSDE, Layout, MechanisticSDE, NeuralSDE, UserSDE
from neurito.models.latent_sde import LatentSDE

KEY = jax.random.key(0)
TINY: dict[str, Any] = {"decoder": (4,), "control": 4, "context": 3, "hidden": 3}
FIT: dict[str, Any] = {"epochs": 1, "batch_size": 4, "steps_per_call": 2, "score": "none", "progress": False}


class Pendulum(neurito.Drift):
    omega: float = 2.0
    dim: int = 2

    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        return jnp.stack([x[..., 1], -(self.omega**2) * jnp.sin(x[..., 0])], -1)


class Module(eqx.Module):
    A: jax.Array

    def __init__(self, latents: int, inputs: int, key: Any) -> None:
        self.A = 0.1 * jax.random.normal(key, (latents + inputs, latents))

    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        wide = jnp.broadcast_to(u, (*x.shape[:-1], u.shape[-1]))
        return jnp.concatenate([x, wide], -1) @ self.A


def decay(t: Any, x: Any, u: Any) -> Any:
    return -x


def flat(t: Any, x: Any, u: Any) -> Any:
    return x[..., 0]


def root(t: Any, x: Any, u: Any) -> Any:
    return jnp.sqrt(x)


def numpys(t: Any, x: Any, u: Any) -> Any:
    return np.asarray(x)


class Plain:
    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        return -x


class Demanding(eqx.Module):
    mass: float

    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        return -x


class Counting(eqx.Module):
    steps: int = 3

    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        return -x


def trials(bin_width: float = 0.01, inputs: int = 0) -> Trials:
    rng = np.random.default_rng(0)
    u = rng.normal(size=(4, 6, inputs)) if inputs else None
    return Trials.from_array(rng.poisson(1.0, (4, 6, 3)), bin_width=bin_width, inputs=u)


def fitted(spec: LatentSDE, data: Trials | None = None, **options: Any) -> neurito.Run:
    return neurito.fit(spec, trials() if data is None else data, **FIT, **options)


# Of the field


@pytest.mark.parametrize(
    ("drift", "bin_width", "substeps"),
    [
        ("kuramoto", 0.02, 1), ("wilson-cowan", 0.02, 1), ("rate-rnn", 0.02, 1), ("jansen-rit", 0.004, 1),
        ("fitzhugh-nagumo", 0.02, 1), ("hodgkin-huxley", 0.0005, 10),
    ],
)  # fmt: skip
def test_the_drifts_of_the_field_are_models(drift: Any, bin_width: float, substeps: int) -> None:
    spec = MechanisticSDE(drift=drift, units=2, neural=(4,), substeps=substeps, **TINY)
    model = spec.build(Layout.of(trials(bin_width, 1)), KEY)
    dynamics = model.dynamics
    assert dynamics.scheme == "splitting"
    np.testing.assert_allclose(dynamics.initial_mean, dynamics.drift.start, rtol=1e-6)
    unit = {"jansen-rit": 1.0, "hodgkin-huxley": 1e-3}.get(drift, spec.unit_of_time(bin_width))
    assert dynamics.time_constant == unit
    np.testing.assert_allclose(dynamics.diffusion.sd.value, 0.5 * dynamics.drift.size, rtol=1e-5)


def test_a_mechanism_is_fitted_and_forecasts() -> None:
    run = fitted(MechanisticSDE(drift="kuramoto", units=2, neural=(4,), **TINY))
    found = neurito.infer(run, trials(), samples=2)
    assert np.isfinite(found["latent_mean"]).all()


def test_steps_that_are_too_long_are_told() -> None:
    spec = MechanisticSDE(drift="hodgkin-huxley", units=1, **TINY)
    with pytest.warns(NeuritoWarning, match=r"too few to resolve HodgkinHuxley.*set substeps=100"):
        spec.build(Layout.of(trials()), KEY)


@pytest.mark.parametrize(
    ("initial", "diffusion"), [("scalar", "constant"), ("diagonal", "state"), ("full", "none")]
)
def test_noise_of_any_form(initial: Any, diffusion: Any) -> None:
    spec = MechanisticSDE(drift="wilson-cowan", units=1, initial=initial, diffusion=diffusion, **TINY)
    dynamics = spec.build(Layout.of(trials()), KEY).dynamics
    np.testing.assert_allclose(dynamics.initial.variance(), 0.01, rtol=1e-5)
    expected = 0.0 if diffusion == "none" else 0.05
    np.testing.assert_allclose(dynamics.diffusion(dynamics.initial_mean), expected, rtol=0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"diffusion_sd": -0.5}, r"diffusion_sd=-0.5, diffusion_floor=0.001: give a floor"),
        ({"diffusion_floor": -1.0}, r"diffusion_floor=-1: give a floor"),
        ({"time_constant": -1.0}, r"time_constant=-1: give seconds"),
    ],
)
@pytest.mark.parametrize("kind", [NeuralSDE, CoupledOscillatorSDE, MechanisticSDE, UserSDE])
def test_impossible_numbers(kind: type[LatentSDE], options: dict[str, float], message: str) -> None:
    with pytest.raises(NeuritoError, match=message):
        kind(**options)  # type: ignore[arg-type]


# One's own


def test_a_class_with_parameters(tmp_path: Path) -> None:
    """In Python by itself; the saved run finds it again, and what was learned."""
    run = fitted(UserSDE(drift=Pendulum, **TINY), run=tmp_path / "run")
    assert run.parameters["dynamics.drift.omega"] != 2.0
    assert run.fitted.specification.drift == f"{__name__}:Pendulum"
    words = json.loads((tmp_path / "run" / "model.json").read_text())
    assert words["options"]["drift"] == f"{__name__}:Pendulum"
    again = neurito.Run.load(tmp_path / "run")
    assert isinstance(again.fitted.model.dynamics.drift, Pendulum)
    for name, value in run.parameters.items():
        np.testing.assert_array_equal(value, again.parameters[name])


def test_a_module_with_inputs_and_a_hybrid() -> None:
    run = fitted(UserSDE(drift=Module, latents=3, neural=(4,), **TINY), trials(inputs=2))
    assert run.parameters["dynamics.drift.known.module.A"].shape == (5, 3)


def test_a_function() -> None:
    spec = UserSDE(drift=decay, latents=3, **TINY)
    assert spec == UserSDE(drift=f"{__name__}:decay", latents=3, **TINY)
    assert np.isfinite(fitted(spec).history[-1]["bound"])


def build(drift: Any, latents: int = 2) -> None:
    UserSDE(drift=drift, latents=latents, **TINY).build(Layout.of(trials()), KEY)


@pytest.mark.parametrize(
    ("drift", "latents", "message"),
    [
        (flat, 2, r":flat: gave shape \(2, 3\) for t of shape .*u = None; expected \(2, 3, 2\)"),
        (root, 2, r":root: gave NaN or infinity"),
        (numpys, 2, r":numpys: failed .*TracerArrayConversionError.*write it with jax.numpy"),
        (Module, 2, r":Module: failed .*AttributeError"),
        (Pendulum, 3, r"gave shape \(2, 3, 2\)"),
        (Plain, 2, r"make it a subclass of neurito.Drift or equinox.Module"),
        (Demanding, 2, r"nothing is known of its mass"),
        (Counting, 2, r"its steps is no parameter but of type int"),
        ("", 2, r"drift is missing"),
    ],
)
def test_drifts_that_do_not_work(drift: Any, latents: int, message: str) -> None:
    with pytest.raises(NeuritoError, match=message):
        build(drift, latents)


@pytest.mark.parametrize(
    ("drift", "message"),
    [
        (lambda t, x, u: -x, "a lambda, and a saved run could not find it again"),
        (Pendulum(), "give the class or a function, not an object"),
        ("decay", "write 'module:Name', or give its file as plugin"),
        ("nowhere.at_all:decay", "could not be imported"),
        (f"{__name__}:decoy", "did you mean 'decay'"),
        (":decay", "write 'module:Name'"),
    ],
)
def test_drifts_that_no_saved_run_could_find(drift: Any, message: str) -> None:
    with pytest.raises(NeuritoError, match=message):
        UserSDE(drift=drift)


def test_a_local_function_is_refused() -> None:
    def inner(t: Any, x: Any, u: Any) -> Any:
        return -x

    with pytest.raises(NeuritoError, match=r"defined within a function.*top level"):
        UserSDE(drift=inner)


PLUGIN = """
import neurito

class Leak(neurito.Drift):
    k: float = 1.0
    dim: int = 2

    def __call__(self, t, x, u):
        return -self.k * x
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Any:
    path = tmp_path / "my_drifts_for_a_test.py"
    path.write_text(PLUGIN)
    yield path
    sys.modules.pop(path.stem, None)


def test_a_plugin_on_the_command_line(plugin: Path) -> None:
    words = ["data.npy", "--model", "user-sde", "--plugin", str(plugin), "--drift", "Leak", "--latents", "2"]
    given = parse(COMMANDS["fit"], words).arguments["given"]["model"]
    spec = UserSDE(**given, **TINY)
    assert spec.drift == "my_drifts_for_a_test:Leak"
    assert len(spec.plugin_sha256) == 64
    assert fitted(spec).parameters["dynamics.drift.k"].shape == ()


def test_a_plugin_that_has_changed_is_told(plugin: Path, tmp_path: Path) -> None:
    fitted(UserSDE(drift="Leak", plugin=str(plugin), **TINY), run=tmp_path / "run")
    neurito.Run.load(tmp_path / "run")
    plugin.write_text(PLUGIN.replace("-self.k", "-2 * self.k"))
    with pytest.warns(NeuritoWarning, match="has changed since the model was fitted"):
        again = neurito.Run.load(tmp_path / "run")
    drift = again.fitted.model.dynamics.drift
    np.testing.assert_allclose(drift(0.0, jnp.ones(2), None), -2 * drift.k)
    plugin.unlink()
    with pytest.raises(NeuritoError, match="no such file; give the Python file"):
        neurito.Run.load(tmp_path / "run")


def test_plugins_that_do_not_work(plugin: Path) -> None:
    plugin.write_text("import nothing_like_it\n")
    with pytest.raises(NeuritoError, match=r"fails when imported: ModuleNotFoundError"):
        UserSDE(drift="Leak", plugin=str(plugin))
    other = plugin.with_name("json.py")
    other.write_text(PLUGIN)
    with pytest.raises(NeuritoError, match=r"another module 'json' already; rename the file"):
        UserSDE(drift="Leak", plugin=str(other))
