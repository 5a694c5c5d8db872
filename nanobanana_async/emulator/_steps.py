"""A value that changes at given times and stays as it is in between."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from math import inf
from typing import Generic, TypeVar

T = TypeVar("T")


class Steps(Generic[T]):
    """Holds a value for each time; times are the core's seconds."""

    def __init__(self, first: T, changes: Iterable[tuple[float, T]] = ()) -> None:
        """Begin with `first`; each change is the time from which a value holds, in order."""
        changes = list(changes)
        self._times = [time for time, _ in changes]
        self._values = [first, *(value for _, value in changes)]

    def at(self, time: float) -> T:
        """Return the value at `time`."""
        return self._values[bisect_right(self._times, time)]

    def next_change(self, time: float) -> float:
        """Return when the value after that of `time` begins; infinity where it is the last."""
        index = bisect_right(self._times, time)
        return self._times[index] if index < len(self._times) else inf

    def pieces(self, since: float, until: float) -> Iterator[tuple[float, T]]:
        """Yield the seconds and the value of each piece; the last one holds at `until` itself."""
        index = bisect_right(self._times, since)
        while index < len(self._times) and self._times[index] <= until:
            yield self._times[index] - since, self._values[index]
            since = self._times[index]
            index += 1
        yield until - since, self._values[index]
