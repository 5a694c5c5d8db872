"""The stalest first, and never too soon. What holds for every schedule is in test_schedule."""

from __future__ import annotations

from math import inf, log2
from typing import ClassVar

import pytest

from nanobanana_async._schedule import Schedule
from nanobanana_async._stalest import StalestFirst

OF = ("nano-banana-2", "text-to-image", "1K", "auto")


def drawn(schedule: Schedule[str], now: float) -> str:
    tasks = []
    while (task := schedule.draw(now)) is not None:
        tasks.append(task)
    return "".join(tasks)


def schedule(tasks: str = "", **options: float) -> StalestFirst[str]:
    """Tasks that were added at 0, 1, 2 … s."""
    subject: StalestFirst[str] = StalestFirst(**options)
    for now, task in enumerate(tasks):
        subject.add(task, OF, float(now))
    return subject


def test_a_second_passes_between_two_looks_at_a_task() -> None:
    subject = schedule("a")
    assert subject.next_at() == 1
    assert subject.draw(0.875) is None
    assert subject.draw(1.0) == "a"


def test_the_gap_can_be_another() -> None:
    subject = schedule("a", gap=5.0)
    assert subject.draw(4.875) is None
    assert subject.draw(5.0) == "a"
    subject.again("a", 7.0, 0.0)
    assert subject.next_at() == 12


def test_the_stalest_is_drawn_first() -> None:
    subject = schedule("abc")
    assert drawn(subject, 100.0) == "abc"
    for task, now in zip("bca", (101.0, 102.0, 103.0), strict=True):
        subject.seen(task, now, now)
    assert drawn(subject, 200.0) == "bca"


def test_tasks_of_one_moment_are_drawn_in_the_order_of_their_coming() -> None:
    subject: StalestFirst[str] = StalestFirst()
    for task in "cab":
        subject.add(task, OF, 0.0)
    assert drawn(subject, 1.0) == "cab"


def test_a_drawn_task_is_out_until_it_is_put_back() -> None:
    subject = schedule("a")
    assert subject.draw(10.0) == "a"
    assert subject.draw(1_000.0) is None
    assert subject.next_at() == inf
    subject.again("a", 10.0, 10.0)
    assert subject.next_at() == 11


def test_a_task_can_be_put_back_for_later() -> None:
    subject = schedule("a")
    assert subject.draw(1.0) == "a"
    subject.again("a", 2.0, 60.0)
    assert subject.draw(59.0) is None
    assert subject.draw(60.0) == "a"


def test_one_that_was_asked_for_is_taken_out_of_turn_and_only_once() -> None:
    subject = schedule("abc")
    assert subject.take("b")
    assert not subject.take("b")
    assert drawn(subject, 10.0) == "ac"
    subject.again("b", 10.0, 10.0)
    assert drawn(subject, 20.0) == "b"


def test_one_that_is_out_or_unknown_cannot_be_taken() -> None:
    subject = schedule("a")
    assert subject.draw(1.0) == "a"
    assert not subject.take("a")
    assert not subject.take("x")


def test_a_finished_task_is_forgotten_wherever_it_is() -> None:
    subject = schedule("abc")
    subject.remove("b")
    assert subject.draw(10.0) == "a"
    subject.remove("a")
    subject.remove("x")
    assert drawn(subject, 100.0) == "c"
    assert subject.next_at() == inf


def test_next_at_passes_over_the_forgotten() -> None:
    subject = schedule("abc")
    subject.remove("a")
    assert subject.take("b")
    assert subject.next_at() == 3


def test_a_task_taken_and_put_back_many_times_does_not_pile_up() -> None:
    subject = schedule("a")
    for second in range(10_000):
        now = float(second)
        if subject.take("a"):
            subject.again("a", now, now)
        assert subject.next_at() == now + 1
    assert len(subject._heap) < 10


class CountedTime(float):
    """A time that counts how often it is compared."""

    compared: ClassVar[int] = 0

    def __add__(self, other: float) -> CountedTime:
        return CountedTime(float(self) + other)

    def __lt__(self, other: float) -> bool:
        CountedTime.compared += 1
        return float(self) < float(other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and float(self) == float(other)

    __hash__ = float.__hash__


@pytest.mark.parametrize("tasks", [64, 1_024, 16_384])
def test_a_look_costs_as_many_comparisons_as_the_heap_is_deep(tasks: int) -> None:
    subject: StalestFirst[int] = StalestFirst()
    for task in range(tasks):
        subject.add(task, OF, CountedTime(task / tasks))
    CountedTime.compared = 0
    looks = 500
    for number in range(looks):
        now = CountedTime(10.0 + number)
        task_drawn = subject.draw(now)
        assert task_drawn is not None
        subject.again(task_drawn, now, 0.0)
    assert CountedTime.compared / looks <= 3 * log2(tasks) + 5


@pytest.mark.parametrize("tasks", [64, 1_024, 16_384])
def test_removing_and_taking_are_cheap_however_many_wait(tasks: int) -> None:
    subject: StalestFirst[int] = StalestFirst()
    for task in range(tasks):
        subject.add(task, OF, CountedTime(task / tasks))
    CountedTime.compared = 0
    for task in range(0, tasks, 2):
        subject.remove(task)
    for task in range(1, tasks, 2):
        assert subject.take(task)
    assert CountedTime.compared <= tasks * log2(tasks)


def test_where_the_end_is_told_a_minute_passes_between_two_looks() -> None:
    subject: StalestFirst[str] = StalestFirst()
    subject.add("a", OF, 0.0, told=True)
    assert subject.draw(59.0) is None
    assert subject.draw(60.0) == "a"
    subject.seen("a", 60.0, 60.0)
    assert subject.next_at() == 120.0
