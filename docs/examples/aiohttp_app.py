"""A web app on aiohttp that draws: `python aiohttp_app.py`.

    curl --json '{"prompt": "a lighthouse in a storm"}' http://127.0.0.1:8080/images

The environment says ``APIXO_API_KEY``, and for webhooks ``PUBLIC_URL``, where the API reaches this
app (``https://example.org``), and ``WEBHOOK_SECRET``. Without that URL tasks are looked at instead.

A request is as long as its picture takes: nothing is kept for later. For jobs that outlive the
process see the FastAPI example.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from math import ceil
from signal import SIGINT, SIGTERM

from aiohttp import web

from nanobanana_async import (
    InvalidRequestError,
    NanoBananaClient,
    NanoBananaError,
    PermissionDeniedError,
    SubmitUnknownError,
    TaskError,
    TaskFailedError,
    TaskTimeoutError,
    Webhooks,
)
from nanobanana_async.webhooks.aiohttp import webhook_handler

HOOKS = "/hooks/nanobanana"
LONGEST_WAIT = 30.0
"""Seconds in line beyond which nobody new is let in."""
TIMEOUT = 180.0
"""Seconds for one request, line and picture."""
LAST_ANSWERS = 20.0
"""Seconds for those who wait when the process is told to stop: most platforms kill it after 30."""

CLIENT = web.AppKey("client", NanoBananaClient)
STOPPING = web.AppKey("stopping", asyncio.Event)

_logger = logging.getLogger(__name__)


def make_app() -> web.Application:
    """Build the app; its client is opened with it."""
    app = web.Application()
    app[STOPPING] = asyncio.Event()
    app.cleanup_ctx.append(own_client)
    app.router.add_post("/images", draw)
    if os.environ.get("PUBLIC_URL"):
        app.router.add_post(HOOKS + "/{token}", webhook_handler(lambda: app.get(CLIENT)))
    return app


async def own_client(app: web.Application) -> AsyncIterator[None]:
    """One client in a process, for as long as the app runs: the account's limits are kept in it."""
    webhooks = None
    if url := os.environ.get("PUBLIC_URL"):
        webhooks = Webhooks(public_url=url.rstrip("/") + HOOKS, secret=os.environ["WEBHOOK_SECRET"])
    async with NanoBananaClient(webhooks=webhooks) as client:
        app[CLIENT] = client
        yield


async def draw(request: web.Request) -> web.Response:
    """Draw one picture. Cancelled when the browser goes away: what was not sent costs nothing.

    Check here who asks and how often: each picture costs money.
    """
    prompt = await prompt_of(request)
    client = request.app[CLIENT]
    if request.app[STOPPING].is_set():
        return answer(503, "The server is restarting. Please try again in a moment.")
    try:
        too_long = client.expected_wait() - LONGEST_WAIT
        if too_long > 0:
            return answer(503, "Too many people are waiting. Please try again later.", too_long)
        result = await client.generate(prompt, timeout=TIMEOUT)
    except NanoBananaError as error:
        return problem(error)
    return web.json_response({"task_id": result.task_id, "urls": result.urls})


async def prompt_of(request: web.Request) -> str:
    """Read what is asked for."""
    if request.content_type != "application/json":  # which other people's pages cannot post
        raise web.HTTPUnsupportedMediaType
    with suppress(ValueError):
        match await request.json():
            case {"prompt": str(prompt)}:
                return prompt
    raise web.HTTPBadRequest(text='{"prompt": "…"} is what can be drawn')


def problem(error: NanoBananaError) -> web.Response:
    """Tell what went wrong: the error's own words are for the log, they may name the account's troubles."""
    _logger.warning("Not drawn: %s", error)
    match error:
        case (
            InvalidRequestError()
            | PermissionDeniedError()
            | TaskFailedError(group="content" | "prompt" | "image")
        ):
            return answer(422, "This cannot be drawn. Please describe something else.")
        case TaskTimeoutError():
            return answer(504, "The drawing takes far too long.")
        case SubmitUnknownError():  # not to be sent again by a script
            return answer(502, "The connection was lost: it may have been drawn and paid for.")
        case TaskError():
            return answer(502, "The drawing failed. Trying again may help.")
        case _:
            return answer(503, "Nothing can be drawn at the moment. Please try again later.")


def answer(status: int, message: str, retry_after: float = 5.0) -> web.Response:
    """Answer with an error, in words for people."""
    busy = status == HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": str(ceil(retry_after))} if busy else {}
    return web.json_response({"error": message}, status=status, headers=headers)


async def main() -> None:
    """Serve until the process is told to stop, and then until the last answers are given."""
    app = make_app()
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=5)
    try:
        await runner.setup()
        host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
        await web.TCPSite(runner, host, port).start()
        await told_to_stop()
        await last_answers(app)
    finally:
        await runner.cleanup()


async def told_to_stop() -> None:
    """Return at Ctrl-C, or when the platform stops the process."""
    told = asyncio.Event()
    for number in (SIGINT, SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


async def last_answers(app: web.Application) -> None:
    """Let those who wait have their pictures, while deliveries still come in: nobody new is let in.

    Whoever still waits then is told so: what runs at the API goes on, and is named in the log.
    """
    app[STOPPING].set()
    client = app[CLIENT]
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_ANSWERS):
            while (now := client.statistics()).queued + now.submitting + now.in_flight:
                await asyncio.sleep(0.1)
    await client.aclose()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main())
