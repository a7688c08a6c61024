"""Fixtures shared by all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

import neurito

neurito.start()  # before any test module makes a JAX array: all cores, in whatever order tests run


@pytest.fixture(scope="module", autouse=True)
def forgotten_programs() -> Iterator[None]:
    """Compiled programs end with their module: thousands of them exceed the memory maps that a process may have."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder with the recordings that are not part of the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NEURITO_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}: set NEURITO_DATA to the folder that holds them")
    return folder
