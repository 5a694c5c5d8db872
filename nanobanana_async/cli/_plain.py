"""Progress as one line every few seconds, for files, pipes and logs."""

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

import click

T = TypeVar("T")


class PlainDisplay(Generic[T]):
    """Prints a line for each snapshot."""

    def __init__(self, line: Callable[[T], str], interval: float = 2.0) -> None:
        """Print what `line` makes of a snapshot, every `interval` seconds."""
        self._line = line
        self.interval = interval

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, snapshot: T) -> None:
        click.echo(self._line(snapshot))

    def say(self, text: str) -> None:
        click.echo(text, err=True)
