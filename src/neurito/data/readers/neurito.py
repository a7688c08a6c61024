"""Files written by `Trials.save`."""

from pathlib import Path

from neurito.data.options import Options
from neurito.data.trials import Trials

TAKES: tuple[str, ...] = ()


def read(path: Path, options: Options) -> Trials:
    """The trials as they were saved."""
    return Trials.load(path)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import suggest

    return [*Trials.load(path).summary().splitlines(), *suggest(path)]
