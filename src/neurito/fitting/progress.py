"""What a long fit shows: a bar on a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Callable
from typing import Any


class Progress:
    """Steps done, bound, score and time left.

    Args:
        total: steps in all.
        done: steps done before (a resumed fit).
        show: None = a bar on a terminal and lines elsewhere; False = nothing.
    """

    def __init__(self, total: int, done: int, show: bool | None = None) -> None:
        self._total, self._done, self._first = total, done, done
        self._start = self._said = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._print: Callable[[str], None] = lambda line: print(line, flush=True)
        if show is False:
            self._print = lambda line: None
        elif sys.stderr.isatty():
            self._open()
        self._quiet = show is False

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._bar.start()
        self._task = self._bar.add_task("compiling", total=self._total, completed=self._done)
        self._print = self._bar.console.print

    def update(self, done: int, bound: float, score: float | None, ess: float) -> None:
        """Shows where the fit is; a plain line at most every ten seconds."""
        self._done = done
        best = "" if score is None or math.isnan(score) else f"  score {score:.4f}"
        text = f"bound {bound:.4f} nats/bin{best}  ess {ess:.2f}"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=text)
        elif time.monotonic() - self._said > 10 or done >= self._total:
            self._said = time.monotonic()
            rate = (self._said - self._start) / max(done - self._first, 1)
            self._print(f"step {done}/{self._total}  {text}  {_clock(rate * (self._total - done))} left")

    def say(self, line: str) -> None:
        """One line that stays."""
        self._print(line)

    def close(self) -> None:
        """Puts the terminal in order."""
        if self._bar is not None:
            self._bar.stop()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return (
        f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
    )
