"""How the event loop fares with 1,000 tasks in flight and 100,000 calls in line, in real time."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.server import KEY, server
from nanobanana_async import ImageRequest, NanoBananaClient

__all__ = ["CEILING", "Load", "measure"]

CEILING: Final = 0.010
"""Seconds, p99 of the loop's lag."""
QUEUED: Final = 100_000
WARM_UP: Final = 25.0
STEADY: Final = 30.0
EVERY: Final = 0.002


@frozen
class Load:
    """What was seen. Times in seconds."""

    in_flight: int
    queued: int
    p50: float
    p99: float
    longest: float
    kibibytes: float
    """Memory a call that waits, its asyncio task included."""


def measure() -> Load:
    """Run a client against an emulator in another process."""
    with server() as url:
        return asyncio.run(_under_load(url))


async def _under_load(url: str) -> Load:
    async with NanoBananaClient(KEY, base_url=url) as client:
        gc.collect()
        before = _resident()
        calls = [
            asyncio.create_task(client.generate(ImageRequest(f"a cat, number {number}")))
            for number in range(QUEUED)
        ]
        await asyncio.sleep(0)
        kibibytes = (_resident() - before) / QUEUED / 1024
        await asyncio.sleep(WARM_UP)
        lags = sorted(await _lags(STEADY))
        figures = client.statistics()
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
    return Load(
        in_flight=figures.in_flight,
        queued=figures.queued,
        p50=lags[len(lags) // 2],
        p99=lags[int(0.99 * len(lags))],
        longest=lags[-1],
        kibibytes=kibibytes,
    )


async def _lags(seconds: float) -> list[float]:
    """Sleep for two milliseconds again and again; how much later does one wake up?"""
    loop, lags = asyncio.get_running_loop(), []
    end = loop.time() + seconds
    while (start := loop.time()) < end:
        await asyncio.sleep(EVERY)
        lags.append(max(loop.time() - start - EVERY, 0.0))
    return lags


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
