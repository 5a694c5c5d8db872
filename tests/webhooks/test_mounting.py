"""The ASGI receiver in frameworks, under a real uvicorn."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from hypercorn.middleware import DispatcherMiddleware
from litestar import Litestar, asgi
from quart import Quart
from starlette.applications import Starlette
from starlette.routing import Mount

from nanobanana_async.webhooks.asgi import WebhookApp

from .fake_client import FakeClient
from .served import served

PREFIX = "/hooks/nanobanana"


def in_fastapi(hooks: WebhookApp) -> FastAPI:
    app = FastAPI()
    app.mount(PREFIX, hooks)
    return app


def in_starlette(hooks: WebhookApp) -> Starlette:
    return Starlette(routes=[Mount(PREFIX, hooks)])


def in_litestar(hooks: WebhookApp) -> Litestar:
    return Litestar([asgi(PREFIX, is_mount=True, copy_scope=True)(hooks)])


def in_quart(hooks: WebhookApp) -> Any:
    apps: dict[str, Any] = {PREFIX: hooks, "": Quart(__name__)}
    return DispatcherMiddleware(apps)


def alone(hooks: WebhookApp) -> WebhookApp:
    return hooks


@pytest.mark.parametrize("mounted", [alone, in_starlette, in_fastapi, in_litestar, in_quart])
async def test_a_delivery_arrives(mounted: Callable[[WebhookApp], Any]) -> None:
    client = FakeClient()
    async with served(mounted(WebhookApp(client.find))) as url, aiohttp.ClientSession() as session:
        for path in ("/token", "/token/", "/%74oken?n=1"):
            async with session.post(f"{url}{PREFIX}{path}", data=b"{}") as answer:
                assert (answer.status, await answer.read()) == (200, b""), path
        async with session.get(f"{url}{PREFIX}/token") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert client.taken == [(b"{}", "token")] * 3


async def test_a_connection_outlives_what_is_refused_and_ends_with_what_is_cut() -> None:
    client = FakeClient(413)
    async with served(WebhookApp(client.find)) as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        post = b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        writer.write(post % 2 + b"{}" + post % 1_000_000 + b"x" * 70_000)
        seen = await reader.read()
        writer.close()
    assert seen.count(b"HTTP/1.1 413") == 2
    assert [len(body) for body, _ in client.taken] == [2, 65_537]


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = FakeClient()
    async with served(WebhookApp(client.find)) as url:
        port = int(url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        writer.close()
    assert not client.taken
    assert not caplog.records
