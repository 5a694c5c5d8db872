"""What shows the progress, and which of the displays fits where stdout goes to."""

import os
import sys
from types import TracebackType
from typing import Protocol, Self

from nanobanana_async.cli._progress import Snapshot


class Display(Protocol):
    """Shows snapshots for as long as `with` lasts."""

    @property
    def interval(self) -> float:
        """Seconds from one snapshot to the next."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End; what was shown last stays."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the figures of this moment."""


def fitting_display() -> Display:
    """Return the live display in a terminal that can move its cursor, else plain lines."""
    if sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
        from nanobanana_async.cli._live import LiveDisplay  # noqa: PLC0415 - rich is slow

        return LiveDisplay()
    from nanobanana_async.cli._plain import PlainDisplay  # noqa: PLC0415 - one of the two

    return PlainDisplay()
