"""A storm: everything that can go wrong does, on thousands of requests at once, and who was told what."""

import asyncio
import os
from collections.abc import Mapping, Sequence

from attrs import frozen

from nanobanana_async import (
    ImageResult,
    InvalidRequestError,
    NanoBananaClient,
    NanoBananaError,
    Statistics,
    SubmitUnknownError,
    TaskError,
)
from nanobanana_async.emulator import Episode, Ledger, LogNormal, Stalls
from nanobanana_async.emulator._faults import FAULTS
from tests.emulated import Wire, emulated

SERVICE = LogNormal(15.0, 0.6)

SOAK = "NANOBANANA_SOAK" in os.environ
"""Whether there is time for the milder of two storms, too: see `make soak`."""
ROUND_TRIPS = (0.0, 0.3) if SOAK else (0.3,)

CHANCE = 0.005
# All that can happen to one request. Refusals for the limits come as episodes; and a task that the
# API forgets for good after it was seen is looked for during ten minutes, as it must be, which
# would be the longest thing in the run: it has a test of its own.
EVERY_FAULT: Mapping[str, float] = {
    name: CHANCE
    for name in FAULTS
    if not name.startswith("download_") and "429" not in name and name != "check_forgotten"
}
REFUSALS = tuple(Episode("any_429", start=20.0 + 45.0 * n, length=3.0) for n in range(5))


@frozen
class Weather:
    """What one run met and did."""

    told: Mapping[str, ImageResult | BaseException]
    """By prompt, what its caller got."""
    seconds: float
    """Virtual time from the first call to the last outcome."""
    ledger: Ledger
    statistics: Statistics
    unfinished: Sequence[str]

    def check(self, *, resubmitted: bool = False, optimistic: bool = False) -> None:
        """Hold it against what is promised, whatever went wrong."""
        for prompt, end in self.told.items():
            accepted = self.ledger.accepted_by_prompt.get(prompt, 0)
            assert isinstance(end, ImageResult | NanoBananaError), (prompt, end)
            assert accepted <= 1 or resubmitted, f"{prompt} was paid for {accepted} times"
            if accepted:
                assert told_of(end), f"{prompt} was paid for, and its caller was told {end!r}"
            else:
                assert isinstance(end, SubmitUnknownError | InvalidRequestError), (prompt, end)
        if not resubmitted:
            lost = set(self.ledger.unheard_prompts)
            assert all(isinstance(self.told[prompt], SubmitUnknownError) for prompt in lost)
        assert self.ledger.refused["rate"] == 0
        assert optimistic or self.ledger.refused["concurrency"] == 0
        assert self.ledger.fullest_window <= 10_000
        assert self.ledger.most_tasks <= 1_000
        assert self.unfinished == []
        left = self.statistics
        assert (left.queued, left.submitting, left.in_flight) == (0, 0, 0)
        assert left.slots_left + left.slots_unknown == left.slots_in_force


def told_of(end: object) -> bool:
    """True where a caller who got this knows that a picture is paid for, or may be."""
    named = isinstance(end, TaskError) and end.task_id is not None
    return named or isinstance(end, ImageResult | SubmitUnknownError)


async def one_by_one(
    client: NanoBananaClient, count: int
) -> dict[str, ImageResult | BaseException]:
    """All as `generate` calls at once."""
    prompts = [f"cat {n}" for n in range(count)]
    calls = (client.generate(prompt) for prompt in prompts)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    return dict(zip(prompts, ends, strict=True))


async def as_many(client: NanoBananaClient, count: int) -> dict[str, ImageResult | BaseException]:
    """All through `generate_many`, from a generator."""
    told: dict[str, ImageResult | BaseException] = {}
    async for outcome in client.generate_many(f"cat {n}" for n in range(count)):
        end = outcome.result or outcome.error
        assert end is not None
        assert outcome.request.prompt not in told
        told[outcome.request.prompt] = end
    return told


WAYS = {"generate": one_by_one, "generate_many": as_many}


async def report(
    client: NanoBananaClient, wire: Wire, way: str = "generate", count: int = 10_000
) -> Weather:
    """Ask for so many pictures, and put together what became of them."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    told = await WAYS[way](client, count)
    return Weather(
        told,
        loop.time() - began,
        wire.core.ledger(loop.time()),
        client.statistics(),
        client.unfinished(),
    )


async def storm(way: str, seed: int, count: int = 10_000) -> Weather:
    """Every fault at once."""
    async with emulated(
        service=SERVICE,
        seed=seed,
        faults=EVERY_FAULT,
        episodes=REFUSALS,
        round_trip=0.3,
        stalls=Stalls(period=60.0, length=2.0),
    ) as (client, wire):
        return await report(client, wire, way, count)


async def calm(way: str, count: int = 10_000) -> Weather:
    """The same without any fault, to compare with."""
    async with emulated(service=SERVICE, round_trip=0.3) as (client, wire):
        return await report(client, wire, way, count)
