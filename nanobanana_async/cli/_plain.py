"""Progress as one line every few seconds, for files, pipes and logs."""

from collections.abc import Callable
from typing import Generic, TypeVar

import click

from nanobanana_async.cli._display import Still

T = TypeVar("T")


class PlainDisplay(Still, Generic[T]):
    """Prints a line for each snapshot."""

    def __init__(
        self, line: Callable[[T], str], interval: float = 2.0, *, err: bool = False
    ) -> None:
        """Print what `line` makes of a snapshot, every `interval` seconds; `err`: to stderr."""
        self._line = line
        self.interval = interval
        self._err = err

    def show(self, snapshot: T) -> None:
        click.echo(self._line(snapshot), err=self._err)

    def say(self, text: str) -> None:
        click.echo(text, err=True)
