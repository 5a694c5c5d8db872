"""Which callbacks are due when. Delivering them is the front's work.

A delivery is good when it is answered 200 within 30 s; otherwise up to three more follow, with
growing delays. What faults do to it happens here: a try that gets lost is due, but never handed out.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Final, Literal

from attrs import evolve, frozen

from nanobanana_async.emulator import _callback_faults as _faults
from nanobanana_async.emulator._book import Book
from nanobanana_async.emulator._callback_faults import CallbackFaults
from nanobanana_async.emulator._task import Task

_DELAYS: Final = (30.0, 60.0, 120.0)
_LATE: Final = 60.0
_TWICE_AFTER: Final = 5.0
# From a task's end to the answer that its early callback overtakes. `speed` leaves it as it is: it
# is the time that a delivery gets, and a network is no faster than it is.
_OVERTAKEN_BY: Final = 0.5


@frozen
class Delivery:
    """One POST that a front has to make."""

    task: Task
    url: str
    body: bytes
    """The status envelope, JSON."""
    attempt: int = 0
    """0 for the first."""
    news: Literal["end", "again", "progress"] = "end"
    """Only the end is repeated where it fails."""

    @property
    def task_id(self) -> str:
        """Whose status it tells."""
        return self.task.id


class Callbacks:
    """The deliveries of all tasks, by time."""

    def __init__(
        self,
        speed: float,
        body: Callable[[Task, float], bytes],
        faults: CallbackFaults,
        book: Book,
    ) -> None:
        """`speed` divides the delays; `body` encodes a task at a time in seconds."""
        self._speed = speed
        self._body = body
        self._faults = faults
        self._book = book
        self._due: list[tuple[float, int, Delivery]] = []
        # Breaks ties, in order of planning.
        self._serial = count()
        self._sooner: Callable[[], None] | None = None

    def notify(self, sooner: Callable[[], None] | None) -> None:
        """Call `sooner` when something is planned that comes before all the rest; None: nobody."""
        self._sooner = sooner

    def expect(self, task: Task, url: str) -> float:
        """Plan to tell this new task's end to `url`.

        Returns the seconds for which the submit's own answer is held back.
        """
        fault = task.callback_fault = self._faults.of_task()
        if fault is not None:
            self._book.injected(fault, refuses=False)
        if fault == _faults.LOST:
            self._book.told_nobody(task)
        began, end = task.life.accepted, task.life.end
        if fault == _faults.PROGRESS:
            half_way = (began + end) / 2
            body = self._body(task, half_way)
            self._plan(half_way, Delivery(task, url, body, news="progress"))
        late = _LATE / self._speed if fault == _faults.LATE else 0.0
        self._plan(end + late, Delivery(task, url, self._body(task, end)))
        return end - began + _OVERTAKEN_BY if fault == _faults.EARLY else 0.0

    def next_at(self) -> float | None:
        """Return the time in seconds of the next delivery, or None."""
        return self._due[0][0] if self._due else None

    def take(self, now: float) -> list[Delivery]:
        """Return what is due; each is then answered for with `delivered`, once."""
        taken = []
        while self._due and self._due[0][0] <= now:
            _, _, delivery = heappop(self._due)
            if self._gets_lost(delivery):
                self.delivered(now, delivery, ok=False)
            else:
                taken.append(delivery)
        return taken

    def delivered(self, now: float, delivery: Delivery, *, ok: bool) -> None:
        """Note how it went and plan what follows, if anything."""
        self._book.called_back(ok=ok)
        if delivery.news != "end":
            return
        if ok:
            self._book.told(now, delivery.task)
            self._perhaps_again(now, delivery)
        elif delivery.attempt < len(_DELAYS):
            due = now + _DELAYS[delivery.attempt] / self._speed
            self._plan(due, evolve(delivery, attempt=delivery.attempt + 1))
        elif delivery.task.callback_fault != _faults.LOST:
            self._book.told_nobody(delivery.task)

    def _gets_lost(self, delivery: Delivery) -> bool:
        fault = delivery.task.callback_fault
        if fault == _faults.LOST:
            return True
        # One that came half a minute later would not be early.
        spared = fault == _faults.EARLY and delivery.attempt == 0 and delivery.news == "end"
        dropped = not spared and self._faults.happens(_faults.DROP)
        if dropped:
            self._book.injected(_faults.DROP, refuses=False)
        return dropped

    def _perhaps_again(self, now: float, delivery: Delivery) -> None:
        if self._faults.happens(_faults.TWICE):
            self._book.injected(_faults.TWICE, refuses=False)
            self._plan(now + _TWICE_AFTER / self._speed, evolve(delivery, news="again"))

    def _plan(self, due: float, delivery: Delivery) -> None:
        entry = (due, next(self._serial), delivery)
        heappush(self._due, entry)
        if self._sooner is not None and self._due[0] is entry:
            self._sooner()
