"""Starting is quick, and loads only what is used."""

import subprocess
import sys
import time

import pytest

from neurito import __version__
from neurito.cli import COMMANDS, main

SLOW = (
    "pandas",
    "scipy",
    "h5py",
    "pynwb",
    "matplotlib",
    "sklearn",
    "xarray",
    "numba",
    "pydantic",
    "yaml",
    "jax",
)


def python(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "start", ["import neurito", "import neurito.cli", "from neurito.cli import main; main(['--help'])"]
)
def test_nothing_heavy_is_imported(start):
    out = python("-c", f"import sys; {start}; print('loaded', [m for m in {SLOW} if m in sys.modules])")
    assert out.endswith("loaded []\n")


def test_time_of_imports():
    def seconds(what):
        program = f"import time; t = time.perf_counter(); {what}; print(time.perf_counter() - t)"
        return float(python("-c", program))

    assert seconds("import neurito") < 1
    fit = "import neurito; neurito.fit, neurito.load, neurito.LowRankRNN"
    out = python("-c", f"import sys; {fit}; print([m for m in {SLOW[:-1]} if m in sys.modules])")
    assert out == "[]\n"


def test_help_is_quick():
    begun = time.perf_counter()
    out = python("-m", "neurito", "--help")
    assert time.perf_counter() - begun < 1.5
    assert all(name in out for name in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"neurito {__version__}\n"
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: neurito COMMAND")
    assert main(["simulate", "--help"]) == 0
    assert "oscillator_poisson" in capsys.readouterr().out
