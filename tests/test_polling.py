"""When a client looks: few tasks, a warm start, service times that are not told."""

import asyncio
from itertools import pairwise
from statistics import fmean

import pytest

from nanobanana_async import (
    ImageRequest,
    NanoBananaClient,
    Polling,
    ServiceTimes,
    ServiceTimesError,
)
from nanobanana_async.emulator import ByResolution, LogNormal, Stuck
from tests.emulated import Answer, Wire, emulated, envelope

pytestmark = pytest.mark.virtual_time

SERVICE = LogNormal(15.0, 0.6)


async def generate(client: NanoBananaClient, count: int, at_once: int = 10) -> None:
    room = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with room:
            await client.generate(f"cat {number}")

    await asyncio.gather(*map(one, range(count)))


def ages_of_first_looks(wire: Wire) -> list[float]:
    """How old each task was at the first look at it, in the order of the tasks."""
    accepted = wire.core.ledger(asyncio.get_running_loop().time()).accepted_at
    looks: dict[str, float] = {}
    for time, call in wire.calls:
        if call.query:
            looks.setdefault(call.query["taskId"], time)
    return [look - at for look, at in zip(sorted(looks.values()), accepted, strict=False)]


async def test_the_first_look_comes_when_tasks_begin_to_end() -> None:
    """Cold after two seconds, to be on the safe side; later not before some have ended."""
    async with emulated(service=SERVICE) as (client, wire):
        await client.generate("a first cat")
        assert 1.5 <= ages_of_first_looks(wire)[0] <= 2
        await generate(client, 300)
        looks = wire.sent("GET")
        wire.calls.clear()
        await generate(client, 50, at_once=1)
        assert wire.sent("GET") < looks / 300 * 50
        times = [time for time, _ in wire.calls]
        gaps = [after - before for before, after in pairwise(times)]
        assert fmean(gap for gap in gaps if gap > 3) > 4  # from a submit to its first look


async def test_a_client_that_starts_warm_needs_no_trials() -> None:
    async with emulated(service=Stuck(20.0)) as (client, wire):
        await generate(client, 10)
        cold = wire.sent("GET")
        await generate(client, 100)
        learned = client.service_times()
    text = learned.to_json()
    warm = {"polling": Polling(service_times=ServiceTimes.from_json(text))}
    async with emulated(service=Stuck(20.0), client=warm) as (client, wire):
        await generate(client, 10)
        assert wire.sent("GET") < 0.75 * cold
        assert client.statistics().mean_lag < 1.5
    assert ServiceTimes.from_json(client.service_times().to_json()) == client.service_times()


async def test_defaults_that_are_spelled_out_are_no_class_of_their_own() -> None:
    async with emulated(service=ByResolution(dict.fromkeys(("1K", "2K", "4K"), Stuck(1.0)))) as (
        client,
        _,
    ):
        await client.generate("a cat")
        await client.generate("a cat", resolution="1k", provider="auto", mode="text-to-image")
        await client.generate("a cat", resolution="4K")
        await client.generate(ImageRequest("a cat", image_urls=["https://example.org/a.png"]))
        assert set(client.service_times().classes) == {
            ("nano-banana-2", "text-to-image", "1K", "auto"),
            ("nano-banana-2", "text-to-image", "4K", "auto"),
            ("nano-banana-2", "image-to-image", "1K", "auto"),
        }


async def test_an_api_that_tells_no_times_is_learned_all_the_same() -> None:
    """A task ended between two looks; taken for endless, tasks would be looked at ever later."""
    ends: dict[str, float] = {}

    async with emulated() as (client, wire):
        loop = asyncio.get_running_loop()

        def bare(call: object) -> Answer:
            query = getattr(call, "query", None)
            if query is None:
                task_id = f"task_{len(ends)}"
                ends[task_id] = loop.time() + 12.0 + len(ends) % 5
                return envelope(200, data={"taskId": task_id})
            over = loop.time() >= ends[query["taskId"]]
            data = {"taskId": query["taskId"], "state": "success" if over else "processing"}
            urls = '{"resultUrls": ["https://pictures.invalid/1.png"]}'
            return envelope(200, data=data | ({"resultJson": urls} if over else {}))

        wire.answers = bare
        lags: list[float] = []

        async def one(number: int) -> None:
            async with room:
                result = await client.generate(f"cat {number}")
                lags.append(loop.time() - ends[result.task_id])

        room = asyncio.Semaphore(20)
        await asyncio.gather(*map(one, range(600)))
    assert fmean(lags[-100:]) < 1.5
    assert client.statistics().mean_lag == 0  # not known


async def test_a_table_of_another_version_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ServiceTimesError, match="version 9, not 1"):
        ServiceTimes.from_json('{"version": 9, "classes": []}')
    with pytest.raises(TypeError, match="polling must be Polling"):
        NanoBananaClient("sk-emulator", polling="learned")  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["learned", "stalest"])
async def test_both_strategies_end_all_and_learn(strategy: str) -> None:
    options = {"polling": Polling(strategy=strategy)}  # type: ignore[arg-type]
    async with emulated(service=SERVICE, client=options) as (client, _):
        await generate(client, 100, at_once=100)
        (times,) = client.service_times().classes.values()
        assert sum(times.ends) == pytest.approx(95, abs=5)
