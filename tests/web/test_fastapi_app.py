"""The FastAPI example in processes of its own: under load, killed, stopped, and as two workers."""

import asyncio
from pathlib import Path
from random import Random

from attrs import define

from nanobanana_async.emulator import Emulator, LogNormal, Service
from tests.web.web_app import jobs_by, web_app

FAST = {"REQUESTS_PER_MINUTE": "100000"}
SECRET = {"WEBHOOK_SECRET": "a secret of all workers"}


@define
class FirstLong:
    """The first tasks take long, all others hardly any time."""

    count: int
    seconds: float

    def draw(self, rng: Random, resolution: str) -> Service:  # noqa: ARG002 - the protocol
        self.count -= 1
        return Service(0.2 if self.count < 0 else self.seconds)


async def test_five_hundred_browsers_await_a_picture_at_once(tmp_path: Path) -> None:
    quick = LogNormal(0.5, 0.3)
    async with (
        Emulator(service=quick, requests_per_minute=100_000) as emulator,
        web_app(emulator, tmp_path, **FAST) as app,
    ):
        await app.start()
        calls = (app.post("/images", f"cat {number}") for number in range(500))
        answers = await asyncio.gather(*calls)
        assert {status for status, _ in answers} == {200}
        assert len({said["picture"] for _, said in answers}) == 500
        assert emulator.ledger().accepted == 500
        assert emulator.ledger().refused["rate"] == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 500


async def test_killed_with_two_hundred_jobs_running_it_adopts_them_all(tmp_path: Path) -> None:
    """And those that stood in line, answered 202 and in no journal yet, are drawn as well."""
    long = FirstLong(200, 1000.0)
    async with (
        Emulator(service=long, requests_per_minute=100_000, concurrent_tasks=200) as emulator,
        web_app(emulator, tmp_path, **FAST, CONCURRENT_TASKS="200", LONGEST_WAIT="1000") as app,
    ):
        process = await app.start()
        ids = await app.jobs(220)
        await app.until({"submitted": 200, "queued": 20})
        process.kill()
        await process.wait()
        await app.start()
        assert emulator.ledger().accepted == 200
        assert app.states() == {"submitted": 200, "queued": 20}
        emulator._began -= 1000.0  # however busy this machine is, they end now
        await app.until({"done": 220})
        assert emulator.ledger().accepted == 220
        assert emulator.ledger().accepted_twice == {}
    assert {file.stem for file in (tmp_path / "pictures").glob("*")} == set(ids)


async def test_stopped_it_tells_who_waits_at_once_and_keeps_what_runs(tmp_path: Path) -> None:
    async with (
        Emulator(service=LogNormal(300.0, 0.1), concurrent_tasks=2) as emulator,
        web_app(emulator, tmp_path, CONCURRENT_TASKS="2", LONGEST_WAIT="1000") as app,
    ):
        process = await app.start()
        (running,) = await app.jobs(1)
        awaited = asyncio.create_task(app.post("/images", "a cat that runs"))
        await app.until({"submitted": 2})
        (waiting,) = await app.jobs(1)
        in_line = asyncio.create_task(app.post("/images", "a cat in line"))
        async with app.browser.get(f"/jobs/{waiting}/events") as stream:
            assert b'"state": "queued"' in await stream.content.readuntil(b"\n\n")
            process.terminate()
            async with asyncio.timeout(30):
                assert (await stream.content.read()).startswith(b"event: restart\n")
                status, said = await in_line
                assert (status, said["error"]["code"], said["job"]) == (503, "restarting", None)
                status, said = await awaited
                assert (status, said["error"]["code"]) == (503, "restarting")
                await process.wait()
        assert app.states() == {"submitted": 2, "queued": 1}
        assert said["job"] not in (None, f"/jobs/{running}")
        assert emulator.ledger().accepted == 2


async def test_two_workers_behind_one_url_never_meet_a_limit(tmp_path: Path) -> None:
    steady = LogNormal(15.0, 0.3)
    async with (
        Emulator(service=steady, concurrent_tasks=100, speed=30.0) as emulator,
        web_app(emulator, tmp_path, CONCURRENT_TASKS="100", **SECRET) as app,
    ):
        app.environment["PUBLIC_URL"] = f"http://127.0.0.1:{app.port}"
        await app.start(workers=2)
        ids = await app.jobs(100)
        # Whoever accepts a connection first has it, so it is not told in advance.
        while min(jobs_by(tmp_path, "worker")[worker] for worker in (1, 2)) < 40:
            ids += await app.jobs(10)
        await app.until({"done": len(ids)})
        ledger = emulator.ledger()
        assert ledger.accepted == len(ids)
        assert ledger.accepted_twice == {}
        assert sum(ledger.refused.values()) == 0
        assert ledger.callbacks_delivered > len(ids) / 2
