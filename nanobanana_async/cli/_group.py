"""The command `nanobanana` and how its errors look: one line on stderr."""

import sys
from typing import Any, Final

import click

from nanobanana_async import __version__
from nanobanana_async.cli._bulk import bulk
from nanobanana_async.cli._demo import demo
from nanobanana_async.cli._emulator import emulator
from nanobanana_async.cli._report_page import report

_INTERRUPTED: Final = 130

_EXAMPLES: Final = """\b
Examples:
  nanobanana bulk rows.csv -o run      a picture for each row of a file
  nanobanana demo                      a thousand pictures, from an emulator
  nanobanana demo --n 50 --out cats    fifty, into the folder cats
  nanobanana emulator --port 8787      the API on this machine, until Ctrl-C
"""


class OneLineErrors(click.Group):
    """A group whose errors take one line each, without click's usage in front."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run and exit: 2 for wrong options, 130 where it was interrupted before it began."""
        try:
            code = super().main(*args, **options | {"standalone_mode": False})
        except click.ClickException as error:
            click.echo(f"Error: {error.format_message()}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(_INTERRUPTED)
        sys.exit(code or 0)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    click.echo(f"nanobanana {__version__}")
    ctx.exit()


@click.group(
    cls=OneLineErrors,
    invoke_without_command=True,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def nanobanana(ctx: click.Context) -> None:
    """Generate thousands of Nano Banana 2 pictures at once, at the limit and never past it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


nanobanana.add_command(bulk)
nanobanana.add_command(demo)
nanobanana.add_command(emulator)
nanobanana.add_command(report)
