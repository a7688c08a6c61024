"""Help that fits the terminal: what there is, what it means, what it is unless given."""

import inspect
import shutil
import textwrap
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from neurito.cli.arguments import Command, table_of
from neurito.cli.options import Option, Table

_COLUMN = 30
_ORDER = (
    "Options may also stand in YAML files (--config FILE, in sections data, split, model, training or not), and "
    "in --set KEY=VALUE. Flags come before --set, --set before --config, that before the defaults; in any of them "
    "the last one wins. Two options of one name are told apart by their section: --data.window, --training.window."
)


def overview(commands: Mapping[str, Command], about: str) -> str:
    """What commands there are."""
    rows = [_row(command.name, command.summary, 12) for command in commands.values()]
    return "\n".join(
        [
            "usage: neurito COMMAND ... [options]",
            "",
            *_wrapped(about),
            "",
            *rows,
            "",
            "neurito COMMAND --help explains a command; neurito --version says which version this is.",
        ]
    )


def explain(command: Command, choice: str | None) -> str:
    """A command with all its options, those of the chosen model among them."""
    table = table_of(command, choice)
    own = table.sections[0]
    places = [option for option in own.options if option.positional]
    usage = " ".join(["usage: neurito", command.name, *map(_place, places), "[options]"])
    lines = [usage, "", *_wrapped(_body(command.function)), ""]
    lines += [_row(option.name.upper(), _text(option)) for option in places]
    for section in table.sections:
        if section.flags:
            lines += ["", f"{section.title}:", *(_row(_flag(table, o), _text(o)) for o in section.flags)]
    return "\n".join([*lines, "", *_wrapped(_ORDER)])


def _body(function: Any) -> str:
    """The docstring up to its first section."""
    return inspect.cleandoc(function.__doc__ or "").partition("\n\nArgs:")[0]


def _place(option: Option) -> str:
    name = option.name.upper() + (" ..." if option.many else "")
    return name if option.required else f"[{name}]"


def _flag(table: Table, option: Option) -> str:
    flag = table.flag(option)
    if option.switch:
        return flag if option.default is False else f"{flag}, --no-{flag[2:]}"
    return f"{flag} {_kind(option)}"


def _kind(option: Option) -> str:
    """What a value looks like."""
    for member in option.members:
        if typing.get_origin(member) is Literal:
            return "|".join(map(str, typing.get_args(member)))
    names = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
    if not option.many:
        return next((name for kind, name in names.items() if kind in option.members), "VALUE")
    inner = next((typing.get_args(m) for m in option.members if typing.get_args(m)), ())
    words = [names.get(kind, "TEXT") for kind in inner if kind is not Ellipsis]
    return " ".join(words) if len(words) > 1 and Ellipsis not in inner else f"{(words or ['TEXT'])[0]} ..."


def _text(option: Option) -> str:
    default = option.default
    text = option.text.replace("`", "")
    if option.required and not option.positional:
        return f"{text} (needed)"
    if option.required or option.switch or default is None or default in ("", ()):
        return text
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"{text} [{shown}]"


def _row(left: str, right: str, column: int = _COLUMN) -> str:
    left = f"  {left}"
    lines = textwrap.wrap(right, max(_width() - column, 30)) or [""]
    first = left.ljust(column) + lines[0] if len(left) < column - 1 else f"{left}\n{' ' * column}{lines[0]}"
    return "\n".join([first, *(" " * column + line for line in lines[1:])]).rstrip()


def _wrapped(text: str) -> Iterable[str]:
    for i, paragraph in enumerate(text.split("\n\n")):
        yield "\n" * (i > 0) + textwrap.fill(" ".join(paragraph.split()), _width())


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 110)
