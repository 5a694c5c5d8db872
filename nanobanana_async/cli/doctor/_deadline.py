"""The time that all questions to the network have together."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Deadline:
    """So many seconds from now on, in the running loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def left(self) -> float:
        """Seconds, never below 0."""
        return max(self._end - asyncio.get_running_loop().time(), 0.0)

    async def keep(self, work: Awaitable[T], at_most: float | None = None) -> T:
        """Wait for `work`, and raise TimeoutError where the time is over before."""
        seconds = self.left if at_most is None else min(self.left, at_most)
        return await asyncio.wait_for(work, seconds)
