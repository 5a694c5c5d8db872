"""The aiohttp receiver behind a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from nanobanana_async import ClientClosedError
from nanobanana_async.webhooks import _intake
from nanobanana_async.webhooks._intake import FindClient
from nanobanana_async.webhooks.aiohttp import webhook_handler

from .fake_client import FakeClient


@asynccontextmanager
async def served(find: FindClient) -> AsyncIterator[str]:
    app = web.Application(client_max_size=1)
    app.router.add_route("*", "/hooks/{token:.*}", webhook_handler(find))
    # Otherwise aiohttp reads and drops what comes after an early answer, for ten seconds.
    runner = web.AppRunner(app, access_log=None, lingering_time=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def posted(find: FindClient, path: str = "/hooks/t", body: bytes = b"{}") -> int:
    async with (
        served(find) as url,
        aiohttp.ClientSession() as session,
        session.post(url + path, data=body) as answer,
    ):
        assert not await answer.read()
        return answer.status


@pytest.mark.parametrize("path", ["/hooks/token", "/hooks/token/", "/hooks/a/%74oken?n=1"])
async def test_a_delivery_arrives(path: str) -> None:
    client = FakeClient(404)
    assert await posted(client.find, path) == 404
    assert client.taken == [(b"{}", "token")]


async def test_no_more_is_read_than_the_client_can_judge() -> None:
    client = FakeClient(413)
    assert await posted(client.find, body=b"x" * 100_000) == 413
    assert client.taken == [(b"x" * 65_537, "t")]


async def test_what_should_not_happen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert await posted(lambda: None) == 503
    assert await posted(FakeClient(ClientClosedError("closed")).find) == 503
    assert not caplog.records
    assert await posted(FakeClient(ZeroDivisionError()).find) == 500
    assert len(caplog.records) == 1


async def test_only_posts_are_taken() -> None:
    client = FakeClient()
    async with served(client.find) as url, aiohttp.ClientSession() as session:
        for method in ("GET", "HEAD", "DELETE"):
            async with session.request(method, url + "/hooks/t") as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert not client.taken


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"Content-Length: 9\r\n\r\n{", 408),
        (b"Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}", 400),
    ],
    ids=["trickles", "not gzip"],
)
async def test_bodies_that_never_become_whole(
    request_: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_intake, "_PATIENCE", 0.05)
    client = FakeClient()
    async with served(client.find) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /hooks/t HTTP/1.1\r\nHost: a\r\n" + request_)
        assert await reader.readexactly(12) == b"HTTP/1.1 %d" % status
        writer.close()
    assert not client.taken


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = FakeClient()
    async with served(client.find) as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /hooks/t HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        await asyncio.sleep(0.02)
        writer.close()
        await asyncio.sleep(0.02)
    assert not client.taken
    assert not caplog.records
