"""Devices are made before anything is computed."""

from collections.abc import Iterator

import jax
import pytest

from neurito.core import runtime

runtime.start()


@pytest.fixture
def x64() -> Iterator[None]:
    """Double precision for the length of a test."""
    with jax.enable_x64(True):
        yield
