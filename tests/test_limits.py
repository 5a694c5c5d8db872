"""What an account may do at once: limits that can be kept, slots, and the pace of requests."""

import asyncio
from collections import deque
from collections.abc import Iterator
from math import inf, nan
from typing import Any

import pytest
from anyio import CapacityLimiter, WouldBlock
from hypothesis import example, given, settings, strategies as st

from nanobanana_async._limits import Limits, Pacer, Slots, burst_of
from nanobanana_async.emulator import run_virtual

steady = settings(deadline=None, derandomize=True)
rates = st.integers(2, 100_000)


# Limits


def test_the_limits_are_the_vendors_unless_told_otherwise() -> None:
    assert Limits() == Limits(requests_per_minute=10_000, concurrent_tasks=1_000)


@pytest.mark.parametrize("requests", [1, 0, -5, 2.0, "10", None, True, nan, inf])
def test_fewer_than_two_requests_a_minute_are_refused(requests: Any) -> None:
    with pytest.raises(ValueError, match=r"requests_per_minute must be .* at least 2"):
        Limits(requests_per_minute=requests)


@pytest.mark.parametrize("tasks", [0, -5, 1.5, "10", None, True])
def test_fewer_than_one_task_is_refused(tasks: Any) -> None:
    with pytest.raises(ValueError, match=r"concurrent_tasks must be .* at least 1"):
        Limits(concurrent_tasks=tasks)


def test_the_least_limits_are_taken() -> None:
    assert Limits(requests_per_minute=2, concurrent_tasks=1).requests_per_minute == 2


# The bucket


@pytest.mark.parametrize(
    ("requests", "burst"),
    [(2, 1), (1_000, 1), (1_001, 1.001), (5_000, 5), (8_000, 8), (10_000, 8), (10**9, 8)],
)
def test_a_burst_is_a_thousandth_of_a_minute_but_one_to_eight(requests: int, burst: float) -> None:
    assert burst_of(requests) == burst


@steady
@given(rates)
@example(2)
@example(10_000)
def test_a_full_bucket_and_a_minutes_filling_are_exactly_the_limit(requests: int) -> None:
    async def bucket() -> Any:
        return Pacer(requests)._limiter

    limiter = run_virtual(bucket())
    assert limiter.max_rate == burst_of(requests)
    in_a_minute = limiter.max_rate + 60 * limiter.max_rate / limiter.time_period
    assert in_a_minute == pytest.approx(requests, rel=1e-12)


async def grants(pacer: Pacer, pauses: Iterator[float], seconds: float) -> list[float]:
    """Take tokens for so long, with a pause after each wake-up; tell when each one came."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    while True:
        count = await pacer.tokens()
        if loop.time() >= seconds:
            return times
        times += [loop.time()] * count
        if pause := next(pauses, 0.0):
            await asyncio.sleep(pause)


def fullest_minute(times: list[float]) -> int:
    window: deque[float] = deque()
    fullest = 0
    for time in times:
        window.append(time)
        while window[0] <= time - 60:
            window.popleft()
        fullest = max(fullest, len(window))
    return fullest


@pytest.mark.parametrize("requests", [2, 3, 10, 60, 599, 1_000, 2_500, 10_000])
def test_no_minute_sees_more_than_the_limit_and_the_full_rate_is_reached(requests: int) -> None:
    seconds = 1_200.0 if requests < 1_000 else 150.0
    times = run_virtual(grants(Pacer(requests), iter(()), seconds))
    assert fullest_minute(times) <= requests
    rate = (requests - burst_of(requests)) / 60
    assert len(times) >= rate * seconds - 1


def test_the_full_rate_is_reached_with_timers_of_a_millisecond() -> None:
    late = iter(lambda: 0.001, None)
    times = run_virtual(grants(Pacer(10_000), late, 120.0))
    assert fullest_minute(times) <= 10_000
    assert len(times) >= 0.995 * 120 * (10_000 - 8) / 60


@settings(steady, max_examples=25)
@given(
    st.sampled_from([2, 7, 60, 400]),
    st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 1.0, 29.0, 61.0]), max_size=60),
)
def test_no_pauses_of_its_user_make_a_minute_overfull(requests: int, pauses: list[float]) -> None:
    times = run_virtual(grants(Pacer(requests), iter(pauses), 300.0))
    assert fullest_minute(times) <= requests


def test_a_token_that_is_there_is_had_at_once_and_then_they_come_in_fours() -> None:
    async def counts() -> list[int]:
        pacer = Pacer(10_000)
        return [await pacer.tokens() for _ in range(12)]

    assert run_virtual(counts()) == [1] * 8 + [4] * 4


@pytest.mark.parametrize("requests", [2, 1_000, 3_000])
def test_a_shallow_bucket_gives_tokens_one_by_one(requests: int) -> None:
    async def counts() -> list[int]:
        pacer = Pacer(requests)
        return [await pacer.tokens() for _ in range(12)]

    assert run_virtual(counts()) == [1] * 12


def test_a_wait_that_is_cancelled_takes_no_token() -> None:
    async def times() -> list[float]:
        loop = asyncio.get_running_loop()
        pacer = Pacer(61)
        await pacer.tokens()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await pacer.tokens()
        await pacer.tokens()
        first = loop.time()
        await pacer.tokens()
        return [first, loop.time()]

    assert run_virtual(times()) == pytest.approx([1.0, 2.0], abs=0.01)


# Slots


async def new_slots(total: int) -> Slots:
    return Slots(CapacityLimiter(total))


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
