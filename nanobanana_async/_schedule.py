"""What the dispatcher knows of the order of looks. Pure: times are handed in, in seconds."""

from __future__ import annotations

from math import inf
from typing import Protocol, TypeVar

from nanobanana_async._service_times import ServiceClass

__all__ = ["Schedule"]

T = TypeVar("T")


class Schedule(Protocol[T]):
    """Decides which task is looked at with the next request.

    A task is in one of two places: waiting here, or out, under a look. `draw` and `take` take it
    out; `seen` and `again` put it back; `remove` ends it in either place, and an answer to a look
    that was under way then changes nothing any more.
    """

    def add(self, task: T, of: ServiceClass, seen_at: float, *, told: bool = False) -> None:
        """Take in a task that was new at the time `seen_at`.

        `told`: its end is told by a webhook; it is looked at where that seems to be lost.
        """
        ...

    def draw(self, now: float) -> T | None:
        """Take out the task most worth a look now; None where none is."""
        ...

    def take(self, task: T) -> bool:
        """Take out this very task, for a look somebody asked for; False where it is out already."""
        ...

    def seen(self, task: T, age: float, seen_at: float, not_before: float = -inf) -> None:
        """Put back a task that is out: it ran at that age at the time `seen_at`."""
        ...

    def again(self, task: T, now: float, not_before: float) -> None:
        """Put back a task that is out: the look at it told nothing."""
        ...

    def remove(self, task: T) -> None:
        """Forget a task: it is finished."""
        ...

    def next_at(self) -> float:
        """From when `draw` has something to give, in the past too; inf where nothing waits."""
        ...
