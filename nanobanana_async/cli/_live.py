"""Progress as a few lines that change in place, for a terminal. Needs rich; import it late."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nanobanana_async.cli._progress import Snapshot

# Narrow, since lines that a resized terminal has wrapped cannot be taken back.
_BAR: Final = 34


class LiveDisplay:
    """Draws each snapshot over the one before it."""

    interval: Final = 0.1

    def __init__(self, console: Console | None = None) -> None:
        """Draw on `console`; stdout when None."""
        self._live = Live(console=console or Console(highlight=False), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(picture(snapshot), refresh=True)


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
