"""What all commands have: `--debug`, and options by the group. Imports click only."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from nanobanana_async.cli._unheard import heard

F = TypeVar("F", bound=Callable[..., Any])

_DEBUG: Final = "nanobanana_async.debug"


def options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for several, in the order of `--help`."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class Command(click.Command):
    """A command that takes `--debug`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take click's arguments."""
        super().__init__(*args, **options)
        self.params.append(debug_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse them; what `--help` says is heard, or the command ends."""
        with heard():
            return super().parse_args(ctx, args)


def debug_option() -> click.Option:
    """Return the option that has the traceback of an error shown."""
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Show where an error came from.",
    )


def debugging(ctx: click.Context) -> bool:
    """Tell whether `--debug` was given, to the command or to the group."""
    return bool(ctx.meta.get(_DEBUG))


def _remember(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[_DEBUG] = True  # contexts share it
