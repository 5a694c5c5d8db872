"""Delivers callbacks when the core says that they are due; how they are posted is given to it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Self, TypeAlias

from nanobanana_async.emulator._callbacks import Delivery
from nanobanana_async.emulator._core import EmulatorCore

# The API's documented patience with a receiver, in seconds. `speed` does not divide it.
PATIENCE: Final = 30.0

Post: TypeAlias = Callable[[str, bytes], Awaitable[int]]
"""Carries a body to a URL and returns the HTTP status; whatever it raises is no answer."""

_log = logging.getLogger(__name__)


class Courier:
    """One background task, from entering to leaving, and in it one task a delivery.

    A core has one courier at a time.
    """

    def __init__(
        self,
        core: EmulatorCore,
        clock: Callable[[], float],
        post: Post,
        patience: float = PATIENCE,
    ) -> None:
        """`clock` tells the core's time, and `patience` is for one delivery, both in seconds."""
        self._core = core
        self._clock = clock
        self._post = post
        self._patience = patience
        self._sooner = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Begin to deliver, at once."""
        self._core.notify(self._sooner.set)
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop what is not delivered yet; raise what made the background task fail.

        Deliveries under way are cancelled. Cancelled itself, it does not wait for their end.
        """
        self._core.notify(None)
        self._runner.cancel()
        await asyncio.wait([self._runner])
        with suppress(asyncio.CancelledError):
            self._runner.result()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as deliveries:
            while True:
                await self._until_due()
                for delivery in self._core.take_deliveries(self._clock()):
                    deliveries.create_task(self._deliver(delivery))

    async def _until_due(self) -> None:
        self._sooner.clear()
        due = self._core.next_delivery_at()
        delay = None if due is None else max(0.0, due - self._clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._sooner.wait()

    async def _deliver(self, delivery: Delivery) -> None:
        ok = await self._is_taken(delivery)
        self._core.delivered(self._clock(), delivery, ok=ok)

    async def _is_taken(self, delivery: Delivery) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                # The API wants exactly 200.
                return await self._post(delivery.url, delivery.body) == 200  # noqa: PLR2004
        except Exception:  # noqa: BLE001 - a receiver can break in any way, and is tried again
            _log.debug("A callback was not delivered", exc_info=True)
            return False
        except asyncio.CancelledError:
            # Either this courier is being left, or the receiver was cancelled: that is no answer.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return False
