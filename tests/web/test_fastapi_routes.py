"""What each route of the FastAPI example answers, under a real uvicorn in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import aiohttp
import pytest
from attrs import frozen
from fastapi_app import jobs
from fastapi_app.app import app

from nanobanana_async.emulator import Emulator, Episode, LogNormal
from tests.web.web_app import jobs_by
from tests.webhooks.served import served

QUICK = LogNormal(0.3, 0.1)


@frozen
class Site:
    """The app and what is behind it."""

    browser: aiohttp.ClientSession
    emulator: Emulator
    folder: Path

    async def post(self, path: str, **order: Any) -> tuple[int, Any]:
        async with self.browser.post(path, json=order) as answer:
            return answer.status, await answer.json()

    async def events(self, job_id: str) -> list[dict[str, Any]]:
        """The data of a stream, read to its end."""
        async with self.browser.get(f"/jobs/{job_id}/events") as stream:
            assert stream.content_type == "text/event-stream"
            lines = (await stream.text()).splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

    @property
    def queued(self) -> int:
        return int(app.state.service.client.statistics().queued)


MakeSite: TypeAlias = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSite:
    @asynccontextmanager
    async def make(*, environment: dict[str, str], **settings: Any) -> AsyncIterator[Site]:
        async with Emulator(**{"service": QUICK} | settings) as emulator:
            told = {
                "APIXO_API_KEY": "sk-emulator",
                "APIXO_BASE_URL": emulator.url,
                "DATA_FOLDER": str(tmp_path),
            }
            for name, value in (told | environment).items():
                monkeypatch.setenv(name, value)
            async with served(app) as url, aiohttp.ClientSession(url) as browser:
                yield Site(browser, emulator, tmp_path)

    return make


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.01)


async def leave(call: asyncio.Task[Any]) -> None:
    """Go away: the connection is closed before the answer."""
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call


async def test_whoever_leaves_the_line_costs_nothing_and_what_is_paid_for_is_kept(
    site: MakeSite,
) -> None:
    environment = {"CONCURRENT_TASKS": "1", "LONGEST_WAIT": "1000"}
    one_second = LogNormal(1.0, 0.01)
    async with site(environment=environment, service=one_second, concurrent_tasks=1) as here:
        drawn = asyncio.create_task(here.post("/images", prompt="a cat"))
        await until(lambda: jobs_by(here.folder) == {"submitted": 1})
        in_line = asyncio.create_task(here.post("/images", prompt="a dog"))
        await until(lambda: here.queued == 1)
        await leave(in_line)
        await until(lambda: here.queued == 0)
        await leave(drawn)
        await until(lambda: len(list(here.folder.glob("pictures/*.png"))) == 1)
        assert here.emulator.ledger().accepted_by_prompt == {"a cat": 1}


async def test_nobody_new_is_let_in_while_the_line_is_too_long(site: MakeSite) -> None:
    environment = {"CONCURRENT_TASKS": "1", "LONGEST_WAIT": "5"}
    async with site(environment=environment, service=LogNormal(60.0, 0.1)) as here:
        status, job = await here.post("/jobs", prompt="a cat")
        assert status == 202
        await until(lambda: here.emulator.ledger().running == 1)
        for path in ("/images", "/jobs"):
            async with here.browser.post(path, json={"prompt": "a dog"}) as answer:
                assert answer.status == 503
                assert 1 <= int(answer.headers["Retry-After"]) <= 60
                assert (await answer.json())["error"]["code"] == "busy"
        again = await here.post("/jobs", prompt="a cat", id=job["id"])
        assert again[0] == 202
        assert here.emulator.ledger().accepted == 1


async def test_a_job_sent_twice_is_one_job_and_its_events_end_with_the_picture(
    site: MakeSite,
) -> None:
    async with site(environment={}) as here:
        job_id = str(uuid4())
        answers = await asyncio.gather(
            *(here.post("/jobs", prompt="a cat", id=job_id) for _ in range(5))
        )
        assert {(status, said["id"]) for status, said in answers} == {(202, job_id)}
        assert (await here.post("/jobs", prompt="a dog", id=job_id))[0] == 409
        states = [said["state"] for said in await here.events(job_id)]
        assert states[-1] == "done"
        assert set(states) <= {"queued", "submitted", "processing", "done"}
        (last,) = await here.events(job_id)  # who comes back is told how it is now
        async with here.browser.get(last["picture"]) as answer:
            assert answer.content_type == "image/png"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert (await answer.read()).startswith(b"\x89PNG")
        assert here.emulator.ledger().accepted == 1
        for path in ("", "/events", "/picture"):
            async with here.browser.get(f"/jobs/{uuid4()}{path}") as answer:
                assert answer.status == 404


async def test_what_goes_wrong_is_told_in_a_status_and_a_sentence(site: MakeSite) -> None:
    async with site(environment={}, speed=20.0) as here:
        status, said = await here.post("/images", prompt="a forbidden cat")
        assert (status, said["error"]["code"]) == (422, "refused")
        async with here.browser.get(said["job"]) as answer:
            assert (await answer.json())["error"] == said["error"]
        for order in ({"prompt": " "}, {"prompt": "x" * 20_001}, {"prompt": "x", "id": "../x"}, {}):
            assert (await here.post("/images", **order))[0] == 422
        plain = {"Content-Type": "text/plain"}
        async with here.browser.post("/images", data='{"prompt": "x"}', headers=plain) as answer:
            assert answer.status == 422
        foreign = {"Sec-Fetch-Site": "cross-site"}
        async with here.browser.post("/jobs", json={"prompt": "x"}, headers=foreign) as answer:
            assert answer.status == 403
        assert here.emulator.ledger().accepted == 1


async def test_a_lost_answer_may_have_been_paid_for(site: MakeSite) -> None:
    async with site(environment={}, faults={"submit_lost": 1.0}) as here:
        status, said = await here.post("/images", prompt="a cat")
        assert (status, said["error"]["code"]) == (502, "unknown")
        assert "paid for" in said["error"]["message"]
        _, job = await here.post("/jobs", prompt="a dog")
        assert (await here.events(job["id"]))[-1]["error"]["code"] == "unknown"
    async with site(environment={}) as here:  # after a restart as well, and nothing is sent again
        assert (await here.events(job["id"]))[-1]["error"]["code"] == "unknown"
        assert here.emulator.ledger().requests["submit"] == 0


async def test_the_account_is_told_to_nobody(
    site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    async with site(environment={"APIXO_API_KEY": "sk-wrong"}) as here:
        status, said = await here.post("/images", prompt="a cat")
        assert (status, said["error"]["code"]) == (503, "unavailable")
        assert "key" not in json.dumps(said)
    assert "AuthenticationError" not in json.dumps(said)
    assert "Check the API key" in caplog.text


async def test_a_picture_that_cannot_be_fetched_is_fetched_later(
    site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_FETCH_AGAIN", 0.1)
    gone = Episode("download_404", start=0.0, length=2.5)
    async with site(environment={}, episodes=[gone]) as here:
        status, said = await here.post("/images", prompt="a cat")
        assert (status, said["error"]["code"]) == (502, "not_fetched")
        await until(lambda: jobs_by(here.folder) == {"done": 1})
        assert len(list(here.folder.glob("pictures/*.png"))) == 1
        assert here.emulator.ledger().accepted == 1
