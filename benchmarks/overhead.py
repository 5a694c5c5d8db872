"""What the client costs: its CPU a request, against the same requests made by hand.

Both sides run in this process, in turn, against an emulator in a process of its own. The bare side
is one `ClientSession`, one `AsyncLimiter`, and a task a request with at most 50 waiting; it makes
the mix of submits and status checks that the client made in the run before it, at the same rate.
Only the steady part is counted. Timings here are noisy, so the figure is the median of the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import platform
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import aiohttp
from aiolimiter import AsyncLimiter
from attrs import frozen

from nanobanana_async import ImageRequest, NanoBananaClient
from nanobanana_async.emulator import Emulator, LogNormal

KEY = "sk-emulator"
RATE = AsyncLimiter
WAITING = 50
CEILING = 1.35


@frozen
class Cost:
    """CPU of one side over its steady part."""

    requests: int
    cpu: float
    """Seconds."""
    submits: int

    @property
    def microseconds(self) -> float:
        return self.cpu / self.requests * 1e6


@contextmanager
def server() -> Iterator[str]:
    """An emulator in another process; its limits are out of the way, so both sides are free."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()


def _serve(pipe: Connection) -> None:
    async def main() -> None:
        async with Emulator(
            api_key=KEY,
            requests_per_minute=1_000_000,
            concurrent_tasks=100_000,
            service=LogNormal(15, 0.6),
        ) as emulator:
            pipe.send(emulator.url)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(main())


async def measure_client(url: str, warm_up: float, steady: float) -> Cost:
    """The client, saturated: more to submit than it has slots."""
    async with NanoBananaClient(KEY, base_url=url) as client:
        prompts = (ImageRequest(f"a cat, number {number}") for number in count())

        async def generate() -> None:
            async for outcome in client.generate_many(prompts):
                if outcome.error is not None:
                    raise outcome.error

        def requests() -> tuple[int, int]:
            figures = client.statistics()
            return figures.submits + figures.checks, figures.submits

        work = asyncio.create_task(generate())
        await asyncio.sleep(warm_up)
        (before, submits_before), cpu_before = requests(), time.process_time()
        await asyncio.sleep(steady)
        (after, submits_after), cpu_after = requests(), time.process_time()
        work.cancel()
        await asyncio.wait([work])
    return Cost(after - before, cpu_after - cpu_before, submits_after - submits_before)


async def measure_bare(url: str, warm_up: float, steady: float, submit_share: float) -> Cost:
    """The same by hand."""
    limiter = AsyncLimiter(8, 8 / ((10_000 - 8) / 60))
    places = asyncio.Semaphore(WAITING)
    done = [0, 0]
    ids: deque[str] = deque(maxlen=1_000)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        _tasks() as start,
    ):

        async def submit() -> None:
            body = {
                "request_type": "async",
                "provider": "auto",
                "input": {
                    "mode": "text-to-image",
                    "prompt": "a cat",
                    "aspect_ratio": "auto",
                    "resolution": "1K",
                    "output_format": "png",
                },
            }
            address = f"{url}/api/v1/generateTask/nano-banana-2"
            async with limiter, session.post(address, json=body) as response:
                ids.append(json.loads(await response.read())["data"]["taskId"])
            done[0] += 1
            done[1] += 1
            places.release()

        async def check() -> None:
            task_id = ids[0]
            ids.rotate()
            address = f"{url}/api/v1/statusTask/nano-banana-2"
            async with limiter, session.get(address, params={"taskId": task_id}) as response:
                json.loads(await response.read())
            done[0] += 1
            places.release()

        async def work() -> None:
            owed = 1.0
            while True:
                await places.acquire()
                owed += submit_share
                if owed >= 1 or not ids:
                    owed -= 1
                    start(submit)
                else:
                    start(check)

        working = asyncio.create_task(work())
        await asyncio.sleep(warm_up)
        before, cpu_before = tuple(done), time.process_time()
        await asyncio.sleep(steady)
        after, cpu_after = tuple(done), time.process_time()
        working.cancel()
        await asyncio.wait([working])
    return Cost(after[0] - before[0], cpu_after - cpu_before, after[1] - before[1])


@asynccontextmanager
async def _tasks():  # type: ignore[no-untyped-def]
    running: set[asyncio.Task[None]] = set()

    def start(work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.ensure_future(work())
        running.add(task)
        task.add_done_callback(running.discard)

    yield start
    await asyncio.wait(running)
