"""Worker that times one side of `langevin_speed.py` on request, in an environment of its own.

    python langevin_sides.py released|neurito

Nothing of the released code is here: its checkout (NEURITO_LANGEVIN_REFERENCE) is imported, and what is timed is its
own training step, backward pass and optimiser, as its own training script sets them up. A parent sends lines on stdin
and reads one line of JSON for each on stdout, so that it can measure something else in between:

    build maze-20      data, model and optimiser, one untimed step          {"case": "maze-20"}
    time maze-20 3     three gradient steps        {"seconds": 8.4, "cpu": 16.5, "peak": 1.9e9}
    quit

`peak` is the largest resident memory of the process, in bytes, since the last request to build was answered.
"""

import json
import os
import sys
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Timer = Callable[[int], tuple[float, float]]  # steps -> seconds, seconds of all cores together


@dataclass(frozen=True)
class Case:
    """One gradient step of the released LangevinFlow, by its sizes.

    Attributes:
        name: what the case is called on the command line.
        batch: trials in a step.
        bins: bins that are read.
        forward: bins that are predicted after them.
        read: neurons that the encoder sees.
        scored: neurons that are predicted.
        hidden: H.
        feedforward: units between the decoder's feed-forward layers.
    """

    name: str
    batch: int
    bins: int
    forward: int
    read: int = 137
    scored: int = 182
    hidden: int = 280
    feedforward: int = 512

    @property
    def flops(self) -> float:
        """Floating-point operations of the matrix products that one step cannot do without.

        Two per multiplication, three times those of the forward pass in all; the GRU's product with the data needs no
        gradient with respect to the data. Elementwise work, dynamics and optimiser are not counted.
        """
        total, H = self.bins + self.forward, self.hidden
        width = 3 * H
        decoder = 4 * width**2 + 2 * width * self.feedforward + 2 * total * width + width * self.scored
        per_bin = 3 * (decoder + 3 * H * H) + 2 * 3 * H * self.read
        return 2.0 * self.batch * (total * per_bin + 3 * 4 * H * H)

    def counts(self) -> np.ndarray:
        """Random counts, (trial, time, neuron): what a step costs does not depend on them."""
        shape = (self.batch, self.bins + self.forward, self.scored)
        return np.random.default_rng(0).poisson(0.1, shape).astype(np.float32)


CALL = 4  # gradient steps in one compiled call; 25 by default, which would take too long here
CASES = {case.name: case for case in (Case("maze-20", 256, 35, 10), Case("maze-5", 64, 140, 40))}


def released(case: Case) -> Timer:
    """The authors' module and its training step, with stand-ins for what only reports and schedules."""
    import torch

    torch.set_num_threads(int(os.environ.get("NEURITO_THREADS", os.cpu_count() or 1)))
    torch.manual_seed(0)

    class Module(torch.nn.Module):
        """As much of Lightning's module as a training step touches."""

        current_epoch = 250  # in the middle of the ramps

        def save_hyperparameters(self) -> None:
            code = sys._getframe(1)
            self.hparams = types.SimpleNamespace(**{k: v for k, v in code.f_locals.items() if k != "self"})

        def log(self, *_: Any) -> None:
            """Nothing."""

    lightning: Any = types.ModuleType("pytorch_lightning")
    lightning.LightningModule = Module
    sys.modules["pytorch_lightning"] = lightning
    root = str(Path(os.environ["NEURITO_LANGEVIN_REFERENCE"]).resolve())
    if root not in sys.path:
        sys.path.insert(0, root)
    package: Any = types.ModuleType("nlb_lightning")  # its own __init__ wants the whole of Lightning
    package.__path__ = [str(Path(root) / "nlb_lightning")]
    sys.modules.setdefault("nlb_lightning", package)
    from nlb_lightning.models import LangevinAutoencoder

    model = LangevinAutoencoder(
        input_size=case.read,
        hidden_size=case.hidden,
        output_size=case.scored,
        fwd_steps=case.forward,
        learning_rate=3e-3,
        weight_decay=2e-5,
        dropout=0.05,
        gamma=0.55,
        cd_rate=0.5,
    )
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-5)
    counts = torch.from_numpy(case.counts())
    batch = (counts[:, : case.bins, : case.read].contiguous(), counts, None)

    def step() -> None:
        optimiser.zero_grad()
        model.training_step(batch, 0).backward()
        optimiser.step()

    def timer(steps: int) -> tuple[float, float]:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        return time.perf_counter() - start, time.process_time() - cpu

    timer(1)
    return timer


def neurito(case: Case) -> Timer:
    """A fit of neurito's released form, `CALL` steps in one compiled call; the first call of a fit is not timed."""
    from neurito.data.trials import Trials
    from neurito.fitting import fit
    from neurito.models import LangevinFlow

    trials = Trials.from_array(case.counts(), bin_width=0.7 / case.bins)
    trials = trials.hold_out(channels=slice(case.read, None)).forward(case.forward)
    model = LangevinFlow.as_released(hidden=case.hidden, feedforward=case.feedforward)
    clock: list[tuple[float, float]] = []

    def schedule(step: int) -> float:
        # Asked for at the start of every call, once per step.
        clock.append((time.perf_counter(), time.process_time()))
        return 1e-3

    def timer(steps: int) -> tuple[float, float]:
        clock.clear()
        fit(
            model,
            trials,
            epochs=CALL + steps,
            batch_size=case.batch,
            steps_per_call=CALL,
            evaluations=1,
            score="none",
            schedule=schedule,
            progress=False,
        )
        start, end = clock[CALL], (time.perf_counter(), time.process_time())
        return end[0] - start[0], end[1] - start[1]

    timer(CALL)
    return timer


def forget_peak() -> None:
    """Starts the count of the largest resident memory anew, where Linux allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak() -> int:
    """The largest resident memory of this process since then, bytes; 0 where Linux does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def serve(build: Callable[[Any], Timer], cases: Mapping[str, Any]) -> None:
    """Answers requests until the input ends."""
    answers, sys.stdout = sys.stdout, Path(os.devnull).open("w")  # noqa: SIM115
    timers: dict[str, Timer] = {}
    for line in sys.stdin:
        answer: dict[str, Any]
        try:
            match line.split():
                case ["build", name]:
                    timers.clear()  # one case at a time, for its memory
                    timers[name] = build(cases[name])
                    forget_peak()
                    answer = {"case": name}
                case ["time", name, count]:
                    seconds, cpu = timers[name](int(count))
                    answer = {"seconds": seconds, "cpu": cpu, "peak": peak()}
                case ["quit"]:
                    return
                case _:
                    raise ValueError(f"unknown request {line.strip()!r}: build CASE, time CASE STEPS or quit")
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve({"released": released, "neurito": neurito}[sys.argv[1]], CASES)
