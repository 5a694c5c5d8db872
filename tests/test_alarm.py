"""Sleeping until a time or a ring, whichever comes first."""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

import pytest

from nanobanana_async._alarm import Alarm
from nanobanana_async.emulator import StalledError, run_virtual


def about(time: float) -> Any:
    return pytest.approx(time, abs=1e-3)


async def slept(alarm: Alarm, until: float) -> float:
    """Sleep, and tell when it was over."""
    await alarm.sleep(until)
    return asyncio.get_running_loop().time()


def ring_at(alarm: Alarm, *times: float) -> None:
    for time in times:
        asyncio.get_running_loop().call_at(time, alarm.ring)


def in_virtual_time(test: Callable[[Alarm], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            await test(Alarm())

        run_virtual(main())

    return run


@in_virtual_time
async def test_it_sleeps_until_its_time(alarm: Alarm) -> None:
    assert await slept(alarm, 100.0) == about(100.0)
    assert await slept(alarm, 250.0) == about(250.0)


@in_virtual_time
async def test_a_time_that_has_passed_is_over_at_once(alarm: Alarm) -> None:
    assert await slept(alarm, 100.0) == about(100.0)
    assert await slept(alarm, 5.0) == about(100.0)
    assert await slept(alarm, -inf) == about(100.0)


@in_virtual_time
async def test_a_ring_ends_the_sleep(alarm: Alarm) -> None:
    ring_at(alarm, 3.0)
    assert await slept(alarm, 100.0) == about(3.0)


@in_virtual_time
async def test_a_ring_ends_a_sleep_without_an_end(alarm: Alarm) -> None:
    ring_at(alarm, 3.0)
    assert await slept(alarm, inf) == about(3.0)


@in_virtual_time
async def test_a_ring_before_the_sleep_cuts_it_short(alarm: Alarm) -> None:
    alarm.ring()
    assert await slept(alarm, 100.0) == about(0.0)


@in_virtual_time
async def test_many_rings_cut_one_sleep_short(alarm: Alarm) -> None:
    for _ in range(5):
        alarm.ring()
    assert await slept(alarm, 100.0) == about(0.0)
    assert await slept(alarm, 100.0) == about(100.0)


@in_virtual_time
async def test_rings_that_meet_one_sleep_end_only_that_one(alarm: Alarm) -> None:
    ring_at(alarm, 3.0, 3.0)
    assert await slept(alarm, 100.0) == about(3.0)
    assert await slept(alarm, 100.0) == about(100.0)


@in_virtual_time
async def test_a_sleep_that_a_ring_ended_does_not_wake_the_next_at_its_own_time(
    alarm: Alarm,
) -> None:
    ring_at(alarm, 3.0)
    assert await slept(alarm, 10.0) == about(3.0)
    assert await slept(alarm, 100.0) == about(100.0)


@in_virtual_time
async def test_a_cancelled_sleep_leaves_nothing_behind(alarm: Alarm) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await alarm.sleep(5.0)
    assert await slept(alarm, 100.0) == about(100.0)


@in_virtual_time
async def test_a_ring_is_not_lost_where_its_sleeper_was_cancelled(alarm: Alarm) -> None:
    sleeper = asyncio.create_task(alarm.sleep(inf))
    await asyncio.sleep(1.0)
    sleeper.cancel()
    alarm.ring()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    assert await slept(alarm, 100.0) == about(1.0)


def test_nothing_else_wakes_a_sleeper() -> None:
    async def main() -> None:
        await Alarm().sleep(inf)

    with pytest.raises(StalledError):
        run_virtual(main())
