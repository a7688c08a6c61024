"""Video tracking of position (``.videoPositionTracking``): a header of text, then records of fixed size.

The header says the clock's rate, the scale of pixels, and the fields of a record. Times are ticks of the
clock; a second light that was not tracked is zero throughout and left out.
"""

import re
from pathlib import Path

import numpy as np

from neurito.data.options import EVENTS, Options
from neurito.data.recording import Recording, Series, to_trials
from neurito.data.trials import Trials
from neurito.errors import NeuritoError, warn

TAKES = EVENTS
MAGIC = b"<Start settings>"
_END = b"<End settings>\n"


def read(path: Path, options: Options) -> Trials:
    """The position as a continuous signal, in bins; see `recording.to_trials`."""
    return to_trials(recording(path), options)


def describe(path: Path) -> list[str]:
    """What is inside."""
    from neurito.data.describing import describe_recording, suggest

    return [*describe_recording(recording(path)), *suggest(path, bin_width=None)]


def recording(path: Path) -> Recording:
    """The position alone."""
    return Recording(str(path), series=series(path))


def series(path: Path) -> dict[str, Series]:
    """The position, in cm where the header gives the scale, else in pixels.

    Raises:
        NeuritoError: the header is not as it should be, or there are no records.

    Warns:
        NeuritoWarning: the last record is cut short.
    """
    raw = path.read_bytes()
    end = raw.find(_END)
    settings = dict(re.findall(r"^(.+?): (.*)$", raw[: max(end, 0)].decode("latin-1"), re.MULTILINE))
    fields = re.findall(r"<(\w+) (\w+)>", settings.get("Fields", ""))
    names = [name for name, _ in fields]
    try:
        clock = float(settings["clockrate"])
        record = np.dtype([(name, np.dtype(kind).newbyteorder("<")) for name, kind in fields])
    except (KeyError, ValueError, TypeError) as error:
        raise NeuritoError(
            f"{path}: its header does not say clockrate and fields ({error}); record it again"
        ) from error
    body = memoryview(raw)[end + len(_END) :]
    count, rest = divmod(len(body), record.itemsize or 1)
    if "time" not in names or not count:
        raise NeuritoError(f"{path}: holds no records with a time; record it again")
    if rest:
        warn(f"{path}: is cut short inside a record; the last {rest} bytes are left out")
    table = np.frombuffer(body[: count * record.itemsize], record)
    axes = [name for name in names if name != "time" and table[name].any()] or [
        n for n in names if n != "time"
    ]
    scale = float((re.match(r"[\d.]+", settings.get("pixel scale", "")) or ["0"])[0])
    values = np.stack([table[name].astype(float) for name in axes], 1) / (scale or 1.0)
    labels = tuple(name.replace("loc", "") for name in axes)
    return {"position": Series(table["time"] / clock, values, labels, "cm" if scale else "pixel")}
