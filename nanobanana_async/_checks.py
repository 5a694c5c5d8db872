"""Whether values are what they are said to be: for options, and for the fields of settings."""

from __future__ import annotations

from math import inf
from typing import Any, Final

from attrs import Attribute

__all__ = ["check_flag", "check_seconds", "flag", "has_methods", "patience"]

_DAY: Final = 86_400.0


def check_flag(name: str, value: object) -> None:
    """Refuse a text such as "false", which counts as true.

    Raises:
        ValueError: it is neither True nor False.
    """
    if type(value) is not bool:
        raise ValueError(f"{name} must be True or False, not {value!r}")


def check_seconds(name: str, value: Any) -> None:
    """Refuse what is no time to wait.

    Raises:
        ValueError: it is no finite number above 0.
    """
    if type(value) not in (int, float) or not 0 < value < inf:
        raise ValueError(f"{name} must be seconds above 0, not {value!r}")


def has_methods(value: object, *names: str) -> bool:
    """Tell whether it is an object with these methods, and not the class of such objects.

    Not `isinstance` with a protocol, which from Python 3.12 on refuses whoever hands calls on.
    """
    return not isinstance(value, type) and all(
        callable(getattr(value, name, None)) for name in names
    )


def flag(_: Any, attribute: Attribute[bool], value: Any) -> None:
    """Validate a field as `check_flag` does."""
    check_flag(attribute.name, value)


def patience(_: Any, attribute: Attribute[float], value: Any) -> None:
    """Validate a field that holds seconds above 0, a day at most."""
    if type(value) not in (int, float) or not 0 < value <= _DAY:
        raise ValueError(f"{attribute.name} must be seconds above 0, a day at most, not {value!r}")
