"""neurito fixed-points: what it prints and writes, and what it refuses."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from neurito import Run
from neurito.analysis import FixedPoints, fixed_points
from neurito.analysis.fitted import map_of, network_of
from neurito.cli import fixed_points as command


def refused(outcome, message):
    code, _, err = outcome
    assert code == 2
    assert err.splitlines()[-1].startswith("neurito: ")
    assert message in err
    assert "Traceback" not in err


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """A run with one input, and weights that give it several fixed points."""
    return _run(tmp_path_factory, rank=2, units=12, inputs=("push",))


def _run(tmp_path_factory, rank, units, inputs=(), kind="low-rank-rnn", **weights):
    """A run that was never fitted: a model of random weights, saved as a fit saves it."""
    import jax

    from neurito import Fitted, Training
    from neurito.fitting.run import configuration, write_json
    from neurito.models import MODELS, Layout
    from neurito.models.layout import HeadLayout

    head = HeadLayout(3, "continuous", "", ("a", "b", "c"))
    moments = {"signal": np.ones((1, 3))}
    layout = Layout({"signal": head}, ("s",), inputs, 0.01, True, {"signal": np.zeros((1, 3))}, moments)
    size = {"rank": rank, "units": units} if kind == "low-rank-rnn" else {"latents": rank}
    specification = MODELS[kind](**size)
    model = specification.build(layout, jax.random.key(0))
    g = np.random.default_rng(3)
    if kind == "low-rank-rnn":
        weights = {
            "m": g.normal(size=(rank, units)),
            "n": 2.0 * g.normal(size=(rank, units)) / units**0.5,
        } | weights
    for name, value in weights.items():
        model = eqx.tree_at(lambda m, n=name: getattr(m.dynamics, n), model, jnp.asarray(value, jnp.float32))
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    Fitted(specification, layout, model).save(folder)
    write_json(folder / "config.json", configuration(specification, Training()))
    write_json(folder / "history.json", [])
    return folder


def test_all_points_of_a_run(neurito, driven, tmp_path):
    code, out, err = neurito("fixed-points", driven, "--cycles", "2", "--out", "found")
    assert code == 0
    assert all("% of the volume" in line for line in err.splitlines())  # progress, where the machine is slow
    assert "complete yes, index_sum 1 (expected 1)" in out
    assert "2-cycles" in out
    folder = tmp_path / "found"
    names = {"fixed_points.json", "fixed_points.csv", "cycles_2.csv", "portrait.png", "portrait.svg"}
    assert {path.name for path in folder.iterdir()} == names
    found = FixedPoints.load(folder / "fixed_points.json")
    truth = fixed_points(network_of(Run.load(driven).fitted.model.dynamics))
    assert found.points == pytest.approx(truth.points)
    assert len(pd.read_csv(folder / "fixed_points.csv")) == len(truth) > 1
    for kind in truth.kind:
        assert kind in out


def test_inputs_and_basis(neurito, driven, tmp_path):
    assert neurito("fixed-points", driven, "--input", "0.7", "--orthonormal", "--out", "o")[0] == 0
    network = network_of(Run.load(driven).fitted.model.dynamics, [0.7])
    truth = fixed_points(network, basis="orthonormal")
    assert FixedPoints.load(tmp_path / "o" / "fixed_points.json").points == pytest.approx(truth.points)
    assert (tmp_path / "o" / "portrait.png").is_file()
    code, _, err = neurito("fixed-points", driven, "--input", "0.7,1")
    refused((code, "", err), "2 values, but the model's inputs are: push")
    refused(neurito("fixed-points", driven, "--input", "high"), "give numbers with commas between, for push")
    refused(neurito("fixed-points", driven, "--input", "nan"), "give finite numbers")


def test_a_stopped_search_goes_on(neurito, driven, tmp_path):
    words = ("fixed-points", driven, "--out", "part", "--orthonormal")
    code, out, _ = neurito(*words, "--boxes", "3")
    assert code == 0
    assert "complete no" in out
    assert "--resume" in out
    code, out, _ = neurito(*words, "--resume")
    assert code == 0
    assert "complete yes" in out
    refused(neurito(*words, "--resume"), "nothing to resume")
    refused(neurito("fixed-points", driven, "--out", "none", "--resume"), "No such file")


def test_an_interrupt_keeps_what_there_is(neurito, driven, monkeypatch, tmp_path):
    def stop(self, progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(command._Report, "__call__", stop)
    code, out, err = neurito("fixed-points", driven, "--cycles", "3", "--out", "part", "--boxes", "3")
    assert code == 130
    assert "interrupted" in out
    assert "2-cycles" not in out
    assert err == "neurito: interrupted\n"
    assert FixedPoints.load(tmp_path / "part" / "fixed_points.json").open


def test_sweeps(neurito, driven, tmp_path):
    for what, column in (("input=push", "push"), ("n", "factor_of_n")):
        code, out, _ = neurito("fixed-points", driven, "--sweep", f"{what}:0.9:1.1:3", "--out", "s")
        assert code == 0
        assert "certified at" in out
        assert (tmp_path / "s" / "sweep.png").is_file()
        table = pd.read_csv(tmp_path / "s" / "sweep.csv")
        assert table[column].min() == 0.9
        assert table["complete"].all()
    for text, message in (
        ("input=pull:0:1:3", "no input 'pull'; choose from push"),
        ("noise:0:1:3", "cannot move 'noise'"),
        ("n:1:0:3", "give WHAT:low:high:values"),
        ("n:0:1", "give WHAT:low:high:values"),
    ):
        refused(neurito("fixed-points", driven, "--sweep", text), message)


def test_what_has_no_certificate_is_searched_and_said_so(neurito, driven, tmp_path_factory, monkeypatch):
    wide = _run(tmp_path_factory, rank=7, units=12)
    code, out, err = neurito("fixed-points", wide, "--starts", "8")
    assert code == 0
    assert "a certificate for rank 7 would take" in err
    assert "not exhaustive" in out
    refused(neurito("fixed-points", wide, "--method", "certified"), "would take")
    monkeypatch.setattr(
        "neurito.analysis.fitted.is_network", lambda dynamics: False
    )  # as for any other model
    code, out, _ = neurito("fixed-points", driven, "--starts", "40")
    assert code == 0
    assert "from 40 starts: not exhaustive" in out
    refused(neurito("fixed-points", driven, "--cycles", "2"), "no network of units")
    refused(neurito("fixed-points", driven, "--method", "certified"), "needs a network")


def test_maps_of_dynamics_take_the_same_step(driven):
    dynamics = Run.load(driven).fitted.model.dynamics
    z = np.array([0.3, -0.2])
    step = map_of(dynamics, 0.01, [0.4])
    assert step(z).dtype == np.float64
    assert step(z) == pytest.approx(network_of(dynamics, [0.4])(z), abs=1e-6)


def test_linear_dynamics_are_solved(neurito, tmp_path_factory):
    run = _run(tmp_path_factory, rank=3, units=0, kind="linear")
    code, out, _ = neurito("fixed-points", run)
    assert code == 0
    assert "1 fixed point" in out
    assert "complete yes" in out


def test_bad_runs(neurito, tmp_path, tmp_path_factory):
    refused(neurito("fixed-points", "none"), "none: no such run folder")
    broken = _run(tmp_path_factory, rank=2, units=8, m=np.full((2, 8), np.nan))
    refused(neurito("fixed-points", broken), "m holds 16 values that are NaN or infinite")
    refused(neurito("fixed-points", broken, "--cycles", "0"), "--cycles 0")
    words = broken / "model.json"
    words.write_text(words.read_text().replace('"rank": 2', '"rank": 0'))
    refused(neurito("fixed-points", broken), "rank=0")
