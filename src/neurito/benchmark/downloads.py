"""Recordings that can be fetched: the sets of the benchmark and others that neurito's results are about.

Files are written to a hidden name that ends in ``.part``, from which an interrupted download goes on, checked by
size and SHA-256 where these are known (DANDI tells them), and then renamed.
"""

import fnmatch
import hashlib
import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from neurito.benchmark.tasks import TASKS, Task
from neurito.errors import NeuritoError, nearest

API = "https://api.dandiarchive.org/api"
PAGE = "https://dandiarchive.org/dandiset"
_GITHUB = "https://raw.githubusercontent.com"
_CHUNK = 1 << 20
_SECONDS = 30  # of silence

Report = Callable[[str, int, int | None], None]
"""Is told the file, the bytes that are there, and how many there will be (None = not known)."""


@dataclass(frozen=True)
class Remote:
    """A file.

    Attributes:
        path: below the folder of its recording.
        url: where it is.
        size: bytes, where known.
        sha256: hexadecimal, where known.
    """

    path: str
    url: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Recording:
    """What can be fetched.

    Attributes:
        name: to ask for it.
        about: one line.
        licence: of the data.
        folder: of its files, below the folder of all data.
        size: bytes of all files, where known.
        dandiset: on DANDI, with its version: ``000128/0.220113.0400``; empty = elsewhere.
        assets: its files there, or the beginning of their names.
        files: its files elsewhere.
    """

    name: str
    about: str
    licence: str
    folder: str
    size: int | None = None
    dandiset: str = ""
    assets: tuple[str, ...] = ()
    files: tuple[Remote, ...] = ()

    @property
    def source(self) -> str:
        """Where people find it."""
        return f"{PAGE}/{self.dandiset}" if self.dandiset else " and ".join(file.url for file in self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        """Its files, as far as they are known without asking DANDI."""
        return self.assets or tuple(file.path for file in self.files)

    @property
    def checked_by(self) -> str:
        """What a fetched file is compared with."""
        if self.dandiset:
            return "the size and SHA-256 that DANDI states"
        recorded = all(file.sha256 for file in self.files)
        return "the size and SHA-256 recorded in neurito" if recorded else "its size; no checksum is known"

    def present(self, to: Path) -> bool:
        """Whether all files are there."""
        folder = to / self.folder
        return all(any(folder.glob(f"{path}*")) for path in self.paths)


def _set(task: Task, size: int | None = None) -> Recording:
    kind = "behavior+ecephys" if task.behaviour else "ecephys"
    return Recording(
        task.name,
        f"Neural Latents Benchmark, {task.held_in} + {task.held_out} neurons, {sum(task.trials)} trials",
        "CC-BY-4.0",
        task.dandiset,
        size,
        f"{task.dandiset}/{task.version}",
        (f"{task.files}desc-train_{kind}.nwb", f"{task.files}desc-test_ecephys.nwb"),
    )


_SIZES = {"mc_maze": 694004935, "mc_rtt": 50965512, "area2_bump": 1823368810, "dmfc_rsg": 15673496}
_ALL = (
    *(_set(task, _SIZES.get(task.name)) for task in TASKS.values()),
    Recording(
        "steinmetz", "mice choosing the higher contrast, 39 sessions, Neuropixels", "CC-BY-4.0", "000017",
        14682586049, "000017/0.240329.1926", ("sub-",),
    ),
    Recording(
        "human_mtl", "human medial temporal lobe, one session", "CC-BY-4.0", "000207", None,
        "000207/0.230530.1822", ("sub-4/sub-4_ses-4_ecephys+image.nwb",),
    ),
    Recording(
        "alm", "mouse ALM, delayed response, one session", "CC-BY-4.0", "000060", None, "000060/draft",
        ("sub-353936/sub-353936_ses-20170625_behavior+ecephys+ogen.nwb",),
    ),
    Recording(
        "eeg", "64 channels at 160 Hz, one minute, EDF, not preprocessed", "ODC-BY-1.0", "eeg", 1275936,
        files=(Remote("S001R01.edf", "https://physionet.org/files/eegmmidb/1.0.0/S001/S001R01.edf", 1275936),),
    ),
    Recording(
        "lorenz", "spikes simulated from a Lorenz system", "MIT", "lorenz", 1772551,
        files=(
            Remote(
                "lfads_lorenz.h5",
                f"{_GITHUB}/felixp8/lfads-nlb-tutorials/01048f277dc986bb9b8e69e942465b5f36bf3e4e/data/lfads_lorenz.h5",
                1772551, "c55b9b38d38054c2f43909a195058d1d242dc291f607a2d45fab4d85977ab54d",
            ),
        ),
    ),
    Recording(
        "m1_reach", "monkey M1, continuous reaching, 171 neurons", "MIT", "m1_reach", 1339984,
        files=(
            Remote(
                "m1_stevenson_2011.mat",
                f"{_GITHUB}/KordingLab/spykesML/7c1df1d6940a5e4d40d009fc17b6341a0980346d/data/m1_stevenson_2011.mat",
                1339984, "cb1af830e34f5094e5c542ad4adfaca66dea05514680940016173b35fa6aad94",
            ),
        ),
    ),
    Recording(
        "linear_track", "rat hippocampus on a linear track, 31 units", "MIT", "linear_track", 1604344,
        files=tuple(
            Remote(
                f"linear-track_{name}",
                f"{_GITHUB}/nelpy/example-data/6771e15ba0a5630c239a3095753d4bf2549fde94/linear-track/{name}",
                size, digest,
            )
            for name, size, digest in (
                ("spikes.mat", 176567, "615b05a9228a5eaea7f99d5fc5b11848a4d94fc154104612410c887875b65bc7"),
                (
                    "trajectory.videoPositionTracking", 1427777,
                    "10a883302c50e26d5f659ac4ee08d8901f7881c71f6800cd56d999a620b31cb5",
                ),
            )
        ),
    ),
)  # fmt: skip

RECORDINGS: Mapping[str, Recording] = MappingProxyType({one.name: one for one in _ALL})
"""What can be fetched, by name."""


def default_folder() -> Path:
    """Where recordings are: the folder NEURITO_DATA, or ``data`` here."""
    return Path(os.environ.get("NEURITO_DATA", "data"))


def find(name: str) -> Recording:
    """A recording by name.

    Raises:
        NeuritoError: there is none.
    """
    plain = name.strip().lower().replace("-", "_")
    if plain not in RECORDINGS:
        raise NeuritoError(f"no recording {name!r} to fetch; {nearest(plain, RECORDINGS)}")
    return RECORDINGS[plain]


def fetch(name: str, to: Path | None = None, only: str = "", report: Report | None = None) -> list[Path]:
    """Fetches a recording; what is there already stays, what was interrupted goes on.

    Args:
        name: of the recording.
        to: folder of all data; None = `default_folder`.
        only: pattern of file names, as in ``*Cori*``.
        report: is told how far it is.

    Returns:
        Its files.

    Raises:
        NeuritoError: there is no network (says what to fetch by hand), a file is damaged, or the disk is full.
    """
    recording = find(name)
    folder = (to or default_folder()) / recording.folder
    remotes = _resolved(recording, folder, only)
    if not remotes:
        raise NeuritoError(
            f"{recording.name}: no file is called {only or recording.paths}; see {recording.source}"
        )
    paths = []
    for remote in remotes:
        path = folder / remote.path
        if not (path.exists() and remote.size in (None, path.stat().st_size)):
            _download(recording, remote, folder, report)
        paths.append(path)
    return paths


def _resolved(recording: Recording, folder: Path, only: str) -> list[Remote]:
    if not recording.dandiset:
        return [file for file in recording.files if fnmatch.fnmatch(file.path, only or "*")]
    try:
        return list(_assets(recording, only))
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise _offline(recording, folder, recording.paths, error) from error


def _assets(recording: Recording, only: str) -> Iterator[Remote]:
    """The files on DANDI, with the sizes and checksums that it states."""
    dandiset, version = recording.dandiset.split("/")
    base = f"{API}/dandisets/{dandiset}/versions/{version}/assets/"
    url: str | None = f"{base}?page_size=200"
    while url:
        page = _json(url)
        for asset in page["results"]:
            path = PurePosixPath(asset["path"])
            wanted = str(path).startswith(recording.assets) and fnmatch.fnmatch(str(path), only or "*")
            if path.is_absolute() or ".." in path.parts or not wanted:
                continue
            digest = _json(f"{base}{asset['asset_id']}/").get("digest", {}).get("dandi:sha2-256")
            yield Remote(str(path), f"{API}/assets/{asset['asset_id']}/download/", asset["size"], digest)
        url = page.get("next")


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
        return json.load(answer)


def _offline(recording: Recording, folder: Path, paths: Sequence[str], error: Exception) -> NeuritoError:
    reason = str(getattr(error, "reason", "") or error or type(error).__name__)
    names = ", ".join(f"{path}*" if path.endswith("-") else path for path in paths)
    return NeuritoError(
        f"{recording.name}: cannot be fetched ({reason}); fetch by hand {names} from {recording.source} "
        f"and put them under {folder} with these names"
    )


def _download(recording: Recording, remote: Remote, folder: Path, report: Report | None) -> None:
    """One file: to its hidden name, from where that ends; then checked and renamed."""
    path = folder / remote.path
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.exists() else 0
        if remote.size is not None and have > remote.size:  # of another version of the file
            part.unlink()
            have = 0
        if have != remote.size:
            _receive(remote, part, have, report)
    except urllib.error.URLError as error:  # one of HTTP is a URLError too
        raise _offline(recording, folder, (remote.path,), error) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise NeuritoError(f"{path}: the connection broke; the same command goes on from there") from error
    except OSError as error:
        raise NeuritoError(f"{path}: could not be written ({error.strerror}); free space") from error
    size = part.stat().st_size
    if remote.size is not None and size < remote.size:
        raise NeuritoError(f"{path}: the connection broke; the same command goes on from there")
    digest = remote.sha256 and _sha256(part)
    if remote.size not in (None, size) or digest != remote.sha256:
        part.unlink()
        raise NeuritoError(f"{path}: is damaged (size or SHA-256 differ from those stated); fetch it again")
    part.replace(path)


def _receive(remote: Remote, part: Path, have: int, report: Report | None) -> None:
    request = urllib.request.Request(remote.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        have = have if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        with part.open("ab" if have else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                if report is not None:
                    report(remote.path, have, remote.size)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
