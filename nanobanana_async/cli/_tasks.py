"""`nanobanana wait`, `download` and `status`: options only; what happens is in `jobs/`."""

from typing import Any, Final

import click

from nanobanana_async.cli._client_options import (
    api_options,
    place_option,
    private_hosts_option,
    quiet_option,
    timeout_option,
)
from nanobanana_async.cli._command import Command
from nanobanana_async.cli._extras import require
from nanobanana_async.cli._request_options import model

_CODES: Final = """\b
Exit codes: 0 all pictures are here; 1 some are not, and will not come; 2
options, key or folder are at fault; 3 stopped by the key, the account or the
host; 4 some tasks still run; 130 stopped by Ctrl-C.
"""
_WAIT: Final = f"""\b
Examples:
  nanobanana wait task_0123456789abcdef -o cafe.png
  nanobanana wait - -o pictures/ < ids.txt

{_CODES}"""
_DOWNLOAD: Final = f"""\b
Example:
  nanobanana download task_0123456789abcdef -o cafe.png

{_CODES}"""
_STATUS: Final = """\b
Example:
  nanobanana status task_0123456789abcdef

\b
Exit codes: 0 all have succeeded; 1 some have failed, or are not known; 2
options or key are at fault; 3 stopped by the key, the account or the host;
4 some still run; 130 stopped by Ctrl-C.
"""

_task_ids = click.argument("task_ids", metavar="TASK_ID...", nargs=-1, required=True)


@click.command(cls=Command, short_help="Wait for tasks and fetch their pictures.", epilog=_WAIT)
@_task_ids
@place_option
@click.option("--open", "show", is_flag=True, help="Show the pictures.")
@model()
@timeout_option
@private_hosts_option
@api_options
@quiet_option
@click.pass_context
def wait(ctx: click.Context, /, **_: Any) -> int:
    """Wait for known tasks, and fetch their pictures.

    A TASK_ID that is - stands for standard input, an id a line.
    """
    require("rich")
    from nanobanana_async.cli.jobs import _commands  # noqa: PLC0415 - slow, not for --help

    return _commands.wait(ctx)


@click.command(cls=Command, short_help="Fetch the pictures of finished tasks.", epilog=_DOWNLOAD)
@_task_ids
@place_option
@click.option("--open", "show", is_flag=True, help="Show the pictures.")
@model()
@timeout_option
@private_hosts_option
@api_options
@quiet_option
@click.pass_context
def download(ctx: click.Context, /, **_: Any) -> int:
    """Fetch the pictures of finished tasks; of one that runs, say so and do not wait.

    A TASK_ID that is - stands for standard input, an id a line.
    """
    require("rich")
    from nanobanana_async.cli.jobs import _commands  # noqa: PLC0415 - slow, not for --help

    return _commands.download(ctx)


@click.command(cls=Command, short_help="Look at tasks.", epilog=_STATUS)
@_task_ids
@model()
@api_options
@click.pass_context
def status(ctx: click.Context, /, **_: Any) -> int:
    """Look at tasks once, and print their states.

    A TASK_ID that is - stands for standard input, an id a line.
    """
    require("rich")
    from nanobanana_async.cli.jobs import _status  # noqa: PLC0415 - slow, not for --help

    return _status.status(ctx)
