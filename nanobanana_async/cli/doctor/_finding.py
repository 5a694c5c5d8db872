"""What a check found, as words for a person and as facts for a program."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Finding(NamedTuple):
    """One line of the doctor's."""

    name: str
    state: State
    text: str
    advice: str = ""
    """What to do about it."""
    facts: Mapping[str, Any] = _NONE
    """The figures behind the text, fit for JSON."""


def ok(name: str, text: str, advice: str = "", *, facts: Mapping[str, Any] = _NONE) -> Finding:
    return Finding(name, "ok", text, advice, facts)


def warning(name: str, text: str, advice: str, *, facts: Mapping[str, Any] = _NONE) -> Finding:
    return Finding(name, "warning", text, advice, facts)


def failed(name: str, text: str, advice: str, *, facts: Mapping[str, Any] = _NONE) -> Finding:
    return Finding(name, "failed", text, advice, facts)


def skipped(name: str, text: str) -> Finding:
    """A check before it left nothing to look at."""
    return Finding(name, "skipped", text)


def plain(foreign: str) -> str:
    """Return a text of somebody else's without what could move a terminal's cursor."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in foreign)
    return shown.encode("ascii", "backslashreplace").decode()


def reason(error: OSError) -> str:
    """Say what the system says, without the words that Python's libraries add."""
    return os.strerror(error.errno) if error.errno else type(error).__name__


def span(seconds: float) -> str:
    """Write a short time."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
