"""The learned schedule: looks where they are worth most, at a price that tunes itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import exp, log2, sqrt
from random import Random
from typing import Any

import pytest

from nanobanana_async import _learned
from nanobanana_async._learned import MINIMUM_GAP, LearnedSchedule, longest_gap
from nanobanana_async._life_table import BINS
from nanobanana_async._service_times import ClassTimes, LearnedTimes, ServiceClass, ServiceTimes

SMALL: ServiceClass = ("nano-banana-2", "text-to-image", "1K", "auto")
LARGE: ServiceClass = ("nano-banana-2", "text-to-image", "4K", "auto")
PRICE = 0.1


def taught(**medians: float) -> LearnedTimes:
    """Tables of lognormal service times by resolution, sigma .3."""
    times, rng = LearnedTimes(), Random(1)
    for of, median in ((SMALL, medians.get("small")), (LARGE, medians.get("large"))):
        for _ in range(3_000 if median else 0):
            times.table(of).ended(0.0, (median or 0.0) * rng.lognormvariate(0.0, 0.3))
    return times


def test_a_look_comes_once_the_clock_has_moved_by_what_it_costs() -> None:
    times = taught(small=15.0)
    table = times.table(SMALL)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule.add("a", SMALL, 100.0)
    first = schedule.next_at() - 100.0
    assert table.clock(first) == pytest.approx(sqrt(2 * PRICE))
    assert schedule.draw(100.0 + first) == "a"
    schedule.seen("a", first, 100.0 + first)
    second = schedule.next_at() - 100.0
    assert table.clock(second) - table.clock(first) == pytest.approx(sqrt(2 * PRICE))
    # Nothing ends within the first seconds, and soon after them much does.
    assert 5 < first < 8
    assert second - first < first / 3


def test_a_lower_price_means_earlier_looks() -> None:
    times = taught(small=15.0)
    first = []
    for price in (0.01, 0.1, 1.0):
        schedule: LearnedSchedule[str] = LearnedSchedule(times, price)
        schedule.add("a", SMALL, 0.0)
        first.append(schedule.next_at())
    assert first == sorted(first)
    assert len(set(first)) == 3


def test_of_two_classes_the_one_whose_tasks_end_now_comes_first() -> None:
    times = taught(small=10.0, large=40.0)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule.add("large", LARGE, 0.0)
    schedule.add("small", SMALL, 2.0)
    assert schedule.draw(14.0) == "small"
    assert schedule.draw(14.0) is None
    schedule.remove("small")
    schedule.add("another small one", SMALL, 37.0)
    assert schedule.draw(42.0) == "large"


def test_fresh_tasks_do_not_stand_before_those_that_may_be_looked_at() -> None:
    times = taught(small=10.0, large=40.0)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule.add("large", LARGE, 0.0)
    for number in range(100):
        schedule.add(f"fresh {number}", SMALL, 39.5)
    assert schedule.draw(40.0) == "large"
    assert schedule.draw(40.0) is None


@pytest.mark.parametrize(("age", "gap"), [(0.0, 30.0), (119.0, 30.0), (200.0, 50.0), (3e4, 60.0)])
def test_the_longest_gap_grows_with_the_age(age: float, gap: float) -> None:
    assert longest_gap(age) == gap


@pytest.mark.parametrize("age", [0.0, 100.0, 150.0, 1_000.0, 3_600.0])
def test_where_nothing_ever_ends_the_longest_gap_is_when_it_is_looked_at(age: float) -> None:
    times = LearnedTimes()
    times.start_from(ServiceTimes({SMALL: ClassTimes([0.0] * BINS, [1e7] * BINS)}))
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule.add("a", SMALL, 0.0)
    assert schedule.take("a")
    schedule.seen("a", age, 50_000.0)
    assert schedule.next_at() == 50_000.0 + longest_gap(age)
    # So late the clock has hardly moved; the price is not below what a look is worth at all.
    assert schedule.draw(schedule.next_at()) == "a"
    assert schedule._due_after == sqrt(2 * PRICE)


def test_one_put_back_for_later_is_due_then_and_no_sooner() -> None:
    """It has no precedence over one that has been due since, though by its clock it would."""
    schedule: LearnedSchedule[str] = LearnedSchedule(taught(small=15.0), PRICE)
    schedule.add("later", SMALL, 0.0)
    schedule.add("due by then", SMALL, 30.0)
    assert schedule.take("later")
    schedule.seen("later", 1.0, 1.0, not_before=60.0)
    assert schedule.draw(60.0) == "due by then"
    assert schedule.draw(60.0) == "later"


def test_one_of_which_a_look_told_nothing_is_due_as_soon_as_it_may_be_looked_at() -> None:
    schedule: LearnedSchedule[str] = LearnedSchedule(taught(small=15.0), PRICE)
    schedule._due_after = 1.2
    schedule.add("not told", SMALL, 0.0)
    assert schedule.take("not told")
    schedule.add("not due yet", SMALL, 0.0)
    schedule.again("not told", 8.0, 8.0)
    assert schedule.next_at() < 8.5
    assert schedule.draw(8.5) == "not told"
    assert schedule.draw(8.5) == "not due yet"


def test_where_all_ends_at_once_half_a_second_passes() -> None:
    times = LearnedTimes()
    for _ in range(320):
        times.table(SMALL).ended(0.0, 0.1)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule.add("a", SMALL, 0.0)
    assert schedule.next_at() == MINIMUM_GAP == 0.5


def test_looks_are_due_when_the_clock_has_moved_by_the_price_of_the_moment() -> None:
    times = taught(small=10.0, large=40.0)
    schedule: LearnedSchedule[int] = LearnedSchedule(times, PRICE)
    schedule._due_after, rng = 1.2, Random(2)
    due = {}
    for task in range(60):
        of, age, seen_at = rng.choice((SMALL, LARGE)), rng.uniform(0, 30), rng.uniform(100, 110)
        schedule.add(task, of, 100.0)
        assert schedule.take(task)
        schedule.seen(task, age, seen_at)
        table = times.table(of)
        gap = table.age_at(table.clock(age) + 1.2) - age
        assert MINIMUM_GAP < gap < longest_gap(age)
        due[task] = seen_at + gap
    drawn = [schedule.draw(200.0) for _ in due]
    assert drawn == sorted(due, key=due.__getitem__)
    assert schedule.draw(200.0) is None


@pytest.mark.parametrize("seconds", [13.0, 15.0, 30.0])
def test_each_look_moves_the_price_a_little_towards_what_it_was_worth(seconds: float) -> None:
    times = taught(small=15.0)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule._due_after = 1.2
    schedule.add("a", SMALL, 0.0)
    assert schedule.draw(seconds) == "a"
    worth = times.table(SMALL).clock(seconds)
    assert schedule._due_after == pytest.approx(1.2 * (worth / 1.2) ** 0.02)


def test_a_look_that_was_asked_for_says_nothing_of_the_price() -> None:
    schedule: LearnedSchedule[str] = LearnedSchedule(taught(small=15.0), PRICE)
    schedule.add("a", SMALL, 0.0)
    assert schedule.take("a")
    schedule.seen("a", 100.0, 100.0)
    assert schedule._due_after == schedule._least


def test_one_that_is_far_too_old_is_still_looked_at() -> None:
    schedule: LearnedSchedule[str] = LearnedSchedule(taught(small=15.0), PRICE)
    schedule.add("a", SMALL, 0.0)
    age = 0.0
    gaps = []
    for _ in range(60):
        at = schedule.next_at()
        assert schedule.draw(at) == "a"
        gaps.append(at - age)
        age = at
        schedule.seen("a", age, age)
    assert all(MINIMUM_GAP - 1e-9 <= gap <= 60 for gap in gaps)
    assert gaps[-1] > 2 * min(gaps)


def test_the_price_falls_to_the_least_with_budget_to_spare_and_rises_without() -> None:
    times = taught(small=15.0)
    schedule: LearnedSchedule[int] = LearnedSchedule(times, PRICE)
    rng = Random(3)

    def work(looks_a_second: float, seconds: int, since: float) -> float:
        """Keep 100 tasks running and look at them at this rate; return the time."""
        task: int | None
        ends = {task: since + 15.0 * rng.lognormvariate(0.0, 0.3) for task in range(100)}
        born = dict.fromkeys(ends, since)
        for task in ends:
            schedule.remove(task)
            schedule.add(task, SMALL, since)
        for step in range(int(seconds * looks_a_second)):
            now = since + step / looks_a_second
            task = schedule.draw(now)
            if task is None:
                continue
            if now >= ends[task]:
                schedule.remove(task)
                born[task], ends[task] = now, now + 15.0 * rng.lognormvariate(0.0, 0.3)
                schedule.add(task, SMALL, now)
            else:
                schedule.seen(task, now - born[task], now)
        return since + seconds

    now = work(10.0, 300, 0.0)
    dear = schedule._due_after
    assert dear > 2 * schedule._least
    now = work(10.0, 300, now)
    assert schedule._due_after == pytest.approx(dear, rel=0.25)
    work(200.0, 300, now)
    assert schedule._due_after == pytest.approx(schedule._least, rel=0.05)


def test_with_a_short_budget_the_price_is_what_looks_are_worth_by_then() -> None:
    """Looks that were due at the clock's time c come at c: neither early nor in arrears."""
    times = taught(small=15.0)
    table = times.table(SMALL)
    schedule: LearnedSchedule[int] = LearnedSchedule(times, PRICE)
    rng = Random(4)
    born = dict.fromkeys(range(300), 0.0)
    ends = {task: 15.0 * rng.lognormvariate(0.0, 0.3) for task in born}
    looked = dict.fromkeys(born, 0.0)
    for task in born:
        schedule.add(task, SMALL, 0.0)
    worth, due = [], []
    for look in range(1, 24_001):
        now = look / 40  # two looks for each task that ends
        drawn = schedule.draw(now)
        if drawn is None:
            continue
        if now > 300:
            worth.append(table.clock(now - born[drawn]) - table.clock(looked[drawn] - born[drawn]))
            due.append(schedule._due_after)
        looked[drawn] = now
        if now < ends[drawn]:
            schedule.seen(drawn, now - born[drawn], now)
        else:
            schedule.remove(drawn)
            born[drawn], ends[drawn] = now, now + 15.0 * rng.lognormvariate(0.0, 0.3)
            schedule.add(drawn, SMALL, now)
    assert len(worth) > 11_000
    mean_due = sum(due) / len(due)
    assert mean_due > 1.5 * schedule._least
    assert sum(worth) / len(worth) == pytest.approx(mean_due, rel=0.1)
    assert max(due) < 1.5 * min(due)


# What it costs


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Heaps in Python that count comparisons, in place of those in C."""
    counts = {"comparisons": 0, "operations": 0}

    def less(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
        counts["comparisons"] += 1
        return one < other

    def push(heap: list[Any], entry: Any) -> None:
        counts["operations"] += 1
        heap.append(entry)
        place = len(heap) - 1
        while place and less(heap[place], heap[(place - 1) // 2]):
            parent = (place - 1) // 2
            heap[place], heap[parent] = heap[parent], heap[place]
            place = parent

    def pop(heap: list[Any]) -> Any:
        counts["operations"] += 1
        last = heap.pop()
        if not heap:
            return last
        top, heap[0], place = heap[0], last, 0
        while (child := 2 * place + 1) < len(heap):
            if child + 1 < len(heap) and less(heap[child + 1], heap[child]):
                child += 1
            if not less(heap[child], heap[place]):
                break
            heap[place], heap[child] = heap[child], heap[place]
            place = child
        return top

    monkeypatch.setattr(_learned, "heappush", push)
    monkeypatch.setattr(_learned, "heappop", pop)
    return counts  # type: ignore[return-value]


EVENTS = 2_000


def costs_of(tasks: int, counted: dict[str, int]) -> tuple[float, float]:
    """Operations on heaps and comparisons in them, an event, with so many tasks in flight."""
    schedule: LearnedSchedule[int] = LearnedSchedule(taught(small=15.0), PRICE)
    for task in range(tasks):
        schedule.add(task, SMALL, task / tasks * 10)
    for number in range(EVENTS + 1):
        now = 20.0 + number * 10 / tasks
        drawn = schedule.draw(now)
        assert drawn is not None
        schedule.seen(drawn, now, now)
        if number == 0:  # all that were eligible have moved over: a part of their being added
            counted.update(comparisons=0, operations=0)
    return counted["operations"] / EVENTS, counted["comparisons"] / EVENTS


def test_operations_an_event_do_not_grow_and_comparisons_grow_as_log_n(
    counted: dict[str, int],
) -> None:
    sizes = (64, 1_024, 16_384)
    costs = [costs_of(size, counted) for size in sizes]
    for size, (operations, comparisons) in zip(sizes, costs, strict=True):
        assert operations <= 4.1
        assert comparisons <= 4 * 2 * log2(size)
    for (_, few), (_, many) in pairwise(costs):
        assert many / few <= 2.5


def test_a_task_taken_out_of_turn_many_times_does_not_pile_up() -> None:
    schedule: LearnedSchedule[str] = LearnedSchedule(taught(small=15.0), PRICE)
    schedule.add("a", SMALL, 0.0)
    for number in range(1, 10_001):
        now = number / 10
        assert schedule.take("a")
        schedule.seen("a", now, now)
        schedule.next_at()
        schedule.draw(-1.0)
    assert len(schedule._waiting) + len(schedule._ready) < 700


# Tasks whose end is told by a webhook


def test_where_the_end_is_told_a_look_comes_when_most_have_ended() -> None:
    times = taught(small=15.0)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule.add("a", SMALL, 100.0, told=True)
    first = schedule.next_at() - 100.0
    assert first == pytest.approx(15.0 * exp(0.3 * 1.2816), rel=0.05)  # the 90 % quantile
    assert schedule.draw(100.0 + first) == "a"
    schedule.seen("a", first, 100.0 + first)
    second = schedule.next_at() - 100.0
    assert second == pytest.approx(15.0 * exp(0.3 * 2.3263), rel=0.15)  # and of the rest


def test_a_cold_table_looks_for_a_lost_delivery_within_a_minute() -> None:
    schedule: LearnedSchedule[str] = LearnedSchedule(LearnedTimes(), PRICE)
    schedule.add("a", SMALL, 0.0, told=True)
    assert 30.0 < schedule.next_at() < 60.0


def test_a_task_whose_end_is_told_never_waits_for_longer_than_four_minutes() -> None:
    times = LearnedTimes()
    for _ in range(1_000):
        times.table(SMALL).ended(0.0, 10_000.0)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    schedule.add("a", SMALL, 0.0, told=True)
    assert schedule.next_at() == 120.0
    schedule.draw(120.0)
    schedule.seen("a", 1_000.0, 1_000.0)
    assert schedule.next_at() == 1_240.0


def test_looks_for_lost_deliveries_say_nothing_of_the_price() -> None:
    times = taught(small=15.0)
    schedule: LearnedSchedule[str] = LearnedSchedule(times, PRICE)
    before = schedule._due_after
    for number in range(100):
        schedule.add(str(number), SMALL, 0.0, told=True)
    while schedule.draw(1_000.0):
        pass
    assert schedule._due_after == before
