"""What the client costs: its CPU a request, against the same requests made by hand.

Both sides run in this process, in turn, against an emulator in a process of its own. The bare side
is one `ClientSession`, one `AsyncLimiter`, and a task a request with at most 50 waiting; it makes
the mix of submits and status checks that the client made just before it, at the same rate. Only the
steady part is counted. Timings are noisy, so the figure is the median of the ratios of several runs.

    python -m benchmarks.overhead [--runs 5] [--write docs/cost.md]

Exits with 1 where a figure is above its ceiling.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from itertools import count
from pathlib import Path
from statistics import median

import aiohttp
from aiolimiter import AsyncLimiter
from attrs import define, field, frozen

from benchmarks import load, schedule, startup
from benchmarks.load import Load
from benchmarks.schedule import Event
from benchmarks.server import KEY, server
from benchmarks.startup import Startup
from nanobanana_async import ImageRequest, NanoBananaClient

CEILING = 1.35
WAITING = 50
WARM_UP = {"client": 20.0, "bare": 4.0}
STEADY = 15.0

BODY = {
    "request_type": "async",
    "provider": "auto",
    "input": {
        "mode": "text-to-image",
        "prompt": "a cat, number 12345",
        "aspect_ratio": "auto",
        "resolution": "1K",
        "output_format": "png",
    },
}


@frozen
class Cost:
    """One side over its steady part."""

    submits: int
    checks: int
    cpu: float
    """Seconds of this process."""

    @property
    def requests(self) -> int:
        return self.submits + self.checks

    @property
    def microseconds(self) -> float:
        return self.cpu / self.requests * 1e6


async def steady_part(counted: Callable[[], tuple[int, int]], warm_up: float) -> Cost:
    await asyncio.sleep(warm_up)
    (submits, checks), cpu = counted(), time.process_time()
    await asyncio.sleep(STEADY)
    cpu = time.process_time() - cpu
    return Cost(counted()[0] - submits, counted()[1] - checks, cpu)


async def client_side(url: str) -> Cost:
    """Measure the client at its limits: there is always more to submit than it has slots."""
    async with NanoBananaClient(KEY, base_url=url) as client:

        async def generate() -> None:
            requests = (ImageRequest(f"a cat, number {number}") for number in count())
            async for outcome in client.generate_many(requests):
                if outcome.error is not None:
                    raise outcome.error

        def counted() -> tuple[int, int]:
            figures = client.statistics()
            return figures.submits, figures.checks

        work = asyncio.create_task(generate())
        cost = await steady_part(counted, WARM_UP["client"])
        work.cancel()
        await asyncio.wait([work])
    return cost


@define
class Bare:
    """The same requests as somebody would write them by hand."""

    url: str
    session: aiohttp.ClientSession
    limiter: AsyncLimiter = field(factory=lambda: AsyncLimiter(8, 8 / ((10_000 - 8) / 60)))
    waiting: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(WAITING))
    ids: deque[str] = field(factory=lambda: deque(maxlen=1_000))
    submits: int = 0
    checks: int = 0

    async def submit(self) -> None:
        address = f"{self.url}/api/v1/generateTask/nano-banana-2"
        async with self.limiter, self.session.post(address, json=BODY) as response:
            self.ids.append(json.loads(await response.read())["data"]["taskId"])
        self.submits += 1

    async def check(self) -> None:
        self.ids.rotate()
        address = f"{self.url}/api/v1/statusTask/nano-banana-2"
        query = {"taskId": self.ids[0]}
        async with self.limiter, self.session.get(address, params=query) as response:
            json.loads(await response.read())
        self.checks += 1

    async def work(self, submit_share: float) -> None:
        async def one(request: Callable[[], Awaitable[None]]) -> None:
            try:
                await request()
            finally:
                self.waiting.release()

        owed = 1.0
        async with asyncio.TaskGroup() as group:
            while True:
                await self.waiting.acquire()
                owed += submit_share
                submit_next = owed >= 1 or not self.ids
                owed -= submit_next
                group.create_task(one(self.submit if submit_next else self.check))


async def bare_side(url: str, submit_share: float) -> Cost:
    """Measure the same mix at the same rate without the client."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        bare = Bare(url, session)
        work = asyncio.create_task(bare.work(submit_share))
        cost = await steady_part(lambda: (bare.submits, bare.checks), WARM_UP["bare"])
        work.cancel()
        await asyncio.wait([work])
    return cost


def measure(runs: int) -> Iterator[tuple[Cost, Cost]]:
    with server() as url:
        for _ in range(runs):
            client = asyncio.run(client_side(url))
            yield client, asyncio.run(bare_side(url, client.submits / client.requests))


def table(pairs: list[tuple[Cost, Cost]]) -> str:
    lines = [
        "| run | requests | of these submits | client, µs a request | bare, µs a request | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for run, (client, bare) in enumerate(pairs, 1):
        ratio = client.microseconds / bare.microseconds
        lines.append(
            f"| {run} | {client.requests} | {client.submits} | {client.microseconds:.0f} "
            f"| {bare.microseconds:.0f} | {ratio:.2f} |"
        )
    lines.append(f"| **median** | | | | | **{ratio_of(pairs):.2f}** |")
    return "\n".join(lines)


def ratio_of(pairs: list[tuple[Cost, Cost]]) -> float:
    return median(client.microseconds / bare.microseconds for client, bare in pairs)


def page(pairs: list[tuple[Cost, Cost]], events: list[Event], seen: Load, begin: Startup) -> str:
    rows = "\n".join(f"| {event.tasks:,} | {event.microseconds:.1f} |" for event in events)
    machine = f"Python {platform.python_version()}, aiohttp {version('aiohttp')}"
    return f"""# What the client costs

CPU time of the client process a request, at 10,000 requests a minute with 1,000 tasks in flight,
against the same mix of submits and status checks made by hand at the same rate: one
`ClientSession`, one `AsyncLimiter(8, 8 / 166.5)`, a task a request with at most {WAITING} waiting,
`read()` and `json.loads`. The server runs in another process. Written by
`python -m benchmarks.overhead --write docs/cost.md` ({machine}); the microseconds depend on the
machine, the ratio hardly does. Ceiling: {CEILING}.

{table(pairs)}

So the client, with its queue, ledger, states and futures, costs about as much as the loop by hand;
single runs differ by a tenth or two. What makes up for its own work:

- At full rate it wakes up once for four requests, not once for each: three of four timers, and with
  them rounds of the event loop, are saved.
- One waiter at the limiter. By hand there are fifty, and each token wakes the limiter's heap.
- URLs, headers and time-outs are built once, and no cookie jar is asked.
- `trust_env` is off in its session: with it, aiohttp reads the environment in a thread at every
  request, which alone cost more than the request itself (ratio 2.55 before). The proxy of the
  environment is looked up once instead.

## The event loop under load

With {seen.in_flight:,} tasks in flight and {seen.queued:,} calls in line, a sleep of 2 ms woke up
{seen.p50 * 1e3:.1f} ms late in the median and {seen.p99 * 1e3:.1f} ms late at the 99th percentile
(ceiling: {load.CEILING * 1e3:.0f} ms), {seen.longest * 1e3:.0f} ms once. Each call that waits takes
{seen.kibibytes:.1f} KiB, its asyncio task included.

## The schedule

CPU time of the learned schedule a look, with its life table; one look in four finds its task ended,
and another takes its place. Ceiling: {schedule.CEILING:.0f} µs with 100,000 tasks.

| tasks in flight | µs a look |
| ---: | ---: |
{rows}

## To begin

Importing the client takes {begin.ratio:.2f} times as long as importing the five libraries that it needs
({begin.client * 1e3:.0f} ms against {begin.dependencies * 1e3:.0f} ms, Python's own start included; ceiling: \
{startup.RATIO_CEILING}). `nanobanana --help` takes
{(begin.help - begin.nothing) * 1e3:.0f} ms more than `python -c pass` (ceiling: {startup.HELP_CEILING * 1e3:.0f} ms).
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU of the client against bare requests.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", type=Path, help="write the page of the docs")
    arguments = parser.parse_args()
    pairs = []
    for client, bare in measure(arguments.runs):
        pairs.append((client, bare))
        print(f"{client.microseconds:.0f} µs against {bare.microseconds:.0f} µs", flush=True)
    print(table(pairs))
    events, seen, begin = list(schedule.measure()), load.measure(), startup.measure()
    print(*events, seen, begin, sep="\n")
    if arguments.write:
        arguments.write.write_text(page(pairs, events, seen, begin))
    return not (
        ratio_of(pairs) <= CEILING
        and events[-1].microseconds <= schedule.CEILING
        and seen.p99 <= load.CEILING
        and begin.is_quick
    )


if __name__ == "__main__":
    sys.exit(main())
