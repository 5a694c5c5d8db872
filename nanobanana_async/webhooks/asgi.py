"""A receiver for every ASGI server and framework.

    app = FastAPI()
    app.mount("/hooks/nanobanana", WebhookApp(client))

Then the client's ``public_url`` is ``https://example.org/hooks/nanobanana``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any, TypeAlias

from nanobanana_async.webhooks._intake import MOST_READ, Source, finder, hand_over, read_body

__all__ = ["WebhookApp"]

# As the ASGI specification has them (version 3), and as Starlette spells them.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class _Disconnected(Exception):  # noqa: N818 - ends the reading, is no error
    """The other side is gone before its body was whole."""


class WebhookApp:
    """An ASGI application that takes deliveries; mounted anywhere, or served alone.

    Answers POST to any path that ends in a token with the status that `WebhookReceiver.deliver`
    returns, and with an empty body always. 408 where the body is not whole after 10 s; at most
    65,537 bytes of it are read. 503 while there is no client.

    Args:
        client: the client, or what returns it: None as long as there is none, such as before the
            framework's lifespan has opened it.

    Raises:
        ValueError: the client has no webhooks.
        TypeError: it is neither a client nor callable.
    """

    def __init__(self, client: Source) -> None:
        self._find = finder(client)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of a server. Websockets are turned away.

        Cancelled, it is as with `WebhookReceiver.deliver`: what was read whole is taken.

        Raises:
            ValueError: the scope is of another ASGI protocol.
        """
        if scope["type"] == "http":
            with suppress(OSError):  # what servers raise where nobody hears the answer
                await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise ValueError(f"an ASGI protocol that is not known: {scope['type']!r}")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            return await _answer(send, HTTPStatus.METHOD_NOT_ALLOWED, (b"allow", b"POST"))
        try:
            async with aclosing(_chunks(receive)) as chunks:
                body = await read_body(chunks)
        except _Disconnected:
            return None
        except TimeoutError:
            return await _answer(send, HTTPStatus.REQUEST_TIMEOUT, *_no_more(scope))
        status = await hand_over(self._find, body, scope["path"])
        cut = len(body) == MOST_READ
        return await _answer(send, status, *(_no_more(scope) if cut else ()))


def _no_more(scope: Scope) -> Iterable[tuple[bytes, bytes]]:
    """The rest of a body is not wanted: a server would read and drop it. HTTP/2 has no such word."""
    return [(b"connection", b"close")] if scope["http_version"].startswith("1") else []


async def _chunks(receive: Receive) -> AsyncGenerator[bytes, None]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _answer(send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    empty = (b"content-length", b"0")
    start = {"type": "http.response.start", "status": int(status), "headers": [empty, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


async def _live(receive: Receive, send: Send) -> None:
    """Servers, and what mounts apps in Quart, wait for both answers. There is nothing to do."""
    for moment in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{moment}.complete"})
