"""The one queue in front of the slots: two classes, first in first out within each.

A limiter that callers wait at serves them in the order in which they came: an interactive call
would stand behind 5,000 bulk ones. So everybody stands here, and the dispatcher picks. Pure: the
time is handed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Generic, TypeVar

from attrs import define, field

__all__ = ["BULK_SHARE", "TwoClassQueue"]

BULK_SHARE = 8
"""Where both classes wait, one of this many submits is bulk."""

T = TypeVar("T")


@define
class TwoClassQueue(Generic[T]):
    """Interactive before bulk, but bulk is never starved. Every operation is O(log n) or better."""

    # Ordered dicts rather than deques: a caller who leaves is taken out of the middle.
    _interactive: OrderedDict[T, None] = field(factory=OrderedDict, init=False)
    _bulk: OrderedDict[T, None] = field(factory=OrderedDict, init=False)
    _delayed: list[tuple[float, int, T, bool]] = field(factory=list, init=False)
    _order: Iterator[int] = field(factory=count, init=False)
    _interactive_in_a_row: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk) + len(self._delayed)

    def __iter__(self) -> Iterator[T]:
        yield from self._interactive
        yield from self._bulk
        yield from (item for _, _, item, _ in self._delayed)

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
        heappush(self._delayed, (until, next(self._order), item, bulk))

    def remove(self, item: T) -> None:
        """Leave, from wherever it stands.

        Raises:
            KeyError: it is not waiting.
        """
        for line in (self._interactive, self._bulk):
            if item in line:
                del line[item]
                return
        rest = [entry for entry in self._delayed if entry[2] is not item]
        if len(rest) == len(self._delayed):
            raise KeyError(item)
        self._delayed = rest
        heapify(self._delayed)

    def ready_at(self) -> float:
        """From when `pop` has something to give: -inf for now, inf for an empty queue."""
        if self._interactive or self._bulk:
            return -inf
        return self._delayed[0][0] if self._delayed else inf

    def pop(self, now: float) -> T:
        """Take the next one.

        Raises:
            KeyError: nobody is ready.
        """
        while self._delayed and self._delayed[0][0] <= now:
            _, _, item, bulk = heappop(self._delayed)
            self.push_front(item, bulk=bulk)
        starved = self._interactive_in_a_row >= BULK_SHARE - 1
        if self._interactive and not (self._bulk and starved):
            self._interactive_in_a_row += 1
            return self._interactive.popitem(last=False)[0]
        self._interactive_in_a_row = 0
        return self._bulk.popitem(last=False)[0]

    def _class(self, bulk: bool) -> OrderedDict[T, None]:
        return self._bulk if bulk else self._interactive
