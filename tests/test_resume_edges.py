"""What a client records and resumes, case by case."""

# ruff: noqa: F811 - fixtures of another file

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async import (
    ClientClosedError,
    ImageRequest,
    InsufficientBalanceError,
    JournalDamagedError,
    JournalError,
    Kind,
    Limits,
    Record,
    ResultUnreadableError,
    SqliteJournal,
    _resume,
)
from nanobanana_async._journal_file import _Mark
from nanobanana_async.emulator import Stuck
from tests.emulated import EPOCH, envelope, rest_of
from tests.memory_journal import MemoryJournal
from tests.test_resume import (  # noqa: F401 - a fixture
    HOOKS,
    SECONDS,
    _wall_clock,
    account,
    fails_at,
)
from tests.test_sqlite_journal import path, read, records, write  # noqa: F401 - a fixture

virtual = pytest.mark.virtual_time
ONE = Limits(concurrent_tasks=1)


@virtual
async def test_who_waits_is_told_at_once_when_an_acceptance_cannot_be_recorded() -> None:
    here = account()
    here.journal.breaks = fails_at(Kind.ACCEPTED, 1)
    async with here.client(limits=ONE) as (client, wire):
        first = asyncio.create_task(client.generate("cat"))
        second = asyncio.create_task(client.generate("dog"))
        with pytest.raises(JournalError):
            await asyncio.wait_for(second, SECONDS / 2)
        await first
        assert wire.sent("POST") == 1


@virtual
async def test_what_is_not_sent_gives_back_its_place() -> None:
    here = account()
    here.journal.breaks = fails_at(Kind.SENDING, 1)
    async with here.client() as (client, _):
        with pytest.raises(JournalError):
            await client.generate("cat")
        statistics = client.statistics()
        assert (statistics.submitting, statistics.submits) == (0, 0)


@virtual
async def test_a_credit_probe_that_cannot_be_recorded_keeps_nobody_waiting() -> None:
    here = account()
    async with here.client() as (client, wire):
        wire.answers = lambda _: envelope(402)
        with pytest.raises(InsufficientBalanceError):
            await client.generate("cat")
        here.journal.breaks = fails_at(Kind.SENDING, 1)
        for _ in range(2):
            with pytest.raises(JournalError):
                await asyncio.wait_for(client.generate("cat"), 60)


@virtual
async def test_what_is_acknowledged_is_still_known_to_be_sent() -> None:
    here = account()
    async with here.client() as (client, _):
        (outcome,), _error = await rest_of(client.generate_many([ImageRequest("cat", key="7")]))
        outcome.acknowledge()
    async with here.client() as (client, _):
        assert client.sent().keys() == {"7"}


@virtual
async def test_what_a_damaged_journal_still_tells() -> None:
    here = account()
    async with here.client() as (client, _):
        task = await client.submit("cat", key="7")
        await client.submit("dog")

    class Damaged(MemoryJournal):
        async def open(self, take: Callable[[Record], None]) -> None:
            await super().open(take)
            raise JournalDamagedError("damaged")

    here.journal = Damaged(here.journal.records)
    with pytest.raises(JournalDamagedError) as caught:
        async with here.client():
            pass
    assert caught.value.task_ids == {"7": task.id}


@virtual
async def test_those_whose_urls_end_soonest_come_first() -> None:
    here = account()
    async with here.client() as (client, _):
        await client.generate("early", key="early")
        await client.generate("late", key="late")
    ends = [n for n, record in enumerate(here.journal.records) if record.kind is Kind.ENDED]
    early, late = (here.journal.records[n] for n in ends)
    # As if the first one sent had ended last.
    here.journal.records[ends[0]] = Record(1, Kind.ENDED, late.at, late.data)
    here.journal.records[ends[1]] = Record(2, Kind.ENDED, early.at, early.data)
    assert [outcome.attempt for outcome in await here.resumed()] == [2, 1]


def set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_resume, "unix_time", lambda: EPOCH - 100_000)


@virtual
async def test_a_clock_that_was_set_back_holds_no_slot_for_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = account()
    await here.crash("one")
    del here.journal.records[1:]  # no answer is on record
    set_back(monkeypatch)
    async with here.client(limits=ONE) as (client, _):
        client.resume()
        assert client.statistics().slots_left == 0  # though it was only about to be sent
        assert client.statistics().slots_unknown == 1
        await asyncio.wait_for(client.generate("next"), 150)


@virtual
async def test_a_clock_that_was_set_back_makes_no_delivery_be_waited_for_for_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = account()
    await here.crash("one", **HOOKS)
    del here.journal.records[1:]
    set_back(monkeypatch)
    began = asyncio.get_running_loop().time()
    assert len(await here.resumed(**HOOKS)) == 1
    assert asyncio.get_running_loop().time() == pytest.approx(began + 180)


@virtual
async def test_a_clock_that_was_set_back_keeps_no_task_from_being_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = account()
    await here.crash("one")
    set_back(monkeypatch)
    began = asyncio.get_running_loop().time()
    (outcome,) = await here.resumed()
    assert outcome.result is not None
    assert asyncio.get_running_loop().time() - began < 60


@virtual
async def test_a_resumed_task_has_its_age_and_its_end_is_on_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = account(service=Stuck(60.0))
    await here.crash("one", after=30.0)
    caplog.clear()
    async with here.client() as (client, _):
        left = client.resume()
        (generation,) = client._engine.tracker.tasks.values()  # type: ignore[union-attr]
        age = asyncio.get_running_loop().time() - generation.age_from
        assert age == pytest.approx(30.0, abs=0.5)
        handle = client.task(str(generation.task_id))
        (outcome,) = [outcome async for outcome in left]
        assert outcome.result is not None
        assert here.journal.kinds()[1][-1] is Kind.ENDED
        del handle, generation
        outcome.acknowledge()
    # It was handed out: nobody need be told of a picture that nobody awaits.
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


@virtual
async def test_a_closed_client_tells_everybody_who_asks_for_more() -> None:
    here = account(service=Stuck(600.0))
    await here.crash("one")
    async with here.client() as (client, _):
        left = client.resume()
    for _ in range(2):
        with pytest.raises(ClientClosedError):
            await asyncio.wait_for(anext(left), 5)


@virtual
async def test_a_refused_one_has_no_attempt() -> None:
    here = account()
    async with here.client() as (client, wire):
        wire.answers = lambda _: envelope(400)
        (outcome,), _ = await rest_of(client.generate_many(["cat"]))
        assert outcome.attempt is None
        outcome.acknowledge()
    assert here.journal.kinds() == {1: [Kind.SENDING, Kind.REFUSED]}


async def test_a_mark_that_cannot_be_read_proves_nothing(path: Path) -> None:
    await write(path, records(8))
    mark = path.with_name("run.db-mark")
    mark.write_bytes(_Mark._layout.pack(9, 12345))
    assert await read(path) == records(8)


async def test_a_record_of_another_journal_is_noticed(path: Path, tmp_path: Path) -> None:
    """It is whole, and has the right number: only the chain tells."""
    other = tmp_path / "other.db"
    await write(path, records(4))
    await write(other, [Record(7, Kind.SENDING, 5.0), *records(4)[1:]])
    with sqlite3.connect(path) as connection:
        connection.execute("ATTACH ? AS other", (str(other),))
        connection.execute("DELETE FROM records WHERE number = 2")
        connection.execute("INSERT INTO records SELECT * FROM other.records WHERE number = 2")
    connection.close()
    with pytest.raises(JournalDamagedError, match="up to record 1"):
        await read(path)


@virtual
async def test_a_success_without_urls_is_no_end() -> None:
    here = account()
    async with here.client() as (client, wire):
        task = await client.submit("cat")
        data = {"taskId": task.id, "state": "success", "resultJson": "{}"}
        wire.answers = lambda _: envelope(200, data=data)
        with pytest.raises(ResultUnreadableError):
            await task
    assert here.journal.kinds() == {1: [Kind.SENDING, Kind.ACCEPTED]}
    (outcome,) = await here.resumed()
    assert outcome.result is not None


async def test_a_journal_that_broke_once_takes_nothing_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record in the middle must not be missing."""
    failures = [sqlite3.OperationalError("disk I/O error")]

    class Once(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and self.total_changes > 0 and failures:
                super().execute("ROLLBACK")
                raise failures.pop()
            return super().execute(sql, *values)

    real: Callable[..., sqlite3.Connection] = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Once, **k))
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    for line in records(2):
        with pytest.raises(JournalError):
            await journal.write(line)
    await journal.aclose()


async def test_it_waits_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Listening(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                said.append(str(super().execute("PRAGMA synchronous").fetchone()[0]))
            return super().execute(sql, *values)

    real: Callable[..., sqlite3.Connection] = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Listening, **k))
    await write(path, records(2))
    assert said[-1] == "2"  # FULL


@virtual
async def test_a_resumed_end_is_not_logged_as_awaited_by_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = account()
    await here.crash("one")
    caplog.clear()
    assert len(await here.resumed()) == 1
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
