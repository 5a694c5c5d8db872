"""The aiohttp example, as people would run it, against the emulator."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM

import aiohttp
import aiohttp_app
import pytest
from aiohttp import web

from nanobanana_async import Limits, NanoBananaClient
from nanobanana_async.emulator import Emulator, LogNormal

LONG = LogNormal(600.0, 0.0)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the app is reached, and the environment that says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        monkeypatch.setenv("PORT", port)
        monkeypatch.setenv("PUBLIC_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("WEBHOOK_SECRET", "only for this test")
        monkeypatch.setenv("APIXO_API_KEY", "sk-emulator")
        yield listener


@asynccontextmanager
async def emulated(monkeypatch: pytest.MonkeyPatch, service: LogNormal) -> AsyncIterator[Emulator]:
    async with Emulator(service=service) as emulator:
        monkeypatch.setenv("APIXO_BASE_URL", emulator.url)
        yield emulator


@asynccontextmanager
async def running(listener: socket.socket) -> AsyncIterator[NanoBananaClient]:
    """The app in this process; its client has one slot."""
    app = aiohttp_app.make_app()
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    client = app[aiohttp_app.CLIENT]
    client.limits = Limits(concurrent_tasks=1)
    yield client
    await runner.cleanup()


async def post(browser: aiohttp.ClientSession, prompt: str) -> tuple[int, str | None, list[str]]:
    """Ask for a picture: status, Retry-After, and the keys of the answer."""
    url = f"http://127.0.0.1:{os.environ['PORT']}/images"
    async with browser.post(url, json={"prompt": prompt}) as answer:
        return answer.status, answer.headers.get("Retry-After"), list(await answer.json())


async def until_running(emulator: Emulator, tasks: int) -> None:
    async with asyncio.timeout(20):
        while emulator.ledger().running < tasks:
            await asyncio.sleep(0.01)


async def test_pictures_are_drawn_one_at_a_time_and_told_by_webhooks(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before it has seen any, a client with one slot takes twenty pictures for five minutes.
    monkeypatch.setattr(aiohttp_app, "LONGEST_WAIT", 600.0)
    async with (
        emulated(monkeypatch, LogNormal(0.02, 0.3)) as emulator,
        running(listener),
        aiohttp.ClientSession() as browser,
    ):
        answers = await asyncio.gather(*(post(browser, f"a cat, {n}") for n in range(20)))
        assert answers == [(200, None, ["task_id", "urls"])] * 20
        assert await post(browser, "a forbidden cat") == (422, None, ["error"])
        assert await post(browser, "") == (422, None, ["error"])
        ledger = emulator.ledger()
    assert (ledger.accepted, ledger.callbacks_delivered, ledger.callbacks_failed) == (21, 21, 0)


async def test_what_is_no_order_is_not_drawn(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        emulated(monkeypatch, LONG) as emulator,
        running(listener),
        aiohttp.ClientSession() as browser,
    ):
        url = f"http://127.0.0.1:{os.environ['PORT']}/images"
        for content, kind, status in [
            ('{"prompt": "a cat"}', "text/plain", 415),
            ('{"prompt": 1}', "application/json", 400),
            ("\xff", "application/json", 400),
        ]:
            headers = {"Content-Type": kind}
            async with browser.post(url, data=content.encode("latin-1"), headers=headers) as answer:
                assert answer.status == status
        assert emulator.ledger().accepted == 0


async def test_a_full_line_and_a_browser_that_leaves_it(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        emulated(monkeypatch, LONG) as emulator,
        running(listener) as client,
        aiohttp.ClientSession() as browser,
    ):
        first = asyncio.create_task(post(browser, "a cat that takes long"))
        await until_running(emulator, 1)
        second = asyncio.create_task(post(browser, "a cat in line"))
        async with asyncio.timeout(5):
            while not client.statistics().queued:
                await asyncio.sleep(0.01)
        monkeypatch.setattr(aiohttp_app, "LONGEST_WAIT", 1.5)
        status, retry_after, _ = await post(browser, "a cat too many")
        assert status == 503
        assert retry_after is not None
        assert int(retry_after) > 5
        second.cancel()
        async with asyncio.timeout(5):
            while client.statistics().queued:
                await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait([first, second])
        assert emulator.ledger().accepted == 1


async def test_told_to_stop_it_gives_the_last_answers(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.close()  # the port is the process's
    async with (
        emulated(monkeypatch, LogNormal(2.0, 0.2)) as emulator,
        aiohttp.ClientSession() as browser,
    ):
        program = Path(aiohttp_app.__file__)
        process = await asyncio.create_subprocess_exec(sys.executable, str(program))
        calls = [asyncio.create_task(patient_post(browser, f"a cat, {n}")) for n in range(20)]
        await until_running(emulator, 20)
        process.send_signal(SIGTERM)
        await asyncio.sleep(0.3)
        assert (await post(browser, "a late cat"))[:2] == (503, "5")
        assert {status for status, *_ in await asyncio.gather(*calls)} == {200}
        assert await process.wait() == 0
        ledger = emulator.ledger()
    assert (ledger.accepted, ledger.callbacks_delivered, ledger.callbacks_failed) == (20, 20, 0)


async def patient_post(
    browser: aiohttp.ClientSession, prompt: str
) -> tuple[int, str | None, list[str]]:
    """Post once the app is there."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await post(browser, prompt)
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
