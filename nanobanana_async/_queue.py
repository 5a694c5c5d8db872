"""The one queue in front of the slots: two classes, first in first out within each.

A limiter that callers wait at serves them in the order in which they came: an interactive call
would stand behind 5,000 bulk ones. So everybody stands here, and the dispatcher picks. Pure: the
time is handed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Generic, TypeVar

from attrs import define, field

__all__ = ["BULK_SHARE", "TwoClassQueue"]

BULK_SHARE = 8
"""Where both classes wait, one of this many submits is bulk."""

T = TypeVar("T")


@define(eq=False, repr=False)
class TwoClassQueue(Generic[T]):
    """Interactive before bulk, but bulk is never starved. Every operation is O(log n) or better."""

    # Ordered dicts rather than deques: a caller who leaves is taken out of the middle.
    _interactive: OrderedDict[T, None] = field(factory=OrderedDict, init=False)
    _bulk: OrderedDict[T, None] = field(factory=OrderedDict, init=False)
    # A heap of (until, number, item, bulk). An entry is valid while its number is the one on
    # record for its item, by class; others are left where they are and dropped when they come up.
    _delayed: list[tuple[float, int, T, bool]] = field(factory=list, init=False)
    _valid: dict[bool, dict[T, int]] = field(factory=lambda: {False: {}, True: {}}, init=False)
    _numbers: count[int] = field(factory=count, init=False)
    _interactive_in_a_row: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._interactive) + len(self._valid[False]) + self.bulk

    @property
    def bulk(self) -> int:
        """Those of the bulk class."""
        return len(self._bulk) + len(self._valid[True])

    def __iter__(self) -> Iterator[T]:
        yield from self._interactive
        yield from self._bulk
        yield from self._valid[False]
        yield from self._valid[True]

    def push(self, item: T, *, bulk: bool) -> None:
        """Join the end of a class."""
        self._class(bulk)[item] = None

    def push_front(self, item: T, *, bulk: bool) -> None:
        """Go back to the front of a class: it has waited its turn already."""
        line = self._class(bulk)
        line[item] = None
        line.move_to_end(item, last=False)

    def delay(self, item: T, until: float, *, bulk: bool) -> None:
        """Go back to the front of a class, not before `until`."""
        number = self._valid[bulk][item] = next(self._numbers)
        heappush(self._delayed, (until, number, item, bulk))

    def remove(self, item: T) -> None:
        """Leave, from wherever it stands.

        Raises:
            KeyError: it is not waiting.
        """
        for line in (self._interactive, self._bulk, self._valid[False]):
            if item in line:
                del line[item]
                return
        del self._valid[True][item]

    def ready_at(self) -> float:
        """From when `pop` has something to give: -inf for now, inf for an empty queue."""
        if self._interactive or self._bulk:
            return -inf
        return self._next_end()

    def pop(self, now: float) -> T:
        """Take the next one.

        Raises:
            KeyError: nobody is ready.
        """
        while self._next_end() <= now:
            _, _, item, bulk = heappop(self._delayed)
            del self._valid[bulk][item]
            self.push_front(item, bulk=bulk)
        starved = self._interactive_in_a_row >= BULK_SHARE - 1
        if self._interactive and not (self._bulk and starved):
            self._interactive_in_a_row += 1
            return self._interactive.popitem(last=False)[0]
        self._interactive_in_a_row = 0
        return self._bulk.popitem(last=False)[0]

    def _next_end(self) -> float:
        heap = self._delayed
        while heap and self._valid[heap[0][3]].get(heap[0][2]) != heap[0][1]:
            heappop(heap)
        return heap[0][0] if heap else inf

    def _class(self, bulk: bool) -> OrderedDict[T, None]:
        return self._bulk if bulk else self._interactive
