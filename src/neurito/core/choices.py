"""Options that are one of a few words."""

from dataclasses import fields
from typing import Any, Literal, get_args, get_origin

from neurito.errors import NeuritoError, nearest


def check(options: Any) -> None:
    """Raises NeuritoError if a `Literal` field of a dataclass holds none of its words."""
    for field in fields(options):
        value = getattr(options, field.name)
        if get_origin(field.type) is Literal and value not in get_args(field.type):
            raise NeuritoError(f"{field.name}={value!r}: {nearest(str(value), get_args(field.type))}")
