"""Compilation by numba where it is installed; the same code runs, more slowly, where it is not."""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

KERNELS = (
    "canonical.py",
    "loops.py",
    "bounds.py",
    "descent.py",
    "leaves.py",
    "boxes.py",
    "orbits.py",
    "sides.py",
    "points.py",
    "orient.py",
)
COMPILED = find_spec("numba") is not None
# Sums may be reordered (the rounding pads allow for it), but NaN and infinity keep their meaning.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
    "no_cfunc_wrapper": True,  # C never calls them
}
_INSIDE: dict[str, Any] = _OPTIONS | {"no_cpython_wrapper": True}  # nor does Python call these


def compiled(function: F, inline: bool = False) -> F:
    """Compiles a kernel that only other kernels call."""
    if not COMPILED:
        return function
    from numba import njit

    # shape checks have no place in compiled code
    kernel: F = njit(inspect.unwrap(function), forceinline=inline, **_INSIDE)
    return kernel


def inlined(function: F) -> F:
    """Compiles a short kernel into its callers: an array is passed as seven numbers or more, which takes its time."""
    return compiled(function, inline=True)


def cached(function: F) -> F:
    """Compiles an entry point and keeps the machine code, in `__pycache__` or else in the user's cache folder."""
    if not COMPILED:
        return function
    from numba import njit

    try:
        kernel: F = njit(inspect.unwrap(function), cache=True, **_OPTIONS)
    except RuntimeError:  # no folder can be written: compile in every process
        return njit(inspect.unwrap(function), **_OPTIONS)
    return kernel


@cache
def sources() -> str:
    """A digest of all kernels: numba looks only at an entry point's own file when it asks if its cache is fresh."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in KERNELS:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
