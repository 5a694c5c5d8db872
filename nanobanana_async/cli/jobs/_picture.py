"""The jobs of a command in a terminal. Needs rich; import it late."""

from typing import Final

from attrs import frozen
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nanobanana_async.cli.jobs._job import DOWNLOADING, SUBMITTING, Job
from nanobanana_async.cli.jobs._view import JobsView

# Narrow, since lines that a resized terminal has wrapped cannot be taken back.
_BAR: Final = 30
_ROWS: Final = 10
_NAME: Final = 34
_SHORTEST_NAME: Final = 8
_BESIDE_NAME: Final = 20
"""Columns of a state and a time, and between them."""
_FREE: Final = 3
"""Columns for the ^C that a terminal puts behind it: a line that it wraps would stay."""
_STYLES: Final = {SUBMITTING: "dim", DOWNLOADING: "green"}


def picture(view: JobsView) -> RenderableType:
    """Lay out a row for each of a few jobs, and a bar where there are several."""
    left = len(view.jobs) - view.over
    if not left:
        return Group()  # not even a line, else one would stay
    return _Picture(view, left)


@frozen
class _Picture:
    view: JobsView
    left: int
    """Jobs that are not over."""

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width - _FREE
        yield _rows(self.view, max(_SHORTEST_NAME, min(_NAME, width - _BESIDE_NAME)))
        if self.left > _ROWS:
            yield Text(f"… and {self.left - _ROWS:,} more", style="dim")
        if len(self.view.jobs) > 1:
            yield _bar(self.view, min(_BAR, width // 2))


def _rows(view: JobsView, width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=width, no_wrap=True, overflow="ellipsis")
    table.add_column(min_width=11, no_wrap=True)
    table.add_column(justify="right", min_width=5, no_wrap=True, style="dim")
    for job in view.furthest(_ROWS):
        table.add_row(
            Text(" ".join(job.name.split())), _state(job), f"{view.now - job.since:.0f} s"
        )
    return table


def _state(job: Job) -> Text:
    return Text(job.state, style=_STYLES.get(job.state, "cyan"))


def _bar(view: JobsView, width: int) -> Table:
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(len(view.jobs), view.over, width=width),
        f"[bold]{view.over:,}[/] of {len(view.jobs):,}",
        f"{view.seconds:.0f} s",
    )
    return row
