"""The FastAPI example under real load and real kills: nothing is lost, nothing paid twice."""

import asyncio
from pathlib import Path

from nanobanana_async.emulator import Emulator, LogNormal
from tests.web.web_app import web_app

FAST = {"REQUESTS_PER_MINUTE": "100000"}


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
    steady = LogNormal(3.0, 0.2)
    async with (
        Emulator(service=steady, requests_per_minute=100_000) as emulator,
        web_app(emulator, tmp_path, **FAST) as app,
    ):
        process = await app.start()
        ids = await app.jobs(200)
        await app.until({"submitted", "processing"}, ids)
        process.kill()
        await process.wait()
        await app.start()
        assert emulator.ledger().running > 100
        assert set((await app.states(ids)).values()) <= {"submitted", "processing", "done"}
        await app.until({"done"}, ids)
        assert emulator.ledger().accepted == 200
        assert emulator.ledger().accepted_twice == {}


async def test_killed_while_jobs_come_in_each_is_drawn_once_or_shown_as_unknown(
    tmp_path: Path,
) -> None:
    steady = LogNormal(1.0, 0.3)
    async with (
        Emulator(service=steady, requests_per_minute=100_000, concurrent_tasks=20) as emulator,
        web_app(emulator, tmp_path, **FAST, CONCURRENT_TASKS="20") as app,
    ):
        process = await app.start()
        ids = await app.jobs(60)
        process.kill()
        await process.wait()
        assert emulator.ledger().accepted < 60
        await app.start()
        await app.until({"done", "failed"}, ids)
        failed = [said for job_id in ids if (said := await app.get(f"/jobs/{job_id}"))["error"]]
        assert {said["error"]["code"] for said in failed} <= {"unknown"}
        assert len(failed) <= 20
        assert emulator.ledger().accepted >= 60 - len(failed)
        assert emulator.ledger().accepted_twice == {}


async def test_two_workers_behind_one_url_never_meet_a_limit(tmp_path: Path) -> None:
    steady = LogNormal(15.0, 0.3)
    async with (
        # What lands at the wrong worker comes again after 1 s: 30 s, divided by the speed.
        Emulator(service=steady, concurrent_tasks=100, speed=30.0) as emulator,
        web_app(emulator, tmp_path, CONCURRENT_TASKS="100") as app,
    ):
        app.environment |= {
            "PUBLIC_URL": f"http://127.0.0.1:{app.port}",
            "WEBHOOK_SECRET": "a secret of both workers",
        }
        await app.start(workers=2)
        ids = await app.jobs(300)
        await app.until({"done"}, ids)
        ledger = emulator.ledger()
        assert ledger.accepted == 300
        assert ledger.accepted_twice == {}
        assert sum(ledger.refused.values()) == 0
        assert ledger.callbacks_delivered > 100
        assert len(list(tmp_path.glob("journal-*.db"))) == 2
