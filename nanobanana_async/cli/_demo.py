"""`nanobanana demo`: options only; the run is in `demo/_run`."""

import asyncio
from pathlib import Path
from typing import Final

import click

from nanobanana_async.cli._command import Command
from nanobanana_async.cli._extras import require
from nanobanana_async.cli._folder import make_folder

_EXAMPLES: Final = """\b
Example:
  nanobanana demo --n 200 --out pictures
"""


@click.command(cls=Command, short_help="Make a thousand pictures at once.", epilog=_EXAMPLES)
@click.option(
    "--n",
    "number",
    type=click.IntRange(1),
    default=1_000,
    show_default=True,
    help="How many pictures.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=8.0,
    show_default=True,
    help="How many times faster than the real API a picture is ready.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("demo-pictures"),
    show_default=True,
    help="Folder for the pictures.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Same seed, same prompts and times."
)
def demo(number: int, speed: float, folder: Path, seed: int) -> int:
    """Generate a thousand pictures at once, from an emulator that is started for it.

    Costs nothing and needs no account. A terminal shows the requests a second against the limit,
    and each of the account's slots: submitted, looked at and not ready, ready and not seen yet,
    found ready, free. In the end there is a contact sheet among the pictures.

    The exit code is 1 where a request was refused, a prompt was submitted twice, or a picture is
    missing.
    """
    require("rich", "PIL")
    # Late, since --help needs none of it.
    from nanobanana_async.cli.demo import _run  # noqa: PLC0415
    from nanobanana_async.cli.demo._display import demo_display  # noqa: PLC0415

    plan = _run.Plan(number, folder, seed)
    emulator = _run.build_emulator(speed, seed)
    make_folder(folder)
    return asyncio.run(_run.run(plan, emulator, demo_display()))
