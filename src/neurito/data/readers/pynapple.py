"""Objects of pynapple in memory: Ts, TsGroup, Tsd and TsdFrame."""

from typing import Any

import numpy as np

from neurito.data.options import EVENTS, Options
from neurito.data.recording import Recording, as_series, to_trials
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

TAKES = EVENTS


def is_pynapple(thing: Any) -> bool:
    """Whether this is one of pynapple's objects."""
    return type(thing).__module__.partition(".")[0] == "pynapple"


def read(thing: Any, options: Options) -> Trials:
    """Trials from spike times or samples; without trials, each epoch of the time support is one."""
    return to_trials(recording(thing), options)


def recording(thing: Any) -> Recording:
    """Its spikes or samples, and when they were recorded.

    Raises:
        NeuritoError: it is of another type.
    """
    kind = type(thing).__name__
    if kind in ("TsGroup", "Ts"):
        members = {"0": thing} if kind == "Ts" else {str(i): thing[i] for i in thing.index}
        times = [np.asarray(member.t) for member in members.values()]
        table = (
            {}
            if kind == "Ts"
            else {str(name): np.asarray(thing.get_info(name)) for name in thing.metadata_columns}
        )
        return Recording(
            f"pynapple {kind}",
            np.concatenate(times),
            np.repeat(np.arange(len(times)), [t.size for t in times]),
            tuple(members),
            {name: c.astype(str) if c.dtype == object else c for name, c in table.items()},
            epochs=_epochs(thing),
        )
    if kind in ("Tsd", "TsdFrame"):
        return Recording(f"pynapple {kind}", series={"signal": as_series(thing)}, epochs=_epochs(thing))
    raise NeuritoError(f"pynapple {kind} is no recording; give a TsGroup, Ts, Tsd or TsdFrame")


def _epochs(thing: Any) -> np.ndarray:
    return np.asarray(thing.time_support.values, float)
