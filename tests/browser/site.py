"""The FastAPI example with an emulator behind it, in a thread: a browser's driver blocks its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi_app.app import app

from nanobanana_async.emulator import Emulator, ServiceModel
from tests.webhooks.served import served


@contextmanager
def site(folder: Path, service: ServiceModel) -> Iterator[str]:
    """Serve the page, with pictures that take so long; yield its URL."""
    started, stop = threading.Event(), asyncio.Event()
    running: list[tuple[asyncio.AbstractEventLoop, str]] = []

    async def serve() -> None:
        async with Emulator(service=service) as emulator:
            patch.setenv("APIXO_BASE_URL", emulator.url)
            async with served(app) as url:
                running.append((asyncio.get_running_loop(), url))
                started.set()
                await stop.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APIXO_API_KEY", "sk-emulator")
        patch.setenv("DATA_FOLDER", str(folder))
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        assert started.wait(30)
        loop, url = running[0]
        yield url
        loop.call_soon_threadsafe(stop.set)
        thread.join()
