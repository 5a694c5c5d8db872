"""The command `nanobanana` and how its errors look: one line on stderr."""

import sys
from io import TextIOWrapper
from typing import Any, Final

import click

from nanobanana_async import __version__
from nanobanana_async.cli._balance import balance
from nanobanana_async.cli._bulk import bulk
from nanobanana_async.cli._command import debug_option, debugging
from nanobanana_async.cli._completion import completion
from nanobanana_async.cli._demo import demo
from nanobanana_async.cli._doctor import doctor
from nanobanana_async.cli._emulator import emulator
from nanobanana_async.cli._generate import generate, submit
from nanobanana_async.cli._report_page import report
from nanobanana_async.cli._tasks import download, status, wait
from nanobanana_async.cli._unheard import heard, noted

_INTERRUPTED: Final = 130
_NOT_OURS: Final = (
    click.ClickException,
    click.exceptions.Exit,
    click.Abort,
    BrokenPipeError,  # whoever read what we say has left: click ends it without a word
    ModuleNotFoundError,  # an extra, see `main`
)

_EXAMPLES: Final = """\b
Examples:
  nanobanana generate "a cozy cafe"    a picture, into this folder
  nanobanana bulk rows.csv -o run      a picture for each row of a file
  nanobanana demo                      a thousand pictures, from an emulator
  nanobanana demo --n 50 --out cats    fifty, into the folder cats
  nanobanana emulator --port 8787      the API on this machine, until Ctrl-C
"""


class OneLineErrors(click.Group):
    """A group whose errors take one line each, without click's usage in front."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the commands in the order of a stranger's needs, not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for; what ends it becomes a line and an exit code."""
        try:
            code = super().invoke(ctx)
        except _NOT_OURS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, a person reads it
            from nanobanana_async.cli._errors import fail  # noqa: PLC0415 - slow, not for --help

            return fail(error, debug=debugging(ctx))
        unheard = noted(ctx)
        if unheard is None:
            return code
        unheard.show()
        return code or unheard.exit_code

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse them; what `--help` and `--version` say is heard, or the command ends."""
        with heard():
            return super().parse_args(ctx, args)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run and exit: 2 for wrong options, 130 where it was interrupted before it began."""
        if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="backslashreplace")  # a sign that it lacks is no defect
        try:
            code = super().main(*args, **options | {"standalone_mode": False})
        except click.ClickException as error:
            click.echo(f"Error: {error.format_message()}{_hint(error)}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(_INTERRUPTED)
        sys.exit(code or 0)


def _hint(error: click.ClickException) -> str:
    """Say where to read on, to somebody who does not know the options."""
    if not isinstance(error, click.MissingParameter | click.NoSuchOption) or error.ctx is None:
        return ""
    dash = " What begins with - and is no option comes after --." * isinstance(
        error, click.NoSuchOption
    )
    return f" See `{error.ctx.command_path} --help`.{dash}"


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
    params=[debug_option()],
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
        with heard():
            click.echo(ctx.get_help())


_ONE_BY_ONE: Final = (generate, submit, status, wait, download)
_MANY: Final = (bulk, report)
_ACCOUNT: Final = (balance, doctor)
_WITHOUT_ONE: Final = (demo, emulator)
for _command in (*_ONE_BY_ONE, *_MANY, *_ACCOUNT, *_WITHOUT_ONE, completion):
    nanobanana.add_command(_command)
