"""Folders of small files of every set."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tests.benchmark import files

Sets = Callable[[str], tuple[Path, files.Recorded]]


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    """The folder with the files of a set, and what was put into them."""
    pytest.importorskip("pynwb")

    @cache
    def made(name: str) -> tuple[Path, files.Recorded]:
        folder = tmp_path_factory.mktemp(name)
        return folder, files.write(folder, name)

    return made
