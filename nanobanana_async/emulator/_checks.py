"""Whether the fields of settings hold what they are said to hold."""

import sys
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final, TypeAlias

from attrs import Attribute

Validator: TypeAlias = Callable[[object, "Attribute[Any]", Any], None]

_MOST: Final = sys.float_info.max


def must_be(what: str, holds: Callable[[Any], bool]) -> Validator:
    """Return a validator that raises ValueError for what `holds` says no to."""

    def validate(_: object, attribute: "Attribute[Any]", value: Any) -> None:
        if not holds(value):
            raise ValueError(f"{attribute.name} must be {what}, not {value!r}")

    return validate


def is_number(value: Any) -> bool:
    """Tell whether it is a number, and a finite one; True and False are none."""
    return isinstance(value, int | float) and type(value) is not bool and abs(value) <= _MOST


def is_probability(value: Any) -> bool:
    """Tell whether it is a number from 0 to 1."""
    return is_number(value) and 0 <= value <= 1


def is_list(value: Any, holds: Callable[[Any], bool]) -> bool:
    """Tell whether it is a sequence, and `holds` says yes to each item. A text is none."""
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(holds, value))


def whole_from(least: int) -> Validator:
    """Return a validator of whole numbers."""
    what = f"a whole number of {least:,} or more"
    return must_be(what, lambda value: type(value) is int and value >= least)


def list_of(kind: type) -> Validator:
    """Return a validator of sequences."""
    what = f"a list of {kind.__name__}s"
    return must_be(what, lambda value: is_list(value, lambda item: isinstance(item, kind)))


FLAG: Final = must_be("True or False", lambda value: type(value) is bool)
TEXT: Final = must_be("a text", lambda value: isinstance(value, str))
NUMBER: Final = must_be("a number", is_number)
FROM_0: Final = must_be("a number of 0 or more", lambda value: is_number(value) and value >= 0)
ABOVE_0: Final = must_be("a number above 0", lambda value: is_number(value) and value > 0)
A_WHILE: Final = must_be(
    "seconds above 0; math.inf is for ever",
    lambda value: value == inf or (is_number(value) and value > 0),
)
