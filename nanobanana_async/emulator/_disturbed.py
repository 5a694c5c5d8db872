"""What goes wrong with a connection, done to one of aiohttp.web."""

from aiohttp import web

from nanobanana_async.emulator._wire import Answer


def reset(http: web.BaseRequest) -> web.StreamResponse:
    """Close the connection without an answer."""
    # The transport is gone where the client has left before.
    if http.transport is not None:
        http.transport.abort()
    return web.Response()


async def cut(http: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send the head with the whole length and half of the body, then close the connection."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(http)
    await response.write(answer.body[: len(answer.body) // 2])
    if http.transport is not None:
        # Unlike `abort`, this sends first what is on its way.
        http.transport.close()
    return response


class Silent(web.StreamResponse):
    """Sends nothing, and keeps the connection.

    aiohttp takes the request for answered and waits for the next one on it, without a task for
    this one: so nothing is left when the client gives up or the server ends.
    """

    @property
    def keep_alive(self) -> bool:
        """Always: only the other side ends this."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send no head."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send no body."""
