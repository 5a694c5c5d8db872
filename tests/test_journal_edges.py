"""A journal at its edges: closed, damaged, opened twice, and a caller who leaves."""

# ruff: noqa: F811 - fixtures of another file

import asyncio
from pathlib import Path

import pytest

from nanobanana_async import (
    ClientClosedError,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    NanoBananaClient,
    SqliteJournal,
)
from nanobanana_async.emulator import EmulatorCore, MemoryTransport, Settings, Stuck
from tests.test_resume import _wall_clock, account  # noqa: F401 - a fixture
from tests.test_sqlite_journal import log_and_mark, path, read, records, write  # noqa: F401


async def test_a_write_after_closing_is_told(path: Path) -> None:
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    await journal.aclose()
    with pytest.raises(JournalError):
        await asyncio.wait_for(journal.write(records(1)[0]), 2)


async def test_a_damaged_log_is_left_as_it_is(path: Path, log_and_mark: tuple[Path, Path]) -> None:
    log, _ = log_and_mark
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    log.write_bytes(content)
    with pytest.raises(JournalDamagedError):
        await read(path)
    assert log.exists()
    assert log.read_bytes() == bytes(content)


async def test_one_object_in_two_clients_breaks_only_the_second(path: Path) -> None:
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    await journal.write(records(1)[0])
    with pytest.raises(JournalInUseError):
        await journal.open(lambda _: None)
    await asyncio.wait_for(journal.write(records(2)[1]), 2)
    await journal.aclose()


async def test_an_outcome_can_be_acknowledged_after_the_client_is_closed(path: Path) -> None:
    core = EmulatorCore(Settings(service=Stuck(0.05)), epoch=1.8e9)
    async with NanoBananaClient(transport=MemoryTransport(core), journal=path) as client:
        outcomes = [one async for one in client.generate_many(["cat"])]
    with pytest.raises(JournalError):
        outcomes[0].acknowledge()


async def test_resume_of_a_client_that_was_closed_does_not_hang(path: Path) -> None:
    core = EmulatorCore(Settings(service=Stuck(5)), epoch=1.8e9)
    async with NanoBananaClient(transport=MemoryTransport(core), journal=path) as client:
        await client.submit("cat", key="1")
    client = NanoBananaClient(transport=MemoryTransport(core), journal=path)
    left = client.resume()  # opens it
    await asyncio.sleep(0.3)
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await asyncio.wait_for(anext(left), 2)


@pytest.mark.virtual_time
async def test_a_caller_who_leaves_while_sending_is_recorded_pays_nothing() -> None:
    here = account()
    here.journal.delay = 3.0
    async with here.client() as (client, wire):
        call = asyncio.create_task(client.generate("cat"))
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.sleep(5)
        assert wire.sent("POST") == 0
