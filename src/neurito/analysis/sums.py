"""The loops over units: compiled where numba is installed, in NumPy where it is not."""

from neurito.analysis.compiled import COMPILED

if COMPILED:
    from neurito.analysis.loops import (
        along,
        carry,
        gather,
        inverse,
        pull,
        ramps,
        ranges,
        scatter,
        settle,
        sigmoids,
        slopes,
        solve,
        spans,
        weigh,
    )
else:
    from neurito.analysis.vectors import (
        along,
        carry,
        gather,
        inverse,
        pull,
        ramps,
        ranges,
        scatter,
        settle,
        sigmoids,
        slopes,
        solve,
        spans,
        weigh,
    )

__all__ = [
    "along",
    "carry",
    "gather",
    "inverse",
    "pull",
    "ramps",
    "ranges",
    "scatter",
    "settle",
    "sigmoids",
    "slopes",
    "solve",
    "spans",
    "weigh",
]
