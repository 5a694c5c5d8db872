"""What shows the progress of some work."""

import os
import sys
from types import TracebackType
from typing import Protocol, Self, TypeVar

T_contra = TypeVar("T_contra", contravariant=True)


class Display(Protocol[T_contra]):
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
        """End; what was shown last stays, unless it had a screen of its own."""

    def show(self, snapshot: T_contra) -> None:
        """Show the figures of this moment."""

    def say(self, text: str) -> None:
        """Say something that stays, above the figures."""


class Still:
    """A display that has nothing to begin and nothing to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


def in_terminal() -> bool:
    """Tell whether stdout is a terminal that can move its cursor."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and os.environ.get("TERM") not in ("dumb", "unknown")
    )
