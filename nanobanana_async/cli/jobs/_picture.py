"""The jobs of a command in a terminal. Needs rich; import it late."""

from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nanobanana_async.cli.jobs._job import DOWNLOADING, IN_LINE, Job
from nanobanana_async.cli.jobs._view import JobsView

# Narrow, since lines that a resized terminal has wrapped cannot be taken back.
_BAR: Final = 30
_ROWS: Final = 10
_NAME: Final = 34
_STYLES: Final = {IN_LINE: "dim", DOWNLOADING: "green"}


def picture(view: JobsView) -> RenderableType:
    """Lay out a row for each of a few jobs, and a bar where there are several."""
    left = len(view.jobs) - view.over
    if not left:
        return Group()  # not even a line, else one would stay
    parts: list[RenderableType] = [_rows(view)]
    if left > _ROWS:
        parts.append(Text(f"… and {left - _ROWS:,} more", style="dim"))
    if len(view.jobs) > 1:
        parts.append(_bar(view))
    return Group(*parts)


def _rows(view: JobsView) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=_NAME, no_wrap=True, overflow="ellipsis")
    table.add_column(min_width=11)
    table.add_column(justify="right", min_width=5, style="dim")
    for job in view.furthest(_ROWS):
        table.add_row(
            Text(" ".join(job.name.split())), _state(job), f"{view.now - job.since:.0f} s"
        )
    return table


def _state(job: Job) -> Text:
    return Text(job.state, style=_STYLES.get(job.state, "cyan"))


def _bar(view: JobsView) -> Table:
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(len(view.jobs), view.over, width=_BAR),
        f"[bold]{view.over:,}[/] of {len(view.jobs):,}",
        f"{view.seconds:.0f} s",
    )
    return row
