"""Counting requests in a minute, two ways. Times are seconds and never go back."""

from collections import deque
from math import floor
from typing import Final, Protocol

MINUTE: Final = 60.0


class Window(Protocol):
    """Counts in a window that ends, or is under way, at `now`."""

    def count(self, now: float) -> int:
        """Return how many were added in the window of `now`."""

    def add(self, now: float) -> None:
        """Add one."""


class SlidingWindow:
    """The minute (now - 60 s, now]; constant time a request, amortised."""

    def __init__(self) -> None:
        """Begin empty."""
        self._times: deque[float] = deque()

    def count(self, now: float) -> int:
        """Return how many were added in (now - 60 s, now]."""
        times = self._times
        begin = now - MINUTE
        while times and times[0] <= begin:
            times.popleft()
        return len(times)

    def add(self, now: float) -> None:
        """Add one."""
        self._times.append(now)


class FixedWindow:
    """Minutes that begin at offset, offset + 60 s and so on: each is [begin, begin + 60 s)."""

    def __init__(self, offset: float) -> None:
        """Begin empty; `offset` is in seconds."""
        self._offset = offset
        self._index = 0
        self._count = 0

    def count(self, now: float) -> int:
        """Return how many were added in the window that holds `now`."""
        index = floor((now - self._offset) / MINUTE)
        if index != self._index:
            self._index, self._count = index, 0
        return self._count

    def add(self, now: float) -> None:
        """Add one."""
        self._count = self.count(now) + 1
