"""Small programs are compiled in a hurry."""

from collections.abc import Iterator

import jax
import pytest

from neurito.core import runtime


@pytest.fixture(autouse=True, scope="package")
def _quickly_compiled() -> Iterator[None]:
    runtime.start()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
