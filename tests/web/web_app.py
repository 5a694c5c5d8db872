"""The FastAPI example as a process of its own, on a port that it keeps when it is started again."""

import asyncio
import os
import socket
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from attrs import define, field

from nanobanana_async.emulator import Emulator

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
UVICORN = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "--log-level", "warning"]
APP = "fastapi_app.app:app"


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def jobs_by(folder: Path, column: str = "state") -> Counter[Any]:
    """How many jobs there are in each state, or of another column's values.

    When the API first says that it draws is the client's affair: that is not told apart.
    """
    with closing(sqlite3.connect(folder / "jobs.db")) as jobs:
        rows = jobs.execute(f"SELECT {column} FROM jobs")  # noqa: S608 - a name of ours
        return Counter("submitted" if row == ("processing",) else row[0] for row in rows)


@define
class WebApp:
    """One app: its environment, its processes, and a browser without a screen."""

    browser: aiohttp.ClientSession
    folder: Path
    port: int
    environment: dict[str, str]
    processes: list[Process] = field(factory=list)

    async def start(self, *, workers: int = 1) -> Process:
        """Return once it answers."""
        words = [*UVICORN, "--port", str(self.port), "--workers", str(workers), APP]
        more = {"WEB_CONCURRENCY": str(workers)}
        process = await asyncio.create_subprocess_exec(
            *words, stderr=PIPE, env=os.environ | self.environment | more
        )
        self.processes.append(process)
        while not await self._answers():
            if process.returncode is not None:
                raise AssertionError((await process.communicate())[1].decode())
            await asyncio.sleep(0.02)
        return process

    async def _answers(self) -> bool:
        try:
            async with self.browser.get("/"):
                return True
        except aiohttp.ClientConnectionError:
            return False

    async def post(self, path: str, prompt: str, **more: Any) -> tuple[int, Any]:
        # Each on a connection of its own, so that each may reach another worker.
        alone = {"Connection": "close"}
        async with self.browser.post(path, json={"prompt": prompt} | more, headers=alone) as answer:
            return answer.status, await answer.json()

    async def jobs(self, count: int) -> list[str]:
        """Post so many jobs at once; return their ids."""
        calls = (self.post("/jobs", f"cat {uuid4()}") for _ in range(count))
        answers = await asyncio.gather(*calls)
        assert {status for status, _ in answers} == {202}
        return [said["id"] for _, said in answers]

    def states(self) -> Counter[str]:
        """How many jobs there are in each state."""
        return jobs_by(self.folder)

    async def until(self, states: dict[str, int]) -> None:
        """Return once so many jobs are in these states."""
        while self.states() != states:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def web_app(emulator: Emulator, folder: Path, **more: str) -> AsyncIterator[WebApp]:
    """An app to start, with an emulator behind it; what still runs at the end is killed."""
    port = free_port()
    environment = {
        "APIXO_API_KEY": "sk-emulator",
        "APIXO_BASE_URL": emulator.url,
        "DATA_FOLDER": str(folder),
    }
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as browser:
        app = WebApp(browser, folder, port, environment | more)
        try:
            yield app
        finally:
            for process in app.processes:
                if process.returncode is None:
                    process.terminate()
                    await asyncio.wait_for(process.communicate(), 20)
