"""What a command says, where perhaps nobody listens any more.

A pipe that was closed (`| head -1`), a disk that is full: the work goes on, and goes on without a word.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

import click
from attrs import define

from nanobanana_async.cli._display import Display

T = TypeVar("T")


def put(text: str) -> bool:
    """Write a line to stdout; False where that cannot be done."""
    try:
        _echo(text, err=False)
    except OSError:
        _silence_if_broken(sys.stdout)
        return False
    return True


def answer(text: str) -> None:
    """Write a line to stdout for a command that has nothing else to do.

    Raises:
        OSError: that cannot be done.
    """
    _echo(text, err=False)


def complain(text: str) -> None:
    """Write a line to stderr."""
    with _heard_or_not():
        _echo(text, err=True)


def _echo(text: str, *, err: bool) -> None:
    try:
        click.echo(text, err=err)
    except UnicodeEncodeError:  # a stream that is not in UTF-8, and a path that needs it
        click.echo(text.encode("ascii", "backslashreplace").decode(), err=err)


@define
class Enduring(Generic[T]):
    """A display that outlives what it is shown on."""

    inner: Display[T]

    @property
    def interval(self) -> float:
        """Seconds from one snapshot to the next."""
        return self.inner.interval

    def __enter__(self) -> Self:
        with _heard_or_not():
            self.inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _heard_or_not():
            self.inner.__exit__(kind, error, traceback)

    def show(self, snapshot: T) -> None:
        with _heard_or_not():
            self.inner.show(snapshot)

    def say(self, text: str) -> None:
        with _heard_or_not():
            self.inner.say(text)


@contextmanager
def _heard_or_not() -> Iterator[None]:
    try:
        yield
    except OSError:
        for stream in (sys.stdout, sys.stderr):
            _silence_if_broken(stream)


def _silence_if_broken(stream: object) -> None:
    """Lead it to nowhere, as else Python would stumble over the rest in its buffer at the end."""
    try:
        stream.flush()  # type: ignore[attr-defined]
    except OSError:
        with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        pass  # None or closed: it was taken from us before we began
