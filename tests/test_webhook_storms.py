"""Ten thousand tasks that are told of by webhooks, on virtual time: throughput, and what gets lost."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from attrs import define, field

from nanobanana_async import ImageResult, NanoBananaClient, SubmitUnknownError, Webhooks
from nanobanana_async.emulator import Ledger, LogNormal, MemoryCourier
from tests.emulated import Wire, emulated
from tests.memory_journal import MemoryJournal
from tests.test_throughput import throughput

pytestmark = pytest.mark.virtual_time

N = 10_000
MEDIAN, SIGMA = 8.0, 0.3
# No slot is held longer than its task runs: what the slots alone allow, 119 a second.
BOUND = 1_000 / (MEDIAN * math.exp(SIGMA**2 / 2))
HOOKS = Webhooks(public_url="http://127.0.0.1:1/hooks", secret="a secret of the tests")


@asynccontextmanager
async def told(
    *, round_trip: float = 0.0, journal: MemoryJournal | None = None, **settings: Any
) -> AsyncIterator[tuple[NanoBananaClient, Wire, list[tuple[bytes, str]]]]:
    """A client that the emulator tells how tasks end, and what it was told, with which token."""
    deliveries: list[tuple[bytes, str]] = []
    options = {"webhooks": HOOKS, "base_url": "http://127.0.0.1:1", "journal": journal}
    settings.setdefault("service", LogNormal(MEDIAN, SIGMA))
    async with emulated(client=options, round_trip=round_trip, **settings) as (client, wire):

        async def post(url: str, body: bytes) -> int:
            token = url.rpartition("/")[2]
            deliveries.append((body, token))
            return await client.webhooks.deliver(body, token)

        async with MemoryCourier(wire.core, post, round_trip=round_trip):
            yield client, wire, deliveries


def ledger_of(wire: Wire) -> Ledger:
    return wire.core.ledger(asyncio.get_running_loop().time())


async def test_the_slots_alone_are_the_limit() -> None:
    async with told() as (client, wire, _):
        results = await asyncio.gather(*(client.generate(f"cat {n}") for n in range(N)))
        ledger = ledger_of(wire)
    assert len({result.task_id for result in results}) == N
    assert sum(ledger.refused.values()) == 0
    assert ledger.most_tasks <= 1_000
    assert throughput(ledger.accepted_at) >= 0.97 * BOUND
    assert ledger.requests["check"] <= 0.2 * N


async def test_where_one_in_a_hundred_is_never_told_a_look_finds_it_within_a_minute() -> None:
    async with told(faults={"callback_lost": 0.01}) as (client, wire, _):
        results = await asyncio.gather(*(client.generate(f"cat {n}") for n in range(N)))
        ledger = ledger_of(wire)
    assert len({result.task_id for result in results}) == N
    assert sum(ledger.refused.values()) == 0
    assert throughput(ledger.accepted_at) >= 0.93 * BOUND
    assert ledger.requests["check"] <= 0.2 * N
    assert len(ledger.callbacks_lost) > 50
    lags = [ledger.lags[place] for place in ledger.callbacks_lost]
    assert all(lag is not None and lag <= 60.0 for lag in lags)
    assert all(lag is None for lag in (ledger.told_at[place] for place in ledger.callbacks_lost))


@define
class Forger:
    """Posts what nobody asked for: wrong tokens, replayed ones, and bodies that are none."""

    client: NanoBananaClient
    deliveries: list[tuple[bytes, str]]
    random: Random = field(factory=lambda: Random(7))
    statuses: list[int] = field(factory=list)

    async def run(self, posts: int) -> None:
        while len(self.statuses) < posts:
            await asyncio.sleep(0.1)
            if self.deliveries:
                body, token = self.made_up(*self.random.choice(self.deliveries))
                self.statuses.append(await self.client.webhooks.deliver(body, token))

    def made_up(self, body: bytes, token: str) -> tuple[bytes, str]:
        """From a delivery that was overheard: one to be refused, or that must change nothing.

        Each claims a picture of the forger's, but for the one that is sent once more as it was.
        """
        urls = json.dumps({"resultUrls": ["https://forged.example/x.png"]})
        forged = {"state": "success", "resultJson": urls}
        data = json.loads(body)["data"]
        good = json.dumps({"code": 200, "data": data | forged}).encode()
        wrong_tokens = [token[:-1], token[::-1], f"{token}A", "", "../../etc/passwd", "ü" * 43]
        bad_bodies = [
            {"code": 200, "data": data | forged | {"taskId": ""}},
            {"code": 500, "data": data | forged},
            {"code": 200, "data": data | forged | {"taskId": None}},
            {"code": 200, "data": data | forged | {"taskId": "task_forged"}},
            {"code": 200, "data": [data | forged]},
            {"code": 200, "data": data | forged | {"padding": "x" * 70_000}},
            [],
        ]
        match self.random.randrange(4):
            case 0:
                return good, self.random.choice(wrong_tokens)
            case 1:
                return json.dumps(self.random.choice(bad_bodies)).encode(), token
            case 2:
                return good, token  # its task has ended: the first end counts
            case _:
                return body, token


async def test_a_storm() -> None:
    """Everything at once. A lost answer is unknown only where the delivery was lost as well."""
    count = 3_000
    journal = MemoryJournal()
    faults = {
        "callback_twice": 0.05,
        "callback_early": 0.05,
        "callback_lost": 0.01,
        "callback_drop": 0.01,
        "submit_lost": 0.02,
    }
    async with told(faults=faults, journal=journal, round_trip=0.1) as (
        client,
        wire,
        deliveries,
    ):
        forger = Forger(client, deliveries)
        prompts = [f"cat {n}" for n in range(count)]
        async with asyncio.TaskGroup() as group:
            group.create_task(forger.run(1_000))
            calls = [group.create_task(_end(client, prompt)) for prompt in prompts]
        ends = {prompt: call.result() for prompt, call in zip(prompts, calls, strict=True)}
        await asyncio.sleep(10)  # the last repeated deliveries
        ledger, figures = ledger_of(wire), client.statistics()
        assert client.unfinished() == []
    assert set(forger.statuses) == {200, 400, 404, 413}
    assert len(forger.statuses) == 1_000
    assert sum(ledger.refused.values()) == 0
    assert ledger.accepted_twice == {}
    own = dict(zip(ledger.accepted_by_prompt, ledger.task_ids, strict=True))
    never_told = {ledger.task_ids[place] for place in ledger.callbacks_lost}
    unheard = set(ledger.unheard_prompts)
    assert len(unheard) > 30
    for prompt, end in ends.items():
        if isinstance(end, ImageResult):
            assert end.task_id == own[prompt]
            assert all(end.task_id in url for url in end.urls)
        else:
            assert isinstance(end, SubmitUnknownError)
            assert prompt in unheard
            assert own[prompt] in never_told
    assert figures.paid_twice == 0
    assert figures.unknown == sum(not isinstance(end, ImageResult) for end in ends.values())
    assert figures.slots_left == 1_000
    assert len(journal.kinds()) == count


async def _end(client: NanoBananaClient, prompt: str) -> ImageResult | SubmitUnknownError:
    try:
        return await client.generate(prompt)
    except SubmitUnknownError as error:
        return error
