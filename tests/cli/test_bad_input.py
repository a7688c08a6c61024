"""Bad input ends in one line that says what is wrong, and exit code 2."""

import json
import shutil

import numpy as np
import pytest

UNSCORED = ["--no-scores", "--score", "none"]
COUNTS = np.random.default_rng(0).poisson(0.6, (10, 12, 6)).astype(float)
ARRAY = ["--axes", "trial time channel", "--bin-width", "0.02"]


def changed(where, value):
    array = COUNTS.copy()
    array[where] = value
    return array


def refused(outcome, message):
    code, _, err = outcome
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("neurito: ")
    assert message in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "x.npy: no such file; did you mean 'xx.npy'?"),
        ("folder", "x.npy: is a folder"),
        (b"", "x.npy: is empty"),
        (b"\0\1\2\3", "x.npy: is of no known format"),
        (changed((3, 2, 1), np.nan), "nan at trial 3, bin 2, channel '1'"),
        (COUNTS[:0], "no trials"),
    ],
)
def test_files(neurito, tmp_path, tiny, content, message):
    (tmp_path / "xx.npy").write_bytes(b"x")
    path = tmp_path / "x.npy"
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    refused(neurito("fit", "x.npy", *ARRAY, *tiny), message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rnk", "3"], "--rnk: there is no option 'rnk'; did you mean 'rank'?"),
        (["--rank", "8"], "rank=8 exceeds units=4"),
        (["--rank", "0"], "rank=0"),
        (["--particles", "0"], "particles=0"),
        (["--device", "gpu"], "device='gpu'"),
        (["--devices", "99"], "devices=99"),
        (["--epochs", "0"], "epochs=0"),
        (["--hold-out", "0.99"], "at least one must be held out and one held in"),
        (["--held-out", "nobody"], "no channel 'nobody'"),
        (["--forward", "12"], "forward(12)"),
        (["--fractions", "0.9", "0.2"], "add up to 1"),
        (["--fractions", "0.98", "0.02"], "validation gets none"),
        (["--split-by", "session"], "no metadata column 'session'"),
        (["--pieces", "13"], "windows of 13 bins"),
        (["--window", "13"], "window=13"),
        (["--guide", "optimal"], "guide='optimal'"),
        (["--run", "session.npz"], "session.npz"),
        (["--heads", "spike"], "did you mean 'spikes'?"),
        (["--fixed", "nothing"], "names no parameter"),
        (["--model", "low-rank"], "did you mean 'low-rank-rnn'?"),
    ],
)
def test_options_of_a_fit(neurito, tmp_path, recording, data, tiny, words, message):
    shutil.copy(recording, tmp_path / "session.npz")
    refused(neurito("fit", "session.npz", *data, *tiny, *words), message)


def test_fractional_counts(neurito, tmp_path, tiny):
    np.save(tmp_path / "x.npy", COUNTS + 0.5)
    refused(neurito("fit", "x.npy", *ARRAY, *tiny, "--observations", "poisson"), "needs counts")
    refused(neurito("fit", "x.npy", *ARRAY, *tiny, "--kind", "counts"), "is no count")


def test_a_column_that_names_no_part(neurito, tmp_path, tiny):
    from neurito import Trials

    trials = Trials.from_array(COUNTS, bin_width=0.02).with_metadata(split=["train"] * 8 + ["val", "tset"])
    trials.save(tmp_path / "x.h5")
    refused(neurito("fit", "x.h5", *tiny, "--split-by", "split"), "says 'tset'")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fitt"], "there is no command 'fitt'; did you mean 'fit'?"),
        (["fit"], "DATA is missing"),
        (["evaluate", "nowhere"], "nowhere: no such run folder"),
        (["evaluate", "."], "has no model.json"),
        (["infer", "nowhere", "--out", "no/where.nc"], "there is no folder no"),
        (["simulate", "osc", "--out", "x.h5"], "there is no system 'osc'"),
        (["simulate", "lorenz", "--out", "."], "is a folder"),
        (["simulate", "lorenz", "--out", "x.h5", "--neurons", "0"], "neurons: 0 found"),
        (["info", "nothing.npy"], "no such file"),
    ],
)
def test_commands(neurito, words, message):
    refused(neurito(*words), message)


def test_another_recording(neurito, fitted, tmp_path, data, tiny, recording):
    with np.load(recording) as file:
        np.savez(tmp_path / "other.npz", **{**file, "spikes": file["spikes"] + 1})
    message = "is not the recording that"
    refused(neurito("evaluate", fitted, "other.npz", "--part", "test"), message)
    refused(
        neurito("fit", "other.npz", *data, *tiny, *UNSCORED, "--run", fitted),
        "holds a fit with another data",
    )
    refused(
        neurito("fit", recording, *data, *tiny, *UNSCORED, "--run", fitted, "--rank", "2"), "rank=1, now 2"
    )
    np.savez(tmp_path / "fewer.npz", spikes=COUNTS[..., :4].astype(int), velocity=COUNTS[..., :1])
    refused(
        neurito("evaluate", fitted, "fewer.npz", "--part", "all"), "fitted to 6 channels, the data have 4"
    )


@pytest.mark.parametrize("file", ["checkpoint.safetensors", "model.safetensors", "model.json", "config.json"])
def test_half_a_file_in_the_run(neurito, fitted, tmp_path, recording, data, tiny, file):
    run = tmp_path / "run"
    shutil.copytree(fitted, run)
    content = (run / file).read_bytes()
    (run / file).write_bytes(content[: len(content) // 2])
    if file == "checkpoint.safetensors":
        refused(
            neurito("fit", recording, *data, *tiny, *UNSCORED, "--run", run),
            "the checkpoint is damaged",
        )
    else:
        refused(neurito("evaluate", run), "damaged")


def test_full_disk(neurito, fitted, tmp_path, recording, data, tiny):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        refused(neurito("simulate", "lorenz", "--out", "x.h5"), "x.h5: could not be written (File too large)")
        refused(
            neurito("fit", recording, *data, *tiny, "--run", "run"), "could not be written (File too large)"
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "x.h5").exists()
    assert not list(tmp_path.glob(".*.part"))
    assert json.loads((fitted / "config.json").read_text())["model"] == "low-rank-rnn"


def test_a_traceback_on_request(neurito):
    from neurito.errors import NeuritoError

    with pytest.raises(NeuritoError, match="no such run folder"):
        neurito("evaluate", "nowhere", "--debug")
