"""Devices are made before anything is computed; small programs are compiled in a hurry."""

from collections.abc import Iterator

import jax
import pytest

from neurito.core import runtime

runtime.start()


@pytest.fixture(autouse=True)
def _quickly_compiled() -> Iterator[None]:
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64() -> Iterator[None]:
    """Double precision for the length of a test."""
    with jax.enable_x64(True):
        yield
