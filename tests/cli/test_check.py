"""neurito check."""

import csv
import json

CHECK = ("--draws", "20", "--particles", "4")


def test_check(neurito, fitted, tmp_path):
    code, out, _ = neurito("check", fitted, *CHECK, "--out", "check.json")
    assert code == 0
    for words in (
        "held out    counts that were not read",
        "simulated   all counts",
        "spikes/s",
        "coverage of",
        "PIT distance",
    ):
        assert words in out
    assert (fitted / "figures" / "check.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((tmp_path / "check.json").read_text())
    assert [group["name"] for group in found["groups"]] == ["held out", "read", "simulated"]
    options = ("--part", "validation", "--out", "check.csv", "--figure", "check.svg", "--window", "0.04")
    assert neurito("check", fitted, *CHECK, *options)[0] == 0
    with open(tmp_path / "check.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["statistic"] for row in rows} >= {"rate", "Fano factor", "correlation", "power"}
    assert "<svg" in (tmp_path / "check.svg").read_text()


def test_bad_input(neurito, fitted):
    for words, message in (
        (("--out", "check.txt"), "checks are written as .json or .csv"),
        (("--draws", "5"), "draws=5: at least 19"),
        (("--condition", "side"), "condition='side' is no metadata"),
        (("--head", "spike"), "did you mean 'spikes'"),
    ):
        code, _, err = neurito("check", fitted, *words)
        assert code == 2
        assert message in err
        assert len(err.splitlines()) == 1
