"""Memory grows with what is in flight, not with what was done."""

import asyncio
import gc
import os
import tracemalloc
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nanobanana_async import NanoBananaClient
from nanobanana_async.emulator import LogNormal, Stuck
from tests.emulated import emulated

pytestmark = pytest.mark.virtual_time

MANY = 100_000 if "NANOBANANA_SOAK" in os.environ else 9_000
WARM = 5_000
AHEAD = 1_000 + 100
KIB = 1024


@contextmanager
def traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def in_use() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


class Source:
    """Prompts from a generator, which sees how far it is read ahead of what was handed out."""

    def __init__(self, count: int) -> None:
        self.read = self.handed_out = self.furthest = 0
        self._count = count

    def prompts(self) -> Iterator[str]:
        while self.read < self._count:
            self.read += 1
            self.furthest = max(self.furthest, self.read - self.handed_out)
            yield f"cat {self.read}"


async def test_a_stream_of_any_length_takes_the_same_memory() -> None:
    """Also where the consumer stops for a minute, as a full disk or a slow upload makes it."""
    async with emulated(service=LogNormal(5.0, 0.5), keep_ledger=False, forget_after=60.0) as (
        client,
        wire,
    ):
        wire.calls = deque(maxlen=0)  # the test's own record must not be what grows
        source = Source(MANY)
        with traced():
            async for outcome in client.generate_many(source.prompts()):
                assert outcome.result is not None
                source.handed_out += 1
                if source.handed_out == WARM:
                    before = in_use()
                if source.handed_out % 7_000 == 0:
                    await asyncio.sleep(60)
            growth = in_use() - before
        assert source.handed_out == MANY
        assert AHEAD - 100 <= source.furthest <= AHEAD
        assert growth <= 10 * KIB * KIB
        assert client.unfinished() == []


async def test_a_waiting_call_takes_little() -> None:
    """Ten thousand `generate` calls in line, each in a task of its own, prompts of 40 characters."""
    count = 10_000
    async with emulated(service=Stuck(1e6), client={"request_timeout": 10.0}) as (client, wire):
        await client.submit("to have everything set up")
        never = asyncio.get_running_loop().create_future()
        wire.answers = lambda _: never
        with traced():
            before = in_use()
            calls = [asyncio.create_task(client.generate(f"{n:040d}")) for n in range(count)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            each = (in_use() - before) / count
        assert client.statistics().queued >= count - 10
        assert 1 * KIB < each <= 6 * KIB
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)


async def test_a_closed_client_keeps_nothing_of_what_it_did() -> None:
    before = generations_alive()  # what other tests have left to the collector
    async with emulated(service=LogNormal(5.0, 0.5)) as (client, _):
        await asyncio.gather(*(client.generate(f"cat {n}") for n in range(500)))
        assert generations_alive() <= before
    assert isinstance(client, NanoBananaClient)


def generations_alive() -> int:
    gc.collect()
    return sum(type(thing).__name__ == "Generation" for thing in gc.get_objects())
