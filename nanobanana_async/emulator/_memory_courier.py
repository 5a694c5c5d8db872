"""Callbacks without sockets, beside the transport of the same kind.

async with MemoryCourier(core, receive):
    ...  # await receive(url, body) at each delivery; what it returns is the HTTP status
"""

import asyncio

from nanobanana_async.emulator._core import EmulatorCore
from nanobanana_async.emulator._courier import Courier, Post

__all__ = ["MemoryCourier"]


class MemoryCourier(Courier):
    """Hands a core's deliveries to `post`, each in a task of its own, `round_trip` there and back.

    It delivers from entering to leaving, on the running loop's time. An exception, or no answer
    within 30 s, is a failed delivery: the core repeats it. A core has one courier at a time.
    """

    def __init__(self, core: EmulatorCore, post: Post, round_trip: float = 0.0) -> None:
        """`post` takes the callback's URL and body and returns the status; `round_trip` is in seconds."""
        super().__init__(core, _loop_time, self._carry)
        self._receive = post
        self._half = round_trip / 2

    async def _carry(self, url: str, body: bytes) -> int:
        await asyncio.sleep(self._half)
        status = await self._receive(url, body)
        await asyncio.sleep(self._half)
        return status


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
