"""Delivers callbacks over HTTP when the core says that they are due."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

import aiohttp

from nanobanana_async.emulator._callbacks import Delivery
from nanobanana_async.emulator._core import EmulatorCore

# The API's documented patience with a receiver, in seconds. `speed` does not divide it.
PATIENCE: Final = 30.0


class Courier:
    """One background task, from entering to leaving, and in it one task a delivery."""

    def __init__(
        self, core: EmulatorCore, clock: Callable[[], float], patience: float = PATIENCE
    ) -> None:
        """`clock` tells the core's time in seconds."""
        self._core = core
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=patience)
        self._planned = asyncio.Event()
        self._wakes_at: float | None = None

    async def __aenter__(self) -> Self:
        """Begin to deliver."""
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop what is not delivered yet; raise what made the background task fail."""
        self._runner.cancel()
        await asyncio.wait([self._runner])
        with suppress(asyncio.CancelledError):
            self._runner.result()

    def notice(self) -> None:
        """Look whether something is due earlier than was known; costs next to nothing."""
        due = self._core.next_delivery_at()
        if due is not None and (self._wakes_at is None or due < self._wakes_at):
            self._planned.set()

    async def _run(self) -> None:
        # No limit of connections: a delivery must not spend its patience waiting for one.
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=self._timeout
            ) as session,
            asyncio.TaskGroup() as deliveries,
        ):
            while True:
                await self._until_due()
                for delivery in self._core.take_deliveries(self._clock()):
                    deliveries.create_task(self._deliver(session, delivery))

    async def _until_due(self) -> None:
        self._planned.clear()
        self._wakes_at = self._core.next_delivery_at()
        delay = None if self._wakes_at is None else max(0.0, self._wakes_at - self._clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._planned.wait()

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        ok = await self._post(session, delivery)
        self._core.delivered(self._clock(), delivery, ok=ok)
        self.notice()

    async def _post(self, session: aiohttp.ClientSession, delivery: Delivery) -> bool:
        headers = {"content-type": "application/json"}
        try:
            async with session.post(
                delivery.url, data=delivery.body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status == 200  # noqa: PLR2004 - the API wants exactly 200
        except (aiohttp.ClientError, TimeoutError):
            return False
