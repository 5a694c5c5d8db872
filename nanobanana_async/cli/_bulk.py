"""`nanobanana bulk`: options only; the run is in `bulk/_run.py`."""

import asyncio
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import click

from nanobanana_async.cli._client_options import (
    address_options,
    private_hosts_option,
    quiet_option,
)
from nanobanana_async.cli._command import Command, options
from nanobanana_async.cli._extras import require
from nanobanana_async.cli._request_options import (
    aspect_ratio,
    model,
    output_format,
    provider,
    resolution,
)

_EXAMPLES: Final = """\b
Examples:
  nanobanana bulk prompts.txt -o cats             a prompt a line
  nanobanana bulk rows.csv -o run --resolution 2K
  nanobanana bulk rows.csv -o run --dry-run --price 1K=0.04,2K=0.06,4K=0.1
The same command again goes on where it was. Rows are never submitted twice,
unless --retry-failed, --retry-unknown or --attempts say so.

\b
Exit codes: 0 every row has its picture; 1 some rows have none; 2 options or
input are at fault, nothing was sent; 3 stopped by the key, the account, the
budget or the disk; 130 stopped by Ctrl-C. The key is read from APIXO_API_KEY.
"""


def _money(_: click.Context, __: click.Parameter, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(f"{text!r} is no amount of money, such as 25") from None


def _folder(_: click.Context, __: click.Parameter, text: str) -> Path:
    if not text:  # a variable of the shell that is not set
        raise click.BadParameter("an empty text is no folder")
    return Path(text)


class _AsTyped(Command):
    """Remembers its arguments, for the advice to type the same again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["typed"] = tuple(args)
        return super().parse_args(ctx, args)


_row_defaults = options(
    model("Of rows without one.", default="nano-banana-2"),
    aspect_ratio("Such as 16:9, for rows without one."),
    resolution("1K, 2K or 4K, for rows without one."),
    output_format("png or jpeg, for rows without one."),
    provider("auto, value or official, for rows without one."),
    click.option("--google-search", is_flag=True, help="Let the model search, for all rows."),
    click.option(
        "--image-url",
        "image_urls",
        multiple=True,
        metavar="URL",
        help="Reference image for rows without one; may be repeated.",
    ),
)

_what_is_sent = options(
    click.option("--skip-invalid", is_flag=True, help="Leave out rows that break a rule."),
    click.option("--accept-changed", is_flag=True, help="Go on though INPUT has changed."),
    click.option(
        "--retry-failed", is_flag=True, help="Submit failed rows anew: a new charge each."
    ),
    click.option(
        "--retry-unknown",
        is_flag=True,
        help="Submit rows anew of which nobody knows: a new charge each.",
    ),
    click.option(
        "--attempts",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Submits a row, where a failure may not come again: a charge each.",
    ),
    click.option("--price", metavar="PRICE", help="Of a picture: 0.04, or 1K=0.04,2K=0.06,4K=0.1."),
    click.option(
        "--budget",
        callback=_money,
        metavar="MONEY",
        help="Stop before more is spent; needs --price.",
    ),
    click.option(
        "--dry-run", is_flag=True, help="Check the rows, estimate time and money, and stop."
    ),
)

_limits = options(
    click.option(
        "--requests-per-minute",
        type=click.IntRange(2),
        default=10_000,
        show_default=True,
        help="The account's limit.",
    ),
    click.option(
        "--concurrent-tasks",
        type=click.IntRange(1),
        default=1_000,
        show_default=True,
        help="The account's limit.",
    ),
    address_options,
)

_what_is_kept = options(
    click.option(
        "--download-concurrency",
        type=click.IntRange(1, 1_000),
        default=16,
        show_default=True,
        help="Pictures fetched at once.",
    ),
    private_hosts_option,
    click.option(
        "--metadata",
        type=click.Choice(["none", "sidecar"]),
        default="none",
        show_default=True,
        help="sidecar: a JSON file beside each picture.",
    ),
    click.option("--no-report", is_flag=True, help="Write no report.html."),
    quiet_option,
    click.option("--json", "as_json", is_flag=True, help="Progress and summary as JSON lines."),
)


@click.command(cls=_AsTyped, short_help="A picture for each row of a file.", epilog=_EXAMPLES)
@click.argument("source", metavar="INPUT", type=click.Path(allow_dash=True))
@click.option(
    "-o",
    "--out",
    "folder",
    metavar="DIR",
    type=click.Path(),
    callback=_folder,
    required=True,
    help="Folder for pictures, manifest, journal and report.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["txt", "csv", "jsonl"]),
    help="What INPUT holds; by its ending if not given.",
)
@_row_defaults
@_what_is_sent
@_limits
@_what_is_kept
def bulk(**given: Any) -> int:
    """Generate a picture for each row of INPUT, into a folder.

    INPUT is a .txt file (a prompt a line), a .csv or .jsonl file (columns: prompt, key,
    aspect_ratio, resolution, image_urls and so on), plain or gzipped, or - for standard input.
    Ctrl-C once finishes what runs, twice leaves at once; nothing that is paid for is lost.
    """
    require("rich", "PIL", "filelock")
    # Late, since --help needs none of it.
    from nanobanana_async.cli.bulk import _run  # noqa: PLC0415

    if given["dry_run"]:
        return _run.dry_run(given)
    return asyncio.run(_run.run(given))
