"""Predictions, submission files and scores."""

import h5py
import numpy as np
import pytest
from tests.benchmark import files

from neurito import NeuritoError, NeuritoWarning, benchmark, evaluation

RNG = np.random.default_rng(0)


def noisy(trials):
    """Rates that know something of the counts."""
    counts = np.nan_to_num(trials.main.values)
    return 0.3 * counts + 0.5 * counts.mean((0, 1)) + 0.05 * RNG.random(counts.shape) + 0.01


@pytest.mark.parametrize("width", [0.005, 0.02])
@pytest.mark.parametrize("name", list(benchmark.TASKS))
def test_round_trip_and_scores(sets, tmp_path, name, width):
    task = benchmark.find(name)
    trials = benchmark.read(sets(name)[0], name, width)
    made = benchmark.Prediction.of(noisy(trials), trials, task)
    path = tmp_path / "submission.h5"
    benchmark.write(path, made)
    bins, ahead, key = task.bins(width), task.forward(width), name if width == 0.005 else f"{name}_20"
    with h5py.File(path) as file:
        assert set(file) == {key}
        shapes = {k: v.shape for k, v in file[key].items()}
    assert shapes == {
        f"{part}_rates_{kind}{suffix}": (n, size, neurons)
        for part, n in (("train", 8), ("eval", 4))
        for kind, neurons in (("heldin", 5), ("heldout", 3))
        for suffix, size in (("", bins), ("_forward", ahead))
    }
    found = benchmark.read_submission(path, name, width)
    np.testing.assert_allclose(found.train, made.train, rtol=1e-6)
    np.testing.assert_allclose(found.evaluation, made.evaluation, rtol=1e-6)
    scores = benchmark.score(found, benchmark.target(sets(name)[0], name, width))
    expected = {"co_bps", "fp_bps"}
    expected |= {"tp_correlation"} if task.columns else {"velocity_r2"}
    expected |= {"psth_r2"} if task.psth_sd else set()
    assert set(scores) == expected
    assert all(np.isfinite(value) for value in scores.values())
    assert scores["co_bps"] > 0


def test_scores_are_those_of_the_benchmark(sets):
    """Each by the arrays that the benchmark would have."""
    trials = benchmark.read(sets("mc_maze")[0], "mc_maze")
    rates = noisy(trials)
    target = benchmark.target(sets("mc_maze")[0], "mc_maze")
    scores = benchmark.score(benchmark.Prediction.of(rates, trials, "mc_maze"), target)
    part = trials.metadata["split"]
    evaluated, counts = part == "validation", trials.main.values
    assert scores["co_bps"] == pytest.approx(
        evaluation.bits_per_spike(rates[evaluated, :35, 5:], counts[evaluated, :35, 5:])
    )
    assert scores["fp_bps"] == pytest.approx(
        evaluation.bits_per_spike(rates[evaluated, 35:], counts[evaluated, 35:])
    )
    rows = np.flatnonzero(np.isin(part, ["train", "validation"]))
    velocity = trials.heads["hand_vel"].values[rows, :35]
    assert scores["velocity_r2"] == pytest.approx(
        evaluation.velocity_r2(rates[rows, :35], velocity, part[rows] == "train", part[rows] == "validation")
    )
    within = benchmark.Target.of(trials, "mc_maze").psth
    np.testing.assert_allclose(
        target.psth.rates[:, 11:34], within.rates[:, 11:34], atol=4
    )  # 3 sd from the edges
    perfect = benchmark.Prediction.of(rates, trials, "mc_maze")
    perfect.evaluation[:, :35] = 0.02 * target.psth.rates[trials.metadata["condition"][evaluated]]
    assert benchmark.score(perfect, target)["psth_r2"] == pytest.approx(1)


def test_the_test_part_is_submitted_and_not_scored(sets, tmp_path):
    trials = benchmark.read(sets("mc_rtt")[0], "mc_rtt")
    made = benchmark.Prediction.of(noisy(trials), trials, "mc_rtt", "test")
    assert (len(made.train), len(made.evaluation)) == (12, 3)
    benchmark.write(tmp_path / "x.h5", made)
    with pytest.raises(NeuritoError, match="held-out neurons of these trials are not public"):
        benchmark.target(sets("mc_rtt")[0], "mc_rtt", part="test")
    target = benchmark.target(sets("mc_rtt")[0], "mc_rtt")
    with pytest.raises(NeuritoError, match="train rates of mc_rtt have shape"):
        benchmark.score(made, target)
    with pytest.raises(NeuritoError, match="no test trials"):
        benchmark.Prediction.of(noisy(trials)[:12], trials[:12], "mc_rtt", "test")


def test_several_sets_in_one_file(sets, tmp_path):
    path, made = tmp_path / "x.h5", {}
    for name in ("mc_maze", "mc_rtt"):
        trials = benchmark.read(sets(name)[0], name)
        made[name] = benchmark.Prediction.of(noisy(trials), trials, name)
        benchmark.write(path, made[name], add=True)
    for name, prediction in made.items():
        np.testing.assert_allclose(benchmark.read_submission(path, name).train, prediction.train, rtol=1e-6)
    with pytest.raises(NeuritoError, match="has no set 'area2_bump_20'; choose from mc_maze_20, mc_rtt_20"):
        benchmark.read_submission(path, "area2_bump")
    benchmark.write(path, made["mc_rtt"])
    with h5py.File(path) as file:
        assert set(file) == {"mc_rtt_20"}
        file_path = tmp_path / "other.h5"
    with h5py.File(file_path, "w") as file:
        file["notes"] = np.zeros(3)
    with pytest.raises(NeuritoError, match=r"other.h5: is no submission \(notes\)"):
        benchmark.write(file_path, made["mc_rtt"], add=True)


def good(task):
    return {
        f"{part}_rates_{kind}": np.full((n, task.bins(0.02), neurons), 0.1)
        for part, n in (("train", 8), ("eval", 4))
        for kind, neurons in (("heldin", 5), ("heldout", 3))
    }


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("eval_rates_heldout", None, "mc_rtt_20 has no eval_rates_heldout"),
        ("eval_rates_heldout", np.zeros((4, 29, 3)), "have shapes"),
        ("train_rates_heldin", np.zeros((8, 30)), r"train_rates_heldin has shape \(8, 30\)"),
        ("eval_rates_heldin", np.zeros((4, 30, 6)), "eval_rates_heldin are not of the 5 neurons"),
        ("eval_rates_heldout", np.full((4, 30, 3), np.nan), "nan at trial 0, bin 0, neuron 5"),
        ("train_rates_heldin", np.full((8, 30, 5), -0.5), "train rates of mc_rtt: -0.5 at trial 0"),
        ("eval_rates_heldin_forward", np.zeros((4, 10, 5)), "have shapes"),
    ],
)
def test_bad_submissions(tmp_path, name, change, message):
    task, path = benchmark.find("mc_rtt"), tmp_path / "x.h5"
    made = good(task)
    if change is None:
        del made[name]
    else:
        made[name] = change
    with h5py.File(path, "w") as file:
        for key, array in made.items():
            file[f"{task.key(0.02)}/{key}"] = array
    with pytest.raises(NeuritoError, match=message) as error:
        benchmark.read_submission(path, "mc_rtt")
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_bad_predictions():
    task, rates = benchmark.find("mc_rtt"), np.full((4, 30, 8), 0.1)
    for change, message in (
        (rates[:, :29], "give .trial, time, neuron. with 30 bins of 0.02 s, or 40"),
        (rates[:, :, :7], "the same for train and evaluation"),
        (
            np.where(np.arange(8) == 3, np.nan, rates),
            "evaluation rates of mc_rtt: nan at trial 0, bin 0, neuron 3",
        ),
        (-rates, "evaluation rates of mc_rtt: -0.1"),
    ):
        with pytest.raises(NeuritoError, match=message):
            benchmark.Prediction(task, 0.02, 5, rates, change)


def test_a_submission_that_cannot_be_written(tmp_path):
    task, rates = benchmark.find("mc_rtt"), np.full((4, 30, 8), 0.1)
    with pytest.raises(NeuritoError, match="could not be written"):
        benchmark.write(tmp_path / "nowhere" / "x.h5", benchmark.Prediction(task, 0.02, 5, rates, rates))


THEIRS = {
    "mc_maze": {
        "co_bps": 0.599861551,
        "velocity_r2": 0.275969078,
        "psth_r2": -4.55999756,
        "fp_bps": -0.211310661,
    },
    "mc_rtt": {"co_bps": 0.625450541, "velocity_r2": 0.265260387, "fp_bps": -0.189906782},
    "area2_bump": {
        "co_bps": 0.626554785,
        "velocity_r2": 0.2557506,
        "psth_r2": -3.009982914,
        "fp_bps": -0.218333276,
    },
    "dmfc_rsg": {
        "co_bps": 0.629208495,
        "tp_correlation": 0.08483925,
        "psth_r2": -0.595906,
        "fp_bps": -0.311798689,
    },
}
"""What nlb_tools (its repository, July 2024) makes of the same files and rates, in bins of 20 ms."""


@pytest.mark.parametrize("name", list(THEIRS))
def test_agreement_with_nlb_tools(tmp_path, name):
    """From the files on: their cutting, binning, filtering, jitter and PSTHs, and their scores."""
    task = benchmark.find(name)
    files.write(tmp_path, name, files.recorded(task, (16, 10, 3)))
    target, rng = benchmark.target(tmp_path, name), np.random.default_rng(1)
    bins = task.bins(0.02)
    window = {}
    for part, trials in (("evaluation", target.evaluation), ("train", target.train)):
        head = trials.main
        known = np.where(head.score | (part == "evaluation"), head.values, np.nan)[:, :bins]
        window[part] = 0.2 * known.astype(float) + 0.2 + 0.1 * rng.random(known.shape)
    ahead = 0.1 + 0.3 * rng.random((10, 10, 8))
    rates = np.concatenate([window["evaluation"], ahead], 1)
    scores = benchmark.score(benchmark.Prediction(task, 0.02, 5, window["train"], rates), target)
    assert scores.keys() == THEIRS[name].keys()
    for key, value in THEIRS[name].items():
        assert scores[key] == pytest.approx(value, rel=2e-3 if key == "psth_r2" else 1e-5), key


def test_a_score_that_cannot_be_had(sets):
    trials = benchmark.read(sets("dmfc_rsg")[0], "dmfc_rsg")
    few = trials[[*np.flatnonzero(trials.metadata["split"] != "validation").tolist(), 8, 9]]
    target, made = benchmark.Target.of(few, "dmfc_rsg"), benchmark.Prediction.of(noisy(few), few, "dmfc_rsg")
    with pytest.warns(NeuritoWarning, match="tp_correlation cannot be had: condition"):
        scores = benchmark.score(made, target)
    assert np.isnan(scores["tp_correlation"])
    assert np.isfinite(scores["co_bps"])
