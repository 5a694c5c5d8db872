"""The limit of tasks at once."""

from heapq import heappop, heappush

from nanobanana_async.emulator._steps import Steps


class _Ends:
    """Counts what has not ended yet."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    def left(self, now: float) -> int:
        ends = self._ends
        while ends and ends[0] <= now:
            heappop(ends)
        return len(ends)

    def add(self, end: float) -> None:
        heappush(self._ends, end)


class Places:
    """A place is held from a task's acceptance to its real end, whoever looks or does not.

    It may be freed late: then it is held a while longer, though nothing runs on it.
    """

    def __init__(self, limit: Steps[int], freed_late: float = 0.0) -> None:
        """Begin with all places free; `freed_late` is in seconds."""
        self._limit = limit
        self._freed_late = freed_late
        self._running = _Ends()
        self._held = _Ends()

    def running(self, now: float) -> int:
        """Count the tasks that run at `now` (seconds, never going back)."""
        return self._running.left(now)

    def free(self, now: float) -> bool:
        """Tell whether one more task may start."""
        return self._held.left(now) < self._limit.at(now)

    def take(self, end: float) -> None:
        """Hold a place for a task that ends at `end`, in seconds."""
        self._running.add(end)
        self._held.add(end + self._freed_late)
