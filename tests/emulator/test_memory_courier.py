"""Deliveries in virtual time, to a receiver that is a function."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from time import process_time
from typing import Any

import pytest

from nanobanana_async._wire import Call
from nanobanana_async.emulator import (
    EmulatorCore,
    LogNormal,
    MemoryCourier,
    MemoryTransport,
    Settings,
    run_virtual,
)

from .driver import EPOCH, EXACTLY_10_S, HOOK, callback_body

SUBMIT = Call("POST", "generateTask/nano-banana-2", body=json.dumps(callback_body()).encode())


def core(**settings: Any) -> EmulatorCore:
    return EmulatorCore(Settings(**settings), epoch=EPOCH)


def now() -> float:
    return asyncio.get_running_loop().time()


def about(*seconds: float) -> Any:
    return pytest.approx(seconds, abs=0.01)


class Hook:
    """Notes when what came, and answers as it is told."""

    def __init__(self, *behaviours: Callable[[], Awaitable[int]]) -> None:
        self._behaviours = list(behaviours)
        self.times: list[float] = []
        self.states: list[str] = []

    async def receive(self, url: str, body: bytes) -> int:
        assert url == HOOK
        self.times.append(now())
        self.states.append(json.loads(body)["data"]["state"])
        return await self._behaviours.pop(0)() if self._behaviours else 200


async def submitted(emulator: EmulatorCore, tasks: int = 1) -> None:
    transport = MemoryTransport(emulator)
    for _ in range(tasks):
        assert (await transport.send(SUBMIT, 60.0)).status == 200


def test_a_delivery_comes_at_the_end_and_takes_a_round_trip() -> None:
    emulator, hook = core(service=EXACTLY_10_S), Hook()

    async def main() -> None:
        async with MemoryCourier(emulator, hook.receive, round_trip=1.0):
            await asyncio.sleep(100.0)
            await submitted(emulator)
            await asyncio.sleep(100.0)

    run_virtual(main())
    assert hook.times == about(110.5)
    assert hook.states == ["success"]
    assert emulator.ledger(200.0).told_at == about(1.0)


async def breaks() -> int:
    raise LookupError("a receiver's own mistake")


async def is_cancelled() -> int:
    raise asyncio.CancelledError


async def never_answers() -> int:
    await asyncio.sleep(1e6)
    return 200


async def refuses() -> int:
    return 503


def test_what_is_not_answered_200_in_time_comes_again() -> None:
    hook = Hook(breaks, never_answers, is_cancelled)
    emulator = core(service=EXACTLY_10_S)

    async def main() -> None:
        async with MemoryCourier(emulator, hook.receive):
            await submitted(emulator)
            await asyncio.sleep(300.0)

    run_virtual(main())
    assert hook.times == about(10, 40, 40 + 30 + 60, 130 + 120)
    ledger = emulator.ledger(300.0)
    assert (ledger.callbacks_delivered, ledger.callbacks_failed) == (1, 3)
    assert ledger.told_at == about(240)
    assert ledger.callbacks_lost == ()


def test_after_four_refusals_nobody_is_told() -> None:
    hook, emulator = Hook(*[refuses] * 9), core(service=EXACTLY_10_S)

    async def main() -> None:
        async with MemoryCourier(emulator, hook.receive):
            await submitted(emulator)
            await asyncio.sleep(1_000.0)

    run_virtual(main())
    assert len(hook.times) == 4
    assert emulator.ledger(1_000.0).callbacks_lost == (0,)


def test_a_slow_receiver_holds_up_nobody_else() -> None:
    hook, emulator = Hook(never_answers), core(service=EXACTLY_10_S)

    async def main() -> None:
        async with MemoryCourier(emulator, hook.receive):
            await submitted(emulator, 2)
            await asyncio.sleep(15.0)
        # What was under way is dropped, and nothing is delivered any more.
        await asyncio.sleep(300.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())
    assert hook.times == about(10, 10)


def test_ten_thousand_tasks_are_cheap() -> None:
    hook, emulator = Hook(), core(service=LogNormal(8.0, 0.3), faults={"callback_lost": 0.01})

    async def main() -> None:
        async with MemoryCourier(emulator, hook.receive, round_trip=0.1):
            for _ in range(100):
                await submitted(emulator, 100)
                await asyncio.sleep(1.0)
            await asyncio.sleep(60.0)

    before = process_time()
    run_virtual(main())
    assert process_time() - before < 8
    ledger = emulator.ledger(200.0)
    lost = set(ledger.callbacks_lost)
    assert len(lost) == ledger.faults["callback_lost"] == pytest.approx(100, rel=0.3)
    assert len(hook.times) == ledger.callbacks_delivered == 10_000 - len(lost)
    assert all((told is None) == (task in lost) for task, told in enumerate(ledger.told_at))
