"""`nanobanana report`: the page of a bulk run's folder."""

from pathlib import Path

import click

from nanobanana_async.cli._extras import require


@click.command(short_help="Write the page of a bulk run.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> int:
    """Write DIR/report.html anew, from what a bulk run has left in DIR."""
    require("PIL")
    from nanobanana_async.bulk.report import write_report  # noqa: PLC0415 - slow, not for --help

    try:
        click.echo(f"Look at {write_report(folder)}")
    except OSError as error:
        click.echo(f"Error: {error.strerror or error}", err=True)
        return 2
    return 0
