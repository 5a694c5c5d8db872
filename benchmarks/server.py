"""An emulator in a process of its own, its limits out of the way of whoever is measured."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

from nanobanana_async.emulator import Emulator, LogNormal

__all__ = ["KEY", "server"]

KEY: Final = "sk-emulator"


@contextmanager
def server(median: float = 15.0, sigma: float = 0.6) -> Iterator[str]:
    """Yield its URL; service times are lognormal."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, median, sigma), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()


def serve(pipe: Connection, median: float, sigma: float) -> None:
    async def main() -> None:
        service = LogNormal(median, sigma)
        async with Emulator(
            requests_per_minute=1_000_000, concurrent_tasks=100_000, service=service
        ) as emulator:
            pipe.send(emulator.url)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(main())
