"""From the command line to options: defaults, then ``--config`` files, then ``--set``, then flags; the last wins."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neurito.cli.options import Section, Table
from neurito.errors import NeuritoError, nearest

_CHOICE = {"model": "name", "data": "path"}
"""What a section of YAML calls that which the section is about: ``model: {name: linear, latents: 3}``."""


_LISTED = ("model", "system")
"""Options that choose others; help lists what there is."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: as it is typed.
        home: module and function, imported when the command is used.
        summary: one line.
        sections: options that it takes besides its own.
    """

    name: str
    home: str
    summary: str
    sections: tuple[str, ...] = ()

    @property
    def function(self) -> Callable[..., None]:
        """What does the work: positional parameters are arguments, keyword-only ones options."""
        module, name = self.home.split(":")
        found: Callable[..., None] = getattr(importlib.import_module(module), name)
        return found


def common(
    *,
    config: tuple[Path, ...] = (),
    set: tuple[str, ...] = (),
    x64: bool = False,
    debug: bool = False,
) -> None:
    """Options of every command.

    Args:
        config: YAML files of options, or config.json of a run.
        set: KEY=VALUE ..., any option by its name, with a value in YAML.
        x64: computes in double precision.
        debug: shows the whole traceback of an error.
    """


@dataclass(frozen=True)
class Parsed:
    """A command line, understood.

    Attributes:
        arguments: of the command's function.
        common: the options of every command.
    """

    arguments: dict[str, Any]
    common: dict[str, Any]


def parse(command: Command, argv: Sequence[str]) -> Parsed:
    """Reads a command line.

    Raises:
        NeuritoError: an option is unknown or does not fit, an argument is missing or too many.
    """
    words, flags = _tokens(argv)
    pairs = _files_and_sets(flags)
    table = table_of(command, _choice(command, pairs, words, flags))
    for name, values in flags:
        if name not in ("config", "set"):
            value, rest = _taken(table, name, values)
            pairs.append(value)
            words += rest
    given = table.checked(iter(pairs))
    own = given.pop("")
    shared = {
        option.name: own.pop(option.name, option.default) for option in Section.of("", "", common).options
    }
    arguments = own | _placed(table, words, own)
    if command.sections:
        arguments["given"] = given
    return Parsed(arguments, shared)


def choice_of(command: Command, argv: Sequence[str]) -> str | None:
    """The model or the simulator that a command line chooses; None where there is none to choose."""
    words, flags = _tokens(argv)
    return _choice(command, _files_and_sets(flags), words, flags)


def table_of(command: Command, choice: str | None) -> Table:
    """The options of a command, given the model or the simulator that is chosen."""
    own = Section.of("", "options", command.function)
    every = Section.of("", "", common)
    mine = [
        replace(o, text=f"{o.text}: {', '.join(_listed(o.name))}") if o.name in _LISTED else o
        for o in own.options
    ]
    sections = [Section("", own.title, (*mine, *every.options))]
    others: dict[str, str] = {}
    for name in command.sections:
        sections.append(_section(name, choice))
        if name == "model":
            from neurito.baselines import kinds

            others = {o.name: k for k, m in kinds().items() for o in Section.of("", "", m).options}
    return Table(command.name, sections, others)


def _listed(name: str) -> list[str]:
    if name == "model":
        from neurito.baselines import kinds

        return list(kinds())
    from neurito.cli.files import systems

    return systems()


def _section(name: str, choice: str | None) -> Section:
    """One of the sections that several commands share; imported here, for a quick start."""
    if name == "data":
        from neurito.data.load import FORMATS, load

        found = Section.of(name, "how the recording is read", load)
        options = [
            replace(o, text=o.text.replace("see `FORMATS`", ", ".join(FORMATS))) for o in found.options
        ]
        return replace(found, options=tuple(option for option in options if option.name != "path"))
    if name == "split":
        from neurito.cli.recording import Cutting

        return Section.of(name, "which trials train, select and test, and what is read of them", Cutting)
    if name == "model":
        from neurito.baselines import named

        kind = named(choice or "")
        found = Section.of(name, f"the model, {choice}", kind)
        own = inspect.get_annotations(kind)  # what is special to the model comes first
        return replace(found, options=tuple(sorted(found.options, key=lambda option: option.name not in own)))
    if name == "training":
        from neurito.fitting.training import Training

        return Section.of(name, "how it is fitted", Training)
    from neurito.cli.files import simulator_section

    return simulator_section(choice) if choice else Section(name, "", ())


def _choice(
    command: Command,
    pairs: list[tuple[str, Any, str]],
    words: list[str],
    flags: list[tuple[str, list[str]]],
) -> str | None:
    """The model or the simulator that is chosen, on which the other options depend."""
    if "simulator" in command.sections:
        return words[0] if words else None
    if "model" not in command.sections:
        return None
    said = [str(value) for key, value, _ in pairs if key == "model"]
    said += [values[0] for name, values in flags if name == "model" and values]
    default: str = inspect.signature(command.function).parameters["model"].default
    return said[-1] if said else default


def _tokens(argv: Sequence[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Words before the first flag, and every flag with the words up to the next one."""
    words: list[str] = []
    flags: list[tuple[str, list[str]]] = []
    for token in argv:
        if token.startswith("--") and len(token) > 2:
            name, equals, value = token[2:].partition("=")
            flags.append((name.replace("-", "_"), [value] if equals else []))
        else:
            (flags[-1][1] if flags else words).append(token)
    return words, flags


def _taken(table: Table, name: str, values: list[str]) -> tuple[tuple[str, Any, str], list[str]]:
    """The option of a flag with its value, and the words that it leaves."""
    shown = "--" + name.replace("_", "-")
    negated = table.names.get(name.removeprefix("no_"))
    if name not in table.names and negated is not None and negated.switch:
        return (negated.key, False, shown), values
    option = table.find(name, shown)
    if option.switch:
        said = bool(values) and values[0].lower() in ("true", "false")
        return (option.key, values[0] if said else "true", shown), values[said:]
    if not values:
        raise NeuritoError(f"{shown}: needs a value; see neurito {table.command} --help")
    taken = len(values) if option.many else 1
    return (option.key, values[:taken], shown), values[taken:]


def _placed(table: Table, words: list[str], own: Mapping[str, Any]) -> dict[str, Any]:
    """Words in the places of arguments; the last argument may take several."""
    placed: dict[str, Any] = {}
    rest = list(words)
    for option in (o for o in table.sections[0].options if o.positional):
        taken = rest if option.many else rest[:1]
        rest = rest[len(taken) :]
        if taken:
            placed[option.name] = option.check(taken, option.name.upper())
    if rest:
        raise NeuritoError(f"{rest[0]!r}: one argument too many; see neurito {table.command} --help")
    for option in table.sections[0].options:
        if option.required and option.name not in own and option.name not in placed:
            name = option.name.upper() if option.positional else table.flag(option)
            raise NeuritoError(
                f"{name} is missing: {option.text.rstrip('.')}; see neurito {table.command} --help"
            )
    return placed


def _files_and_sets(flags: list[tuple[str, list[str]]]) -> list[tuple[str, Any, str]]:
    return [*_configured(_all(flags, "config")), *_set(_all(flags, "set"))]


def _all(flags: list[tuple[str, list[str]]], name: str) -> list[str]:
    return [value for flag, values in flags if flag == name for value in values]


def _set(words: list[str]) -> Iterator[tuple[str, Any, str]]:
    import yaml

    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise NeuritoError(f"--set {word}: give KEY=VALUE")
        try:
            yield key.strip(), yaml.safe_load(text), f"--set {word}"
        except yaml.YAMLError:
            yield key.strip(), text, f"--set {word}"


def _configured(files: list[str]) -> Iterator[tuple[str, Any, str]]:
    """Options in YAML files, in sections or not."""
    import yaml

    for file in files:
        try:
            tree = yaml.safe_load(Path(file).read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise NeuritoError(f"--config {file}: {' '.join(str(said).split())}") from error
        if not isinstance(tree, dict):
            raise NeuritoError(f"--config {file}: should hold options, as in 'training: {{epochs: 100}}'")
        for key, value in _of_run(tree).items():
            if not isinstance(value, dict) or key not in ("data", "split", "model", "training", "simulator"):
                yield str(key), value, file
                continue
            for name, one in value.items():
                yield (key if name == _CHOICE.get(key) else f"{key}.{name}"), one, file


def _of_run(tree: dict[str, Any]) -> dict[str, Any]:
    """The config.json of a run as options."""
    if "recording" not in tree or "options" not in tree:
        return tree
    recording = tree["recording"]
    return {
        "data": {"path": recording["files"], **recording["load"]},
        "split": recording["split"],
        "model": {"name": tree["model"], **tree["options"]},
        "training": tree["training"],
    }


def known(name: str, commands: Mapping[str, Command]) -> Command:
    """The command of that name.

    Raises:
        NeuritoError: there is none.
    """
    if name not in commands:
        raise NeuritoError(f"there is no command {name!r}; {nearest(name, commands)}")
    return commands[name]
