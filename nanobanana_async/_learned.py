"""Looks where they are likeliest to find something new. Pure: times are handed in, in seconds.

Each class of tasks has a clock that runs with the square root of its hazard (`_life_table`): by it,
a task is worth its next look after the same time whatever its age and class. That time is a price
which tunes itself: where looks come later than they were due, it was too low, so it rises; where
there is budget to spare it falls, down to what a look is worth at all. So it settles where the
budget is just used up.

Where a webhook tells of the end, a look is for those whose delivery was lost: it comes when most
tasks would have ended, so nearly all are never looked at. It says nothing of the price.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf, sqrt
from typing import Generic, TypeVar

from attrs import define, field

from nanobanana_async._life_table import LifeTable
from nanobanana_async._service_times import LearnedTimes, ServiceClass

__all__ = ["MINIMUM_GAP", "LearnedSchedule", "longest_gap"]

MINIMUM_GAP = 0.5
"""Seconds between two looks at one task, at least."""
_TOLD_SHARE = 0.9
"""The share of tasks whose ends are told that must have ended before a look is worth it: so these
cost .1 + .01 + … looks each, and a lost delivery delays by the slowest tenth at most."""
_TOLD_LONGER = 4  # times as long as others may go without a look
_STEP = 0.02  # how far the price moves towards what one look turned out to be worth

T = TypeVar("T")


def longest_gap(age: float) -> float:
    """Return the seconds after which a task last seen at `age` is due, whatever was learned."""
    return min(60.0, max(30.0, age / 4))


@define(eq=False, repr=False)
class _Watched:
    """A task in flight."""

    table: LifeTable
    age: float
    """At its last good look."""
    seen_at: float
    """The time of that."""
    entry: int | None = None
    """The number of its valid entry in one of the heaps; None while it is out."""
    told: bool = False
    """True where a webhook tells of its end."""

    def realised(self, now: float) -> float:
        """Return by how much its clock has moved on since it was seen."""
        table, age = self.table, self.age
        return table.clock(age + now - self.seen_at) - table.clock(age)


@define(eq=False, repr=False)
class LearnedSchedule(Generic[T]):
    """A `Schedule` by what `times` has learned. Each operation is O(log n).

    Args:
        times: the life tables; whoever applies the answers feeds them.
        price: what a look is worth, in seconds of lag: no task is looked at for less.
    """

    times: LearnedTimes
    price: float
    _least: float = field(init=False)
    """The clock's time after which a look is worth its price: sqrt(2 price)."""
    _due_after: float = field(init=False)
    """The clock's time after which a task is due; never below `_least`."""
    _watched: dict[T, _Watched] = field(factory=dict, init=False)
    # Two heaps, or fresh tasks that must wait would block the head. Tasks that may not be looked at
    # yet, by when they may: (eligible at, number, due at, task); and those that may, by when they
    # are due: (due at, number, task). Entries that are not valid are dropped when they come up.
    _waiting: list[tuple[float, int, float, T]] = field(factory=list, init=False)
    _ready: list[tuple[float, int, T]] = field(factory=list, init=False)
    _numbers: count[int] = field(factory=count, init=False)

    def __attrs_post_init__(self) -> None:
        self._least = self._due_after = sqrt(2 * self.price)

    def add(self, task: T, of: ServiceClass, seen_at: float, *, told: bool = False) -> None:
        watched = self._watched[task] = _Watched(self.times.table(of), 0.0, seen_at, told=told)
        self._plan(task, watched, -inf)

    def draw(self, now: float) -> T | None:
        self._promote(now)
        if not self._ready:
            return None
        task = heappop(self._ready)[2]
        watched = self._watched[task]
        watched.entry = None
        if not watched.told:
            self._tune(watched.realised(now))
        return task

    def take(self, task: T) -> bool:
        watched = self._watched.get(task)
        if watched is None or watched.entry is None:
            return False
        watched.entry = None
        return True

    def seen(self, task: T, age: float, seen_at: float, not_before: float = -inf) -> None:
        watched = self._watched.get(task)
        if watched is not None:
            watched.age, watched.seen_at = age, seen_at
            self._plan(task, watched, not_before)

    def again(self, task: T, now: float, not_before: float) -> None:
        watched = self._watched.get(task)
        if watched is not None:
            at = max(now + MINIMUM_GAP, not_before)
            self._push(task, watched, at, at)

    def remove(self, task: T) -> None:
        self._watched.pop(task, None)

    def next_at(self) -> float:
        if self._ready_head():
            return -inf
        waiting = self._waiting
        while waiting and not self._valid(waiting[0][3], waiting[0][1]):
            heappop(waiting)
        return waiting[0][0] if waiting else inf

    def _plan(self, task: T, watched: _Watched, not_before: float) -> None:
        """Choose from when it may be looked at, and when it is due."""
        table, age, seen_at = watched.table, watched.age, watched.seen_at
        longest = longest_gap(age)
        if watched.told:
            longest *= _TOLD_LONGER
            eligible_age = due_age = table.ended_by(age, _TOLD_SHARE)
        else:
            clock = table.clock(age)
            eligible_age = table.age_at(clock + self._least)
            due_age = table.age_at(clock + self._due_after)
        eligible = min(max(eligible_age - age, MINIMUM_GAP), longest)
        due = min(max(due_age - age, MINIMUM_GAP), longest)
        eligible_at = max(seen_at + eligible, not_before)
        self._push(task, watched, eligible_at, max(seen_at + due, eligible_at))

    def _push(self, task: T, watched: _Watched, eligible_at: float, due_at: float) -> None:
        number = watched.entry = next(self._numbers)
        heappush(self._waiting, (eligible_at, number, due_at, task))

    def _promote(self, now: float) -> None:
        """Let those whose time has come compete, and bring a valid one to the head."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            _, number, due_at, task = heappop(waiting)
            if self._valid(task, number):
                heappush(self._ready, (due_at, number, task))
        self._ready_head()

    def _ready_head(self) -> bool:
        ready = self._ready
        while ready and not self._valid(ready[0][2], ready[0][1]):
            heappop(ready)
        return bool(ready)

    def _valid(self, task: T, number: int) -> bool:
        watched = self._watched.get(task)
        return watched is not None and watched.entry == number

    def _tune(self, realised: float) -> None:
        """Move the price towards what this look turned out to be worth."""
        if realised > 0:
            moved = self._due_after * (realised / self._due_after) ** _STEP
            self._due_after = max(self._least, moved)
