"""The seven sets of the Neural Latents Benchmark, in one table.

Source: Pei, Ye et al., "Neural Latents Benchmark '21", NeurIPS Datasets and Benchmarks 2021 (arXiv
2109.04463), and the descriptions of the dandisets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from neurito.errors import NeuritoError, nearest
from neurito.evaluation import LAG_SECONDS, SMOOTHING_SECONDS

WIDTHS = (0.005, 0.02)
"""Bin widths of the benchmark, seconds."""

FORWARD = 0.2
"""Seconds after the window that are predicted and never read."""

PARTS: Mapping[str, str] = MappingProxyType(
    {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
)
"""Names of the parts, and what they are called in `Trials.metadata`."""


@dataclass(frozen=True)
class Task:
    """One set.

    Attributes:
        name: as in submissions.
        dandiset: its number on DANDI.
        version: of the dandiset.
        files: start of its files' names, behind the folder of the subject.
        align: column of the trials table that is time zero of the window.
        window: seconds from there.
        held_in: neurons that are read.
        held_out: neurons that are predicted only.
        trials: how many train, validate and test.
        behaviour: series to be decoded; None where trial columns take its place.
        columns: columns of the trials table that stand for behaviour.
        conditions: columns that define the conditions of PSTHs; none = no PSTHs.
        groups: column that says which trials have a decoder of their own.
        jitter: at most so many seconds is the window moved later at random, outside the test part.
        period: two columns; only between them are held-out neurons scored.
        outlier: column of trials that neither behaviour nor PSTHs count.
    """

    name: str
    dandiset: str
    version: str
    files: str
    align: str
    window: tuple[float, float]
    held_in: int
    held_out: int
    trials: tuple[int, int, int]
    behaviour: str | None = None
    columns: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    groups: str | None = None
    jitter: float = 0.0
    period: tuple[str, str] | None = None
    outlier: str | None = None

    @property
    def lag(self) -> float:
        """Seconds by which behaviour follows the spikes; negative where it goes before them."""
        return LAG_SECONDS.get(self.name, 0.0)

    @property
    def psth_sd(self) -> float | None:
        """Standard deviation of the Gaussian that smooths PSTHs, seconds; None = no PSTHs."""
        return SMOOTHING_SECONDS.get(self.name)

    @property
    def scored_by(self) -> tuple[str, ...]:
        """Columns of the trials table that scores need; NaN in the test part, whose file lacks them."""
        return (*self.columns, *(self.period or ()), *((self.outlier,) if self.outlier else ()))

    def bins(self, width: float) -> int:
        """Bins of the window."""
        return round((self.window[1] - self.window[0]) / width)

    def forward(self, width: float) -> int:
        """Bins after the window that are predicted."""
        return round(FORWARD / width)

    def key(self, width: float) -> str:
        """The group of a submission: the name at 5 ms, with ``_20`` behind it at 20 ms."""
        return self.name if width == WIDTHS[0] else f"{self.name}_{round(1000 * width)}"


def _maze(name: str, dandiset: str, version: str, files: str, neurons: tuple[int, int], trials: tuple[int, int, int]) -> Task:  # fmt: skip # noqa: E501
    return Task(
        name, dandiset, version, f"sub-Jenkins/sub-Jenkins_ses-{files}_", "move_onset_time", (-0.25, 0.45),
        *neurons, trials, behaviour="hand_vel", conditions=("trial_type", "trial_version"),
    )  # fmt: skip


_ALL = (
    _maze("mc_maze", "000128", "0.220113.0400", "full", (137, 45), (1721, 574, 574)),
    Task(
        "mc_rtt", "000129", "0.241017.1444", "sub-Indy/sub-Indy_", "start_time", (0.0, 0.6), 98, 32,
        (810, 270, 272), behaviour="finger_vel",
    ),
    Task(
        "area2_bump", "000127", "0.220113.0359", "sub-Han/sub-Han_", "move_onset_time", (-0.1, 0.5), 49, 16,
        (272, 92, 98), behaviour="hand_vel", conditions=("cond_dir", "ctr_hold_bump"), groups="ctr_hold_bump",
    ),
    Task(
        "dmfc_rsg", "000130", "0.220113.0407", "sub-Haydn/sub-Haydn_", "go_time", (-1.5, 0.0), 40, 14,
        (741, 248, 252), columns=("is_eye", "theta", "is_short", "ts", "tp"),
        conditions=("is_eye", "theta", "is_short", "ts"), jitter=0.3, period=("set_time", "go_time"),
        outlier="is_outlier",
    ),
    _maze("mc_maze_large", "000138", "0.220113.0407", "large", (122, 40), (375, 125, 100)),
    _maze("mc_maze_medium", "000139", "0.220113.0408", "medium", (114, 38), (188, 62, 100)),
    _maze("mc_maze_small", "000140", "0.220113.0408", "small", (107, 35), (75, 25, 100)),
)  # fmt: skip

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})
"""The sets by name."""


def find(name: str) -> Task:
    """The set of that name, however it is spelled: ``MC_Maze``, ``mc-maze``.

    Raises:
        NeuritoError: there is none.
    """
    plain = name.strip().lower().replace("-", "_")
    if plain not in TASKS:
        raise NeuritoError(f"no set {name!r} in the benchmark; {nearest(plain, TASKS)}")
    return TASKS[plain]


def checked_width(width: float) -> float:
    """The bin width, one of the two of the benchmark.

    Raises:
        NeuritoError: it is neither.
    """
    for known in WIDTHS:
        if abs(width - known) < 1e-9:
            return known
    raise NeuritoError(f"bin_width={width:g} s; the benchmark has bins of 0.005 and 0.02 s")
