"""What breaks inside the emulator is no fault of the API, and does not look like one."""

import json
import logging
from random import Random

import aiohttp
import pytest

from nanobanana_async._wire import Call
from nanobanana_async.emulator import (
    Emulator,
    EmulatorCore,
    LogNormal,
    MemoryTransport,
    Service,
    Settings,
    _http,
    run_virtual,
)

from .driver import KEY, body

SUBMIT = "/api/v1/generateTask/nano-banana-2"
HEADERS = {"Authorization": KEY}
SAID = "the emulator itself failed: that was no fault of the API"


class Broken:
    """A model of somebody's own."""

    def draw(self, rng: Random, resolution: str) -> Service:
        raise LookupError(f"no times for {resolution} and {type(rng).__name__}")


async def status_of_a_submit(emulator: Emulator) -> int:
    async with aiohttp.request("POST", emulator.url + SUBMIT, json=body(), headers=HEADERS) as got:
        return got.status


async def submit_to_broken() -> None:
    async with Emulator(service=Broken()) as emulator:
        assert await status_of_a_submit(emulator) == 500


async def test_a_model_that_raises_is_logged_once_and_fails_the_block(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(RuntimeError, match=SAID) as raised:
        await submit_to_broken()
    assert isinstance(raised.value.__cause__, LookupError)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("nanobanana_async.emulator", logging.ERROR)
    assert record.message == f"{SAID} (POST {SUBMIT})"
    assert record.exc_info


async def fail_beside_broken() -> None:
    async with Emulator(service=Broken()) as emulator:
        await status_of_a_submit(emulator)
        raise KeyError


async def test_what_the_block_raises_comes_first() -> None:
    with pytest.raises(KeyError):
        await fail_beside_broken()


async def download() -> None:
    async with (
        Emulator(service=LogNormal(0.001, 0.0)) as emulator,
        aiohttp.ClientSession(emulator.url) as session,
    ):
        async with session.post(SUBMIT, json=body(), headers=HEADERS) as answer:
            task_id = json.loads(await answer.read())["data"]["taskId"]
        status = 404
        while status == 404:  # each look is a round trip
            async with session.get(f"/pictures/{task_id}/1.png") as answer:
                status = answer.status
        assert status == 500


async def test_drawing_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "render", lambda _: 1 / 0)
    with pytest.raises(RuntimeError, match=SAID):
        await download()


def test_in_memory_it_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    async def submit() -> None:
        transport = MemoryTransport(EmulatorCore(Settings(service=Broken()), epoch=0.0))
        call = Call("POST", "generateTask/nano-banana-2", body=json.dumps(body()).encode())
        await transport.send(call, 5.0)

    with pytest.raises(LookupError):
        run_virtual(submit())
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("nanobanana_async.emulator", logging.ERROR)
    assert record.message == f"{SAID} (POST {SUBMIT})"
