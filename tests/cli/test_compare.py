"""neurito compare, and baselines on the command line."""

import json


def test_baselines_are_fitted_scored_and_compared(neurito, recording, data, tmp_path):
    split = [*data, "--hold-out", "0.3", "--quiet"]
    for model, options in (
        ("mean-rate", []),
        ("smoothing", ["--sd", "0.04"]),
        ("smoothing", ["--sd", "0.1"]),
    ):
        run = "-".join(["läuf", model, *options[1:]])
        code, _, err = neurito("fit", recording, *split, "--model", model, *options, "--run", run)
        assert (code, err) == (0, "")
    (tmp_path / "läuf-mean-rate" / "scores.json").unlink()
    runs = sorted(p.name for p in tmp_path.iterdir())
    code, out, err = neurito("compare", *runs)
    assert code == 0
    assert "läuf-mean-rate: has no scores on the validation trials" in err
    assert "smoothing sd=0.1" in out

    code, out, err = neurito(
        "compare", *runs, "--data", recording, "--out", "table.html", "--scores", "co_bps"
    )
    assert (code, err) == (0, "")
    assert "mean-rate" in (tmp_path / "table.html").read_text()
    stored = json.loads((tmp_path / "läuf-mean-rate" / "scores.json").read_text())
    assert len(stored["validation"]["co_bps"]["data"]) == 64
    assert neurito("compare", *runs)[1].splitlines()[0].split()[:2] == ["model", "co_bps"]

    code, _, err = neurito("compare")
    assert code == 2
    assert "RUN is missing" in err
    code, _, err = neurito("compare", *runs, "--out", "table.xls")
    assert code == 2
    assert "ends in .html, .csv or .md" in err
    code, _, err = neurito("generate", runs[0], "--out", "x.h5")
    assert code == 2
    assert "mean-rate is a baseline" in err
    code, out, _ = neurito("info", runs[0])
    assert code == 0
    assert "a baseline" in out
    assert "nan" not in out


def test_help_lists_baselines(neurito):
    assert "gpfa" in neurito("fit", "--help")[1]
    assert "--transform sqrt|log" in neurito("fit", "--model", "gpfa", "--help")[1]
