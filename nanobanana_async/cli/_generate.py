"""`nanobanana generate` and `submit`: options only; what happens is in `jobs/_commands.py`."""

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
from nanobanana_async.cli._request_options import request_options

_CODES: Final = """\b
Exit codes: 0 all pictures are here; 1 some are not; 2 options, request, key
or folder are at fault, nothing was sent; 3 stopped by the key, the account or
the host; 4 the time was over; 130 stopped by Ctrl-C. What runs then is named,
with the command that fetches it. The key is read from APIXO_API_KEY.
"""
_GENERATE: Final = f"""\b
Examples:
  nanobanana generate "a cozy cafe" -o cafe.png --aspect-ratio 3:2 --open
  nanobanana generate "a cat" "a dog" -o pets/ --resolution 2K
  nanobanana generate - -o pets/ < prompts.txt      a prompt a line
For thousands use `nanobanana bulk`, which keeps a record of each.

{_CODES}"""
_SUBMIT: Final = f"""\b
Examples:
  nanobanana submit "a cozy cafe" >> ids.txt
  nanobanana wait - -o pictures/ < ids.txt

{_CODES.replace("all pictures are here; 1 some are not", "all are accepted; 1 some are not")}"""

_prompts = click.argument("prompts", metavar="PROMPT...", nargs=-1, required=True)


@click.command(cls=Command, short_help="Make a picture of each prompt.", epilog=_GENERATE)
@_prompts
@place_option
@request_options
@click.option("--open", "show", is_flag=True, help="Show the pictures.")
@timeout_option
@private_hosts_option
@api_options
@quiet_option
@click.pass_context
def generate(ctx: click.Context, /, **_: Any) -> int:
    """Make a picture of each PROMPT, and wait for it.

    A PROMPT that is - stands for standard input, a prompt a line.
    """
    require("rich")
    from nanobanana_async.cli.jobs import _commands  # noqa: PLC0415 - slow, not for --help

    return _commands.generate(ctx)


@click.command(
    cls=Command, short_help="Submit prompts, and print their tasks' ids.", epilog=_SUBMIT
)
@_prompts
@request_options
@timeout_option
@api_options
@quiet_option
@click.pass_context
def submit(ctx: click.Context, /, **_: Any) -> int:
    """Submit each PROMPT and print the id of its task, without waiting for the picture.

    A PROMPT that is - stands for standard input, a prompt a line.
    """
    require("rich")
    from nanobanana_async.cli.jobs import _commands  # noqa: PLC0415 - slow, not for --help

    return _commands.submit(ctx)
