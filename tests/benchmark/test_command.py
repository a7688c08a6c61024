"""From the folder of NWB files to the submission by commands alone."""

import shlex

import h5py
import jax
import numpy as np
import pytest

import neurito
from neurito import benchmark
from neurito.cli import main

TINY = shlex.split(
    "--rank 1 --units 4 --guide bootstrap --particles 4 --epochs 1 --batch-size 4 --steps-per-call 1 "
    "--no-figures --no-scores --score none --quiet"
)


@pytest.fixture(autouse=True, scope="module")
def _quickly_compiled():
    neurito.start()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def test_from_nwb_to_submission(sets, tmp_path, capsys):
    folder, _ = sets("mc_maze_small")
    data, run, out = tmp_path / "small.h5", tmp_path / "run", tmp_path / "submission.h5"
    assert main(["data", "prepare", "mc_maze_small", str(folder), "--out", str(data)]) == 0
    assert main(["fit", str(data), "--run", str(run), *TINY]) == 0
    capsys.readouterr()
    few = ["--samples", "8"]
    assert main(["benchmark", "mc_maze_small", str(folder), str(run), "--out", str(out), *few]) == 0
    said = capsys.readouterr().out
    assert "mc_maze_small_20, 12 train and 3 test trials" in said
    for name in ("co_bps", "fp_bps", "velocity_r2", "psth_r2"):
        assert name in said
    with h5py.File(out) as file:
        assert file["mc_maze_small_20/eval_rates_heldout"].shape == (3, 35, 3)
    assert main(
        ["benchmark", "mc_maze_small", str(data), str(run), "--out", str(out), "--part", "validation", *few]
    ) == 0  # fmt: skip
    again = capsys.readouterr().out
    scores = [line for line in said.splitlines() if "bits/spike" in line]
    assert scores == [line for line in again.splitlines() if "bits/spike" in line]
    made = benchmark.read_submission(out, "mc_maze_small")
    target = benchmark.target(folder, "mc_maze_small")
    found = benchmark.score(made, target)
    assert f"{found['co_bps']:.4g}" in said
    trials = benchmark.read(folder, "mc_maze_small")
    same = benchmark.predict(neurito.Run.load(run), trials, "mc_maze_small", samples=8)
    np.testing.assert_allclose(same.evaluation, made.evaluation, rtol=1e-5)

    for words, message in (
        (["mc_maze_smol", data, run, "--out", out], "did you mean 'mc_maze_small'"),
        (["mc_rtt", data, run, "--out", out], "has 45 bins for mc_rtt at 0.02 s; 30 are needed"),
        (["mc_maze_small", tmp_path / "none", run, "--out", out], "no such file"),
        (["mc_maze_small", data, run], "--out is missing"),
    ):
        assert main(["benchmark", *map(str, words)]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1


def test_nothing_heavy_is_imported():
    import subprocess
    import sys

    heavy = ("pandas", "scipy", "h5py", "pynwb", "jax", "xarray")
    code = f"import sys; from neurito import benchmark; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
