"""Recordings as a command gets them: read, cut into parts, and cut in the same way again later."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neurito.data.load import load
from neurito.data.trials import Splits, Trials
from neurito.errors import NeuritoError

Part = Literal["train", "validation", "test", "all"]

_SPLIT = "split"  # metadata that, where it says so, gives the parts
_MEANS = {"val": "validation", "valid": "validation", "training": "train"}


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """Which trials train, select and test, and what of them is read.

    Attributes:
        fractions: of the trials that train, select and test; validation and test may be 0.
        split_by: instead, the metadata column that says train, validation or test; a column called split, if it
            says nothing else, is used unasked.
        split_seed: of the random choice of trials and of held-out channels.
        contiguous: the first trials train, the last test; one continuous recording is always cut so.
        gap: bins left out between the parts of a continuous recording.
        pieces: bins; trials, or a continuous recording, are first cut into pieces of this length.
        hold_out: fraction of the channels that are scored and not read.
        held_out: these channels by name instead.
        forward: bins at the end of each trial that are scored and not read.
    """

    fractions: tuple[float, ...] = (0.64, 0.16, 0.2)
    split_by: str = ""
    split_seed: int = 0
    contiguous: bool = False
    gap: int = 0
    pieces: int = 0
    hold_out: float = 0.0
    held_out: tuple[str, ...] = ()
    forward: int = 0

    def split(self, trials: Trials) -> Splits:
        """The parts, with what is held out of them.

        Raises:
            NeuritoError: a part would be empty, or too little is left to be read.
        """
        trials = self._in_pieces(trials)
        by = self.split_by or (_SPLIT if self._says_parts(trials) else "")
        if by and by in trials.metadata:
            named = [_MEANS.get(str(one), str(one)) for one in trials.metadata[by]]
            parts = trials.with_metadata(**{by: np.array(named)}).split(by=by)
        elif by:
            parts = trials.split(by=by)  # says which columns there are
        else:
            parts = trials.split(
                self.fractions, seed=self.split_seed, contiguous=self.contiguous or None, gap=self.gap
            )
        return Splits(*(None if part is None else self.mask(part) for part in parts))  # type: ignore[arg-type]

    def whole(self, trials: Trials) -> Trials:
        """All trials, with what is held out of them."""
        return self.mask(self._in_pieces(trials))

    def mask(self, trials: Trials) -> Trials:
        """Channels and bins that are scored and no longer read."""
        if self.held_out:
            trials = trials.hold_out(channels=list(self.held_out))
        elif self.hold_out:
            trials = trials.hold_out(self.hold_out, seed=self.split_seed)
        return trials.forward(self.forward) if self.forward else trials

    def _in_pieces(self, trials: Trials) -> Trials:
        return trials.windows(self.pieces) if self.pieces else trials

    def _says_parts(self, trials: Trials) -> bool:
        said = {_MEANS.get(str(one), str(one)) for one in trials.metadata.get(_SPLIT, ())}
        return "train" in said and said <= {"train", "validation", "test"}


def read(files: Sequence[str], options: dict[str, Any]) -> Trials:
    """The recording in one file or several."""
    return load(files[0] if len(files) == 1 else list(files), **options)


@dataclass(frozen=True)
class Recorded:
    """What a run remembers of its recording, in config.json.

    Attributes:
        files: where it was.
        load: the options with which it was read.
        cutting: how it was cut.
        trials: hash of its content.
        bins: of its longest trial.
    """

    files: list[str]
    load: dict[str, Any]
    cutting: Cutting
    trials: str
    bins: int

    @classmethod
    def of(
        cls, files: Sequence[str], options: dict[str, Any], cutting: Cutting, trials: Trials
    ) -> "Recorded":
        """From what was given."""
        where = [str(Path(file).resolve()) for file in files]
        return cls(where, options, cutting, trials.fingerprint(), trials.n_bins)

    @classmethod
    def in_run(cls, run: Path) -> "Recorded | None":
        """From config.json; None if the fit was called from Python.

        Raises:
            NeuritoError: the file is missing or damaged.
        """
        from neurito.fitting.run import read_json

        found = read_json(run / "config.json").get("recording")
        if found is None:
            return None
        cutting: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in found["split"].items()
        }
        return cls(found["files"], found["load"], Cutting(**cutting), found["trials"], found["bins"])

    def to_json(self) -> dict[str, Any]:
        """What `in_run` reads."""
        return {
            "files": self.files,
            "load": self.load,
            "split": asdict(self.cutting),
            "trials": self.trials,
            "bins": self.bins,
        }


def chosen(
    run: Path, files: Sequence[str], options: dict[str, Any], part: Part, forward: int | None = None
) -> tuple[Trials, Trials | None]:
    """A part of a recording, cut as in the fit of a run; and the training part, where it is known.

    Args:
        run: the run folder.
        files: the recording; empty = where it was.
        options: of `load`, besides those of the fit.
        part: which part.
        forward: bins at the end of each trial that are not read; None = as in the fit.

    Raises:
        NeuritoError: there is no such part.
    """
    recorded = Recorded.in_run(run) or Recorded([], {}, Cutting(), "", 0)
    if not files and not recorded.files:
        raise NeuritoError(f"{run}: was fitted from Python and does not say to which file; give DATA")
    trials = read(files or recorded.files, {**recorded.load, **options})
    cutting = recorded.cutting if forward is None else replace(recorded.cutting, forward=forward)
    parts = cutting.split(trials) if trials.fingerprint() == recorded.trials else None
    if part == "all":
        return cutting.whole(trials), None if parts is None else parts.train
    if parts is None:
        raise NeuritoError(
            f"{', '.join(files)}: is not the recording that {run} was fitted to, read in the same way, so its "
            f"{part} part is not known; give --part all"
        )
    found: Trials | None = getattr(parts, part)
    if found is None:
        raise NeuritoError(f"{run}: was fitted without a {part} part; give another --part")
    return found, parts.train
