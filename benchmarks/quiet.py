"""How much of the machine other programs use: a timing is worth what the machine was doing besides it."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# Share of all cores that others may take while something is timed.
QUIET = 0.05


def others(processes: Sequence[int]) -> Callable[[], float]:
    """Starts counting; what it returns gives the share of all cores that all other processes have taken since.

    Read from Linux's counters; elsewhere 0.

    Args:
        processes: the ids of the processes that are being timed.
    """
    start, busy = time.monotonic(), _busy(processes)

    def share() -> float:
        cores = os.cpu_count() or 1
        return max(0.0, (_busy(processes) - busy) / (time.monotonic() - start) / cores)

    return share


def wait(processes: Sequence[int], until: float) -> None:
    """Waits for other programs to leave the machine alone, at most until a time of the monotonic clock."""
    while time.monotonic() < until:
        share = others(processes)
        time.sleep(0.5)
        if share() < QUIET:
            return


def _busy(processes: Sequence[int]) -> float:
    """Seconds of work of all cores so far, without these processes'."""
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
        # The name of a process, in parentheses, may hold spaces; its user and system time come 11 fields behind.
        mine = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in processes]
    except (OSError, ValueError):
        return 0.0
    ticks = (
        user + nice + system + irq + softirq + steal - sum(int(field) for fields in mine for field in fields)
    )
    return ticks / os.sysconf("SC_CLK_TCK")
