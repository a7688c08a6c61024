"""What a score owes to the dynamics, on trials whose rates follow a slow oscillation."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurito
from neurito import Fitted, LinearDynamics, LowRankRNN, MeanRate, NeuritoError, Splits, Trials, ablation
from neurito.cli import main
from neurito.core.dynamics.base import Step
from neurito.core.dynamics.memoryless import Memoryless
from neurito.models import LFADS, FullRankRNN, LangevinFlow, Layout, LinearSDE, NeuralSDE

OPTIONS = {"epochs": 30, "batch_size": 24, "learning_rate": 0.02, "steps_per_call": 5, "evaluations": 3}
MODEL = LangevinFlow(latents=2, anharmonic=4, active=4, hidden=8, context=8, control=8, decoder=(16,))


def recording(trials: int = 60) -> Trials:
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (trials, 1, 1)) + 0.3 * np.arange(16)[:, None]
    rates = np.exp(0.3 + 1.2 * np.cos(phase + np.linspace(0, 6, 12)))
    return Trials.from_array(rng.poisson(rates), bin_width=0.02).hold_out(channels=[1, 5, 9])


@pytest.fixture(scope="module")
def parts() -> Splits:
    return recording().split((0.6, 0.4, 0.0))


@pytest.fixture(scope="module")
def ablated(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation") / "run"
    run = neurito.fit(MODEL, parts, run=folder, progress=False, seed=1, **OPTIONS)
    return run, neurito.ablate(run, parts, seeds=(1,), samples=8, progress=False)


def test_prior_noise_says_nothing_where_the_model_does(ablated):
    _, found = ablated
    rows = {row.label: row for row in found.rows}
    assert set(rows) == {
        ablation.FULL, ablation.NO_FORCE, ablation.MEMORYLESS, ablation.STILLED, ablation.PRIOR, ablation.SINGLE,
    }  # fmt: skip
    assert found.scores == ("co_bps",)
    score = {label: row.mean("co_bps") for label, row in rows.items()}
    assert score[ablation.FULL] > 0.1
    assert score[ablation.PRIOR] < 0.03
    assert score[ablation.SINGLE] < score[ablation.FULL]
    means = [row.mean("co_bps") for row in found.rows]
    assert means == sorted(means, reverse=True)


def test_full_is_the_run_itself(ablated, parts):
    run, found = ablated
    full = next(row for row in found.rows if row.label == ablation.FULL)
    assert [one.folder for one in full.runs] == [run.folder]
    assert full.runs[0].scores["co_bps"] == pytest.approx(
        neurito.evaluate(run, parts.validation, samples=8)["co_bps"], rel=1e-3
    )


def test_a_second_call_uses_what_is_there(ablated, parts, monkeypatch):
    run, before = ablated
    folders = {path.name for path in (run.folder / "ablations").iterdir()}
    assert folders == {"memoryless-seed1", "no-force-seed1", "scores.json"}
    stamps = {p: p.stat().st_mtime_ns for p in run.folder.glob("ablations/*/checkpoint.safetensors")}
    monkeypatch.setattr(ablation, "infer", lambda *_, **__: pytest.fail("scored again"))
    again = neurito.ablate(run.folder, parts, seeds=(1,), samples=8, progress=False)
    assert again.cells == before.cells
    assert stamps == {p: p.stat().st_mtime_ns for p in stamps}


def test_table_from_the_command_line(parts, tmp_path, capsys):
    data, folder = tmp_path / "data.h5", tmp_path / "run"
    recording(20).save(data)
    few = ["--latents", "2", "--epochs", "1", "--no-figures", "--no-scores", "--quiet"]
    assert (
        main(["fit", str(data), "--model", "linear", "--hold-out", "0.25", "--run", str(folder), *few]) == 0
    )
    table = tmp_path / "table.md"
    assert (
        main(["ablate", str(folder), "--seeds", "0", "--samples", "2", "--quiet", "--out", str(table)]) == 0
    )
    printed = capsys.readouterr().out
    assert re.search(r"^model +co_bps", printed, re.MULTILINE)
    assert "| encoder and decoder only, refitted |" in table.read_text()
    assert main(["ablate", str(folder), "--seeds", "0", "0"]) == 2
    assert "seeds=(0, 0): give one or more different numbers" in capsys.readouterr().err


def test_refusals(ablated, parts, tmp_path):
    run, _ = ablated
    with pytest.raises(NeuritoError, match="no test trials"):
        neurito.ablate(run, parts, part="test")
    with pytest.raises(NeuritoError, match="other training trials"):
        neurito.ablate(run, parts._replace(train=parts.train[:5]))
    with pytest.raises(NeuritoError, match="not saved"):
        neurito.ablate(replace(run, folder=None), parts)
    baseline = neurito.fit(MeanRate(), parts, run=tmp_path / "mean", progress=False)
    with pytest.raises(NeuritoError, match="is a baseline"):
        neurito.ablate(baseline, parts)


@pytest.mark.parametrize(
    "words",
    [
        MODEL,
        LangevinFlow.as_released(hidden=8),
        LinearSDE(latents=2),
        NeuralSDE(latents=2, scheme="heun"),
        LowRankRNN(rank=2, units=6),
        FullRankRNN(units=4),
        LinearDynamics(latents=2),
        LFADS(units=4),
    ],
    ids=lambda words: words.name,
)
def test_force_is_what_stilling_takes_away(words, parts):
    layout = Layout.of(parts.train)
    fitted = Fitted(words, layout, words.build(layout, jax.random.key(0)))
    still = ablation.stilled(fitted).model.dynamics
    assert still.visible_dim == fitted.model.dynamics.visible_dim
    step = Step(jnp.zeros((1, 1)), jnp.full((1, 1), layout.bin_width), None)
    z = jax.random.normal(jax.random.key(1), (3, still.latent_dim))

    def moved(dynamics, z):
        mean, scale = dynamics.affine(z, step)
        return dynamics.move(z, mean, scale, step, jnp.zeros((len(z), dynamics.noise_dim)))

    # Without force a step is odd in the state; but for the gates of LFADS, which have biases.
    if words.name != "lfads":
        np.testing.assert_allclose(moved(still, -z), -moved(still, z), atol=1e-6)
    assert not np.allclose(moved(still, z), moved(fitted.model.dynamics, z), atol=1e-6) or (
        words.name == "langevin-flow-released"  # whose kernels start at zero
    )


def test_memoryless_model_has_the_decoders_width(parts):
    words = ablation.memoryless(MODEL)
    assert words == ablation.memoryless(replace(MODEL))
    assert words.name == "langevin-flow-memoryless"
    model = words.build(Layout.of(parts.train), jax.random.key(0))
    assert isinstance(model.dynamics, Memoryless)
    assert model.dynamics.latent_dim == 4
    mean, _ = model.dynamics.affine(jnp.ones((2, 4)), Step(jnp.zeros(()), jnp.ones(()), None))
    assert not mean.any()
