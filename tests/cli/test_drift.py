"""neurito drift."""

import json
import shlex

import pytest

from neurito.cli import main

OPTIONS = shlex.split(
    "--model co-sde --oscillators 2 --hidden 3 --control 3 --context 3 --particles 2 --epochs 1 --batch-size 4 "
    "--steps-per-call 1 --no-figures --no-scores --score none --quiet"
)


@pytest.fixture(scope="module")
def oscillating(recording, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    assert main(["fit", str(recording), *data, *OPTIONS, "--run", str(folder)]) == 0
    return folder


def test_one_run_is_told_and_written(neurito, oscillating):
    code, out, err = neurito("drift", oscillating, "--samples", 2, "--out", "d.json", "--figure", "d.png")
    assert (code, err) == (0, "")
    assert "frequency (Hz)" in out
    assert "share of the drift" in out
    with open("d.json") as file:
        assert len(json.load(file)["oscillators"]["mean"]["frequency"]) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "d.txt"], "ends in .json or .csv"),
        (["--figure", "d.txt"], "ends in .png"),
        (["--objective", "mcmc"], "objective"),
    ],
)
def test_bad_options_are_one_line(neurito, oscillating, words, says):
    code, out, err = neurito("drift", oscillating, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_other_runs_are_one_line(neurito, oscillating, fitted):
    for words, says in (
        ([fitted], "has no drift"),
        ([oscillating, oscillating], "given twice"),
        (["nowhere"], "nowhere"),
    ):
        code, out, err = neurito("drift", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert says in err
