"""How many requests a second a client manages on this machine, without the API.

A real client asks a server in the same process that does nearly nothing, for a moment. There is no
network and no TLS in it, and many requests are sent at once: a figure to compare machines by.
"""

import asyncio
import time
from typing import Final

from nanobanana_async import Limits, NanoBananaClient

_SECONDS: Final = 0.25
_AT_ONCE: Final = 16
_NO_LIMIT: Final = Limits(600_000)
_BODY: Final = b'{"code":200,"message":"success","data":{}}'
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_BODY), _BODY)
)


class _Answering(asyncio.Protocol):
    """Answers each head of a request; these have no bodies."""

    _transport: asyncio.Transport
    _rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        self._transport.write(_ANSWER * len(heads))


async def client_pace(patience: float) -> float | None:
    """Measure for a quarter of a second; None where nothing came of it within `patience` seconds."""
    try:
        return await asyncio.wait_for(_measured(), patience)
    except (OSError, TimeoutError):  # no port to be had, say
        return None


async def _measured() -> float:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with NanoBananaClient(
            "sk-measure", base_url=f"http://127.0.0.1:{port}", limits=_NO_LIMIT
        ) as client:
            await client.balance()  # what is done once is no part of it
            return await _rate(client)


async def _rate(client: NanoBananaClient) -> float:
    began, answered = time.perf_counter(), 0
    while time.perf_counter() - began < _SECONDS:
        await asyncio.gather(*(client.balance() for _ in range(_AT_ONCE)))
        answered += _AT_ONCE
    # Two digits are all that such a moment tells.
    return float(f"{answered / (time.perf_counter() - began):.1e}")
