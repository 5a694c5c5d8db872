"""What one event costs the learned schedule, with many tasks in flight."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Final

from attrs import frozen

from nanobanana_async._learned import LearnedSchedule
from nanobanana_async._service_times import LearnedTimes

__all__ = ["CEILING", "SIZES", "Event", "measure"]

SIZES: Final = (1_000, 10_000, 100_000)
CEILING: Final = 30.0
"""Microseconds an event at the largest size."""
EVENTS: Final = 50_000
CLASS: Final = ("nano-banana-2", "text-to-image", "1K", "auto")
A_SECOND: Final = 0.166
"""Looks a second, a task: so many tasks, so many more accounts' worth of looks."""


@frozen
class Event:
    """The mean cost with so many tasks in flight."""

    tasks: int
    microseconds: float


def measure() -> Iterator[Event]:
    """Time looks: one in four finds its task ended, and another takes its place."""
    for tasks in SIZES:
        yield Event(tasks, _microseconds(tasks))


def _microseconds(tasks: int) -> float:
    times = LearnedTimes()
    table, rng = times.table(CLASS), Random(1)
    schedule: LearnedSchedule[int] = LearnedSchedule(times, 0.1)
    born = [-rng.uniform(0.0, 20.0) for _ in range(tasks)]
    ends = [start + 15.0 * rng.lognormvariate(0.0, 0.6) for start in born]
    since = [0.0] * tasks
    for task in range(tasks):
        schedule.add(task, CLASS, born[task])
    lives = [15.0 * rng.lognormvariate(0.0, 0.6) for _ in range(EVENTS)]
    began, done = time.process_time(), 0
    for number in range(EVENTS):
        now = number / (A_SECOND * tasks)
        schedule.next_at()  # as the dispatcher does, before it waits and before it decides
        schedule.next_at()
        drawn = schedule.draw(now)
        if drawn is None:
            continue
        done += 1
        age = now - born[drawn]
        if now >= ends[drawn]:
            table.ended(since[drawn], ends[drawn] - born[drawn])
            schedule.remove(drawn)
            born[drawn], ends[drawn], since[drawn] = now, now + lives[number], 0.0
            schedule.add(drawn, CLASS, now)
        else:
            table.ran(since[drawn], age)
            since[drawn] = age
            schedule.seen(drawn, age, now)
    return (time.process_time() - began) / done * 1e6
