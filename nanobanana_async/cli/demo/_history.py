"""How a counter has grown of late, as a row of columns. Pure: time is passed in."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from math import floor
from typing import Final

from attrs import define, field

SPAN: Final = 40.0
"""Seconds that are shown."""
_KEPT: Final = 1.25 * SPAN
"""The columns that are shown begin up to one of them earlier."""

Reading = tuple[float, int]


@define
class History:
    """Remembers the readings of a counter for as long as they are shown."""

    _readings: deque[Reading] = field(factory=deque, init=False)

    def add(self, now: float, count: int) -> Sequence[Reading]:
        """Note the counter, and return what is remembered, oldest first."""
        readings = self._readings
        readings.append((now, count))
        while readings[0][0] < now - _KEPT:
            readings.popleft()
        return tuple(readings)


def growth(readings: Sequence[Reading], columns: int) -> list[float | None]:
    """Return the growth a second in each of the columns of the last span, oldest first.

    Columns begin at whole multiples of their width, so that none changes once it is there; the one
    under way is not among them. None stands for the time before the first reading.
    """
    step = SPAN / columns
    times = [time for time, _ in readings]
    newest = floor(times[-1] / step)
    edges = [index * step for index in range(newest - columns, newest + 1)]
    counts = [_at(edge, times, readings) for edge in edges]
    return [
        None if before is None or after is None else (after - before) / step
        for before, after in pairwise(counts)
    ]


def _at(time: float, times: list[float], readings: Sequence[Reading]) -> float | None:
    """Return the counter at a time between two readings."""
    right = bisect_left(times, time)
    if right == len(times) or (right == 0 and times[0] > time):
        return None
    if right == 0:
        return readings[0][1]
    (t0, c0), (t1, c1) = readings[right - 1], readings[right]
    return c0 + (c1 - c0) * (time - t0) / (t1 - t0)
