"""The demo's figures in a terminal. Needs rich; import it late."""

from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nanobanana_async.cli._progress import Snapshot

# Narrow, since lines that a resized terminal has wrapped cannot be taken back.
_BAR: Final = 34


def picture(snapshot: Snapshot) -> RenderableType:
    """Lay the figures out: a bar and, below it, a row for each."""
    return Group("", _bar(snapshot), "", _figures(snapshot), "")


def _bar(snapshot: Snapshot) -> Table:
    minutes, seconds = divmod(int(snapshot.seconds), 60)
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(snapshot.total, snapshot.done, width=_BAR),
        f"[bold]{snapshot.done:,}[/] of {snapshot.total:,}",
        f"{minutes}:{seconds:02}",
    )
    return row


def _figures(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    rate, rate_limit = snapshot.requests_per_second, snapshot.requests_limit
    rows = (
        ("submitted", f"{snapshot.submitted:,}", f"of {snapshot.total:,}"),
        ("in flight", f"{snapshot.in_flight:,}", f"limit {snapshot.tasks_limit:,}"),
        ("downloaded", f"{snapshot.downloaded:,}", ""),
        ("requests a second", f"{rate:.0f}", f"limit {rate_limit:.0f}"),
        ("refused", _worry(snapshot.refusals), ""),
        ("failed", _worry(snapshot.failed), ""),
    )
    table.add_column(style="dim")
    table.add_column(justify="right", min_width=6)
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*row)
    return table


def _worry(count: int) -> Text:
    return Text(f"{count:,}", style="bold red" if count else "green")
