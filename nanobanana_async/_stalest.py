"""Looks in turn: the task that was not looked at for longest. Pure: times are handed in."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Generic, TypeVar

from attrs import define, field

from nanobanana_async._service_times import ServiceClass

__all__ = ["StalestFirst"]

_GAP = 1.0
_TOLD_GAP = 60.0  # where a webhook tells of the end, and looks find the lost ones

T = TypeVar("T")


@define(eq=False, repr=False)
class StalestFirst(Generic[T]):
    """A `Schedule` that spreads a short budget evenly: never within `gap` seconds of the last look.

    Each operation is O(log n).
    """

    gap: float = _GAP
    # A heap of (eligible at, number, task). An entry is valid while its number is the one on
    # record for its task; others are left where they are and dropped when they come up.
    _heap: list[tuple[float, int, T]] = field(factory=list, init=False)
    _valid: dict[T, int | None] = field(factory=dict, init=False)
    """The number of each task's entry; None while it is out."""
    _told: set[T] = field(factory=set, init=False)
    """Tasks whose ends are told."""
    _numbers: count[int] = field(factory=count, init=False)

    def add(self, task: T, of: ServiceClass, seen_at: float, *, told: bool = False) -> None:  # noqa: ARG002 - the protocol
        self._valid[task] = None
        if told:
            self._told.add(task)
        self._push(task, seen_at + self._gap_of(task))

    def draw(self, now: float) -> T | None:
        if self.next_at() > now:
            return None
        task = heappop(self._heap)[2]
        self._valid[task] = None
        return task

    def take(self, task: T) -> bool:
        if self._valid.get(task) is None:
            return False
        self._valid[task] = None
        return True

    def seen(self, task: T, age: float, seen_at: float, not_before: float = -inf) -> None:  # noqa: ARG002 - the protocol
        self._push(task, max(seen_at + self._gap_of(task), not_before))

    def again(self, task: T, now: float, not_before: float) -> None:
        self._push(task, max(now + self.gap, not_before))

    def remove(self, task: T) -> None:
        self._valid.pop(task, None)
        self._told.discard(task)

    def next_at(self) -> float:
        heap = self._heap
        while heap and self._valid.get(heap[0][2]) != heap[0][1]:
            heappop(heap)
        return heap[0][0] if heap else inf

    def _gap_of(self, task: T) -> float:
        return _TOLD_GAP if task in self._told else self.gap

    def _push(self, task: T, eligible_at: float) -> None:
        if task in self._valid:
            number = self._valid[task] = next(self._numbers)
            heappush(self._heap, (eligible_at, number, task))
