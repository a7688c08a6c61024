"""Where options come from, which one wins, and what is said of a wrong one."""

import inspect
import re

import pytest

from neurito.cli import COMMANDS
from neurito.cli.arguments import parse, table_of
from neurito.cli.help import explain
from neurito.cli.options import explained
from neurito.cli.recording import Cutting
from neurito.errors import NeuritoError
from neurito.fitting.training import Training
from neurito.models import MODELS

FIT = COMMANDS["fit"]


def given(*words):
    return parse(FIT, list(map(str, words))).arguments["given"]


def test_flags_come_before_set_before_files(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("model: {name: low-rank-rnn, rank: 2, units: 5, decay: 0.5}\nepochs: 7\n")
    other = tmp_path / "b.yaml"
    other.write_text("model: {units: 6}\nsplit: {hold_out: 0.25}")
    found = given("x.npy", "--rank", "4", "--config", file, other, "--set", "rank=3", "model.decay=0.6")
    assert found["model"] == {"rank": 4, "units": 6, "decay": 0.6}
    assert found["training"] == {"epochs": 7}
    assert found["split"] == {"hold_out": 0.25}


def test_values_get_the_types_of_their_parameters():
    found = given(
        "x.npy", "--kernels", "5", "--adapted", "--fractions", "0.5", "0.5", "--learning-rate", "1e-3", "--fixed",
        "a.*", "--key", "3", "--behaviour", "v", "w", "--data.units", "quality > 2", "--data.window", "-0.2", "0.5",
        "--no-contiguous", "--set", "widths=[8, 9]", "--batch_size=3",
    )  # fmt: skip
    assert found["model"] == {"kernels": (5,), "adapted": True, "fixed": ("a.*",), "widths": (8, 9)}
    assert found["training"] == {"learning_rate": 1e-3, "batch_size": 3}
    assert found["split"] == {"fractions": (0.5, 0.5), "contiguous": False}
    window = {"window": (-0.2, 0.5)}
    assert found["data"] == {"key": "3", "behaviour": ["v", "w"], "units": "quality > 2", **window}


def test_words_after_a_flag_that_takes_fewer_are_arguments():
    parsed = parse(FIT, ["--rank", "2", "x.npy", "--quiet", "y.npy"]).arguments
    assert parsed["data"] == ("x.npy", "y.npy")
    assert parsed["quiet"] is True


def test_a_shared_name_means_the_later_section():
    found = given("x.npy", "--window", "30", "--units", "8", "--training.seed", "2")
    assert found["training"] == {"window": 30, "seed": 2}
    assert found["model"] == {"units": 8}


def test_the_model_decides_which_options_there_are():
    assert given("x.npy", "--model", "linear", "--latents", "2")["model"] == {"latents": 2}
    with pytest.raises(NeuritoError, match="'rank'; it belongs to low-rank-rnn"):
        given("x.npy", "--model", "linear", "--rank", "2")
    with pytest.raises(NeuritoError, match="did you mean 'linear'"):
        given("x.npy", "--model", "liner")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rnk", "3"], r"--rnk: there is no option 'rnk'; did you mean 'rank'\?"),
        (["--set", "epoch=3"], r"--set epoch=3: there is no option 'epoch'; did you mean 'epochs'\?"),
        (["--zzzzzz"], "see neurito fit --help"),
        (["--rank", "three"], "--rank: rank='three' does not fit; it should be a valid integer"),
        (["--rank"], "--rank: needs a value"),
        (["--set", "rank"], "give KEY=VALUE"),
        (["--guide", "none"], "should be 'auto', 'optimal', 'encoder', 'control' or 'bootstrap'"),
        (["--window", "-0.2", "0.5"], "another option of that name is data.window"),
        (["--data.window", "1"], "--data.window: window='1' does not fit"),
    ],
)
def test_wrong_options(words, message):
    with pytest.raises(NeuritoError, match=message):
        given("x.npy", *words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {rnk: 2}", r"no option 'model.rnk'; did you mean 'model.rank'\?"),
        ("training: {epochs: many}", "epochs='many' does not fit"),
        ("- a\n- b", "should hold options"),
        ("a: [1,", "expected the node content"),
        ("b: \x00", "special characters"),
    ],
)
def test_wrong_files(tmp_path, text, message):
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(NeuritoError, match=f"a.yaml: .*{message}"):
        given("x.npy", "--config", file)


def test_missing_files_and_arguments():
    with pytest.raises(NeuritoError, match=r"none\.yaml: No such file"):
        given("x.npy", "--config", "none.yaml")
    with pytest.raises(NeuritoError, match="RUN is missing"):
        parse(COMMANDS["evaluate"], [])
    with pytest.raises(NeuritoError, match="--out is missing"):
        parse(COMMANDS["infer"], ["run"])
    with pytest.raises(NeuritoError, match="'b': one argument too many"):
        parse(COMMANDS["info"], ["a", "b"])


@pytest.mark.parametrize("model", MODELS)
def test_every_option_of_a_fit_is_explained(model):
    for section in table_of(FIT, model).sections:
        for option in section.options:
            assert option.text, f"{option.key} has no word in a docstring"


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    text = explain(COMMANDS[name], "lorenz" if name == "simulate" else "low-rank-rnn")
    assert text.startswith(f"usage: neurito {name}")
    assert max(map(len, text.splitlines())) <= 90
    assert "`" not in text


def test_help_shows_the_chosen_model_and_defaults():
    text = explain(FIT, "linear")
    assert "--latents N" in text
    assert "--rank N" not in text
    assert re.search(r"--epochs N +passes over the training trials\. \[200\]", text)
    assert "--fractions X ..." in text
    assert "--data.window X X" in text


def test_docstrings_name_every_field():
    for source in (Training, Cutting, *MODELS.values()):
        assert set(explained(source)) >= set(inspect.signature(source).parameters)
