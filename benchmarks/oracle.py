"""Perfect knowledge: what a client could do that is told when each task ends.

It looks at each task once, at its end, so a task costs two requests; its slot is free in that same
moment. Requests leave at the pace of the client's token bucket. This is what figures are divided
by: nobody who has to look can beat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

__all__ = ["bound", "oracle"]

SLOTS = 1_000
BURST = 8
PACE = (10_000 - BURST) / 60
"""Requests a second."""


def bound(mean: float) -> float:
    """Return what nobody can beat in the long run: min(C / E[S], r / 2) tasks a second."""
    return min(SLOTS / mean, 10_000 / 120)


def oracle(service_times: Sequence[float], slots: int = SLOTS, pace: float = PACE) -> list[float]:
    """Return when it would submit each of these tasks, in order; seconds."""
    submitted_at: list[float] = []
    ends: list[float] = []
    now = 0.0
    for seconds in service_times:
        if len(ends) == slots:
            now = max(now, heappop(ends))
        submitted_at.append(now)
        heappush(ends, now + seconds)
        now += 2 / pace
    return submitted_at
