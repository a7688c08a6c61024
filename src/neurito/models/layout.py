"""What a model needs to know of a recording to be built, and to be rebuilt when it is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Array

from neurito.data.trials import Kind, Trials
from neurito.errors import NeuritoError


@dataclass(frozen=True)
class HeadLayout:
    """Shape and kind of one head."""

    channels: int
    kind: Kind
    unit: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Shapes of a recording, and what its channels look like on average.

    Attributes:
        heads: by name.
        sessions: names of the sessions.
        inputs: names of the inputs.
        bin_width: the reference (median) width of a bin, seconds.
        regular: whether every bin has that width.
        mean: mean of what is read or scored, per head (session, channel); only for starting values.
        sd: its standard deviation.
    """

    heads: dict[str, HeadLayout]
    sessions: tuple[str, ...]
    inputs: tuple[str, ...]
    bin_width: float
    regular: bool
    mean: Mapping[str, np.ndarray | Array] = field(default_factory=dict, compare=False, repr=False)
    sd: Mapping[str, np.ndarray | Array] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, trials: Trials) -> "Layout":
        """The layout of these trials."""
        mean, sd = {}, {}
        for name, head in trials.heads.items():
            used = (head.read | head.score) & trials.exists[..., None]
            mean[name], sd[name] = _moments(head.values, used, trials.session, len(trials.session_names))
        return cls(
            {n: HeadLayout(h.n_channels, h.kind, h.unit, h.names) for n, h in trials.heads.items()},
            trials.session_names,
            trials.input_names,
            trials.bin_width,
            trials.regular,
            mean,
            sd,
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the starting values."""
        return {
            "heads": {n: vars(h) | {"names": list(h.names)} for n, h in self.heads.items()},
            "sessions": list(self.sessions),
            "inputs": list(self.inputs),
            "bin_width": self.bin_width,
            "regular": self.regular,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Layout":
        """What `to_json` gave."""
        heads = {
            n: HeadLayout(h["channels"], h["kind"], h["unit"], tuple(h["names"]))
            for n, h in stored["heads"].items()
        }
        return cls(
            heads, tuple(stored["sessions"]), tuple(stored["inputs"]), stored["bin_width"], stored["regular"]
        )

    def check(self, trials: Trials, heads: tuple[str, ...]) -> None:
        """Raises NeuritoError if trials do not fit a model of this layout."""
        for name in heads:
            if name not in trials.heads:
                raise NeuritoError(f"the model observes {name!r}, the data have {', '.join(trials.heads)}")
            want, found = self.heads[name], trials.heads[name]
            if found.n_channels != want.channels:
                raise NeuritoError(
                    f"head {name!r}: the model was fitted to {want.channels} channels, the data have "
                    f"{found.n_channels}; use the recording that it was fitted to, or one cut in the same way"
                )
            if found.kind != want.kind:
                raise NeuritoError(
                    f"head {name!r}: the model was fitted to {want.kind} values, the data are {found.kind}; "
                    f"give kind={want.kind!r} if they are"
                )
        if self.regular and not trials.regular:
            raise NeuritoError(
                "the model was fitted to bins of one width, the data have different ones: rebin the recording"
            )
        if len(trials.input_names) != len(self.inputs):
            raise NeuritoError(
                f"the model takes {len(self.inputs)} inputs {self.inputs}, the data have {len(trials.input_names)}"
            )
        if abs(trials.bin_width / self.bin_width - 1) > 0.01:
            raise NeuritoError(
                f"the model was fitted to bins of {self.bin_width:g} s, the data have {trials.bin_width:g} s"
            )
        unknown = set(trials.session_names) - set(self.sessions)
        if len(self.sessions) > 1 and unknown:
            raise NeuritoError(
                f"sessions {sorted(unknown)} were not fitted; known are {', '.join(self.sessions)}"
            )


def _moments(
    values: np.ndarray, used: np.ndarray, session: np.ndarray, sessions: int
) -> tuple[np.ndarray, np.ndarray]:
    means, sds = [], []
    for s in range(sessions):
        rows = session == s
        v, w = values[rows], used[rows]
        count = np.maximum(w.sum((0, 1)), 1)
        mean = np.where(w, v, 0).sum((0, 1), dtype=np.float64) / count
        square = np.where(w, (v - mean) ** 2, 0).sum((0, 1), dtype=np.float64) / count
        means.append(mean)
        sds.append(np.sqrt(square))
    return np.stack(means), np.stack(sds)
