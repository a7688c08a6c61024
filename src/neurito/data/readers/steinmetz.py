"""Sessions of Steinmetz et al. 2019: mice turn a wheel towards the stimulus of higher contrast.

Read are the NWB files of dandiset 000017 and, as a plain npz, a session of the teaching release (its own
``steinmetz_part0.npz`` and so on are pickled, which is not read). Every trial is a window around the onset of
the stimulus. Inputs are the contrasts on both sides, from that onset on, and 1 from the go cue on, when the
wheel begins to move the stimulus; the speed of the wheel is a head that is not read.

Source: Steinmetz, Zatka-Haas, Carandini, Harris, "Distributed coding of choice, action and engagement across
the mouse brain", Nature 576, 2019.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from neurito.data.construct import from_array
from neurito.data.head import Head
from neurito.data.options import Options
from neurito.data.trials import Trials
from neurito.errors import NeuritoError

TAKES = ("bin_width", "units", "window", "name")
BIN, ONSET, WINDOW = 0.01, 0.5, (-0.5, 2.0)
"""Seconds: bins of the release, from a trial's start to the stimulus, and the window around it."""

TICK = 2 * np.pi * 31 / 1440
"""Millimetres on the wheel (31 mm radius) per tick of its encoder (1440 a turn)."""

INPUTS = ("contrast_left", "contrast_right", "go_cue")
_CONTRAST = "intervals/trials/visual_stimulus_left_contrast"
_NEEDED = ("spks", "contrast_left", "contrast_right", "gocue")
_COLUMNS = ("response", "response_time", "feedback_time", "feedback_type")


def is_session(file: Any) -> bool:
    """Whether an open NWB file is one of these sessions."""
    return _CONTRAST in file and "intervals/trials/go_cue" in file


def is_release(path: Path) -> bool:
    """Whether a file is an npz of the teaching release, pickled or plain."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    return names >= set(_NEEDED) or (names == {"dat"} and path.name.startswith("steinmetz"))


def read(path: Path, options: Options) -> Trials:
    """Trials of a session, aligned to the stimulus."""
    return _from_release(path, options) if zipfile.is_zipfile(path) else _from_nwb(path, options)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import suggest
    from neurito.data.readers import npy, nwb

    if not zipfile.is_zipfile(path):
        return [*nwb.describe(path), "", "as sessions of Steinmetz et al. 2019:", *suggest(path)]
    if not _plain(path):
        return ["", "its sessions are pickled, which is not read; loading it says how to make plain files"]
    return [*npy.describe(path), *suggest(path)]


def steps(time: np.ndarray, contrast_left: Any, contrast_right: Any, onset: Any, go_cue: Any) -> np.ndarray:
    """Inputs (trial, time, 3): contrasts from the stimulus on, 1 from the go cue on (never, where NaN).

    Args:
        time: bin centres, seconds on the clock of the events.
        contrast_left: of each trial, 0 to 1.
        contrast_right: likewise.
        onset: of the stimulus, seconds.
        go_cue: seconds.
    """
    shown, free = time >= np.ravel(onset)[:, None], time >= np.ravel(go_cue)[:, None]
    rows = (np.ravel(contrast_left)[:, None] * shown, np.ravel(contrast_right)[:, None] * shown, free)
    return np.stack([np.asarray(row, np.float32) for row in rows], -1)


def _from_nwb(path: Path, options: Options) -> Trials:
    from neurito.data.readers import nwb
    from neurito.data.recording import to_trials

    with nwb.opened(path) as file:
        wheel = file.acquisition.get("wheel_position", None)
        if wheel is None:
            raise NeuritoError(f"{path}: has no series 'wheel_position'; read it with format='nwb'")
        clock, position = _clock(wheel)
    found = nwb.recording(path)
    good = "phy_annotations >= 2" if "phy_annotations" in found.columns else None
    cut = Options(
        bin_width=options.bin_width or BIN,
        window=options.window or WINDOW,
        align="visual_stimulus_time",
        units=options.units or good,
        name=options.name,
    )
    trials = to_trials(found, cut)
    edges = trials.start[:, None] + trials.bin_width * np.arange(trials.n_bins + 1)
    turned = np.interp(edges, clock, position, left=np.nan, right=np.nan)
    speed = Head.of(
        (np.diff(turned) * TICK / trials.bin_width)[..., None], "continuous", read=False, missing="nan",
        names=("wheel",), unit="mm/s",
    )  # fmt: skip
    of, centre = trials.metadata, (edges[:, 1:] + edges[:, :-1]) / 2
    onset = trials.start - cut.window[0] if cut.window else trials.start
    driven = steps(
        centre, of["visual_stimulus_left_contrast"], of["visual_stimulus_right_contrast"], onset, of["go_cue"]
    )
    return trials.with_head("wheel", speed).with_inputs(driven, INPUTS)


def _clock(series: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of a series; the published files hold its period as its rate, or two times only."""
    values = np.ravel(series.data[:]).astype(float)
    if series.timestamps is None:
        rate = float(series.rate)
        period = rate if rate < 1 else 1 / rate
        return float(series.starting_time) + period * np.arange(values.size), values
    times = np.asarray(series.timestamps[:], float)
    return (np.linspace(times[0], times[-1], values.size) if times.size == 2 else times), values


def _from_release(path: Path, options: Options) -> Trials:
    from neurito.data.readers import npy

    if not _plain(path):
        raise NeuritoError(
            f"{path}: its sessions are pickled Python objects, which can run programs and are not read; if you "
            f"trust it, save each as plain arrays: s = numpy.load({path.name!r}, allow_pickle=True)['dat'][0]; "
            "numpy.savez('session.npz', **{k: s[k] for k in ('spks', 'wheel', 'contrast_left', "
            "'contrast_right', 'gocue', 'response', 'brain_area', 'bin_size')})"
        )
    for name in ("units", "window"):
        if getattr(options, name) is not None:
            raise NeuritoError(f"{path}: {name} does not apply to binned trials; select(...) afterwards")
    store = npy.arrays(path)
    of: dict[str, Any] = {name: array.load() for name, array in store.arrays.items()} | dict(store.scalars)
    spikes = of["spks"]
    if spikes.ndim != 3:
        raise NeuritoError(f"{path}: spks have shape {spikes.shape}; give (neuron, trial, time)")
    neurons, n, bins = spikes.shape
    width = float(np.ravel(of.get("bin_size", BIN))[0])
    if options.bin_width is not None and not np.isclose(options.bin_width, width):
        raise NeuritoError(f"{path}: has bins of {width:g} s; leave bin_width out, rebin=N joins N bins")
    events = {name: _rows(path, of, name, n) for name in (*_NEEDED[1:], *_COLUMNS) if name in of}
    onset = float(np.ravel(of.get("stim_onset", ONSET))[0])
    time = np.broadcast_to((np.arange(bins) + 0.5) * width - onset, (n, bins))
    areas = np.ravel(of["brain_area"]).astype(str) if "brain_area" in of else np.full(neurons, "")
    if len(areas) != neurons:
        raise NeuritoError(f"{path}: {len(areas)} brain areas for {neurons} neurons; give one each")
    return from_array(
        spikes.transpose(1, 2, 0),
        bin_width=width,
        kind="counts",
        name=options.name or "spikes",
        names=[f"{area}_{i}".lstrip("_") for i, area in enumerate(areas)],
        missing="nan",
        behaviour={"wheel": _wheel(path, of["wheel"], n, bins)} if "wheel" in of else None,
        inputs=steps(time, events["contrast_left"], events["contrast_right"], np.zeros(n), events["gocue"]),
        input_names=INPUTS,
        metadata=events,
        session_names=(path.stem,),
    )


def _plain(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return "dat.npy" not in archive.namelist()


def _rows(path: Path, of: dict[str, Any], name: str, n: int) -> np.ndarray:
    """One number per trial."""
    column = np.ravel(of[name])
    if column.size != n:
        raise NeuritoError(f"{path}: {name} has {column.size} values for {n} trials; give one per trial")
    return column


def _wheel(path: Path, wheel: np.ndarray, n: int, bins: int) -> np.ndarray:
    """(trial, time, 1), from (1, trial, time) or (trial, time)."""
    if wheel.size != n * bins or wheel.shape[-2:] != (n, bins):
        raise NeuritoError(f"{path}: wheel has shape {wheel.shape}; give ({n}, {bins}), trials and bins")
    return wheel.reshape(n, bins, 1)
