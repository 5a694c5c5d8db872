"""The figures of a bulk run in a terminal. Needs rich; import it late."""

from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nanobanana_async.cli._words import duration, size
from nanobanana_async.cli.bulk._view import View

# Narrow, since lines that a resized terminal has wrapped cannot be taken back.
_BAR: Final = 34


def picture(view: View) -> RenderableType:
    """Lay the figures out: a bar and, below it, a row for each."""
    if not view.rows:
        return Text(f"Looking at the rows, {duration(view.seconds)}", style="dim")
    return Group("", _bar(view), "", _figures(view), "")


def _bar(view: View) -> Table:
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(max(view.rows, 1), view.done, width=_BAR),
        f"[bold]{view.done:,}[/] of {view.rows:,}",
        _time(view),
    )
    return row


def _time(view: View) -> str:
    if view.stopping:
        return "stopping"
    left = view.seconds_left
    return duration(view.seconds) if left is None else f"{duration(left)} left"


def _figures(view: View) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right", min_width=8)
    table.add_column(style="dim")
    downloading = f"{view.waiting_for_download:,} under way" if view.waiting_for_download else ""
    rows = (
        ("running", f"{view.running:,}", f"limit {view.tasks_limit:,}"),
        ("pictures", f"{view.succeeded:,}", f"{view.rows_per_second:.1f} rows a second"),
        ("downloaded", size(view.downloaded), downloading),
        ("failed", _worry(view.failed), ""),
        (
            "unknown",
            _worry(view.unknown),
            "may be paid for, see the report" if view.unknown else "",
        ),
        (
            "requests a second",
            f"{view.requests_per_second:.0f}",
            f"limit {view.requests_limit:.0f}",
        ),
        ("refused", _worry(view.refusals), ""),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _worry(count: int) -> Text:
    return Text(f"{count:,}", style="bold red" if count else "green")
