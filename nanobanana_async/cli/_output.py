"""What a command says, where perhaps nobody listens any more.

A pipe that was closed (`| head -1`), a disk that is full: the work goes on all the same.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, Self, TypeVar

import click
from attrs import define

from nanobanana_async.cli._display import Display
from nanobanana_async.cli._unheard import note, silence_if_broken

T = TypeVar("T")


def put(text: str) -> bool:
    """Write a line to stdout; False where that cannot be done, which the command's end then says."""
    try:
        _write(text)
    except OSError as error:
        note(error)
        return False
    return True


def _write(text: str) -> None:
    if sys.stdout is None:  # closed by whoever started us: click would say nothing, to nobody
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    click.echo(text)


def complain(text: str) -> None:
    """Write a line to stderr."""
    with _heard_or_not():
        click.echo(text, err=True)


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
            silence_if_broken(stream)
