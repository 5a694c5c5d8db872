"""Sleep until a time or until something changed, whichever comes first."""

from __future__ import annotations

import asyncio
from math import inf

__all__ = ["Alarm"]


class Alarm:
    """For one sleeper. A ring that comes while nobody sleeps cuts the next sleep short."""

    def __init__(self) -> None:
        self._rung = False
        self._sleeper: asyncio.Future[None] | None = None

    def ring(self) -> None:
        self._rung = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def sleep(self, until: float) -> None:
        """Return at `until` (the loop's time; inf for never), or when it rings."""
        if not self._rung:
            loop = asyncio.get_running_loop()
            self._sleeper = loop.create_future()
            timer = None if until == inf else loop.call_at(until, self.ring)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
                if timer is not None:
                    timer.cancel()
        self._rung = False
