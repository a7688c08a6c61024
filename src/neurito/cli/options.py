"""Options: the parameters of functions and dataclasses, explained by their docstrings.

One table serves flags, ``--set key=value`` and YAML. An option has a section and a name: ``training.window`` is
the parameter `window` of `Training`. The name alone will do; where two sections share one, the later section has
it and the other is called in full.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from neurito.errors import NeuritoError, nearest

Given = dict[str, dict[str, Any]]
"""Options as given, by section."""


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        section: where it belongs; empty = the command itself.
        name: of the parameter.
        annotation: its type.
        default: what it is unless given.
        text: what it means.
        positional: whether it is given without a flag.
    """

    section: str
    name: str
    annotation: Any
    default: Any
    text: str
    positional: bool = False

    @property
    def key(self) -> str:
        """Its full name."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is inspect.Parameter.empty

    @property
    def members(self) -> tuple[Any, ...]:
        """The types that a value may have."""
        union = typing.get_origin(self.annotation) in (typing.Union, types.UnionType)
        return typing.get_args(self.annotation) if union else (self.annotation,)

    @property
    def many(self) -> bool:
        """Whether it takes several values."""
        return any(m is Any or typing.get_origin(m) in (tuple, list, Sequence) for m in self.members)

    @property
    def switch(self) -> bool:
        """Whether its flag takes no value: ``--x`` or ``--no-x``."""
        return bool in self.members

    @property
    def sayable(self) -> bool:
        """Whether a value can be written as text at all (an array cannot)."""
        plain = (int, float, str, bool, Path)
        return self.many or any(m in plain or typing.get_origin(m) is Literal for m in self.members)

    def check(self, raw: Any, where: str) -> Any:
        """The value, converted to its type.

        Raises:
            NeuritoError: it does not fit.
        """
        from pydantic import ConfigDict, TypeAdapter, ValidationError

        config = ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True)
        adapter = TypeAdapter[Any](self.annotation, config=config)
        word = raw[0] if isinstance(raw, list) and len(raw) == 1 else raw
        wrong: dict[str, None] = {}
        for attempt in (
            (word, raw) if self.many else (word,)
        ):  # one word may be a list of one, or no list at all
            try:
                return adapter.validate_python(attempt)
            except ValidationError as error:
                wrong = dict.fromkeys(_said(one["msg"]) for one in error.errors())
        raise NeuritoError(f"{where}: {self.name}={word!r} does not fit; it should be {' or '.join(wrong)}")


def _said(message: str) -> str:
    """What pydantic finds wrong, as the end of a sentence."""
    return message.removeprefix("Input should be ").partition(", unable to parse")[0]


@dataclass(frozen=True)
class Section:
    """The parameters of a function or dataclass as options.

    Attributes:
        name: of the section; empty = the command itself.
        title: a heading.
        options: what may be given.
    """

    name: str
    title: str
    options: tuple[Option, ...]

    @classmethod
    def of(cls, name: str, title: str, source: Callable[..., Any]) -> "Section":
        """All parameters whose values can be written as text; keyword-only ones have flags."""
        hints = typing.get_type_hints(source.__init__ if inspect.isclass(source) else source)
        said = explained(source)
        options = [
            Option(name, p.name, hints[p.name], p.default, said.get(p.name, ""), _placed(name, p))
            for p in inspect.signature(source).parameters.values()
            if hints[p.name] is not Given and p.kind is not p.VAR_KEYWORD
        ]
        return cls(name, title, tuple(option for option in options if option.sayable))

    @property
    def flags(self) -> list[Option]:
        """Its options that have a flag."""
        return [option for option in self.options if not option.positional]


def _placed(section: str, parameter: inspect.Parameter) -> bool:
    """Whether a parameter of a command has a place instead of a flag."""
    return not section and parameter.kind is not parameter.KEYWORD_ONLY


def explained(source: Callable[..., Any]) -> dict[str, str]:
    """What the docstring, and those of base classes, say of each parameter."""
    said: dict[str, str] = {}
    for one in reversed(inspect.getmro(source)) if inspect.isclass(source) else [source]:
        text = inspect.cleandoc(one.__doc__ or "") + "\n"
        block = re.search(r"^(?:Args|Attributes):\n((?: {4,}.*\n|\n)+)", text, re.MULTILINE)
        entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", block[1] if block else "", re.MULTILINE)
        said |= {name: " ".join(words.split()) for name, words in entries}
    return said


@dataclass(frozen=True)
class Table:
    """All options of a command.

    Attributes:
        command: its name.
        sections: its own options first.
        others: options that another choice would have, by name, and that choice.
    """

    command: str
    sections: list[Section]
    others: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> dict[str, Option]:
        """Every option by its short name, then by its full one."""
        every = [option for section in self.sections for option in section.options]
        return {option.name: option for option in every} | {option.key: option for option in every}

    def flag(self, option: Option) -> str:
        """The shortest flag that means this option."""
        name = option.name if self.names[option.name] is option else option.key
        return "--" + name.replace("_", "-")

    def find(self, key: str, where: str) -> Option:
        """The option of that name.

        Raises:
            NeuritoError: there is none; the nearest one is named.
        """
        name = key.replace("-", "_")
        if name in self.names:
            return self.names[name]
        hint = nearest(name, self.names)
        if name in self.others:
            hint = f"it belongs to {self.others[name]}"
        elif not hint.startswith("did you"):
            hint = f"see neurito {self.command} --help"
        raise NeuritoError(f"{where}: there is no option {name!r}; {hint}")

    def checked(self, pairs: Iterator[tuple[str, Any, str]]) -> Given:
        """The options of all sections from (name, value, where it was given), the last of each name winning."""
        given: Given = {section.name: {} for section in self.sections}
        for key, raw, where in pairs:
            option = self.find(key, where)
            try:
                given[option.section][option.name] = option.check(raw, where)
            except NeuritoError as error:
                twins = [
                    o.key for o in dict.fromkeys(self.names.values()) if o.name == option.name and o != option
                ]
                hint = f"; another option of that name is {twins[0]}" if twins else ""
                raise NeuritoError(f"{error}{hint}") from error
        return given
