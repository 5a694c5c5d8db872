"""Progress as one line every two seconds, for files, pipes and logs."""

from types import TracebackType
from typing import Final, Self

import click

from nanobanana_async.cli._progress import Snapshot


class PlainDisplay:
    """Prints a line for each snapshot."""

    interval: Final = 2.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, snapshot: Snapshot) -> None:
        click.echo(line(snapshot))


def line(snapshot: Snapshot) -> str:
    """Put the figures into one line."""
    failed = f", {snapshot.failed:,} failed" if snapshot.failed else ""
    return (
        f"{snapshot.seconds:4.0f} s: {snapshot.done:,}/{snapshot.total:,} done, "
        f"{snapshot.submitted:,} submitted, {snapshot.in_flight:,} in flight, "
        f"{snapshot.downloaded:,} downloaded, "
        f"{snapshot.requests_per_second:.0f} requests/s (limit {snapshot.requests_limit:.0f}), "
        f"{snapshot.refusals:,} refused{failed}"
    )
