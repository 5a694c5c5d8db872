"""What holds for every schedule: no task is forgotten, none waits too long, none is hurried."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from itertools import count, cycle, islice
from math import inf
from typing import ClassVar

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nanobanana_async._learned import LearnedSchedule, longest_gap
from nanobanana_async._life_table import BINS
from nanobanana_async._schedule import Schedule
from nanobanana_async._service_times import ClassTimes, LearnedTimes, ServiceClass, ServiceTimes
from nanobanana_async._stalest import StalestFirst

steady = settings(deadline=None, derandomize=True, max_examples=150, stateful_step_count=60)

CLASSES: tuple[ServiceClass, ...] = (
    ("nano-banana-2", "text-to-image", "1K", "auto"),
    ("nano-banana-2", "text-to-image", "4K", "auto"),
    ("nano-banana", "text-to-image", None, "auto"),
)

COLD = ClassTimes([0.0] * BINS, [0.0] * BINS)
HASTY = ClassTimes([1e3] * BINS, [1.0] * BINS)
ENDLESS = ClassTimes([0.0] * BINS, [1e7] * BINS)


class Tasks(RuleBasedStateMachine):
    """The model: when each task was last looked at, and until when it may be left alone."""

    gap: ClassVar[float]

    def __init__(self) -> None:
        super().__init__()
        self.times = LearnedTimes()
        self.schedule = self.made()
        self.now = 0.0
        self.count = 0
        self.born: dict[int, float] = {}
        self.not_before: dict[int, float] = {}
        """Tasks that wait, each with the time before which it must not be drawn."""
        self.bound: dict[int, float] = {}
        """Tasks that wait, each with the time from which, given budget, it must have been drawn."""
        self.out: set[int] = set()
        self.over: set[int] = set()

    @abstractmethod
    def made(self) -> Schedule[int]:
        """Build the schedule under test, on `times`."""

    @abstractmethod
    def longest(self, age: float) -> float:
        """Return the seconds after which a task that was seen at this age is due."""

    @initialize(known=st.permutations([COLD, HASTY, ENDLESS]) | st.just([COLD] * 3))
    def know(self, known: list[ClassTimes]) -> None:
        """Its tables may be warm."""
        self.times.start_from(ServiceTimes(dict(zip(CLASSES, known, strict=True))))

    @rule(seconds=st.sampled_from([0.1, 0.45, 0.5, 0.95, 1.0, 7.0, 45.0, 2_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(of=st.sampled_from(CLASSES), answered=st.sampled_from([0.0, 0.15, 3.0]))
    def add(self, of: ServiceClass, answered: float) -> None:
        """Its submit was answered so many seconds after its age began."""
        self.count += 1
        born = self.now - answered
        self.schedule.add(self.count, of, born)
        self.born[self.count] = born
        self.waits(self.count, born + self.gap, born + self.longest(0.0))

    @rule(
        of=st.sampled_from(CLASSES),
        ages=st.tuples(st.floats(0, 100), st.floats(0, 1_000)),
        often=st.integers(1, 40),
    )
    def learn(self, of: ServiceClass, ages: tuple[float, float], often: int) -> None:
        """Whatever the tables learn meanwhile."""
        for _ in range(often):
            self.times.table(of).ran(0.0, ages[1])
            self.times.table(of).ended(0.0, ages[0])

    @rule()
    def draw_one(self) -> None:
        """The budget is short."""
        told = self.schedule.next_at() <= self.now
        task = self.schedule.draw(self.now)
        assert (task is not None) is told
        if task is not None:
            self.drawn(task)

    @rule()
    def draw_all(self) -> None:
        """There is budget to spare: nobody waits beyond the bound."""
        while (task := self.schedule.draw(self.now)) is not None:
            self.drawn(task)
        assert self.schedule.next_at() > self.now
        assert all(bound > self.now for bound in self.bound.values())

    @precondition(lambda self: self.count)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        task = data.draw(st.integers(1, self.count))
        assert self.schedule.take(task) is (task in self.bound)
        if task in self.bound:
            self.leaves(task)

    @precondition(lambda self: self.out)
    @rule(
        data=st.data(), ago=st.sampled_from([0.0, 0.15, 5.0]), later=st.sampled_from([None, 60.0])
    )
    def seen(self, data: st.DataObject, ago: float, later: float | None) -> None:
        """It ran so many seconds ago, when the API looked."""
        task = data.draw(st.sampled_from(sorted(self.out)))
        seen_at = max(self.now - ago, self.born[task])
        age = seen_at - self.born[task]
        not_before = -inf if later is None else seen_at + later
        self.schedule.seen(task, age, seen_at, not_before)
        bound = max(seen_at + self.longest(age), not_before)
        self.back(task, max(seen_at + self.gap, not_before), bound)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), wait=st.sampled_from([0.0, 1.0, 30.0]))
    def again(self, data: st.DataObject, wait: float) -> None:
        """The look at it told nothing."""
        task = data.draw(st.sampled_from(sorted(self.out)))
        self.schedule.again(task, self.now, self.now + wait)
        at = self.now + max(wait, self.gap)
        self.back(task, at, at)

    @precondition(lambda self: self.count)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        task = data.draw(st.integers(1, self.count))
        self.schedule.remove(task)
        self.bound.pop(task, None)
        self.over.add(task)

    def waits(self, task: int, not_before: float, bound: float) -> None:
        self.not_before[task], self.bound[task] = not_before, bound

    def back(self, task: int, not_before: float, bound: float) -> None:
        """A look was answered; where its task was finished meanwhile, that changes nothing."""
        self.out.remove(task)
        if task not in self.over:
            self.waits(task, not_before, bound)

    def drawn(self, task: int) -> None:
        assert task not in self.over
        assert task in self.bound
        assert self.now >= self.not_before[task] - 1e-9
        self.leaves(task)

    def leaves(self, task: int) -> None:
        del self.bound[task]
        self.out.add(task)

    @invariant()
    def the_next_one_is_neither_hurried_nor_late(self) -> None:
        next_at = max(self.schedule.next_at(), self.now)
        soonest = min((self.not_before[task] for task in self.bound), default=inf)
        assert soonest - 1e-9 <= next_at <= max(min(self.bound.values(), default=inf), self.now)

    def teardown(self) -> None:
        drawn = set()
        while (task := self.schedule.draw(self.now + 100)) is not None:
            assert task not in drawn
            drawn.add(task)
        assert drawn == set(self.bound)


class LearnedTasks(Tasks):
    gap = 0.5

    def made(self) -> Schedule[int]:
        return LearnedSchedule(self.times, price=0.1)

    def longest(self, age: float) -> float:
        return longest_gap(age)


class StalestTasks(Tasks):
    gap = 1.0

    def made(self) -> Schedule[int]:
        return StalestFirst()

    def longest(self, age: float) -> float:  # noqa: ARG002 - the same at every age
        return self.gap


TestLearned = LearnedTasks.TestCase
TestLearned.settings = steady
TestStalest = StalestTasks.TestCase
TestStalest.settings = steady


def taught() -> LearnedTimes:
    """Tasks of the first class end at once, of the second after a quarter of an hour."""
    times = LearnedTimes()
    for _ in range(320):
        times.table(CLASSES[0]).ended(0.0, 2.0)
        times.table(CLASSES[1]).ended(0.0, 900.0)
    return times


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(StalestFirst(), id="stalest"),
        pytest.param(LearnedSchedule(LearnedTimes(), 0.1), id="learned"),
        pytest.param(LearnedSchedule(taught(), 0.1), id="taught"),
    ],
)
def test_with_one_look_a_second_for_fifty_tasks_each_gets_its_turn(schedule: Schedule[int]) -> None:
    """The oldest look is never older than it takes to go round a few times, at any age."""
    looked = dict.fromkeys(range(50), 0.0)
    for task in looked:
        schedule.add(task, CLASSES[task % 3], 0.0)
    idle = 0
    for second in range(2, 3_000):
        now = float(second)
        task_drawn = schedule.draw(now)
        assert now - min(looked.values()) < 250
        if task_drawn is None:
            idle += 1
            continue
        looked[task_drawn] = now
        schedule.seen(task_drawn, now, now)
    assert idle < 5


def learned(known: list[ClassTimes]) -> LearnedSchedule[int]:
    times = LearnedTimes()
    times.start_from(ServiceTimes(dict(zip(CLASSES, known, strict=True))))
    return LearnedSchedule(times, price=0.1)


def stalest(_: list[ClassTimes]) -> StalestFirst[int]:
    return StalestFirst()


@pytest.mark.parametrize(
    ("made", "longest"),
    [pytest.param(stalest, lambda _: 1.0, id="stalest"), pytest.param(learned, longest_gap)],
)
@settings(steady, max_examples=60)
@given(
    known=st.permutations([COLD, HASTY, ENDLESS]),
    tasks=st.integers(1, 20),
    every=st.sampled_from([0.1, 0.7, 2.5]),
    answers=st.lists(st.sampled_from(["ran", "nothing", "ended"]), min_size=1, max_size=20),
)
def test_however_short_the_budget_nobody_is_passed_over_for_ever(
    *,
    made: Callable[[list[ClassTimes]], Schedule[int]],
    longest: Callable[[float], float],
    known: list[ClassTimes],
    tasks: int,
    every: float,
    answers: list[str],
) -> None:
    """From when a task must have been drawn, each of the others comes before it once at most."""
    schedule, numbers = made(known), count()
    born: dict[int, float] = {}
    latest: dict[int, float] = {}

    def bound(task: int, at: float) -> None:
        latest[task] = at + (tasks + 1) * every + 1e-9

    def add(now: float) -> None:
        task = next(numbers)
        born[task] = now
        schedule.add(task, CLASSES[task % 3], now)
        bound(task, now + longest(0.0))

    for _ in range(tasks):
        add(0.0)
    for step, answer in enumerate(islice(cycle(answers), 400), start=1):
        now = step * every
        assert min(latest.values()) >= now
        task = schedule.draw(now)
        if task is None:
            continue
        del latest[task]
        if answer == "ran":
            schedule.seen(task, now - born[task], now)
            bound(task, now + longest(now - born[task]))
        elif answer == "nothing":
            schedule.again(task, now, now + 3.0)
            bound(task, now + 3.0)
        else:
            schedule.remove(task)
            add(now)
