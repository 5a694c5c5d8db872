"""Slots: who holds one, and how many there are while the API refuses."""

from collections.abc import Iterable
from itertools import count
from math import inf
from random import Random

import pytest
from anyio import WouldBlock
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nanobanana_async._slots import Slots
from nanobanana_async.emulator import run_virtual

steady = settings(deadline=None, derandomize=True)


async def new_slots(total: int) -> Slots:
    return Slots(total, Random(1))


async def test_a_slot_is_held_until_it_is_released() -> None:
    subject = await new_slots(2)
    subject.take("a")
    assert subject.left == 1
    subject.take("b")
    assert subject.left == 0
    subject.release("a")
    assert subject.left == 1
    subject.release("b")
    assert subject.left == 2


async def test_no_more_slots_are_given_than_there_are() -> None:
    subject = await new_slots(1)
    subject.take("a")
    with pytest.raises(WouldBlock):
        subject.take("b")
    assert subject.left == 0


async def test_releasing_twice_frees_one_slot() -> None:
    subject = await new_slots(2)
    subject.take("a")
    subject.take("b")
    subject.release("a")
    subject.release("a")
    subject.release("stranger")
    assert subject.left == 1


async def test_an_adopted_task_counts_until_it_is_released() -> None:
    subject = await new_slots(3)
    subject.take("own")
    subject.adopt("a")
    subject.adopt("a")
    assert subject.left == 1
    subject.release("a")
    assert subject.left == 2
    subject.release("a")
    assert subject.left == 2


async def test_adopted_tasks_never_wait_and_leave_no_less_than_nothing() -> None:
    subject = await new_slots(2)
    for task in "abcde":
        subject.adopt(task)
    assert subject.left == 0
    for task in "abcd":
        subject.release(task)
    assert subject.left == 1


async def test_an_unknown_submit_holds_its_slot_until_its_time_is_over() -> None:
    subject = await new_slots(3)
    for task in "abc":
        subject.take(task)
    subject.keep("a", 120.0)
    subject.keep("b", 130.0)
    assert (subject.left, subject.unknown, subject.next_expiry()) == (0, 2, 120)
    subject.expire(119.875)
    assert (subject.left, subject.unknown) == (0, 2)
    subject.expire(120.0)
    assert (subject.left, subject.unknown, subject.next_expiry()) == (1, 1, 130)
    subject.expire(1_000.0)
    assert (subject.left, subject.unknown, subject.next_expiry()) == (2, 0, inf)


async def test_several_unknown_submits_expire_at_once() -> None:
    subject = await new_slots(5)
    for task in "abcd":
        subject.take(task)
        subject.keep(task, 10.0)
    subject.expire(10.0)
    assert (subject.left, subject.unknown) == (5, 0)


@steady
@given(
    st.lists(st.tuples(st.sampled_from(["take", "adopt", "release", "keep"]), st.integers(0, 9)))
)
def test_what_is_left_is_the_limit_without_what_counts(steps: list[tuple[str, int]]) -> None:
    async def check() -> None:
        subject = await new_slots(4)
        own: set[int] = set()
        adopted: set[int] = set()
        kept: set[int] = set()
        for action, task in steps:
            known = task in own | adopted | kept
            if action == "take" and not known and subject.left:
                subject.take(task)
                own.add(task)
            elif action == "adopt" and not known:
                subject.adopt(task)
                adopted.add(task)
            elif action == "release" and task not in kept:
                subject.release(task)
                own.discard(task)
                adopted.discard(task)
            elif action == "keep" and task in own:
                subject.keep(task, 5.0)
                own.remove(task)
                kept.add(task)
            assert subject.left == max(4 - len(own) - len(adopted) - len(kept), 0)
            assert subject.unknown == len(kept)
        subject.expire(5.0)
        assert subject.left == max(4 - len(own) - len(adopted), 0)

    run_virtual(check())


# While the API grants fewer


async def full_slots(total: int) -> Slots:
    subject = await new_slots(total)
    for holder in range(total):
        subject.take(holder)
    return subject


async def test_a_refusal_takes_one_place_more_than_what_is_held_without_it() -> None:
    subject = await full_slots(10)
    subject.doubt(9)
    subject.release(9)
    assert (subject.in_force, subject.held, subject.left) == (9, 9, 0)


async def test_refusals_of_submits_that_were_under_way_together_cost_one_place_each() -> None:
    subject = await full_slots(10)
    for holder in (9, 8, 7):
        subject.doubt(holder)
        subject.release(holder)
    subject.doubt_judged(100.0, 0.0)
    assert (subject.in_force, subject.held, subject.left) == (7, 7, 0)


async def test_a_refusal_that_meant_the_rate_costs_no_place() -> None:
    subject = await full_slots(10)
    subject.doubt(9)
    subject.doubt(8)
    subject.doubt_dismissed()
    assert subject.in_force == 10
    subject.doubt_dismissed()
    assert subject.in_force == 10


async def refuse(subject: Slots, holders: Iterable[int], now: float, wait: float = 0.0) -> None:
    for holder in holders:
        subject.doubt(holder)
        subject.release(holder)
    subject.doubt_judged(now, wait)


@pytest.mark.parametrize(("asked", "free_at"), [(0.0, 100.5), (0.1, 100.5), (30.0, 130.0)])
async def test_submits_pause_for_half_a_second_or_as_long_as_the_api_asks(
    asked: float, free_at: float
) -> None:
    subject = await full_slots(10)
    await refuse(subject, (9, 8, 7), 100.0, asked)
    subject.release(6)
    assert subject.free_at() == free_at


async def test_one_or_two_refusals_among_many_answers_are_an_accident() -> None:
    """They cost a place each, and no pause."""
    subject = await full_slots(10)
    subject.doubt(9)
    subject.release(9)
    for holder in range(5):
        subject.accepted(holder)
    subject.doubt(8)
    subject.release(8)
    subject.doubt_judged(100.0, 0.0)
    assert (subject.in_force, subject.left) == (8, 0)
    assert subject.free_at() <= 100


async def test_an_accident_in_a_lull_costs_nothing() -> None:
    subject = await full_slots(10)
    for holder in (9, 8, 7, 6):
        subject.release(holder)
    subject.doubt(5)
    assert subject.in_force == 5
    subject.doubt_judged(100.0, 0.0)
    assert subject.in_force == 10


async def test_an_accident_pauses_submits_for_as_long_as_the_api_asks() -> None:
    subject = await full_slots(10)
    subject.doubt(9)
    subject.release(9)
    subject.doubt_judged(100.0, 30.0)
    subject.release(8)
    assert subject.free_at() == 130


async def test_calm_brings_the_places_back_one_by_one_and_in_the_end_all() -> None:
    subject = await full_slots(10)
    await refuse(subject, (9, 8, 7, 6), 100.0)
    assert subject.in_force == 6
    subject.completed(159.0)
    assert subject.in_force == 6
    subject.completed(160.0)
    subject.completed(161.0)
    assert subject.in_force == 8
    subject.expire(699.0)
    assert subject.in_force == 8
    subject.expire(700.0)
    assert subject.in_force == 10


async def test_one_submit_at_a_time_tries_for_more_and_an_accepted_one_widens() -> None:
    subject = await full_slots(10)
    await refuse(subject, (9, 8, 7), 100.0)
    assert 100.9 <= subject.free_at() <= 101.1
    subject.take("beyond")
    assert subject.free_at() == inf
    subject.accepted("beyond")
    assert (subject.in_force, subject.left) == (8, 0)
    assert subject.free_at() == -inf


async def test_tries_that_are_refused_come_ever_less_often() -> None:
    subject = await full_slots(3)
    await refuse(subject, (2, 1, 0), 0.0)
    waits = [subject.free_at()]
    for _ in range(6):
        now = subject.free_at()
        subject.take(0)
        await refuse(subject, [0], now)
        assert subject.in_force == 0
        waits.append(subject.free_at() - now)
    assert waits == [pytest.approx(wait, rel=0.101) for wait in (1, 2, 4, 8, 8, 8, 8)]


@pytest.mark.parametrize("end", ["release", "keep"])
async def test_a_try_that_ends_without_an_answer_lets_the_next_one_out(end: str) -> None:
    subject = await full_slots(4)
    await refuse(subject, (3, 2, 1), 0.0)
    subject.take("beyond")
    assert subject.free_at() == inf
    if end == "release":
        subject.release("beyond")
    else:
        subject.keep("beyond", 120.0)
    assert subject.free_at() < inf


async def test_a_place_that_was_lost_to_an_accident_is_tried_for_at_once() -> None:
    subject = await full_slots(2)
    subject.doubt(1)
    subject.release(1)
    subject.doubt_judged(100.0, 0.0)
    assert subject.in_force == 1
    assert subject.free_at() <= 100


# Another limit


async def test_more_slots_are_there_at_once_and_fewer_when_enough_were_given_back() -> None:
    subject = await new_slots(3)
    for holder in "abc":
        subject.take(holder)
    subject.resize(5, optimistic=False)
    assert (subject.limit, subject.in_force, subject.left) == (5, 5, 2)
    subject.resize(2, optimistic=False)
    assert subject.free_at() == inf
    subject.release("a")
    assert subject.free_at() == inf
    subject.release("b")
    assert subject.left == 1
    subject.take("d")
    assert subject.free_at() == inf


async def test_a_lower_number_that_was_learned_stays() -> None:
    subject = await full_slots(10)
    for holder in range(6):
        subject.doubt(holder)
        subject.release(holder)
    subject.doubt_judged(0.0, 0.0)
    learned = subject.in_force
    assert learned < 10
    subject.resize(20, optimistic=False)
    assert subject.in_force == learned
    subject.resize(2, optimistic=False)
    assert subject.in_force == min(learned, 2)


async def test_a_limit_that_changes_while_refusals_are_in_doubt_is_the_new_one_afterwards() -> None:
    subject = await full_slots(10)
    subject.doubt(0)
    subject.release(0)
    subject.resize(20, optimistic=False)
    assert subject.in_force < 10
    subject.doubt_dismissed()
    assert subject.in_force == 20


class Holders(RuleBasedStateMachine):
    """The model: who holds a slot, and from when the unknown ones give theirs back."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = run_virtual(new_slots(6))
        self.now = 0.0
        self.numbers = count()
        self.sent: list[int] = []
        self.running: list[int] = []
        self.unknown: list[float] = []

    @rule(limit=st.integers(1, 12), optimistic=st.booleans())
    def resize(self, limit: int, *, optimistic: bool) -> None:
        self.subject.resize(limit, optimistic=optimistic)

    @precondition(lambda self: self.subject.free_at() <= self.now)
    @rule(most=st.integers(1, 6))
    def take(self, most: int) -> None:
        while most and self.subject.free_at() <= self.now:
            holder = next(self.numbers)
            self.subject.take(holder)
            self.sent.append(holder)
            most -= 1

    @precondition(lambda self: self.sent)
    @rule()
    def accepted(self) -> None:
        holder = self.sent.pop(0)
        self.subject.accepted(holder)
        self.running.append(holder)

    @rule()
    def adopt(self) -> None:
        holder = next(self.numbers)
        self.subject.adopt(holder)
        self.running.append(holder)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def ended(self, data: st.DataObject) -> None:
        holder = data.draw(st.sampled_from(self.running))
        self.running.remove(holder)
        self.subject.release(holder)
        self.subject.completed(self.now)

    @precondition(lambda self: self.sent)
    @rule(again=st.booleans(), seconds=st.integers(1, 120))
    def lost(self, seconds: int, *, again: bool) -> None:
        """The answer to a submit; where it is sent again, another object keeps the slot."""
        holder = self.sent.pop()
        if again:
            ghost = next(self.numbers)
            self.subject.replace(holder, by=ghost)
            holder = ghost
        self.subject.keep(holder, self.now + seconds)
        self.unknown.append(self.now + seconds)

    @precondition(lambda self: self.sent)
    @rule(most=st.integers(1, 4))
    def refused(self, most: int) -> None:
        for holder in self.sent[-most:]:
            self.sent.remove(holder)
            if not self.subject.refused_beyond(holder, self.now, 0.0):
                self.subject.doubt(holder)
            self.subject.release(holder)

    @rule(rate=st.booleans())
    def judged(self, *, rate: bool) -> None:
        if rate:
            self.subject.doubt_dismissed()
        else:
            self.subject.doubt_judged(self.now, 0.0)

    @rule(seconds=st.sampled_from([0.5, 1.0, 8.0, 60.0, 600.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.subject.expire(self.now)
        self.unknown = [until for until in self.unknown if until > self.now]

    @invariant()
    def none_is_lost_and_none_is_given_twice(self) -> None:
        subject = self.subject
        assert subject.held == len(self.sent) + len(self.running) + len(self.unknown)
        assert subject.unknown == len(self.unknown)
        assert 0 <= subject.in_force <= subject.limit <= subject.most
        assert subject.left == max(subject.in_force - subject.held, 0)
        if subject.held >= subject.most:
            assert subject.free_at() == inf

    def teardown(self) -> None:
        for holder in self.sent + self.running:
            self.subject.release(holder)
        self.subject.doubt_dismissed()
        self.subject.expire(self.now + 1_000)
        assert (self.subject.held, self.subject.left) == (0, self.subject.limit)


TestHolders = Holders.TestCase
TestHolders.settings = settings(steady, max_examples=100, stateful_step_count=40)


async def test_an_answer_that_is_lost_keeps_its_slot_however_far_the_limit_came_down() -> None:
    subject = await full_slots(10)
    subject.resize(5, optimistic=False)
    subject.replace(3, by="ghost")
    subject.keep("ghost", 120.0)
    assert (subject.held, subject.unknown) == (10, 1)
    for holder in (0, 1, 2, 4):
        subject.release(holder)
    subject.expire(120.0)
    assert (subject.held, subject.left, subject.free_at()) == (5, 0, inf)
    with pytest.raises(WouldBlock):
        subject.take("one too many")


async def test_a_limit_that_dips_below_what_was_learned_does_not_make_it_forgotten() -> None:
    subject = await full_slots(10)
    for holder in range(6):
        subject.doubt(holder)
        subject.release(holder)
    subject.doubt_judged(0.0, 0.0)
    learned = subject.in_force
    assert 2 < learned < 10
    subject.resize(2, optimistic=False)
    assert subject.in_force == 2
    subject.resize(10, optimistic=False)
    assert subject.in_force == learned


async def test_a_doubt_outlives_a_limit_that_dips() -> None:
    subject = await full_slots(10)
    subject.doubt(0)
    doubted = subject.in_force
    subject.resize(doubted - 1, optimistic=False)
    subject.resize(10, optimistic=False)
    assert subject.in_force == doubted < 10
