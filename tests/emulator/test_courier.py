"""Callbacks over real sockets; speed makes half a minute short."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import unused_port

from nanobanana_async.emulator import (
    Emulator,
    EmulatorCore,
    Ledger,
    LogNormal,
    Request,
    Service,
    Settings,
)
from nanobanana_async.emulator._courier import Courier
from nanobanana_async.emulator._http_post import http_post

from .driver import KEY, body

SPEED = 1_000.0
MODEL = "/api/v1/generateTask/nano-banana-2"


class Receiver:
    """Notes what is delivered, and answers as it is told."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self._statuses = iter(statuses)
        self.deliveries: asyncio.Queue[Any] = asyncio.Queue()
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.method != "POST":
            return web.Response()  # where a client that follows redirects would end up
        assert request.content_type == "application/json"
        self.deliveries.put_nowait(await request.json())
        status = next(self._statuses)
        return web.Response(status=status, headers={"Location": "/"} if status == 302 else {})


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses)
    runner = web.ServerRunner(web.Server(receiver.answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?t=1"
    yield receiver
    await runner.cleanup()


async def submit(emulator: Emulator, callback_url: str) -> str:
    document = body() | {"request_type": "callback", "callback_url": callback_url}
    async with (
        aiohttp.ClientSession(headers={"Authorization": KEY}) as session,
        session.post(emulator.url + MODEL, json=document) as answer,
    ):
        return str((await answer.json())["data"]["taskId"])


async def settled(snapshot: Callable[[], Ledger], deliveries: int) -> None:
    """Return when the ledger knows of so many deliveries."""
    async with asyncio.timeout(10):
        while True:
            ledger = snapshot()
            if ledger.callbacks_delivered + ledger.callbacks_failed == deliveries:
                return
            await asyncio.sleep(0)


async def test_a_delivery_is_made_when_the_task_ends() -> None:
    async with receiver(200) as hook, Emulator(speed=SPEED) as emulator:
        task_id = await submit(emulator, hook.url)
        envelope = await hook.deliveries.get()
        await settled(emulator.ledger, 1)
    assert (envelope["code"], envelope["data"]["taskId"]) == (200, task_id)
    assert envelope["data"]["state"] == "success"
    assert json.loads(envelope["data"]["resultJson"])["resultUrls"]
    assert emulator.ledger().callbacks_delivered == 1
    assert hook.deliveries.empty()


async def test_it_is_repeated_until_it_is_answered_200() -> None:
    async with receiver(500, 302, 200) as hook, Emulator(speed=SPEED) as emulator:
        task_id = await submit(emulator, hook.url)
        await settled(emulator.ledger, 3)
    ledger = emulator.ledger()
    assert (ledger.callbacks_delivered, ledger.callbacks_failed) == (1, 2)
    bodies = [hook.deliveries.get_nowait() for _ in range(3)]
    assert [data["data"]["taskId"] for data in bodies] == [task_id] * 3


async def test_it_is_given_up_after_the_fourth() -> None:
    async with receiver(*[204] * 4) as hook, Emulator(speed=SPEED) as emulator:
        await submit(emulator, hook.url)
        await settled(emulator.ledger, 4)
        assert emulator._core.next_delivery_at() is None
    assert emulator.ledger().callbacks_failed == 4


async def test_a_receiver_that_is_not_there_is_a_failed_delivery() -> None:
    async with Emulator(speed=SPEED) as emulator:
        await submit(emulator, f"http://127.0.0.1:{unused_port()}/hook")
        await settled(emulator.ledger, 4)
    assert emulator.ledger().callbacks_failed == 4


async def test_a_later_task_that_ends_earlier_is_not_kept_waiting() -> None:
    class LongThenShort:
        def __init__(self) -> None:
            self._models = iter([LogNormal(3_600.0, 0.0), LogNormal(0.001, 0.0)])

        def draw(self, rng: Random, resolution: str) -> Service:
            return next(self._models).draw(rng, resolution)

    async with receiver(200) as hook, Emulator(service=LongThenShort()) as emulator:
        await submit(emulator, hook.url)
        second = await submit(emulator, hook.url)
        envelope = await hook.deliveries.get()
    assert envelope["data"]["taskId"] == second


async def test_one_that_overtakes_the_submits_answer_and_comes_twice() -> None:
    faults = {"callback_early": 1.0, "callback_twice": 1.0}
    async with receiver(200, 200) as hook, Emulator(speed=SPEED, faults=faults) as emulator:
        answer = asyncio.create_task(submit(emulator, hook.url))
        told = [(await hook.deliveries.get())["data"]["taskId"] for _ in range(2)]
        assert not answer.done()
        assert told == [await answer] * 2
        await settled(emulator.ledger, 2)
    assert emulator.ledger().faults == {"callback_early": 1, "callback_twice": 1}


async def test_patience_ends() -> None:
    silence = asyncio.Event()

    async def wait(_: web.BaseRequest) -> web.Response:
        await silence.wait()
        return web.Response()

    runner = web.ServerRunner(web.Server(wait, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    loop = asyncio.get_running_loop()
    core = EmulatorCore(Settings(service=LogNormal(0.001, 0.0)), epoch=0)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    document = body() | {"request_type": "callback", "callback_url": url}
    content = json.dumps(document).encode()
    core.handle(loop.time(), Request("POST", MODEL, {}, {"authorization": KEY}, content))
    async with http_post() as post, Courier(core, loop.time, post, patience=0.02):
        await settled(lambda: core.ledger(loop.time()), 1)
    assert core.ledger(loop.time()).callbacks_failed == 1
    silence.set()
    await runner.cleanup()
