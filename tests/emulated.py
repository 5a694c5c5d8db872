"""A client on the emulator's core, in memory: what the tests of the second ring run on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, MutableSequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from attrs import define, field

from nanobanana_async import GenerateMany, NanoBananaClient, Outcome
from nanobanana_async._wire import Call, Reply
from nanobanana_async.emulator import EmulatorCore, MemoryTransport, Settings, Stalls

EPOCH = 1_800_000_000.0

Answer: TypeAlias = Reply | Exception | asyncio.Future[Reply] | None


def envelope(code: int, *, status: int | None = None, data: Any = None, message: str = "") -> Reply:
    """An answer in the API's own envelope; its HTTP status is the code unless told otherwise."""
    body = json.dumps({"code": code, "message": message, "data": data}).encode()
    return Reply(code if status is None else status, {}, body)


@define
class Wire:
    """The way to an emulator, on which a test can answer in its place."""

    memory: MemoryTransport
    answers: Callable[[Call], Answer] = lambda _: None
    """A reply, one that comes later, an exception to raise, or None for the emulator's own."""
    calls: MutableSequence[tuple[float, Call]] = field(factory=list)
    """What was sent, with the loop's time."""

    async def send(self, call: Call, timeout: float) -> Reply:
        self.calls.append((asyncio.get_running_loop().time(), call))
        answer = self.answers(call)
        if answer is None:
            return await self.memory.send(call, timeout)
        await asyncio.sleep(self.memory.round_trip)
        if isinstance(answer, asyncio.Future):
            return await asyncio.shield(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        await self.memory.aclose()

    @property
    def core(self) -> EmulatorCore:
        return self.memory.core

    def sent(self, method: str) -> int:
        return sum(call.method == method for _, call in self.calls)


@asynccontextmanager
async def emulated(
    *,
    round_trip: float = 0.0,
    stalls: Stalls | None = None,
    client: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[NanoBananaClient, Wire]]:
    """A client and the wire to its emulator; in the end no task may be left."""
    before = asyncio.all_tasks()
    core = EmulatorCore(Settings(**settings), epoch=EPOCH)
    wire = Wire(MemoryTransport(core, round_trip=round_trip, stalls=stalls))
    async with NanoBananaClient(transport=wire, **(client or {})) as opened:
        yield opened, wire
    left = asyncio.all_tasks() - before
    assert not left, f"left behind: {left}"


async def rest_of(run: GenerateMany) -> tuple[list[Outcome], Exception | None]:
    """Take outcomes to the end; what the run raises comes beside them."""
    outcomes: list[Outcome] = []
    while True:
        try:
            outcomes.append(await anext(run))
        except StopAsyncIteration:
            return outcomes, None
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return outcomes, error
