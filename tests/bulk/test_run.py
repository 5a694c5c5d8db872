"""Runs in this process: what becomes of rows, of money, and of what cannot be written."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async import (
    AuthenticationError,
    InsufficientBalanceError,
    JournalError,
    Limits,
    Outcome,
    TaskNotFoundError,
)
from nanobanana_async.bulk import (
    DiskError,
    FolderError,
    FolderInUseError,
    InputChangedError,
    Prices,
    Progress,
    _run,
)
from nanobanana_async.bulk._saving import Saver
from nanobanana_async.emulator import Episode, FailFast, LogNormal, Stuck
from tests.bulk.bench import Bench, breaking
from tests.bulk.command import write_prompts
from tests.bulk.volume import every_fault


async def test_every_row_has_its_picture_and_its_line(bench: Callable[..., Any]) -> None:
    async with bench(pictures=2) as here:
        summary = await here.run(metadata="sidecar", prices=Prices.parse("0.04"))
        assert summary.states == {"succeeded": 30}
        assert (summary.unsent, summary.spent) == (0, Decimal("1.20"))
        line = here.lines()["7"]
        assert [picture["file"] for picture in line["pictures"]] == [
            "images/7.png",
            "images/7.2.png",
        ]
        for picture in line["pictures"]:
            content = (here.folder / picture["file"]).read_bytes()
            assert picture["bytes"] == len(content)
            assert (picture["width"], picture["height"]) == (256, 256)
        assert line["service_time"] == pytest.approx(0.2, abs=0.01)
        assert (line["error"], line["attempts"]) == (None, 1)
        beside = json.loads((here.folder / "images/7.json").read_text())
        assert beside == {"key": "7", "task_id": line["task_id"], "prompt": "cat 7"}


async def test_typed_again_it_sends_nothing_and_changes_nothing(bench: Callable[..., Any]) -> None:
    async with bench() as here:
        await here.run()
        before, requests = here.lines(), dict(here.emulator.ledger().requests)
        summary = await here.run()
        assert summary.states == {"succeeded": 30}
        assert here.lines() == before
        assert dict(here.emulator.ledger().requests) == requests


async def test_failed_rows_are_started_anew_only_where_asked_for(bench: Callable[..., Any]) -> None:
    async with bench(5, service=FailFast(0.1, "CONTENT_VIOLATION")) as here:
        assert (await here.run()).states == {"failed": 5}
        assert (await here.run()).states == {"failed": 5}
        assert here.emulator.ledger().accepted == 5
        progress = Progress()
        summary = await here.run(
            retry_failed=True, progress=progress, prices=Prices.parse("1"), budget=Decimal(8)
        )
        assert progress.again == 5
        # Ten charges would be needed; the budget reaches for eight, the first five included.
        assert (summary.budget_reached, summary.spent) == (True, Decimal(8))
        assert here.emulator.ledger().accepted == 8
        attempts = [line["attempts"] for line in here.lines().values()]
        assert sorted(attempts) == [1, 1, 2, 2, 2]
        assert here.lines()["1"]["error"]["code"] == "CONTENT_VIOLATION"


async def test_attempts_are_for_failures_that_may_not_come_again(bench: Callable[..., Any]) -> None:
    async with bench(3, service=FailFast(0.1, "GENERATION_FAILED")) as here:
        await here.run(attempts=3)
        assert [line["attempts"] for line in here.lines().values()] == [3, 3, 3]
        await here.run(attempts=3)
        assert here.emulator.ledger().accepted == 9
    async with bench(3, service=FailFast(0.1, "NSFW")) as here:
        await here.run(attempts=3, accept_changed=True)
        assert here.emulator.ledger().accepted == 0  # the lines of the first run stand


async def test_unknown_rows_are_named_and_sent_again_only_where_asked_for(
    bench: Callable[..., Any],
) -> None:
    async with bench(6, episodes=[Episode("submit_lost", 0.0, 2.5)]) as here:
        summary = await here.run(client={"request_timeout": 0.5}, prices=Prices.parse("1"))
        assert summary.states == {"unknown": 6}
        assert summary.spent == 6
        assert here.emulator.ledger().accepted_unheard == 6
        await here.run()
        assert here.emulator.ledger().accepted == 6
        await asyncio.sleep(2.5)
        progress = Progress()
        assert (await here.run(retry_unknown=True, progress=progress)).states == {"succeeded": 6}
        assert progress.again == 6
        assert {line["attempts"] for line in here.lines().values()} == {2}


async def test_what_the_api_refuses_is_unpaid_and_sent_by_the_next_run(
    bench: Callable[..., Any],
) -> None:
    async with bench(4, episodes=[Episode("submit_200_code_400", 0.0, 1.0)]) as here:
        summary = await here.run(prices=Prices.parse("1"))
        assert (summary.states, summary.spent) == ({"refused": 4}, 0)
        await asyncio.sleep(1.0)
        assert (await here.run()).states == {"succeeded": 4}
        here.check()


async def test_without_money_it_stops_and_goes_on_when_there_is_some(
    bench: Callable[..., Any],
) -> None:
    async with bench(40, balance=1.0, price=0.1) as here:
        summary = await here.run()
        assert isinstance(summary.stopped_by, InsufficientBalanceError)
        assert summary.states == {"succeeded": 10}
        assert summary.unsent == 30
        url = here.emulator.url
    async with bench(40, port=int(url.rpartition(":")[2]), seed=1) as here:
        assert (await here.run()).states == {"succeeded": 40}
        assert here.emulator.ledger().accepted == 30


async def test_with_a_wrong_key_it_stops_and_what_runs_is_picked_up(
    bench: Callable[..., Any],
) -> None:
    async with bench(service=Stuck(1.0)) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(), 0.7)  # as killed as it can be in one process
        summary = await here.run(client={"api_key": "sk-wrong"})
        assert isinstance(summary.stopped_by, AuthenticationError)
        assert summary.states == {}
        assert (await here.run()).states == {"succeeded": 30}
        here.check()


async def test_stopped_it_finishes_what_runs(bench: Callable[..., Any]) -> None:
    async with bench(200, service=Stuck(0.8)) as here:
        stop, progress = asyncio.Event(), Progress()
        limits = {"limits": Limits(concurrent_tasks=20)}
        running = asyncio.create_task(here.run(stop, progress, limits))
        await asyncio.sleep(1.0)
        stop.set()
        summary = await running
        assert summary.stopped
        assert progress.stopping
        assert 20 <= summary.states["succeeded"] == here.emulator.ledger().accepted < 100
        assert summary.unsent == 200 - summary.states["succeeded"]


@pytest.mark.usefixtures("_hasty")
async def test_an_api_that_forgets_its_tasks(bench: Callable[..., Any]) -> None:
    async with bench(12, service=Stuck(30.0)) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(), 1.0)
        assert here.emulator.ledger().accepted == 12
        port = int(here.emulator.url.rpartition(":")[2])
    async with bench(12, port=port) as here:  # restarted: it knows nothing
        assert (await here.run()).states == {"not_found": 12}
        assert here.lines()["3"]["error"]["type"] == TaskNotFoundError.__name__
        before = here.lines()
        assert (await here.run()).states == {"not_found": 12}  # looked at again, and still not
        assert here.lines() == before
        assert here.emulator.ledger().accepted == 0
        assert (await here.run(retry_unknown=True)).states == {"succeeded": 12}
        assert here.emulator.ledger().accepted == 12


async def test_a_failed_download_is_fetched_again_and_never_bought_again(
    bench: Callable[..., Any],
) -> None:
    async with bench(4, episodes=[Episode("download_404", 0.0, 4.0)]) as here:
        assert (await here.run()).states == {"download_failed": 4}
        line = here.lines()["2"]
        assert line["urls"]
        assert "is gone" in line["error"]["message"]
        await asyncio.sleep(3.5)
        assert (await here.run()).states == {"succeeded": 4}
        assert here.emulator.ledger().accepted == 4
        here.check()


@pytest.mark.usefixtures("_hasty")
async def test_in_a_storm_of_every_fault_each_picture_is_whole_and_paid_once(
    bench: Callable[..., Any],
) -> None:
    async with bench(300, faults=every_fault(0.001), service=LogNormal(0.5, 0.3)) as here:
        client = {"request_timeout": 1.0, "unknown_hold": 1.0}
        for _ in range(10):
            summary = await here.run(client=client, defaults={"output_format": "jpeg"})
            if set(summary.states) <= {"succeeded", "unknown", "not_found"}:
                break
        here.check()
        assert here.states().total() == 300
        assert here.states()["succeeded"] > 250


# What cannot be written


@pytest.mark.parametrize(
    ("call", "where"),
    [
        ("write", ".part"),  # a picture
        ("fsync", ".part"),
        ("fsync", "results.jsonl"),
    ],
)
async def test_a_full_disk_stops_the_run_and_nothing_is_lost(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, call: str, where: str
) -> None:
    async with bench(140, service=LogNormal(0.5, 0.3)) as here:
        limits = {"limits": Limits(concurrent_tasks=30)}
        with monkeypatch.context() as broken:
            breaking(broken, call, 40, lambda name: where in name and "run.json" not in name)
            with pytest.raises(DiskError, match="No space left on device") as caught:
                await here.run(client=limits)
        assert "type the same command again" in str(caught.value)
        accepted = here.emulator.ledger().accepted
        assert 40 <= accepted <= 130
        assert (await here.run(client=limits)).states == {"succeeded": 140}
        here.check()


async def test_a_journal_that_breaks_stops_the_run_and_names_what_it_cannot_tell(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(sqlite3.Connection):
        commits = 0

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            Full.commits += sql == "COMMIT"
            if sql == "COMMIT" and Full.commits > 30:
                super().execute("ROLLBACK")
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    real: Callable[..., sqlite3.Connection] = sqlite3.connect
    async with bench(200, service=LogNormal(0.5, 0.3)) as here:
        limits = {"limits": Limits(concurrent_tasks=50)}
        with monkeypatch.context() as broken:
            broken.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Full, **k))
            summary = await here.run(client=limits)
        assert isinstance(summary.stopped_by, JournalError)
        assert "disk is full" in str(summary.stopped_by)
        # What runs is finished all the same, and has its line.
        assert summary.states["succeeded"] == here.emulator.ledger().accepted < 200
        assert (await here.run(client=limits)).states == {"succeeded": 200}
        here.check()


# What was lost of the records


async def cut_short(here: Bench, seconds: float = 1.0) -> int:
    """A run that ends in the middle; how many of its tasks were accepted."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(here.run(client={"limits": Limits(concurrent_tasks=40)}), seconds)
    return here.emulator.ledger().accepted


@pytest.mark.parametrize("how", ["deleted", "cut", "damaged"])
async def test_without_its_journal_nothing_is_sent_that_may_have_been(
    bench: Callable[..., Any], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_run, "_BLOCK", 50)
    async with bench(300, service=LogNormal(0.5, 0.5)) as here:
        accepted = await cut_short(here)
        journal = here.folder / "journal.db"
        content = journal.read_bytes()
        if how == "deleted":
            journal.unlink()
        elif how == "cut":
            journal.write_bytes(content[: len(content) // 2])
        else:
            journal.write_bytes(content[:6000] + b"\0" * 3000 + content[9000:])
        summary = await here.run(client={"limits": Limits(concurrent_tasks=40)})
        assert here.emulator.ledger().accepted_twice == {}
        # The input is read in blocks: what lies beyond the last one was certainly not sent.
        assert summary.states["succeeded"] >= 100
        assert 0 < summary.states["unknown"] < accepted + 200
        assert summary.states.total() == 300
        assert how == "deleted" or (here.folder / "journal-damaged-1.db").exists()
        here.check()


async def test_a_lost_journal_is_not_forgotten_by_a_run_that_is_killed(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new journal knows nothing of what the lost one did, however often it is opened."""

    async def killed(*_: object) -> None:
        raise DiskError("killed before the first line was written")

    async with bench(60, service=Stuck(0.5)) as here:
        assert await cut_short(here) == 40
        (here.folder / "journal.db").unlink()
        with monkeypatch.context() as early:
            early.setattr(Saver, "save", killed)
            with pytest.raises(DiskError):
                await here.run()
        summary = await here.run()
        assert here.emulator.ledger().accepted_twice == {}
        assert summary.states["unknown"] == 60
        here.check()


async def test_a_row_without_its_line_is_looked_at_and_not_sent_again(
    bench: Callable[..., Any],
) -> None:
    async with bench() as here:
        await here.run()
        manifest = here.folder / "results.jsonl"
        lines = manifest.read_bytes().splitlines(keepends=True)
        manifest.write_bytes(b"".join(lines[:20]) + lines[20][:50])  # the last one is torn
        assert (await here.run()).states == {"succeeded": 30}  # the journal knows their tasks
        assert here.emulator.ledger().accepted == 30
        here.check()


async def test_a_line_that_was_written_and_not_acknowledged_is_not_written_twice(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(*_: object) -> None:
        """As if killed between the line and its acknowledgement."""

    async with bench(10) as here:
        with monkeypatch.context() as killed:
            killed.setattr(Outcome, "acknowledge", forget)
            await here.run()
        before = (here.folder / "results.jsonl").read_bytes()
        with (here.folder / "prompts more.txt").open("w") as more:
            more.write(here.source.read_text() + "one more\n")
        here.source = here.folder / "prompts more.txt"
        assert (await here.run(accept_changed=True)).states == {"succeeded": 11}
        assert (here.folder / "results.jsonl").read_bytes().startswith(before)
        assert len(here.lines()) == 11
        assert here.emulator.ledger().accepted == 11


# Who may use the folder


async def test_a_folder_has_one_owner_and_one_input(bench: Callable[..., Any]) -> None:
    async with bench(service=Stuck(1.0)) as here:
        running = asyncio.create_task(here.run())
        await asyncio.sleep(0.5)
        with pytest.raises(FolderInUseError):
            await here.run()
        await running
        here.source.write_text("another prompt\n")
        with pytest.raises(InputChangedError):
            await here.run()
        write_prompts(here.source, 30)
        with pytest.raises(InputChangedError):
            await here.run(defaults={"resolution": "2K"})
        (here.folder / "run.json").unlink()
        with pytest.raises(FolderError, match=r"no run\.json"):
            await here.run()
        assert here.emulator.ledger().accepted == 30


@pytest.mark.parametrize(
    "spoilt",
    [
        {"attempts": "2"},
        {"attempt": 1.5},
        {"error": 7},
        {"state": "stuck", "task_id": 7},
        {"state": "download_failed", "urls": None},
        {"state": "download_failed", "urls": []},
        {"request": ["cat"]},
        {"state": "lost"},
    ],
)
async def test_a_line_that_is_none_of_ours_is_named(bench: Callable[..., Any], spoilt: Any) -> None:
    async with bench(2) as here:
        await here.run()
        lines = [json.dumps(line | spoilt) for line in here.lines().values()]
        (here.folder / "results.jsonl").write_text("\n".join(lines) + "\n")
        with pytest.raises(FolderError, match=r"Line 1 of .*results\.jsonl is none of a bulk run"):
            await here.run(retry_failed=True)
        assert here.emulator.ledger().accepted == 2


async def test_cancelled_while_rows_are_checked_it_lets_go_of_the_folder_last(
    bench: Callable[..., Any],
) -> None:
    async with bench(20_000) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(), 0.05)
        assert not here.folder.exists()  # nothing began, and nothing goes on alone
        assert here.emulator.ledger().accepted == 0


async def test_cancelled_while_the_report_is_written_it_leaves_at_once(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def endless(_: Path, stopped: Callable[[], bool]) -> None:
        begun.set()
        while not stopped():
            pass
        raise InterruptedError("stopped")

    monkeypatch.setattr(_run, "write_report", endless)
    async with bench(2) as here:
        running = asyncio.create_task(here.run(report=True))
        await asyncio.to_thread(begun.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 5)
        assert here.states() == {"succeeded": 2}
