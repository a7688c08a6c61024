"""What a page says of a run, whatever the run, and what it says of one that is broken."""

import json
import shutil

import numpy as np
import pytest
from tests.report.making import numbers, started, unpacked

import neurito
from neurito import NeuritoError, Run, Trials
from neurito.cli import main
from neurito.data.trials import Head
from neurito.inference import results
from neurito.inference.scores import SCORES, TRUTH
from neurito.models import LangevinFlow, LinearDynamics, named
from neurito.plots.conditions import averages
from neurito.plots.fields import landscape
from neurito.report import cautions, page
from neurito.report.figures import QUANTILES
from neurito.report.model import parts, physical, summary, typeset
from neurito.report.thinning import ENTRIES, packed, thinned

RNG = np.random.default_rng(0)


def test_the_page_of_a_run(page, run):
    text = page.read_text("utf-8")
    assert len(text.encode()) < 10e6
    for said in (
        "z<sub>t</sub> = A z<sub>t-1</sub>",
        "SHA-256",
        "neurito fit --config",
        SCORES["co_bps"].meaning,
    ):
        assert said in text
    for caution in ("No better than mean rates", "Coverage off", "Few spikes", "Few trials"):
        assert caution in text
    assert "cannot be had" in text  # a score that is NaN
    assert "<b>rechts" not in text.split('id="data">')[0]
    found = numbers(text)
    recorded = neurito.load(
        run.parent / "Aufnahme ñ.npz", key="spikes", axes="trial time channel", bin_width=0.02
    )
    ids = [int(label.split()[1]) for label in found["trials"]["labels"]]
    shown = unpacked(found["signals"][0]["values"])
    np.testing.assert_array_equal(shown, recorded.main.values[ids])
    assert found["signals"][0]["unit"] == "spikes/s"
    assert sum(found["signals"][0]["held"]) == 2
    assert found["latents"]["names"] == ["latent 1", "latent 2", "latent 3"]
    assert len(found["flow"]["at"]) == 7**3


def test_one_of_everything():
    one = Trials.from_array(RNG.poisson(1.0, (1, 10, 1)), bin_width=0.02)
    found = numbers(page(started(LinearDynamics(latents=1, guide="bootstrap", particles=2), one), one))
    assert found["latents"]["names"] == ["latent 1"]
    assert found["calibrated"] is None
    assert found["course"] is None
    assert found["potential"] is None
    assert found["signals"][0]["psths"] == {}


def test_several_heads_and_unequal_trials_of_a_langevin_flow():
    trials = Trials.from_array([RNG.poisson(0.5, (n, 3)) for n in (12, 9, 12)], bin_width=0.02)
    hand = np.where(trials.exists[..., None], RNG.standard_normal((3, 12, 2)), np.nan)
    trials = trials.with_head(
        "hand", Head.of(hand, "continuous", read=False, unit="cm/s", missing="nan")
    ).forward(2)
    run = started(LangevinFlow(latents=2, heads=("spikes", "hand"), hidden=4, control=4, context=4), trials)
    text = page(run, trials)
    found = numbers(text)
    assert [one["unit"] for one in found["signals"]] == ["spikes/s", "cm/s"]
    assert found["latents"]["names"] == ["position 1", "position 2", "velocity 1", "velocity 2"]
    assert found["trials"]["bins"] == [12, 9, 12]
    assert found["trials"]["read"] == [10, 7, 10]
    assert np.isnan(unpacked(found["signals"][0]["mean"])[1, 9:]).all()
    assert found["calibrated"]["count"] == 2 * 3 * 3
    assert "Potential" in text
    plane = found["potential"]["planes"][0]
    assert (found["potential"]["all"], plane["axes"]) == (2, [0, 1])
    shown = landscape(run, results.infer(run, trials, quantiles=QUANTILES), points=61)
    np.testing.assert_allclose(unpacked(plane["energy"]), shown.energy, atol=1e-4 * shown.energy.max())
    np.testing.assert_allclose(plane["sides"], shown.sides, rtol=1e-5)


def test_means_by_condition_are_those_of_the_figures():
    which = np.repeat(["ä", "b", "c"], 4)
    trials = Trials.from_array(RNG.poisson(0.5, (12, 10, 3)), bin_width=0.02, metadata={"condition": which})
    run = started(LinearDynamics(latents=1, guide="bootstrap", particles=2), trials)
    truth = RNG.gamma(2, 10, (12, 10, 3))
    mean = numbers(page(run, trials))["signals"][0]
    known = numbers(page(run, trials.with_head(TRUTH, Head.of(truth, "continuous", read=False))))["signals"][
        0
    ]
    found = mean["psths"]["condition"]
    assert (found["labels"], found["all"]) == (["b", "c", "ä"], 3)
    assert found["against"] == "counts smoothed with 50 ms"
    inferred = averages(unpacked(mean["mean"]), trials)
    np.testing.assert_allclose(unpacked(found["inferred"]), inferred.inferred, atol=1e-2)
    np.testing.assert_allclose(unpacked(found["target"]), inferred.target, atol=1e-2)
    assert known["psths"]["condition"]["against"] == "the truth"
    of_b = unpacked(known["psths"]["condition"]["target"])[0]
    np.testing.assert_allclose(of_b, truth[which == "b"].mean(0), atol=1e-2)


def test_a_baseline_has_no_latents():
    trials = Trials.from_array(RNG.poisson(0.5, (12, 20, 6)), bin_width=0.02).hold_out(channels=[0])
    run = neurito.fit(neurito.MeanRate(), trials, progress=False)
    found = numbers(page(run, trials))
    assert found["latents"] is None
    assert found["simulated"] is None


def test_broken_runs_are_refused(run, tmp_path, capsys):
    half = tmp_path / "half"
    shutil.copytree(run, half)
    (half / "model.safetensors").unlink()
    newer = tmp_path / "newer"
    shutil.copytree(run, newer)
    words = json.loads((newer / "model.json").read_text())
    (newer / "model.json").write_text(json.dumps(words | {"format": 99}))
    cut = {name: tmp_path / name for name in ("scores.json", "history.json", "config.json", "model.json")}
    for name, folder in cut.items():
        shutil.copytree(run, folder)
        (folder / name).write_text((run / name).read_text()[:20] if (run / name).exists() else '{"vali')
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    config = json.loads((moved / "config.json").read_text())
    config["recording"]["files"] = ["weg.npz"]
    (moved / "config.json").write_text(json.dumps(config))
    for folder, why in (
        (moved, "weg.npz: the recording that"),
        (half, "has no model.safetensors"),
        (newer, "model format 99 is newer"),
        (tmp_path / "no", "no such"),
        *((folder, f"{name}: ") for name, folder in cut.items()),
    ):
        assert main(["report", str(folder)]) == 2
        said = capsys.readouterr().err
        assert why in said
        assert said.count("\n") == 1


def test_older_and_unscored_runs_are_shown(run, tmp_path, capsys):
    older = tmp_path / "älter"
    shutil.copytree(run, older)
    words = json.loads((older / "model.json").read_text())
    words["options"].pop("heads")
    (older / "model.json").write_text(
        json.dumps(words | {"format": 1, "options": {**words["options"], "head": ""}})
    )
    (older / "scores.json").unlink(missing_ok=True)
    assert (
        main(
            [
                "report",
                str(older),
                "--part",
                "test",
                "--out",
                str(tmp_path / "p.html"),
                "--beside",
                str(run),
                str(tmp_path),
            ]
        )
        == 0
    )
    assert "left out" in capsys.readouterr().err
    assert "Not scored" in (tmp_path / "p.html").read_text("utf-8")


def test_another_recording_is_shown_whole(run, tmp_path):
    other = tmp_path / "andere.npz"
    np.savez(other, spikes=RNG.poisson(0.6, (4, 12, 6)), condition=np.arange(4), bin_size=0.02)
    assert main(["report", str(run), str(other), "--out", str(tmp_path / "p.html")]) == 0
    found = numbers((tmp_path / "p.html").read_text("utf-8"))
    assert len(found["trials"]["labels"]) == 4


def test_large_recordings_are_thinned_evenly():
    values = np.zeros((200, 140, 200), np.float32)
    group = np.repeat(["a", "b"], 100)
    few = thinned(
        Trials.from_array(values + 1.0, bin_width=0.02, kind="counts", metadata={"condition": group}),
        "spikes",
    )
    assert few.trials.n_trials * 140 * few.channels <= ENTRIES
    assert sorted(np.unique(few.trials.metadata["condition"], return_counts=True)[1].tolist()) == [15, 15]
    assert "30 of 200 trials" in few.said
    long = thinned(Trials.from_array(np.ones((1, 5000, 2)), bin_width=0.01, kind="continuous"), "signal")
    assert long.trials.n_bins == 600
    assert "the first 600 of 5000 bins" in long.said
    assert thinned(Trials.from_array(np.ones((2, 50, 2)), bin_width=0.01), "spikes").said == ""


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 3, np.nan]),
        np.array([0, 300.0]),
        np.array([-1.5, 0.25, np.nan]),
        np.full(2, np.nan),
        np.ones(3),
    ],
)
def test_packing_keeps_the_values(values):
    np.testing.assert_allclose(unpacked(packed(values)), values, atol=3e-5)


def test_cautions():
    history = [{"step": i, "bound": float(i), "score": float(i)} for i in range(10)]
    assert [one.title for one in cautions.of_fit(history, "bound")] == ["Not converged"]
    fallen = [row | {"score": -abs(row["step"] - 1.0)} for row in history]
    assert [one.title for one in cautions.of_fit(fallen, "bound")] == ["Stopped early"]
    assert {
        one.title for one in cautions.of_fit([row | {"score": float("nan")} for row in history * 2], "none")
    } >= {"No validation"}
    good = {"co_bps": 0.3, "coverage_90": 0.9, "ess": 0.9, "ess_low": 0.8}
    assert list(cautions.of_scores(good, 16)) == []
    assert [one.title for one in cautions.of_scores(good | {"ess": 0.05}, 16)] == [
        "Low effective sample size"
    ]
    assert [one.title for one in cautions.of_rivals(good, {"gpfa": {"co_bps": 0.4}}, "co_bps")] == [
        "Others do as well"
    ]
    assert list(cautions.of_rivals(good, {"gpfa": {"co_bps": 0.1}}, "co_bps")) == []


@pytest.mark.parametrize("name", ["co-sde", "lfads", "langevin-flow-released"])
def test_models_are_put_in_words(name):
    trials = Trials.from_array(RNG.poisson(0.5, (4, 20, 6)), bin_width=0.02)
    run = started(named(name)(), trials)
    found = parts(run.fitted)
    assert all(part.text for part in found)
    listed = {f"{value}" for part in found for value, _, _ in part.values}
    assert len(listed) > 3
    assert sum(len(part.values) for part in found) == sum(x.size > 0 for x in run.parameters.values())


def test_times_and_frequencies():
    trials = Trials.from_array(RNG.poisson(0.5, (4, 20, 6)), bin_width=0.02)
    rows = {
        name: value for name, _, value in physical(started(named("linear")(latents=2), trials).fitted).values
    }
    assert float(rows["growth rates (1/s), negative: decay"].split(",")[0]) == pytest.approx(
        np.log(0.95) / 0.02, 1e-3
    )
    rows = {
        name: value for name, _, value in physical(started(named("low-rank-rnn")(), trials).fitted).values
    }
    assert float(rows["time constant of decay a (s)"]) == pytest.approx(-0.02 / np.log(0.9), 1e-3)


def test_signals_of_an_unsaved_run():
    trials = Trials.from_array(
        RNG.standard_normal((1, 40, 3)), bin_width=0.01, unit="µV", names=["Cz", "ä", "<i>"]
    )
    text = page(started(named("co-sde")(oscillators=1, hidden=4, control=4, context=4), trials), trials)
    found = numbers(text)
    assert found["signals"][0]["unit"] == "µV"
    assert found["signals"][0]["channels"] == ["Cz", "ä", "<i>"]
    assert found["simulated"]["unit"] == "µV²/Hz"
    assert found["latents"]["names"] == ["x 1", "y 1"]
    assert "frequencies (Hz)" in text
    assert "The run is not saved" in text


def test_equations_and_numbers():
    assert typeset("z_t = a z_{t-1} + sqrt(2) eps_t^2 < mu") == (
        "z<sub>t</sub> = a z<sub>t-1</sub> + √(2) ε<sub>t</sub><sup>2</sup> &lt; μ"
    )
    assert summary(np.array([1.0, 2.5])) == "1, 2.5"
    assert summary(np.arange(11.0)) == "5 ± 3.16 (from 0 to 10)"


def test_other_trials_than_the_models_are_refused(run):
    with pytest.raises(NeuritoError, match="the model was fitted to 6 channels"):
        page(Run.load(run), Trials.from_array(RNG.poisson(0.5, (4, 12, 5)), bin_width=0.02))
