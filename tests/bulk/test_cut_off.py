"""Runs that are cut off, records that are lost, and both: no picture is bought or fetched twice."""

import asyncio
import errno
import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async import (
    AuthenticationError,
    Kind,
    Limits,
    NanoBananaClient,
    Outcome,
    _journal_file,
    _many,
)
from nanobanana_async.bulk import BulkSettings, DiskError, Prices, _run, plan
from nanobanana_async.emulator import Emulator, Episode, FailFast, Stuck
from tests.bulk.bench import QUICK, Bench, breaking

FEW = {"limits": Limits(concurrent_tasks=4)}


@pytest.fixture(autouse=True)
def _no_reading_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is asked for when others are at rest: few rows show what thousands would."""
    monkeypatch.setattr(_many, "_ROOM_BESIDE_SLOTS", 0)


def port_of(here: Bench) -> int:
    return int(here.emulator.url.rpartition(":")[2])


async def left_in_journal(here: Bench, key: str) -> str:
    """Submit a row as a run does that is killed as soon as it was accepted."""
    async with NanoBananaClient(
        "sk-emulator", base_url=here.emulator.url, journal=here.folder / "journal.db"
    ) as client:
        task = await client.submit(f"cat {key}", key=key)
        return str(task.id)


def damage_last_record(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE records SET data = '{}' WHERE number = (SELECT max(number) FROM records)"
        )
    connection.close()


async def test_a_retry_that_was_cut_off_is_not_bought_again(bench: Any) -> None:
    async with bench(24, service=FailFast(0.05)) as here:
        await here.run()
        port = port_of(here)
    async with bench(24, service=Stuck(0.3), port=port) as here:
        await left_in_journal(here, "24")  # a --retry-failed that was killed
        await here.run(client=FEW, retry_failed=True)
        assert here.emulator.ledger().accepted_twice == {}


async def test_a_stuck_row_whose_picture_is_found_is_not_bought_again(
    bench: Any, tmp_path: Path
) -> None:
    async with bench(service=Stuck(3.0)) as here:
        here.source = tmp_path / "rows.jsonl"
        old = [json.dumps({"key": f"old {n}", "prompt": f"old {n}"}) for n in range(5)]
        new = [json.dumps({"key": f"new {n}", "prompt": f"new {n}"}) for n in range(9)]
        here.source.write_text("\n".join(old))
        summary = await here.run(client={"stuck_after": 0.3})
        assert summary.states == {"stuck": 5}
        await asyncio.sleep(2.5)
        here.source.write_text("\n".join(new + old))
        await here.run(
            client={"limits": Limits(concurrent_tasks=6)}, accept_changed=True, retry_unknown=True
        )
        assert here.emulator.ledger().accepted_twice == {}


async def test_a_refused_row_that_was_sent_anew_and_cut_off_is_not_bought_again(bench: Any) -> None:
    async with bench(24, episodes=[Episode("submit_200_code_400", 0.0, 3.0)]) as here:
        assert (await here.run()).states == {"refused": 24}
        await asyncio.sleep(3.0)
        await left_in_journal(here, "24")
        await here.run(client=FEW)
        assert here.emulator.ledger().accepted_twice == {}


async def test_a_damaged_journal_and_a_second_end_pay_once(bench: Any) -> None:
    async with bench(12, service=Stuck(3.0)) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(), 1.0)
        assert here.emulator.ledger().accepted == 12
        damage_last_record(here.folder / "journal.db")
        with pytest.raises(TimeoutError):  # whatever ends it: kill, Ctrl-C twice, a full disk
            await asyncio.wait_for(here.run(), 1.0)
        await here.run()
        assert here.emulator.ledger().accepted_twice == {}


async def test_a_damaged_journal_and_a_wrong_key_pay_once(bench: Any) -> None:
    async with bench(12, service=Stuck(1.5)) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(), 1.0)
        damage_last_record(here.folder / "journal.db")
        summary = await here.run(client={"api_key": "sk-wrong"})
        assert isinstance(summary.stopped_by, AuthenticationError)
        await here.run()
        assert here.emulator.ledger().accepted_twice == {}


async def test_a_killed_retry_is_picked_up_without_its_option(bench: Any) -> None:
    async with bench(5, service=FailFast(0.05)) as here:
        await here.run()
        port = port_of(here)
    async with bench(5, service=Stuck(1.0), port=port) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(retry_failed=True), 0.6)
        assert here.emulator.ledger().accepted == 5
        assert (await here.run()).states == {"succeeded": 5}  # nothing new is asked for


async def test_a_picture_whose_acceptance_is_not_recorded_stays_one(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _journal_file.JournalFile.write

    def full(self: Any, records: Any) -> None:
        if any(record.kind is Kind.ACCEPTED for record in records):
            raise OSError(errno.ENOSPC, "full")
        real(self, records)

    async with bench(5) as here:
        with monkeypatch.context() as broken:
            broken.setattr(_journal_file.JournalFile, "write", full)
            first = await here.run(client=FEW)
        done = first.states["succeeded"]
        assert done == here.emulator.ledger().accepted > 0
        summary = await here.run()
        assert summary.states["succeeded"] == 5


async def test_a_line_without_its_acknowledgement_keeps_its_picture_when_urls_are_gone(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(*_: object) -> None:
        """As if killed between the line and its acknowledgement."""

    async with bench(10, episodes=[Episode("download_404", 2.0, 60.0)]) as here:
        with monkeypatch.context() as killed:
            killed.setattr(Outcome, "acknowledge", forget)
            await here.run()
        await asyncio.sleep(2.0)
        with here.source.open("a") as more:
            more.write("one more\n")
        summary = await here.run(accept_changed=True)
        assert summary.states["succeeded"] == 10


async def test_a_picture_that_is_there_is_not_downloaded_again(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(*_: object) -> None: ...

    async with bench(10) as here:
        with monkeypatch.context() as killed:
            killed.setattr(Outcome, "acknowledge", forget)
            await here.run()
        with here.source.open("a") as more:
            more.write("cat 11\n")
        await here.run(accept_changed=True)
        assert here.emulator.ledger().requests["download"] == 11


async def test_attempts_of_a_new_journal_are_not_taken_for_those_of_the_old_one(bench: Any) -> None:
    money: dict[str, Any] = {"prices": Prices.parse("1"), "budget": Decimal(10)}
    async with bench(5, service=FailFast(0.05, "NSFW")) as here:
        await here.run(**money)
        for name in ("journal.db", "journal.db-mark"):
            (here.folder / name).unlink(missing_ok=True)
        await here.run(**money, retry_failed=True)
        await here.run(**money, retry_failed=True)
        assert here.emulator.ledger().accepted <= 10


async def test_a_full_disk_at_the_run_file_is_told_as_such(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_run, "_BLOCK", 5)
    async with bench(60) as here:
        breaking(monkeypatch, "fsync", 3, lambda name: "run.json" in name)
        with pytest.raises(DiskError):
            await here.run(client=FEW)


async def test_a_retry_under_way_when_the_journal_is_lost_is_named(bench: Any) -> None:
    async with bench(5, service=FailFast(0.05)) as here:
        await here.run()
        port = port_of(here)
    async with bench(5, service=Stuck(1.0), port=port) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(retry_failed=True), 0.6)
        damage_last_record(here.folder / "journal.db")
        await here.run(retry_failed=True)
        assert here.emulator.ledger().accepted_twice == {}


async def test_of_two_attempts_the_one_with_the_picture_counts(bench: Any) -> None:
    """Attempt 1 lost, attempt 2 ended; neither acknowledged."""
    async with bench(1) as here:
        await here.run()  # makes the folder
        (here.folder / "results.jsonl").write_bytes(b"")
        for part in ("journal.db", "journal.db-mark"):
            (here.folder / part).unlink()
        run = json.loads((here.folder / "run.json").read_text())
        (here.folder / "run.json").write_text(json.dumps(run | {"reached": 0}))
        async with Emulator(service=QUICK, episodes=[Episode("submit_cut_after", 0.0, 0.4)]) as e:
            here.emulator = e
            async with NanoBananaClient(
                "sk-emulator",
                base_url=e.url,
                journal=here.folder / "journal.db",
                resubmit_unknown=True,
            ) as client:
                await client.generate("cat 1", key="1")
            assert (await here.run(download_concurrency=1)).states == {"succeeded": 1}


async def test_a_dry_run_counts_what_was_spent(bench: Any) -> None:
    async with bench(5, service=FailFast(0.05)) as here:
        await here.run()
        settings = BulkSettings(retry_failed=True, prices=Prices.parse("1"), budget=Decimal(6))
        told = plan(here.source, here.folder, settings=settings)
        assert told.to_submit == 5
        assert told.over_budget


async def test_options_that_a_run_needs_for_itself_are_refused(bench: Any) -> None:
    async with bench(1) as here:
        with pytest.raises(TypeError, match="timeout is not an option of a bulk run"):
            await here.run(client={"timeout": 1.0})
        assert not here.folder.exists()
