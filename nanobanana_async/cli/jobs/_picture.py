"""The jobs of a command in a terminal. Needs rich; import it late."""

from collections.abc import Sequence
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
    rows = [_row(job, view.now) for job in view.furthest(_ROWS)]
    return _Picture(rows, left - len(rows), _Bar(view) if len(view.jobs) > 1 else None)


def _row(job: Job, now: float) -> tuple[Text, Text, str]:
    name = Text(" ".join(job.name.split()))
    state = Text(job.state, style=_STYLES.get(job.state, "cyan"))
    return name, state, f"{now - job.since:.0f} s"


@frozen
class _Picture:
    """What is drawn anew at each width; the jobs themselves go on meanwhile."""

    rows: Sequence[tuple[Text, Text, str]]
    more: int
    """Jobs that have no row."""
    bar: "_Bar | None"

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width - _FREE
        table = Table.grid(padding=(0, 2))
        name = max(_SHORTEST_NAME, min(_NAME, width - _BESIDE_NAME))
        table.add_column(width=name, no_wrap=True, overflow="ellipsis")
        table.add_column(min_width=11, no_wrap=True)
        table.add_column(justify="right", min_width=5, no_wrap=True, style="dim")
        for row in self.rows:
            table.add_row(*row)
        yield table
        if self.more:
            yield Text(f"… and {self.more:,} more", style="dim")
        if self.bar is not None:
            yield self.bar.drawn(min(_BAR, width // 2))


class _Bar:
    def __init__(self, view: JobsView) -> None:
        self._over, self._all, self._seconds = view.over, len(view.jobs), view.seconds

    def drawn(self, width: int) -> RenderableType:
        row = Table.grid(padding=(0, 2))
        row.add_row(
            ProgressBar(self._all, self._over, width=width),
            f"[bold]{self._over:,}[/] of {self._all:,}",
            f"{self._seconds:.0f} s",
        )
        return row
