"""Limits that change while a client works: nothing exceeds the new ones, and nothing is lost."""

import asyncio
from typing import Any

import pytest

from nanobanana_async import (
    ImageResult,
    Limits,
    NanoBananaClient,
    QueueTimeoutError,
)
from nanobanana_async._wire import Call, NoAnswerError
from nanobanana_async.emulator import LimitChange, Stuck
from tests.emulated import emulated
from tests.storm import ROUND_TRIPS, SERVICE

pytestmark = pytest.mark.virtual_time

FULL = Limits()
HALF = Limits(requests_per_minute=5_000, concurrent_tasks=500)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
async def test_halved_and_doubled_again_in_the_middle_of_a_run(round_trip: float) -> None:
    """The account has half of everything between 60 and 180 s, and the client is told in time."""
    half = LimitChange(60.0, 120.0, requests_per_minute=5_000, concurrent_tasks=500)
    async with emulated(service=SERVICE, limit_changes=[half], round_trip=round_trip) as (
        client,
        wire,
    ):
        run = asyncio.gather(*(client.generate(f"cat {n}") for n in range(8_000)))
        # Told a round trip before: what left under the old limit may still be on its way.
        await asyncio.sleep(60 - round_trip)
        client.limits = HALF
        await asyncio.sleep(120 + round_trip)
        client.limits = FULL
        results = await run
        ledger = wire.core.ledger(now())
    assert all(isinstance(result, ImageResult) for result in results)
    assert ledger.refused == {"rate": 0, "concurrency": 0, "fault": 0}
    assert ledger.accepted == len(ledger.accepted_by_prompt) == 8_000
    in_half = [at for at in ledger.accepted_at if 130 <= at < 180]
    assert 0.7 * 500 / 17.96 <= len(in_half) / 50 <= 500 / 17.96
    again = [at for at in ledger.accepted_at if 195 <= at < 225]
    assert len(again) / 30 >= 0.75 * 1_000 / 17.96


async def test_a_raised_limit_wakes_whoever_waits_for_a_token_or_a_slot() -> None:
    few = Limits(requests_per_minute=2, concurrent_tasks=1)
    async with emulated(service=Stuck(5.0), client={"limits": few}) as (client, wire):
        calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(50)]
        await asyncio.sleep(20)
        assert wire.sent("POST") == 1
        client.limits = FULL
        await asyncio.sleep(1)
        assert wire.sent("POST") == 50
        await asyncio.gather(*calls)


async def test_a_run_of_many_reads_on_as_there_are_more_slots() -> None:
    read = 0

    def prompts() -> Any:
        nonlocal read
        for read in range(1, 2_001):
            yield f"cat {read}"

    few = Limits(requests_per_minute=10_000, concurrent_tasks=10)
    async with (
        emulated(service=Stuck(5.0), client={"limits": few}) as (client, _),
        client.generate_many(prompts()) as run,
    ):
        await anext(run)
        await asyncio.sleep(3)
        assert read <= 10 + 100 + 1
        client.limits = FULL
        await asyncio.sleep(3)
        assert 400 <= read <= 1_101
        assert len([outcome async for outcome in run]) == 1_999


async def test_with_fewer_slots_none_is_sent_until_enough_have_ended() -> None:
    async with emulated(service=SERVICE, client={"limits": FULL}) as (client, wire):
        calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(400)]
        await asyncio.sleep(10)
        client.limits = Limits(concurrent_tasks=50)
        await asyncio.gather(client.generate("a late cat"), *calls)
        assert client.statistics().slots_left == 50
        ledger = wire.core.ledger(now())
    *starts, late = ledger.accepted_at
    ends = (start + seconds for start, seconds in zip(starts, ledger.service_times, strict=False))
    assert 40 <= sum(end > late for end in ends) < 50


async def test_an_answer_that_is_lost_after_the_limit_came_down_is_sent_again() -> None:
    async with emulated(service=Stuck(30.0), round_trip=1.0) as (client, wire):
        lost = 0

        def answers(call: Call) -> NoAnswerError | None:
            nonlocal lost
            if lost or b"a lost cat" not in (call.body or b""):
                return None
            lost += 1
            return NoAnswerError("reset")

        wire.answers = answers
        calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(10)]
        await asyncio.sleep(5)
        again = asyncio.create_task(client.generate("a lost cat", resubmit_unknown=True))
        await asyncio.sleep(0.5)
        assert wire.sent("POST") == 11
        client.limits = Limits(concurrent_tasks=5)
        assert isinstance(await again, ImageResult)
        await asyncio.gather(*calls)
        assert (lost, wire.sent("POST")) == (1, 12)


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_of_two_changes_in_a_row_the_later_one_counts(turns: int) -> None:
    few = Limits(requests_per_minute=2, concurrent_tasks=1)
    async with emulated(service=Stuck(5.0), client={"limits": few}) as (client, wire):
        calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(50)]
        await asyncio.sleep(20)
        client.limits = Limits(requests_per_minute=3, concurrent_tasks=2)
        for _ in range(turns):
            await asyncio.sleep(0)
        client.limits = FULL
        await asyncio.sleep(1)
        assert wire.sent("POST") == 50
        await asyncio.gather(*calls)


async def test_they_can_be_set_before_and_after_the_client_lives() -> None:
    client = NanoBananaClient("sk-emulator", limits=HALF)
    assert client.limits is HALF
    client.limits = FULL
    assert client.limits is FULL
    async with emulated(client={"limits": HALF}) as (opened, _):
        opened.limits = FULL
        assert opened.statistics().slots_in_force == 1_000
    opened.limits = HALF
    assert opened.limits is HALF


async def test_what_are_no_limits_is_refused_and_changes_nothing() -> None:
    async with emulated() as (client, _):
        before = client.limits
        with pytest.raises(TypeError, match="limits must be Limits"):
            client.limits = 7  # type: ignore[assignment]
        assert client.limits is before


async def test_a_call_that_waits_by_an_old_limit_keeps_its_own_time_out() -> None:
    few = Limits(requests_per_minute=2, concurrent_tasks=1)
    async with emulated(service=Stuck(100.0), client={"limits": few}) as (client, _):
        first = asyncio.create_task(client.generate("a cat"))
        await asyncio.sleep(1)
        with pytest.raises(QueueTimeoutError):
            await client.generate("another", timeout=5)
        client.limits = FULL
        await first


async def test_limits_that_are_set_again_and_again_hold_nobody_up() -> None:
    """Somebody sets them by a timer, mostly to what they are."""
    few = Limits(requests_per_minute=60, concurrent_tasks=1_000)
    async with emulated(service=Stuck(1_000.0), client={"limits": few}) as (client, wire):
        calls = [asyncio.create_task(client.submit(f"cat {n}")) for n in range(60)]
        for turn in range(66):
            client.limits = Limits(60, 1_000 + turn % 2)
            await asyncio.sleep(0.9)
        assert wire.sent("POST") + wire.sent("GET") >= 55
        client.limits = FULL
        await asyncio.gather(*calls)
