"""Submits beyond the slots that are known to be free: how many, and when not."""

from math import inf
from random import Random

import pytest

from nanobanana_async._optimism import Optimism
from nanobanana_async._slots import Slots


def optimism(limit: int = 100, *, enabled: bool = True) -> Optimism:
    return Optimism(limit, enabled, Random(1))


def grown(room: int, limit: int = 1_000) -> Optimism:
    """One that has learned so much room."""
    subject = optimism(limit)
    for _ in range(room):
        subject.accepted(object(), full=True)
    assert subject.room == room
    return subject


def refuse(subject: Optimism, now: float, wait: float = 0.0) -> None:
    holder = object()
    subject.take(holder)
    assert subject.refused(holder, now, wait)
    subject.forget(holder)


def accept(subject: Optimism) -> None:
    holder = object()
    subject.take(holder)
    subject.accepted(holder, full=True)


def test_it_begins_with_no_room() -> None:
    assert optimism().room == 0
    assert optimism().free_at(0) == inf


def test_each_acceptance_while_full_makes_room_for_one_more() -> None:
    subject = grown(3)
    assert subject.free_at(2) == -inf
    assert subject.free_at(3) == inf
    subject.accepted(object(), full=False)
    assert subject.room == 3


def test_those_beyond_add_one_at_first_and_less_the_more_there_are() -> None:
    subject = grown(8)
    accept(subject)
    assert subject.room == 9
    subject = grown(80)
    for _ in range(9):
        accept(subject)
    assert subject.room == 80
    for _ in range(2):
        accept(subject)
    assert subject.room == 81


def test_it_never_goes_beyond_three_tenths_of_the_slots() -> None:
    subject = optimism(limit=100)
    for _ in range(200):
        subject.accepted(object(), full=True)
    assert subject.room == subject.most == 30
    subject.limit = 1_000
    assert subject.room == 30


def test_a_refusal_takes_a_tenth_and_pauses_for_a_second() -> None:
    subject = grown(100)
    refuse(subject, now=5.0)
    assert subject.room == 90
    assert subject.free_at(0) == 6.0


def test_several_that_were_under_way_together_count_once() -> None:
    subject = grown(100)
    holders = [object() for _ in range(5)]
    for holder in holders:
        subject.take(holder)
    assert all(subject.refused(holder, 5.0, 0.0) for holder in holders)
    assert subject.room == 90
    for holder in holders:
        subject.forget(holder)
    assert subject.free_at(0) == 6.0


def test_under_a_lower_limit_the_room_is_learned_anew_and_under_a_higher_one_it_stays() -> None:
    subject = grown(100)
    subject.resize(2_000, enabled=True)
    assert subject.room == 100
    subject.resize(1_900, enabled=True)
    assert subject.room == 0
    subject.accepted(object(), full=True)
    assert subject.room == 1
    subject.resize(1_900, enabled=False)
    assert subject.room == 0


def test_a_longer_pause_that_was_asked_for_is_kept() -> None:
    subject = grown(100)
    refuse(subject, now=5.0, wait=30.0)
    assert subject.free_at(0) == 35.0


def test_where_none_is_ever_accepted_trying_dies_down() -> None:
    subject, now = grown(100), 0.0
    pauses = []
    for _ in range(10):
        subject.accepted(object(), full=True)  # what is free is still taken
        refuse(subject, now)
        pauses.append(subject.free_at(0) - now)
        now = subject.free_at(0)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64, 64, 64]
    accept(subject)
    refuse(subject, now)
    assert subject.free_at(0) - now == 1


def test_after_a_refusal_one_goes_alone_until_it_is_accepted() -> None:
    subject = grown(100)
    for _ in range(3):
        subject.take(object())
    assert subject.free_at(3) == -inf
    subject = grown(100)
    refuse(subject, now=0.0)
    probe = object()
    subject.take(probe)
    assert subject.free_at(1) == inf
    subject.accepted(probe, full=True)
    assert subject.free_at(1) == 1.0


def test_once_refused_it_grows_half_as_fast() -> None:
    quick, wary = grown(80), grown(90)
    refuse(wary, now=0.0)
    before = wary._room
    for _ in range(20):
        accept(quick)
        accept(wary)
    assert (wary._room - before) / (quick._room - 80) == pytest.approx(0.5, rel=0.05)


def test_a_refusal_of_another_submit_is_none_of_its_business() -> None:
    subject = grown(100)
    assert not subject.refused(object(), 0.0, 0.0)
    assert subject.room == 100


class TestSlots:
    async def full(self, *, optimistic: bool = True) -> Slots:
        """Ten slots, all taken, room for two more learned."""
        slots = Slots(10, Random(1), optimistic)
        for number in range(10):
            slots.take(number)
            if number >= 8:
                slots.accepted(number)  # one while not full, one while full
        slots.accepted(0)
        return slots

    async def test_nobody_goes_beyond_who_was_not_allowed_to(self) -> None:
        assert (await self.full(optimistic=False)).free_at() == inf
        assert Slots(10, Random(1)).most == 10

    async def test_two_may_go_beyond_and_count_as_held(self) -> None:
        slots = await self.full()
        assert slots.most == 13
        for beyond in (10, 11):
            assert slots.free_at() == -inf
            slots.take(beyond)
        assert slots.free_at() == inf
        assert (slots.held, slots.left) == (12, 0)
        for number in range(3):
            slots.release(number)
        assert (slots.held, slots.left) == (9, 1)

    async def test_a_refusal_beyond_says_nothing_of_the_slots(self) -> None:
        slots = await self.full()
        slots.take("beyond")
        assert slots.refused_beyond("beyond", 0.0, 0.0)
        slots.release("beyond")
        assert slots.in_force == 10
        assert not slots.refused_beyond(3, 0.0, 0.0)

    async def test_while_fewer_are_granted_than_there_should_be_none_goes_beyond(self) -> None:
        slots = await self.full()
        for number in range(3):
            slots.doubt(number)
            slots.release(number)
        slots.doubt_judged(0.0, 0.0)
        assert slots.in_force < 10
        while slots.held < slots.in_force:
            slots.take(object())
        assert 0.9 <= slots.free_at() <= 1.1  # from when one finds out about the missing places
        slots.take("probe")
        assert slots.free_at() == inf
        assert not slots.refused_beyond("probe", 2.0, 0.0)

    async def test_whoever_goes_beyond_waits_for_as_long_as_the_api_asks(self) -> None:
        slots = await self.full()
        for number in range(5):
            slots.release(number)
        slots.doubt(5)
        slots.release(5)
        slots.doubt_judged(100.0, 30.0)  # an accident in a lull: no place is lost
        for number in range(6):
            slots.adopt(number)
        assert (slots.held, slots.in_force) == (10, 10)
        assert slots.free_at() == 130

    @pytest.mark.parametrize("end", ["release", "keep"])
    async def test_one_beyond_that_ends_without_an_answer_lets_the_next_one_out(
        self, end: str
    ) -> None:
        slots = await self.full()
        slots.accepted(0)
        slots.take("refused")
        assert slots.refused_beyond("refused", 0.0, 0.0)
        slots.release("refused")
        slots.take("lost")
        assert slots.free_at() == inf
        if end == "release":
            slots.release("lost")
        else:
            slots.release(0)
            slots.keep("lost", 120.0)
        assert slots.free_at() == 1.0

    async def test_what_is_accepted_under_an_old_limit_makes_no_room_under_a_lower_one(
        self,
    ) -> None:
        slots = Slots(10, Random(1), optimistic=True)
        for number in range(10):
            slots.take(number)
        slots.resize(5, optimistic=True)
        for number in range(10):
            slots.accepted(number)
        for number in range(6):
            slots.release(number)
        slots.take("fifth")
        assert slots.free_at() == inf

    async def test_resized_it_follows(self) -> None:
        slots = await self.full()
        slots.resize(20, optimistic=True)
        assert (slots.in_force, slots.most, slots.left) == (20, 26, 10)
        slots.resize(5, optimistic=True)
        assert slots.free_at() == inf
        for number in range(6):
            slots.release(number)
        assert slots.free_at() == -inf
        slots.resize(5, optimistic=False)
        assert not slots.optimistic
        slots.take("fifth")
        assert slots.free_at() == inf
