"""A receiver for `aiohttp.web`.

    app.router.add_post("/hooks/nanobanana/{token}", webhook_handler(client))

Then the client's ``public_url`` is ``https://example.org/hooks/nanobanana``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from nanobanana_async.webhooks._intake import Source, finder, hand_over, read_body

__all__ = ["webhook_handler"]


def webhook_handler(client: Source) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler that takes deliveries; the path of its route ends in the token.

    It answers with the status that `WebhookReceiver.deliver` returns, and with an empty body. 408
    where the body is not whole after 10 s; at most 65,537 bytes of it are read, whatever the
    application's ``client_max_size``. 503 while there is no client. Cancelled, it is as with
    `WebhookReceiver.deliver`: what was read whole is taken.

    Args:
        client: the client, or what returns it: None as long as there is none, such as before the
            application's ``cleanup_ctx`` has opened it.

    Raises:
        ValueError: the client has no webhooks.
        TypeError: it is neither a client nor callable.
    """
    find = finder(client)

    async def handle(request: web.Request) -> web.Response:
        if request.method != "POST":
            allow = {"Allow": "POST"}
            return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
        try:
            body = await read_body(request.content.iter_any())
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        except (ConnectionError, web.RequestPayloadError):  # cut off, or not encoded as it says
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        return web.Response(status=await hand_over(find, body, request.path))

    return handle
