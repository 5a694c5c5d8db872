"""Which callbacks are due when. Delivering them is the front's work.

A delivery is good when it is answered 200 within 30 s; otherwise up to three more follow, with
growing delays.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from attrs import frozen

from nanobanana_async.emulator._task import Task

_DELAYS: Final = (30.0, 60.0, 120.0)


@frozen
class Delivery:
    """One POST that a front has to make."""

    task_id: str
    url: str
    body: bytes
    """The status envelope, JSON."""
    attempt: int
    """0 for the first."""


class Callbacks:
    """The deliveries of all tasks, by time."""

    def __init__(self, speed: float, body: Callable[[Task, float], bytes]) -> None:
        """`speed` divides the delays; `body` encodes a task at a time in seconds."""
        self._speed = speed
        self._body = body
        # (due, task id, attempt): no two are alike, as a delivery is made before its next one.
        self._due: list[tuple[float, str, int]] = []
        self._tasks: dict[str, tuple[Task, str]] = {}

    def expect(self, task: Task, url: str) -> None:
        """Note that this task's end is to be told to `url`."""
        self._tasks[task.id] = (task, url)
        heappush(self._due, (task.life.end, task.id, 0))

    def next_at(self) -> float | None:
        """Return the time in seconds of the next delivery, or None."""
        return self._due[0][0] if self._due else None

    def take(self, now: float) -> list[Delivery]:
        """Return what is due; each is then answered for with `delivered`, once."""
        taken = []
        while self._due and self._due[0][0] <= now:
            _, task_id, attempt = heappop(self._due)
            task, url = self._tasks[task_id]
            taken.append(Delivery(task_id, url, self._body(task, now), attempt))
        return taken

    def delivered(self, now: float, delivery: Delivery, *, ok: bool) -> None:
        """Plan the next attempt, or none after success or the last one."""
        if ok or delivery.attempt == len(_DELAYS):
            del self._tasks[delivery.task_id]
            return
        due = now + _DELAYS[delivery.attempt] / self._speed
        heappush(self._due, (due, delivery.task_id, delivery.attempt + 1))
