"""The errors that neurito raises for bad input, and the warnings it gives."""

import difflib
import warnings
from collections.abc import Iterable


class NeuritoError(ValueError):
    """Bad input: one line that names the file or argument, what was found, and what to do."""


class NeuritoWarning(UserWarning):
    """Something a careful scientist would want to know; the work goes on."""


def nearest(wrong: str, right: Iterable[str]) -> str:
    """A hint ``, did you mean 'x'?`` for a misspelt name, or the list of right ones.

    Args:
        wrong: the name as given.
        right: the names that would have been accepted.
    """
    names = [str(name) for name in right]
    close = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(names)}"


def warn(message: str, stacklevel: int = 3) -> None:
    """Gives a `NeuritoWarning` that points at the caller of the caller."""
    warnings.warn(message, NeuritoWarning, stacklevel=stacklevel + 1)
