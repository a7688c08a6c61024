"""The command line: fit, evaluate, check, infer, forecast, generate, compare, ablate, plot, report, and more."""

import os
import sys
import warnings
from collections.abc import Sequence

from neurito.cli.arguments import Command, choice_of, known, parse
from neurito.errors import NeuritoError, NeuritoWarning

ABOUT = "Fits stochastic dynamical systems to neural recordings."
COMMANDS = {
    command.name: command
    for command in (
        Command("info", "neurito.cli.files:info", "what is in a file and how to load it; what a run holds"),
        Command(
            "fit",
            "neurito.cli.fit:fit",
            "fits a model to a recording",
            ("data", "split", "model", "training"),
        ),
        Command(
            "evaluate", "neurito.cli.posterior:evaluate", "scores a run, each score with its unit", ("data",)
        ),
        Command(
            "check",
            "neurito.cli.check:check",
            "compares the recording with draws from a run: predictive p-values, coverage, PIT",
            ("data",),
        ),
        Command(
            "infer", "neurito.cli.posterior:infer", "latents and rates of every trial, as NetCDF", ("data",)
        ),
        Command(
            "forecast", "neurito.cli.posterior:forecast", "the same, past the end of every trial", ("data",)
        ),
        Command("generate", "neurito.cli.posterior:generate", "simulates a fitted model", ("data",)),
        Command("compare", "neurito.cli.compare:compare", "puts runs side by side, best first", ("data",)),
        Command(
            "ablate",
            "neurito.cli.ablate:ablate",
            "how much of a run's score its latent dynamics carry",
            ("data",),
        ),
        Command("plot", "neurito.cli.posterior:plot", "draws the figures of a run", ("data",)),
        Command("report", "neurito.cli.report:report", "a run as one interactive page", ("data",)),
        Command(
            "drift",
            "neurito.cli.drift:drift",
            "oscillators, coupling and terms of fitted SDEs, over seeds or with errors",
            ("data",),
        ),
        Command(
            "fixed-points",
            "neurito.cli.fixed_points:fixed_points",
            "all fixed points and cycles of a fitted network, with a certificate",
        ),
        Command(
            "data", "neurito.cli.datasets:data", "lists and fetches recordings, cuts sets of the benchmark"
        ),
        Command(
            "benchmark",
            "neurito.cli.benchmark:benchmark",
            "submission to the Neural Latents Benchmark, and its scores",
        ),
        Command("simulate", "neurito.cli.files:simulate", "simulates a known system", ("simulator",)),
    )
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: words of the command line; None = those of this process.

    Returns:
        The exit code: 0, 2 for bad input (one line on stderr), 130 when interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with warnings.catch_warnings():
        warnings.simplefilter("always", NeuritoWarning)
        shown: set[str] = set()
        warnings.showwarning = lambda message, category, *_, **__: _show(message, category, shown)
        try:
            _run(words)
        except NeuritoError as error:
            return _failed(words, " ".join(str(error).split()))
        except BrokenPipeError:  # whoever reads the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            return _failed(words, f"{place}{error.strerror or error}")
        except KeyboardInterrupt:
            hint = "; the same command goes on from its last checkpoint" if words[:1] == ["fit"] else ""
            print(f"neurito: interrupted{hint}", file=sys.stderr)
            return 130
    return 0


def _run(words: list[str]) -> None:
    from neurito.cli import help as help_

    if not words or words[0] in ("-h", "--help", "help"):
        print(help_.overview(COMMANDS, ABOUT))
        return
    if words[0] in ("-V", "--version"):
        from neurito import __version__

        print(f"neurito {__version__}")
        return
    command = known(words[0], COMMANDS)
    if "--help" in words or "-h" in words:
        print(help_.explain(command, choice_of(command, [w for w in words[1:] if w not in ("-h", "--help")])))
        return
    parsed = parse(command, words[1:])
    if parsed.common["x64"]:
        import jax

        jax.config.update("jax_enable_x64", True)
    command.function(**parsed.arguments)


def _failed(words: list[str], line: str) -> int:
    if "--debug" in words:
        raise  # the error that is being handled
    print(f"neurito: {line}", file=sys.stderr)
    return 2


def _show(message: Warning | str, category: type[Warning], shown: set[str]) -> None:
    """One line, once."""
    what = "" if issubclass(category, NeuritoWarning) else f"{category.__name__}: "
    line = f"neurito: warning: {what}{' '.join(str(message).split())}"
    if line not in shown:
        shown.add(line)
        print(line, file=sys.stderr)
