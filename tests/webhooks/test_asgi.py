"""The ASGI receiver by the messages of the specification, without a server."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from nanobanana_async import ClientClosedError, NanoBananaClient, Webhooks
from nanobanana_async._deliveries import LONGEST_DELIVERY
from nanobanana_async.webhooks._intake import MOST_READ
from nanobanana_async.webhooks.asgi import Message, WebhookApp

from .fake_client import FakeClient

pytestmark = pytest.mark.virtual_time

DISCONNECT = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def posted(
    app: WebhookApp, *messages: Message, path: str = "/t", pause: float = 0.0, **scope: Any
) -> Sequence[Mapping[str, Any]]:
    """Send these messages, one each `pause` seconds, then nothing; return what was answered."""
    coming, sent = list(messages), []

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return coming.pop(0) if coming else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    http = {"type": "http", "http_version": "1.1", "method": "POST", "path": path}
    await app(http | scope, receive, send)
    return sent


def status(sent: Sequence[Mapping[str, Any]]) -> int:
    """The status of an answer that is whole and empty."""
    start, body = sent
    assert (b"content-length", b"0") in start["headers"]
    assert not body["body"]
    return int(start["status"])


@pytest.mark.parametrize(
    ("path", "token"),
    [
        ("/t0-_", "t0-_"),
        ("/hooks/nanobanana/t0-_", "t0-_"),
        ("/hooks/t0-_/", "t0-_"),
        ("/hooks/t0-_//", "t0-_"),
        ("/hooks/ä b", "ä b"),
        ("/", ""),
        ("", ""),
    ],
)
async def test_the_token_is_the_last_part_of_the_path(path: str, token: str) -> None:
    client = FakeClient(404)
    app = WebhookApp(client.find)
    assert status(await posted(app, part(b"{", more=True), part(b"}"), path=path)) == 404
    assert client.taken == [(b"{}", token)]


async def test_no_more_is_read_than_the_client_can_judge() -> None:
    client = FakeClient(413)
    endless = [part(b"x" * 40_000, more=True)] * 2
    sent = await posted(WebhookApp(client.find), *endless)
    assert status(sent) == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert client.taken == [(b"x" * 65_537, "t")]
    sent = await posted(WebhookApp(client.find), *endless, http_version="2")
    assert (b"connection", b"close") not in sent[0]["headers"]


async def test_a_body_that_trickles_is_given_up_after_ten_seconds() -> None:
    client = FakeClient()
    began = asyncio.get_running_loop().time()
    sent = await posted(WebhookApp(client.find), *[part(b"x", more=True)] * 99, pause=0.3)
    assert status(sent) == 408
    assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.01)
    assert not client.taken


async def test_nobody_is_answered_who_is_gone() -> None:
    client = FakeClient()
    assert not await posted(WebhookApp(client.find), part(b"x", more=True), DISCONNECT)
    assert not client.taken

    async def send(_: Message) -> None:
        raise BrokenPipeError

    async def receive() -> Message:
        return part(b"x")

    http = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/t"}
    await WebhookApp(client.find)(http, receive, send)
    assert client.taken == [(b"x", "t")]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
async def test_only_posts_are_taken(method: str) -> None:
    client = FakeClient()
    sent = await posted(WebhookApp(client.find), method=method)
    assert status(sent) == 405
    assert (b"allow", b"POST") in sent[0]["headers"]
    assert not client.taken


async def test_without_a_client_it_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    assert status(await posted(WebhookApp(lambda: None), part(b""))) == 503
    closed = FakeClient(ClientClosedError("closed"))
    assert status(await posted(WebhookApp(closed.find), part(b""))) == 503
    assert not caplog.records


async def test_what_should_not_happen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    client = FakeClient(ZeroDivisionError())
    assert status(await posted(WebhookApp(client.find), part(b""), path="/secret-token")) == 500
    (record,) = caplog.records
    assert record.exc_info
    assert "secret-token" not in caplog.text


async def test_a_client_in_any_state_can_be_given() -> None:
    webhooks = Webhooks(public_url="https://example.org", secret="0123456789abcdef")
    client = NanoBananaClient("sk-emulator", webhooks=webhooks)
    assert status(await posted(WebhookApp(client), part(b"{}"))) == 503
    with pytest.raises(ValueError, match="webhooks=Webhooks"):
        WebhookApp(NanoBananaClient("sk-emulator"))
    with pytest.raises(TypeError, match="callable"):
        WebhookApp("a client")  # type: ignore[arg-type]


async def test_a_lifespan_is_gone_through() -> None:
    moments: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = await posted(WebhookApp(lambda: None), *moments, type="lifespan")
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_other_protocols_are_turned_away() -> None:
    (sent,) = await posted(
        WebhookApp(lambda: None), {"type": "websocket.connect"}, type="websocket"
    )
    assert sent["type"] == "websocket.close"
    with pytest.raises(ValueError, match="'gopher'"):
        await posted(WebhookApp(lambda: None), type="gopher")


def test_as_much_is_read_as_the_client_needs_to_refuse_it() -> None:
    assert MOST_READ == LONGEST_DELIVERY + 1
