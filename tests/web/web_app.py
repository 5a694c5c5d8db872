"""The FastAPI example as a process of its own, on a port that it keeps when it is started again."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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

    async def get(self, path: str) -> Any:
        async with self.browser.get(path) as answer:
            assert answer.status == 200, path
            return await answer.json()

    async def post(self, path: str, prompt: str, **more: Any) -> tuple[int, Any]:
        async with self.browser.post(path, json={"prompt": prompt} | more) as answer:
            return answer.status, await answer.json()

    async def jobs(self, count: int) -> list[str]:
        """Post so many jobs at once; return their ids."""
        calls = (self.post("/jobs", f"cat {number}") for number in range(count))
        answers = await asyncio.gather(*calls)
        assert {status for status, _ in answers} == {202}
        return [said["id"] for _, said in answers]

    async def states(self, ids: Iterable[str]) -> dict[str, str]:
        ids = list(ids)
        answers = await asyncio.gather(*(self.get(f"/jobs/{job_id}") for job_id in ids))
        return {job_id: said["state"] for job_id, said in zip(ids, answers, strict=True)}

    async def until(self, states: set[str], ids: Iterable[str]) -> None:
        """Return once all of these jobs are in one of the states."""
        while ids := [job for job, now in (await self.states(ids)).items() if now not in states]:
            await asyncio.sleep(0.2)


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
