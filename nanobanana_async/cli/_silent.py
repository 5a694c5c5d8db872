"""No progress at all: for scripts that look at the exit code."""

from types import TracebackType
from typing import Any, Final, Self

import click


class SilentDisplay:
    """Shows nothing; what goes wrong is still said."""

    interval: Final = 60.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, snapshot: Any) -> None:
        pass

    def say(self, text: str) -> None:
        click.echo(text, err=True)
