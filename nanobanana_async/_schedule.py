"""Which task to look at with the next request. Pure: the time is handed in.

`Schedule` is all that the dispatcher knows. A task is in one of two places: waiting here, or out,
under a look. `draw` takes it out; `again` puts it back; `remove` ends it in either place.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Generic, Protocol, TypeVar

from attrs import define, field

__all__ = ["MINIMUM_GAP", "Schedule", "StalestFirst"]

MINIMUM_GAP = 1.0
"""Seconds between two looks at one task, at least."""

T = TypeVar("T")


class Schedule(Protocol[T]):
    """Decides what is worth a look."""

    def add(self, task: T, now: float) -> None:
        """Take in a task that was accepted (or adopted) now."""
        ...

    def draw(self, now: float) -> T | None:
        """Take out the task most worth a look now; None where none is."""
        ...

    def take(self, task: T) -> bool:
        """Take out this very task, for a look somebody asked for; False where it is out already."""
        ...

    def again(self, task: T, now: float, not_before: float) -> None:
        """Put back a task that is out: it was looked at now and is not finished."""
        ...

    def remove(self, task: T) -> None:
        """Forget a task: it is finished."""
        ...

    def next_at(self) -> float:
        """From when `draw` has something to give, in the past too; inf where nothing waits."""
        ...


@define
class StalestFirst(Generic[T]):
    """The task that was not looked at for longest, never within `gap` seconds of its last look.

    When the budget is short this spreads it evenly. Each operation is O(log n).
    """

    gap: float = MINIMUM_GAP
    # A heap of (eligible at, number, task). An entry is valid while its number is the one on
    # record for its task; others are left where they are and dropped when they come up.
    _heap: list[tuple[float, int, T]] = field(factory=list, init=False)
    _valid: dict[T, int] = field(factory=dict, init=False)
    _numbers: count[int] = field(factory=count, init=False)

    def add(self, task: T, now: float) -> None:
        self._push(task, now + self.gap)

    def draw(self, now: float) -> T | None:
        if self.next_at() > now:
            return None
        task = heappop(self._heap)[2]
        del self._valid[task]
        return task

    def take(self, task: T) -> bool:
        return self._valid.pop(task, None) is not None

    def again(self, task: T, now: float, not_before: float) -> None:
        self._push(task, max(now + self.gap, not_before))

    def remove(self, task: T) -> None:
        self._valid.pop(task, None)

    def next_at(self) -> float:
        heap = self._heap
        while heap and self._valid.get(heap[0][2]) != heap[0][1]:
            heappop(heap)
        return heap[0][0] if heap else inf

    def _push(self, task: T, eligible_at: float) -> None:
        number = self._valid[task] = next(self._numbers)
        heappush(self._heap, (eligible_at, number, task))
