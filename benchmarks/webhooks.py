"""How a receiver fares: 300 tasks a second that end, and are told, in real time over real sockets.

The emulator runs in this process. A web process of its own submits the tasks with a client and
serves its `WebhookApp` under uvicorn, in one event loop, as a web application does. Everything but
its CPU time comes from the emulator's ledger. How late a task was told is counted from its end to
the moment when the answer 200 was read, with whatever the emulator itself took.

    python -m benchmarks.webhooks [--seconds 30] [--write docs/cost-of-webhooks.md]

Exits with 1 where a delivery was not answered 200 or came late, or not all tasks were delivered.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import platform
import socket
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from secrets import token_bytes
from typing import Final

import uvicorn
from attrs import frozen

from benchmarks.server import KEY
from nanobanana_async import ImageResult, Limits, NanoBananaClient, Webhooks
from nanobanana_async.emulator import Emulator, Ledger, LogNormal
from nanobanana_async.webhooks.asgi import WebhookApp

__all__ = ["CEILING", "LEAST_RATE", "RATE", "Load", "measure"]

RATE: Final = 300
"""Tasks a second; an account's limits allow for 119 at 8 s a task."""
LEAST_RATE: Final = 0.97 * RATE
CEILING: Final = 0.100
"""Seconds, p99 of how late a task was told."""
LIMITS: Final = Limits(requests_per_minute=60_000, concurrent_tasks=5_000)
PATIENCE: Final = 10.0
"""Seconds for the last deliveries."""


@frozen
class Web:
    """What the web process knows of itself."""

    cpu: float
    """Seconds."""
    results: int
    deliveries: int
    checks: int


@frozen
class Load:
    """What was seen. Times in seconds."""

    tasks: int
    results: int
    delivered: int
    """Deliveries answered 200."""
    failed: int
    """All the others."""
    checks: int
    rate: float
    """Deliveries a second, without the first and the last twentieth."""
    p50: float
    p99: float
    longest: float
    cpu: float
    """Of the web process a task, from the submit to the result."""

    @property
    def whole(self) -> bool:
        """True where each task was told once, at once, and its result arrived."""
        return self.failed == 0 and self.tasks == self.delivered == self.results


def measure(seconds: float, median: float = 2.0) -> Load:
    """Submit for so many seconds; service times are lognormal."""
    return asyncio.run(_emulate(round(RATE * seconds), median))


async def _emulate(tasks: int, median: float) -> Load:
    loop, spawn = asyncio.get_running_loop(), multiprocessing.get_context("spawn")
    async with Emulator(
        requests_per_minute=LIMITS.requests_per_minute,
        concurrent_tasks=LIMITS.concurrent_tasks,
        service=LogNormal(median, 0.3),
    ) as emulator:
        with ProcessPoolExecutor(1, spawn) as pool:
            web = await loop.run_in_executor(pool, _web_process, emulator.url, tasks)
        return _load(emulator.ledger(), web)


def _load(ledger: Ledger, web: Web) -> Load:
    lives = zip(ledger.accepted_at, ledger.service_times, ledger.told_at, strict=True)
    at = sorted(began + life + late for began, life, late in lives if late is not None)
    late = sorted(late for late in ledger.told_at if late is not None)
    first, last = len(at) // 20, len(at) - len(at) // 20 - 1
    return Load(
        tasks=ledger.accepted,
        results=web.results,
        delivered=ledger.callbacks_delivered,
        failed=ledger.callbacks_failed,
        checks=ledger.requests["check"],
        rate=(last - first) / (at[last] - at[first]),
        p50=late[len(late) // 2],
        p99=late[int(0.99 * len(late))],
        longest=late[-1],
        cpu=web.cpu / ledger.accepted,
    )


# The web process


def _web_process(url: str, tasks: int) -> Web:
    return asyncio.run(_serve(url, tasks))


async def _serve(url: str, tasks: int) -> Web:
    listener = socket.create_server(("127.0.0.1", 0))
    webhooks = Webhooks(
        public_url=f"http://127.0.0.1:{listener.getsockname()[1]}", secret=token_bytes()
    )
    async with NanoBananaClient(KEY, base_url=url, limits=LIMITS, webhooks=webhooks) as client:
        server = uvicorn.Server(uvicorn.Config(WebhookApp(client), log_level="warning"))
        serving = asyncio.create_task(server.serve([listener]))
        cpu = time.process_time()
        results = await _generate(client, tasks)
        await _until_delivered(client, tasks)
        cpu = time.process_time() - cpu
        server.should_exit = True
        await serving
        figures = client.statistics()
    return Web(cpu, len({result.task_id for result in results}), figures.deliveries, figures.checks)


async def _generate(client: NanoBananaClient, tasks: int) -> list[ImageResult]:
    loop, calls = asyncio.get_running_loop(), []
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            await asyncio.sleep(began + number / RATE - loop.time())
            calls.append(group.create_task(client.generate(f"a cat, number {number}")))
    return [call.result() for call in calls]


async def _until_delivered(client: NanoBananaClient, tasks: int) -> None:
    """A look may have told of a task before its delivery came."""
    async with asyncio.timeout(PATIENCE):
        while client.statistics().deliveries < tasks:  # noqa: ASYNC110 - there is nothing to await
            await asyncio.sleep(0.01)


def page(load: Load) -> str:
    machine = f"Python {platform.python_version()}, uvicorn {version('uvicorn')}"
    return f"""# What receiving webhooks costs

Written by `python -m benchmarks.webhooks --write docs/cost-of-webhooks.md` ({machine}, two cores,
the emulator on one of them). One web process submits {RATE} tasks a second with a client and serves
its `WebhookApp` under uvicorn, without an access log, in the same event loop: two and a half times what the
account's limits allow for, so the emulator's are higher here. The ceiling is for an otherwise idle
machine: the two processes need most of its two cores.

| | |
| --- | ---: |
| tasks submitted | {load.tasks:,} |
| results | {load.results:,} |
| deliveries answered 200 | {load.delivered:,} |
| other answers | {load.failed} |
| status checks | {load.checks} |
| deliveries a second | {load.rate:.0f} |
| from a task's end to the answer read, median, ms | {load.p50 * 1e3:.1f} |
| p99, ms (ceiling: {CEILING * 1e3:.0f}) | {load.p99 * 1e3:.1f} |
| longest, ms | {load.longest * 1e3:.0f} |
| CPU of the web process a task, ms | {load.cpu * 1e3:.2f} |

The CPU is that of everything: the submit, the delivery, uvicorn's parsing (by h11, in
Python), the result. What a delivery leads to in your code runs after its answer and is not in it.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="A receiver at 300 deliveries a second.")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--write", type=Path, help="write the page of the docs")
    arguments = parser.parse_args()
    load = measure(arguments.seconds)
    print(load)
    if arguments.write:
        arguments.write.write_text(page(load))
    return not (load.whole and load.rate >= LEAST_RATE and load.p99 <= CEILING)


if __name__ == "__main__":
    sys.exit(main())
