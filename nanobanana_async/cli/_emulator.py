"""`nanobanana emulator`: options only; the serving is in `_serving`."""

import asyncio
from typing import Any, Final

import click

from nanobanana_async.cli._command import Command
from nanobanana_async.cli._extras import require
from nanobanana_async.cli._faults import read_episodes, read_faults

_EXAMPLES: Final = """\b
Example:
  nanobanana emulator --port 8787 --speed 10 --fault submit_lost=0.01
Paste the two lines that it prints into another terminal, and every script
there that uses nanobanana_async talks to the emulator.
"""


def _check_key(_: click.Context, __: click.Parameter, key: str) -> str:
    if not (key.isascii() and key.isprintable() and key and " " not in key):
        raise click.BadParameter("a key has letters, digits and signs, and no spaces")
    return key


@click.command(cls=Command, short_help="Run the API on this machine.", epilog=_EXAMPLES)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8787,
    show_default=True,
    help="Port on 127.0.0.1; 0 is any free one.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times faster than the real API a picture is ready.",
)
@click.option(
    "--api-key",
    default="sk-emulator",
    show_default=True,
    callback=_check_key,
    help="The only key that is let in.",
)
@click.option(
    "--fault",
    "faults",
    metavar="NAME=PROBABILITY",
    multiple=True,
    callback=read_faults,
    help="Let this go wrong so often, such as submit_lost=0.01; may be repeated.",
)
@click.option(
    "--episode",
    "episodes",
    metavar="NAME=START+LENGTH",
    multiple=True,
    callback=read_episodes,
    help="Let this go wrong for a while, in seconds, such as any_502=60+600; may be repeated.",
)
@click.option(
    "--requests-per-minute",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Submits and status checks together.",
)
@click.option(
    "--concurrent-tasks",
    type=click.IntRange(1),
    default=1_000,
    show_default=True,
    help="Tasks that may run at once.",
)
@click.option(
    "--window",
    type=click.Choice(["sliding", "fixed", "bucket"]),
    default="sliding",
    show_default=True,
    help="How the minute is counted.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Same seed, same times and faults."
)
@click.option(
    "--balance", type=click.FloatRange(0), help="What the account holds; unlimited if not given."
)
@click.option("--data-urls", is_flag=True, help="Let local files in as reference images.")
@click.option("--full-size", is_flag=True, help="Draw 1K, 2K and 4K pictures in their real size.")
def emulator(**settings: Any) -> int:
    """Run the API on this machine until Ctrl-C, without an account and without cost."""
    require("PIL")
    from nanobanana_async.cli._serving import serve  # noqa: PLC0415 - slow, not for --help

    return asyncio.run(serve(settings))
