"""The limit of tasks at once."""

from heapq import heappop, heappush


class Places:
    """A place is held from a task's acceptance to its real end, whoever looks or does not."""

    def __init__(self, limit: int) -> None:
        """Begin with all places free."""
        self._limit = limit
        self._ends: list[float] = []

    def running(self, now: float) -> int:
        """Count the tasks that run at `now` (seconds, never going back)."""
        ends = self._ends
        while ends and ends[0] <= now:
            heappop(ends)
        return len(ends)

    def free(self, now: float) -> bool:
        """Tell whether one more task may start."""
        return self.running(now) < self._limit

    def take(self, end: float) -> None:
        """Hold a place until `end`, in seconds."""
        heappush(self._ends, end)
