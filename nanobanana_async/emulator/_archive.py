"""The tasks that the API knows."""

from heapq import heappop, heappush

from nanobanana_async.emulator._task import Task


class Archive:
    """Finds a task by its id, for as long as it is kept; O(log n) a task."""

    def __init__(self, kept: float | None) -> None:
        """`kept` is the seconds from a task's end until nobody knows it; None is for ever."""
        self._kept = kept
        self._tasks: dict[str, Task] = {}
        self._due: list[tuple[float, str]] = []

    def add(self, task: Task) -> None:
        """Take in a new task."""
        self._tasks[task.id] = task
        if self._kept is not None:
            heappush(self._due, (task.life.end + self._kept, task.id))

    def find(self, task_id: str) -> Task | None:
        """Return the task, or None where it is unknown or forgotten."""
        return self._tasks.get(task_id)

    def forget(self, task_id: str) -> None:
        """Know this task no more."""
        self._tasks.pop(task_id, None)

    def tidy(self, now: float) -> None:
        """Forget what was kept long enough; `now` is in seconds and never goes back."""
        while self._due and self._due[0][0] <= now:
            self.forget(heappop(self._due)[1])
