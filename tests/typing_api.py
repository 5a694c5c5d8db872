"""The public API as type checkers see it. Checked by mypy, never run."""

from pathlib import Path
from typing import assert_type

from aiohttp import web

from nanobanana_async import (
    ImageRequest,
    ImageResult,
    Limits,
    LocalFolder,
    NanoBananaClient,
    NanoBananaError,
    Outcome,
    Picture,
    Statistics,
    Storage,
    Task,
    TaskStatus,
    TaskTimeoutError,
)
from nanobanana_async.emulator import Emulator, Ledger
from nanobanana_async.telemetry import Telemetry
from nanobanana_async.webhooks.aiohttp import webhook_handler
from nanobanana_async.webhooks.asgi import WebhookApp


async def generating(client: NanoBananaClient) -> None:
    assert_type(await client.generate("a cat", aspect_ratio="3:2", timeout=None), ImageResult)
    assert_type(await client.generate(ImageRequest("a cat"), resolution="2k"), ImageResult)
    task = await client.submit("a cat", image_urls=["https://example.com/1.png"], timeout=5)
    assert_type(task, Task)
    assert_type(task.id, str | None)
    assert_type(await task, ImageResult)
    assert_type(await task.result(timeout=1.5), ImageResult)
    assert_type(await task.status(), TaskStatus)
    assert_type(client.task("task_1"), Task)
    await client.generate("a cat", colour="red")  # type: ignore[call-arg]


async def many(client: NanoBananaClient) -> None:
    async for outcome in client.generate_many(["a cat", ImageRequest("a dog")]):
        assert_type(outcome, Outcome)
        assert_type(outcome.result, ImageResult | None)
        assert_type(outcome.error, NanoBananaError | None)


async def the_rest(client: NanoBananaClient, result: ImageResult) -> None:
    assert_type(await client.download(result, "cat.png"), Path)
    assert_type(await client.download_all(result, Path("cat.png")), list[Path])
    storage: Storage = LocalFolder(Path("pictures"))
    assert_type(await client.fetch(result.urls[0], storage, "1.png", task_id="task_1"), Picture)
    assert_type(client.statistics(), Statistics)
    assert_type(client.expected_wait(bulk=True), float)
    NanoBananaClient(telemetry=Telemetry(), limits=Limits().share(1, of=4))
    async with NanoBananaClient(limits=Limits(requests_per_minute=100)) as opened:
        assert_type(opened, NanoBananaClient)
    async with Emulator(speed=10, faults={"submit_lost": 0.1}) as emulator:
        assert_type(emulator.ledger(), Ledger)


async def timing_out(client: NanoBananaClient) -> ImageResult | None:
    try:
        return await client.generate("a cat", timeout=1)
    except TaskTimeoutError as error:
        return await error.task if error.task else None


def receivers(client: NanoBananaClient, app: web.Application) -> None:
    WebhookApp(client)
    WebhookApp(lambda: None)
    app.router.add_post("/hooks/{token}", webhook_handler(lambda: client))
