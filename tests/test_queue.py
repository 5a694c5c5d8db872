"""The queue in front of the slots, against a model made of plain lists."""

from __future__ import annotations

from math import inf, log2
from typing import Any, ClassVar

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nanobanana_async._queue import BULK_SHARE, TwoClassQueue

steady = settings(deadline=None, derandomize=True, max_examples=100, stateful_step_count=60)

CLASSES = st.booleans()


def queue(interactive: str = "", bulk: str = "") -> TwoClassQueue[str]:
    subject: TwoClassQueue[str] = TwoClassQueue()
    for item in interactive:
        subject.push(item, bulk=False)
    for item in bulk:
        subject.push(item, bulk=True)
    return subject


def popped(subject: TwoClassQueue[str], count: int, now: float = 0.0) -> str:
    return "".join(subject.pop(now) for _ in range(count))


def test_each_class_is_first_in_first_out_and_interactive_goes_first() -> None:
    assert popped(queue("abc", "ABC"), 6) == "abcABC"


def test_one_in_eight_is_bulk_while_both_wait() -> None:
    assert BULK_SHARE == 8
    assert popped(queue("abcdefghijklmnopqrst", "ABC"), 23) == "abcdefgAhijklmnBopqrstC"


def test_an_interactive_call_overtakes_thousands_of_bulk_ones() -> None:
    subject: TwoClassQueue[Any] = TwoClassQueue()
    for number in range(5_000):
        subject.push(number, bulk=True)
    subject.pop(0.0)
    subject.push("urgent", bulk=False)
    assert subject.pop(0.0) == "urgent"


def test_bulk_that_waited_for_long_does_not_wait_for_another_seven() -> None:
    subject = queue("abcdefghijkl")
    assert popped(subject, 10) == "abcdefghij"
    subject.push("A", bulk=True)
    assert popped(subject, 3) == "Akl"


def test_who_goes_back_to_the_front_is_next_of_its_class() -> None:
    subject = queue("bc", "BC")
    subject.push_front("a", bulk=False)
    subject.push_front("A", bulk=True)
    assert popped(subject, 6) == "abcABC"


def test_who_is_delayed_goes_to_the_front_when_its_time_comes() -> None:
    subject = queue("bcd")
    subject.delay("a", 10.0, bulk=False)
    assert popped(subject, 1, now=9.875) == "b"
    assert popped(subject, 1, now=10.0) == "a"
    assert popped(subject, 2, now=10.0) == "cd"


def test_a_delay_keeps_the_class() -> None:
    subject = queue("b", "B")
    subject.delay("A", 1.0, bulk=True)
    assert popped(subject, 3, now=1.0) == "bAB"


def test_it_tells_from_when_somebody_is_ready() -> None:
    subject = queue()
    assert subject.ready_at() == inf
    subject.delay("b", 20.0, bulk=True)
    subject.delay("a", 10.0, bulk=False)
    assert subject.ready_at() == 10
    subject.push("c", bulk=True)
    assert subject.ready_at() == -inf
    subject.remove("c")
    subject.remove("a")
    assert subject.ready_at() == 20


def test_nobody_is_popped_before_its_time() -> None:
    subject = queue()
    subject.delay("a", 10.0, bulk=False)
    with pytest.raises(KeyError):
        subject.pop(9.0)
    assert list(subject) == ["a"]


@pytest.mark.parametrize("item", ["b", "B", "x"])
def test_anybody_may_leave_from_wherever_it_stands(item: str) -> None:
    subject = queue("abc", "ABC")
    subject.delay("x", 5.0, bulk=False)
    subject.remove(item)
    assert item not in list(subject)
    assert len(subject) == 6
    with pytest.raises(KeyError):
        subject.remove(item)


def test_items_need_no_order_of_their_own() -> None:
    subject: TwoClassQueue[object] = TwoClassQueue()
    items = [object() for _ in range(3)]
    for item in items:
        subject.delay(item, 1.0, bulk=False)
    assert {subject.pop(1.0) for _ in items} == set(items)


class CountedTime(float):
    """A time that counts how often it is compared."""

    compared: ClassVar[int] = 0

    def __lt__(self, other: float) -> bool:
        CountedTime.compared += 1
        return float(self) < float(other)


@pytest.mark.parametrize("count", [64, 1_024])
def test_leaving_is_cheap_however_many_are_delayed(count: int) -> None:
    subject: TwoClassQueue[object] = TwoClassQueue()
    items = [object() for _ in range(count)]
    for number, item in enumerate(items):
        subject.delay(item, CountedTime(number), bulk=False)
    CountedTime.compared = 0
    for item in items:
        subject.remove(item)
    assert CountedTime.compared <= 3 * count * log2(count)
    assert subject.ready_at() == inf


class Line(RuleBasedStateMachine):
    """Two lists and a list of the delayed say what has to come out."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: TwoClassQueue[int] = TwoClassQueue()
        self.lines: dict[bool, list[int]] = {False: [], True: []}
        self.delayed: list[tuple[float, int, bool]] = []
        self.now = 0.0
        self.numbers = 0
        self.both_waited: list[bool] = []

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def waiting(self) -> list[int]:
        return [*self.lines[False], *self.lines[True], *(item for _, item, _ in self.delayed)]

    @rule(bulk=CLASSES, count=st.integers(1, 12))
    def join(self, bulk: bool, count: int) -> None:
        for _ in range(count):
            item = self.number()
            self.queue.push(item, bulk=bulk)
            self.lines[bulk].append(item)

    @rule(bulk=CLASSES)
    def go_back_to_the_front(self, bulk: bool) -> None:
        item = self.number()
        self.queue.push_front(item, bulk=bulk)
        self.lines[bulk].insert(0, item)

    @rule(bulk=CLASSES, wait=st.sampled_from([0.0, 1.0, 2.0]))
    def go_back_later(self, bulk: bool, wait: float) -> None:
        item = self.number()
        self.queue.delay(item, self.now + wait, bulk=bulk)
        self.delayed.append((self.now + wait, item, bulk))

    @rule(seconds=st.sampled_from([0.5, 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.waiting()))
        self.queue.remove(item)
        for line in self.lines.values():
            if item in line:
                line.remove(item)
        self.delayed = [entry for entry in self.delayed if entry[1] != item]

    @rule()
    def a_stranger_leaves(self) -> None:
        with pytest.raises(KeyError):
            self.queue.remove(-1)

    @rule(count=st.integers(1, 10))
    def pop(self, count: int) -> None:
        for _ in range(count):
            self.pop_one()

    def pop_one(self) -> None:
        self.delayed.sort()
        while self.delayed and self.delayed[0][0] <= self.now:
            _, item, bulk = self.delayed.pop(0)
            self.lines[bulk].insert(0, item)
        fronts = {bulk: line[0] for bulk, line in self.lines.items() if line}
        if not fronts:
            with pytest.raises(KeyError):
                self.queue.pop(self.now)
            return
        item = self.queue.pop(self.now)
        assert item in fronts.values()
        taken = item == fronts.get(True)
        self.lines[taken].pop(0)
        if len(fronts) < 2:
            self.both_waited.clear()
            return
        self.both_waited.append(taken)
        assert any(self.both_waited[-BULK_SHARE:]) or len(self.both_waited) < BULK_SHARE
        assert sum(self.both_waited[-BULK_SHARE:]) <= 1 or len(self.both_waited) < BULK_SHARE

    @invariant()
    def nobody_is_lost(self) -> None:
        assert len(self.queue) == len(self.waiting())
        assert sorted(self.queue) == sorted(self.waiting())
        delayed = sum(bulk for _, _, bulk in self.delayed)
        assert self.queue.bulk == len(self.lines[True]) + delayed

    @invariant()
    def ready_at_is_when_a_pop_succeeds(self) -> None:
        if any(self.lines.values()):
            assert self.queue.ready_at() <= self.now
        else:
            assert self.queue.ready_at() == min((entry[0] for entry in self.delayed), default=inf)


TestLine = Line.TestCase
TestLine.settings = steady
