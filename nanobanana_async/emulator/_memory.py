"""The emulator without sockets: an object that takes the place of HTTP inside a client.

    core = EmulatorCore(Settings(), epoch=1_800_000_000)
    client = NanoBananaClient(transport=MemoryTransport(core))

In virtual time it stands in for a network with a round trip and stalls of one's own choice.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen

from nanobanana_async._wire import Call, NoAnswerError, Reply
from nanobanana_async.emulator._core import EmulatorCore
from nanobanana_async.emulator._defects import said_aloud
from nanobanana_async.emulator._wire import Answer, Request, Silence

__all__ = ["MemoryTransport", "Stalls"]

_KEY: Final = "sk-emulator"


@frozen
class Stalls:
    """Every `period` seconds the network delivers nothing for `length` seconds, then all at once."""

    period: float = 60.0
    """Seconds from the beginning of one stall to that of the next."""
    length: float = 2.0
    """Seconds that a stall lasts."""

    def delivered_at(self, time: float) -> float:
        """Return when what would arrive at `time` arrives; both in seconds."""
        start = time - time % self.period
        # The first stall comes after a period, not at the very start.
        return start + self.length if start > 0 and time < start + self.length else time


@define
class MemoryTransport:
    """Hands a client's requests straight to an emulator's core, `round_trip` seconds there and back."""

    core: EmulatorCore
    """The server."""
    api_key: str = _KEY
    """The key that goes with each request: the client has none."""
    round_trip: float = 0.0
    """Seconds there and back."""
    stalls: Stalls | None = None
    """When the network delivers nothing; None: it always does."""
    _headers: dict[str, str] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._headers = {
            "authorization": f"Bearer {self.api_key}",
            "content-type": "application/json",
        }

    async def send(self, call: Call, timeout: float) -> Reply:  # noqa: ASYNC109 - the protocol's
        """Carry one request, for `timeout` seconds at most; called by the client.

        Cancelled, as over a network: what the core has got by then it has worked on.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._carry(call)
        except TimeoutError:
            raise NoAnswerError(f"nothing came for {timeout:g} s") from None

    async def aclose(self) -> None:
        """Do nothing: nothing is held."""

    async def _carry(self, call: Call) -> Reply:
        loop = asyncio.get_running_loop()
        await self._travel(loop.time)
        request = Request(
            call.method, f"/api/v1/{call.path}", call.query or {}, self._headers, call.body or b""
        )
        with said_aloud(request):
            delay, outcome = self.core.handle(loop.time(), request)
        if delay:
            await asyncio.sleep(delay)
        await self._travel(loop.time)
        if isinstance(outcome, Silence):
            await loop.create_future()
        if not isinstance(outcome, Answer):
            raise NoAnswerError("the connection was reset")
        return Reply(outcome.status, outcome.headers, outcome.body)

    async def _travel(self, time: Callable[[], float]) -> None:
        arrival = time() + self.round_trip / 2
        if self.stalls is not None:
            arrival = self.stalls.delivered_at(arrival)
        await asyncio.sleep(arrival - time())
