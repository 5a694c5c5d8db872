"""The token bucket: no minute overfull, and the full rate reached."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from nanobanana_async._pacer import Pacer, burst_of
from nanobanana_async.emulator import run_virtual

steady = settings(deadline=None, derandomize=True)
rates = st.integers(2, 100_000)


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


@pytest.mark.parametrize("slower", [9_000, 5_000, 2_500, 1_250, 300, 10])
def test_a_slower_pace_is_kept_exactly(slower: int) -> None:
    """Down to an eighth by what a token costs, and below that by waiting."""
    pacer = Pacer(10_000)
    pacer.slow_to(slower)
    seconds = 120.0 if slower > 100 else 1_200.0
    times = run_virtual(grants(pacer, iter(()), seconds))
    expected = seconds * slower / 60
    assert 0.97 * expected - 2 <= len(times) <= 1.003 * expected + 8


def test_a_bucket_that_was_emptied_lets_nothing_out_at_once() -> None:
    async def wait() -> float:
        pacer = Pacer(10_000)
        pacer.empty()
        await pacer.tokens()
        return asyncio.get_running_loop().time()

    assert run_virtual(wait()) >= 1 / 167


def test_a_bucket_that_was_emptied_fills_again() -> None:
    async def counts() -> list[int]:
        pacer = Pacer(10_000)
        pacer.empty()
        await pacer.tokens()
        await asyncio.sleep(1)
        return [await pacer.tokens() for _ in range(9)]

    assert run_virtual(counts()) == [1] * 8 + [4]


async def now_and_tokens(pacer: Pacer) -> float:
    await pacer.tokens()
    return asyncio.get_running_loop().time()


@pytest.mark.virtual_time
async def test_whoever_waits_by_an_old_limit_waits_by_the_new_one() -> None:
    pacer = Pacer(2)
    await pacer.tokens()
    waiting = asyncio.create_task(now_and_tokens(pacer))
    await asyncio.sleep(5)
    pacer.reset(10_000)
    assert await waiting == pytest.approx(5, abs=0.1)


@pytest.mark.virtual_time
@pytest.mark.parametrize(("before", "after"), [(10_000, 600), (600, 10_000), (10_000, 2)])
async def test_the_minute_after_a_reset_holds_no_more_than_the_new_limit(
    before: int, after: int
) -> None:
    """And not much less, however slow the pace was before."""
    pacer, loop = Pacer(before), asyncio.get_running_loop()
    pacer.slow_to(before / 2)
    await asyncio.sleep(60)
    pacer.reset(after)
    began, count = loop.time(), 0
    while True:
        tokens = await pacer.tokens()
        if loop.time() >= began + 60:
            break
        count += tokens
    assert after - 2 * burst_of(after) <= count <= after


@pytest.mark.virtual_time
@pytest.mark.parametrize(("before", "after"), [(10_000, 600), (600, 10_000), (600, 600)])
async def test_a_bucket_that_was_empty_is_empty_under_another_limit(
    before: int, after: int
) -> None:
    pacer, loop = Pacer(before), asyncio.get_running_loop()
    while loop.time() < 1:
        await pacer.tokens()
    pacer.reset(after)
    began = loop.time()
    count = await pacer.tokens()
    rate = (after - burst_of(after)) / 60
    assert loop.time() - began == pytest.approx(count / rate, rel=0.1, abs=0.03)


@pytest.mark.virtual_time
@pytest.mark.parametrize(("rate", "every"), [(10, 5.0), (60, 0.9), (1_000, 0.05), (10_000, 0.02)])
async def test_one_that_is_reset_again_and_again_fills_all_the_same(
    rate: int, every: float
) -> None:
    """Somebody sets limits by a timer: two that take turns, and hardly differ."""
    pacer, loop = Pacer(rate), asyncio.get_running_loop()
    taken = asyncio.create_task(grants(pacer, iter(()), 120.0))
    while not taken.done():
        await asyncio.sleep(every)
        if not taken.done():
            pacer.reset(rate + int(loop.time() / every) % 2)
    assert len(await taken) >= 0.9 * 2 * rate - burst_of(rate)


@pytest.mark.virtual_time
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_of_two_resets_in_a_row_the_later_one_counts(turns: int) -> None:
    pacer = Pacer(2)
    await pacer.tokens()
    waiting = asyncio.create_task(now_and_tokens(pacer))
    await asyncio.sleep(5)
    pacer.reset(3)
    for _ in range(turns):
        await asyncio.sleep(0)
    pacer.reset(10_000)
    assert await waiting == pytest.approx(5, abs=0.1)


@pytest.mark.virtual_time
async def test_whoever_gives_up_waiting_does_so_in_the_turn_of_a_reset_too() -> None:
    pacer = Pacer(2)
    await pacer.tokens()
    waiting = asyncio.create_task(now_and_tokens(pacer))
    await asyncio.sleep(5)
    pacer.reset(3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
