"""`nanobanana report`: the page of a bulk run's folder."""

from pathlib import Path
from typing import Final

import click

from nanobanana_async.cli._command import Command
from nanobanana_async.cli._extras import require

_EXAMPLE: Final = """\b
Example:
  nanobanana report run
"""


@click.command(cls=Command, short_help="Write the page of a bulk run.", epilog=_EXAMPLE)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> int:
    """Write DIR/report.html anew, from what a bulk run has left in DIR."""
    require("PIL")
    # Late, since --help needs none of it.
    from nanobanana_async.bulk.report import write_report  # noqa: PLC0415
    from nanobanana_async.cli._output import complain, put  # noqa: PLC0415

    try:
        path = write_report(folder)
    except OSError as error:
        what = f"{error.filename or folder}: {error.strerror}" if error.strerror else error
        complain(f"Error: {what}")
        return 2
    put(f"Look at {path}")
    return 0
