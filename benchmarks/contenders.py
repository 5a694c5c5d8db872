"""Who makes the pictures: this client, and the loops that people write by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count, repeat
from typing import Any, Final, Protocol

from aiolimiter import AsyncLimiter
from attrs import define, field, frozen

from nanobanana_async import ImageRequest, Limits, NanoBananaClient, Polling
from nanobanana_async._wire import Call, Transport

__all__ = ["BY_HAND", "CLIENTS", "CONTENDERS", "OPTIMISTIC", "ByHand", "Client", "Contender", "Job"]

KEY: Final = "sk-emulator"
REQUEST_TIMEOUT: Final = 30.0


@frozen
class Job:
    """What is to be made."""

    tasks: int
    resolutions: Sequence[str]
    in_flight: int | None
    """At once, as the caller wants it; None for as many as the limits allow."""

    def requests(self) -> Iterator[ImageRequest]:
        for number in range(self.tasks):
            resolution = self.resolutions[number % len(self.resolutions)]
            yield ImageRequest(f"cat {number}", resolution=resolution)


class Contender(Protocol):
    """Makes all pictures of a job through a transport."""

    async def work(self, transport: Transport, job: Job) -> None: ...


# This client


@frozen
class Client:
    """The library, as a user has it."""

    polling: Polling = field(factory=Polling)
    limits: Limits = field(factory=Limits)

    async def work(self, transport: Transport, job: Job) -> None:
        async with self.opened(transport=transport) as client:
            await self.generate(client, job)

    def opened(self, **where: object) -> NanoBananaClient:
        """Return a client with these options, for a transport or an address."""
        return NanoBananaClient(KEY, polling=self.polling, limits=self.limits, **where)  # type: ignore[arg-type]

    async def generate(self, client: NanoBananaClient, job: Job) -> None:
        if job.in_flight is None:
            async for _ in client.generate_many(job.requests()):
                pass
            return
        room = asyncio.Semaphore(job.in_flight)

        async def one(request: ImageRequest) -> None:
            async with room:
                await client.generate(request)

        await asyncio.gather(*map(one, job.requests()))


# By hand


def table() -> Iterator[float]:
    """The vendor's table: the first look after 5 s, then one every 3 s."""
    return chain([5.0], repeat(3.0))


def backoff() -> Iterator[float]:
    """The vendor's example: 3 s, each wait 1.5 times the one before, at most 30 s."""
    return (min(3.0 * 1.5**number, 30.0) for number in count())


def every(seconds: float) -> Callable[[], Iterator[float]]:
    return lambda: repeat(seconds)


def as_documented() -> AsyncLimiter:
    """The limit as it stands in the vendor's docs, which lets 20,000 into the first minute."""
    return AsyncLimiter(10_000, 60)


def paced() -> AsyncLimiter:
    """A bucket that never lets more than 10,000 into a minute."""
    return AsyncLimiter(8, 8 / ((10_000 - 8) / 60))


@frozen
class ByHand:
    """A coroutine a task, one limiter, a semaphore for the 1,000 places, a timer between looks.

    A submit that is refused is tried again after a second; a look that is refused counts as one
    that found nothing.
    """

    waits: Callable[[], Iterator[float]]
    limiter: Callable[[], AsyncLimiter]

    async def work(self, transport: Transport, job: Job) -> None:
        loop = _Loop(
            transport, self.waits, self.limiter(), asyncio.Semaphore(job.in_flight or 1_000)
        )
        await asyncio.gather(*map(loop.one, job.requests()))


@define
class _Loop:
    """What the coroutines of `ByHand` share."""

    transport: Transport
    waits: Callable[[], Iterator[float]]
    limiter: AsyncLimiter
    room: asyncio.Semaphore

    async def one(self, request: ImageRequest) -> None:
        async with self.room:
            task_id = await self.submit(request)
            for wait in self.waits():
                await asyncio.sleep(wait)
                if await self.finished(task_id):
                    return

    async def submit(self, request: ImageRequest) -> str:
        fields = {
            "mode": "text-to-image",
            "prompt": request.prompt,
            "aspect_ratio": "auto",
            "resolution": request.resolution,
        }
        body = json.dumps({"request_type": "async", "provider": "auto", "input": fields}).encode()
        while True:
            answer = await self.send(Call("POST", "generateTask/nano-banana-2", body=body))
            if answer["code"] == 200:
                return str(answer["data"]["taskId"])
            await asyncio.sleep(1)

    async def finished(self, task_id: str) -> bool:
        answer = await self.send(Call("GET", "statusTask/nano-banana-2", query={"taskId": task_id}))
        return answer["code"] == 200 and answer["data"]["state"] in ("success", "failed")

    async def send(self, call: Call) -> Any:
        async with self.limiter:
            reply = await self.transport.send(call, REQUEST_TIMEOUT)
        return json.loads(reply.body)


# By name

LEARNED: Final = "learned"
STALEST: Final = "stalest first"
OPTIMISTIC: Final = "learned, optimistic"

CLIENTS: Final[dict[str, Client]] = {
    LEARNED: Client(),
    STALEST: Client(Polling(strategy="stalest")),
    OPTIMISTIC: Client(limits=Limits(optimistic=True)),
}

TABLE: Final = "5 s, then every 3 s"
PACED: Final = "paced"
WAITS: Final = {
    TABLE: table,
    "3 s, growing to 30 s": backoff,
    "every second": every(1.0),
    "every 5 s": every(5.0),
}
LIMITERS: Final = {"AsyncLimiter(10000, 60)": as_documented, PACED: paced}

BY_HAND: Final[dict[str, ByHand]] = {
    f"{wait}, {limiter}": ByHand(WAITS[wait], LIMITERS[limiter])
    for wait in WAITS
    for limiter in LIMITERS
}

CONTENDERS: Final[dict[str, Contender]] = {**CLIENTS, **BY_HAND}
