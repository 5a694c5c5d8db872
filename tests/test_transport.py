"""The transport: what goes over the wire, and what each end of an exchange means.

URLs, headers, bodies and statuses with aioresponses; what the network does, over real sockets:
under aioresponses no trace event fires, so a disconnect would look like "no connection was had".
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses, core
from yarl import URL

from nanobanana_async import ImageRequest, NanoBananaClient
from nanobanana_async._codec import balance_call, status_call, submit_body, submit_call
from nanobanana_async._specs import MODELS
from nanobanana_async._transport import Connections, HttpTransport, api_root
from nanobanana_async._wire import Call, NoAnswerError, NotSentError

KEY = "sk-marked"
ROOT = "https://api.example/api/v1"


class _Response(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not pass the `stream_writer` that aiohttp 3.14 asks for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **options)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    monkeypatch.setattr(core, "ClientResponse", _Response)
    with aioresponses() as mocked:
        yield mocked


@asynccontextmanager
async def transport(
    base_url: str, connections: Connections | None = None
) -> AsyncIterator[HttpTransport]:
    root = api_root(base_url)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    session = (connections or Connections()).api_session(root)
    opened = HttpTransport(session, root, headers)
    try:
        yield opened
    finally:
        await opened.aclose()


class TestRequests:
    async def test_submit(self, api: aioresponses) -> None:
        url = f"{ROOT}/generateTask/nano-banana-2"
        api.post(url, status=200, body=b'{"code": 200}')
        body = submit_body(ImageRequest("a cat", resolution="2k"), MODELS["nano-banana-2"])
        async with transport("https://api.example") as http:
            reply = await http.send(submit_call("nano-banana-2", body), 30)
        assert (reply.status, reply.body) == (200, b'{"code": 200}')
        [sent] = api.requests[("POST", URL(url))]
        assert sent.kwargs["headers"]["Authorization"] == f"Bearer {KEY}"
        assert sent.kwargs["headers"]["Content-Type"] == "application/json"
        assert sent.kwargs["allow_redirects"] is False
        assert json.loads(sent.kwargs["data"]) == {
            "request_type": "async",
            "provider": "auto",
            "input": {
                "mode": "text-to-image",
                "prompt": "a cat",
                "aspect_ratio": "auto",
                "resolution": "2K",
                "output_format": "png",
            },
        }

    async def test_status_and_balance(self, api: aioresponses) -> None:
        status = f"{ROOT}/statusTask/nano-banana?taskId=task_%2F1%262"
        balance = f"{ROOT}/apikeys/current-balance"
        api.get(URL(status, encoded=True), status=404, headers={"Retry-After": "3"})
        api.get(balance, status=503)
        async with transport("https://api.example/api/v1/") as http:
            reply = await http.send(status_call("nano-banana", "task_/1&2"), 30)
            assert (await http.send(balance_call(), 30)).status == 503
        assert (reply.status, reply.headers["retry-after"]) == (404, "3")

    @pytest.mark.parametrize(
        ("given", "root"),
        [
            ("https://api.example", ROOT),
            ("https://api.example/", ROOT),
            (ROOT, ROOT),
            (f"{ROOT}/", ROOT),
            (" http://127.0.0.1:8787 ", "http://127.0.0.1:8787/api/v1"),
            ("https://proxy.example/nano", "https://proxy.example/nano/api/v1"),
        ],
    )
    def test_a_base_url_may_have_the_ending_or_not(self, given: str, root: str) -> None:
        assert str(api_root(given)) == root


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1")
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    return head + (await reader.readexactly(int(length[0].split()[1])) if length else b"")


POST = Call("POST", "generateTask/nano-banana-2", body=b"{}")
GET = Call("GET", "statusTask/nano-banana-2", query={"taskId": "task_1"})


class TestNothingWasSent:
    async def test_refused(self) -> None:
        async with transport(f"http://127.0.0.1:{closed_port()}") as http:
            with pytest.raises(NotSentError, match="Connect"):
                await http.send(POST, 30)

    async def test_no_such_host(self) -> None:
        async with transport("http://nowhere.invalid") as http:
            with pytest.raises(NotSentError, match=r"nowhere\.invalid"):
                await http.send(POST, 30)

    async def test_no_tls_where_tls_was_expected(self) -> None:
        async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with server(no_tls) as url, transport(url.replace("http", "https")) as http:
            with pytest.raises(NotSentError):
                await http.send(POST, 30)

    async def test_no_connection_in_time(self) -> None:
        """A full backlog: the connection is never accepted."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            port = listener.getsockname()[1]
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            async with transport(f"http://127.0.0.1:{port}") as http:
                with pytest.raises(
                    NotSentError, match=r"nothing from 127\.0\.0\.1:\d+ within 0\.2 s"
                ):
                    await http.send(POST, 0.2)
            for filler in fillers:
                filler.close()


class TestNobodyKnows:
    @staticmethod
    def answering(answer: bytes, *, wait: bool = False) -> Handler:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()
            if wait:
                await reader.read()

        return handler

    @pytest.mark.parametrize(
        "answer",
        [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"nonsense\r\n\r\n"],
        ids=["reset", "cut short", "no HTTP"],
    )
    async def test_a_connection_that_breaks(self, answer: bytes) -> None:
        async with server(self.answering(answer)) as url, transport(url) as http:
            with pytest.raises(NoAnswerError):
                await http.send(POST, 30)

    async def test_no_answer_in_time(self) -> None:
        async with server(self.answering(b"", wait=True)) as url, transport(url) as http:
            with pytest.raises(NoAnswerError, match=r"nothing from 127\.0\.0\.1:\d+ within 0\.2 s"):
                await http.send(POST, 0.2)

    async def test_the_same_on_a_connection_that_was_used_before(self) -> None:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await read_request(reader)

        async with server(once) as url, transport(url) as http:
            assert (await http.send(POST, 30)).body == b"{}"
            with pytest.raises(NoAnswerError):
                await http.send(POST, 30)


async def test_a_get_is_never_sent_again_by_itself() -> None:
    """A stale connection makes aiohttp do that: a request that took no token."""
    requests = 0

    async def stale(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await read_request(reader)
        requests += 1

    async with server(stale) as url, transport(url) as http:
        await http.send(GET, 30)
        with pytest.raises(NoAnswerError):
            await http.send(GET, 30)
    assert requests == 2


async def test_a_redirect_is_handed_on_and_not_followed() -> None:
    requests = 0

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1
        writer.write(b"HTTP/1.1 307 T\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")

    async with server(elsewhere) as url, transport(url) as http:
        assert (await http.send(POST, 30)).status == 307
    assert requests == 1


async def test_errors_tell_nothing_of_the_key() -> None:
    async with transport(f"http://127.0.0.1:{closed_port()}") as http:
        with pytest.raises(NotSentError) as caught:
            await http.send(POST, 30)
        assert KEY not in repr(http)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert KEY not in str(caught.value)


class TestConnections:
    async def test_a_handed_in_session_is_used_not_changed_and_not_closed(self) -> None:
        seen: list[bytes] = []

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await read_request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        headers = {"X-Team": "blue", "Authorization": "theirs"}
        async with (
            server(echo) as url,
            aiohttp.ClientSession(headers=headers) as given,
        ):
            before = dict(given.headers)
            async with transport(url, Connections(given=given)) as http:
                await http.send(POST, 30)
            assert not given.closed
            assert dict(given.headers) == before
            assert given._retry_connection is True
            async with given.get(url) as response:
                assert response.status == 200
        assert b"X-Team: blue" in seen[0]
        assert f"Authorization: Bearer {KEY}".encode() in seen[0]
        assert KEY.encode() not in seen[1]

    async def test_a_closed_session_is_refused(self) -> None:
        session = aiohttp.ClientSession()
        await session.close()
        with pytest.raises(ValueError, match="session is closed"):
            NanoBananaClient(KEY, session=session)

    async def test_the_environment_s_proxy_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[bytes] = []

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await read_request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        async with server(proxy) as url:
            monkeypatch.setenv("http_proxy", url.replace("//", "//user:secret@"))
            async with transport("http://api.example") as http:
                await http.send(GET, 30)
            async with Connections().api_session(api_root(url)) as session:
                assert session._default_proxy is None  # an emulator on this machine
            monkeypatch.setenv("no_proxy", "api.example")
            async with Connections().api_session(api_root("http://api.example")) as session:
                assert session._default_proxy is None
        assert seen[0].startswith(b"GET http://api.example/api/v1/statusTask/")
        assert b"Proxy-Authorization: Basic" in seen[0]
