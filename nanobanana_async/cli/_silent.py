"""No progress at all: for scripts that look at the exit code."""

from typing import Any, Final

import click

from nanobanana_async.cli._display import Still


class SilentDisplay(Still):
    """Shows nothing; what goes wrong is still said."""

    interval: Final = 60.0

    def show(self, snapshot: Any) -> None:
        pass

    def say(self, text: str) -> None:
        click.echo(text, err=True)
