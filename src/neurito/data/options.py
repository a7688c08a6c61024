"""What may be said about how a file is read; `neurito.load` explains every option."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neurito.data.head import Kind, Missing

ARRAYS = (
    "key", "axes", "bin_width", "kind", "name", "unit", "missing", "lengths", "times",
    "inputs", "behaviour", "metadata",
)  # fmt: skip
"""What readers of binned arrays take."""

EVENTS = (
    "key", "bin_width", "name", "units", "intervals", "align", "window", "cut", "span", "inputs",
    "behaviour", "behaviour_file", "max_gap",
)  # fmt: skip
"""What readers of spike times and sampled series take."""


@dataclass(frozen=True)
class Options:
    """The options of `neurito.load`."""

    key: str | None = None
    axes: str | None = None
    bin_width: float | None = None
    kind: Kind | None = None
    name: str | None = None
    unit: str | None = None
    missing: Missing = "error"
    lengths: str | Sequence[int] | None = None
    times: str | None = None
    inputs: Sequence[str] = ()
    behaviour: Sequence[str] | Mapping[str, Any] = ()
    metadata: Sequence[str] = ()
    units: str | Sequence[str] | None = None
    intervals: Any = None
    align: str | None = None
    window: tuple[float, float] | None = None
    cut: float | None = None
    span: tuple[float, float] | None = None
    behaviour_file: Any = None
    max_gap: float | None = None
    clock: float | None = None
    columns: tuple[str, str] | None = None
