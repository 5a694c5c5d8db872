"""The journal's file: durable, owned by one, and honest about damage."""

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nanobanana_async import (
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
    Kind,
    Record,
    SqliteJournal,
)
from nanobanana_async._journal_file import JournalFile


def records(count: int) -> list[Record]:
    kinds = [Kind.SENDING, Kind.ACCEPTED, Kind.ENDED, Kind.ACKNOWLEDGED]
    return [
        Record(n // 4 + 1, kinds[n % 4], 1e9 + n / 7, {"text": "käse\n" * (n % 9), "n": n})
        for n in range(count)
    ]


async def write(path: Path, lines: list[Record]) -> None:
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    await asyncio.gather(*(journal.write(line) for line in lines))
    await journal.aclose()


async def read(path: Path) -> list[Record]:
    journal, lines = SqliteJournal(path), list[Record]()
    try:
        await journal.open(lines.append)
    finally:
        await journal.aclose()
    return lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


async def test_what_was_written_is_read_again(path: Path) -> None:
    await write(path, records(30))
    await write(path, records(50)[30:])
    assert await read(path) == records(50)


async def test_a_second_owner_is_refused(path: Path) -> None:
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    with pytest.raises(JournalInUseError, match=r"run\.db is in use"):
        await read(path)
    await journal.aclose()
    assert await read(path) == []


async def test_another_version_is_refused_and_kept(path: Path) -> None:
    await write(path, records(3))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(JournalVersionError, match="of version 7, not 1"):
        await read(path)


@pytest.mark.parametrize("content", [b"prompt\ncat\n" * 100, b"\x00" * 5000])
async def test_what_is_no_journal_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError):
        await read(path)
    assert path.read_bytes() == content


async def test_another_database_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    connection.close()
    with pytest.raises(JournalDamagedError, match="is no journal"):
        await read(path)


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such folder"):
        await read(tmp_path / "nowhere" / "run.db")
    with pytest.raises(JournalError):
        await read(tmp_path)


def prefix_or_refused(path: Path, whole: list[Record]) -> bool:
    """True where it opened to a prefix of its records, False where it was refused."""
    seen: list[Record] = []
    file = JournalFile(path)
    try:
        file.open(seen.append)
    except (JournalError, sqlite3.DatabaseError):
        return False
    else:
        return True
    finally:
        file.close()
        # Whether it was refused or not: what was handed out can be trusted.
        assert seen == whole[: len(seen)]


@pytest.fixture
def log_and_mark(path: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The log and the mark of a process that was killed: nothing is in the file itself yet."""
    code = f"""if True:
        import asyncio, os, signal
        from pathlib import Path
        from nanobanana_async import SqliteJournal
        from tests.test_sqlite_journal import records
        async def main():
            journal = SqliteJournal({str(path)!r})
            await journal.open(lambda _: None)
            for line in records(24):
                await journal.write(line)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 - our own code
    assert done.returncode == -signal.SIGKILL
    return tmp_path / "run.db-wal", tmp_path / "run.db-mark"


async def test_killed_it_has_all_that_was_reported(
    path: Path, log_and_mark: tuple[Path, Path]
) -> None:
    assert log_and_mark[0].stat().st_size > 0
    assert await read(path) == records(24)


async def test_cut_off_anywhere_it_is_refused_or_a_prefix(
    path: Path, log_and_mark: tuple[Path, Path]
) -> None:
    """A power cut tears the log, and may have lost the mark, too: every byte of the last record."""
    log, mark = log_and_mark
    whole, main, number = log.read_bytes(), path.read_bytes(), mark.read_bytes()
    opened = 0
    for cut in [*range(len(whole) - 4200, len(whole)), 0, 32, len(whole) // 2]:
        path.write_bytes(main)
        log.write_bytes(whole[:cut])
        mark.unlink(missing_ok=True)
        opened += prefix_or_refused(path, records(24))
        if cut % 50 == 0:
            path.write_bytes(main)
            log.write_bytes(whole[:cut])
            mark.write_bytes(number)
            # The mark says how many there were: what is missing is missed.
            assert not prefix_or_refused(path, records(24)), cut
    assert opened > 4000


async def test_with_damaged_pages_it_is_refused_or_a_prefix(path: Path) -> None:
    await write(path, records(400))
    whole, dice, refused = path.read_bytes(), Random(3), 0
    for _ in range(150):
        damaged = bytearray(whole)
        at = dice.randrange(len(whole))
        damaged[at : at + dice.choice([1, 1, 16, 512])] = dice.randbytes(dice.choice([1, 1, 512]))
        path.write_bytes(damaged[: len(whole)])
        refused += not prefix_or_refused(path, records(400))
    assert refused > 75
    with pytest.raises(JournalDamagedError):  # the last one, as a client sees it
        await read(path)


async def test_a_lost_log_is_noticed(path: Path, log_and_mark: tuple[Path, Path]) -> None:
    """Whoever copies the file alone has lost what was in the log: it must not look like a new one."""
    log_and_mark[0].unlink()
    with pytest.raises(JournalDamagedError, match="up to record 0"):
        await read(path)


async def test_a_log_without_its_file_is_not_taken_for_a_new_journal(
    path: Path, log_and_mark: tuple[Path, Path]
) -> None:
    path.unlink()
    log_and_mark[1].unlink()
    with pytest.raises(JournalDamagedError, match="its log is not"):
        await read(path)
    assert not path.exists()


async def full_after(path: Path, limit: int) -> tuple[int, JournalError]:
    """Write until the file may grow no more; how many writes were reported, and the error."""
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.SIGXFSZ
    signal.signal(handler, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        for number, line in enumerate(records(4000)):
            try:
                await journal.write(line)
            except JournalError as error:
                with pytest.raises(JournalError):
                    await journal.write(line)
                return number, error
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        await journal.aclose()
    raise AssertionError("there was room for all")


async def test_a_full_disk_is_told_and_the_reported_records_stay(path: Path) -> None:
    reported, error = await full_after(path, 300_000)
    assert "cannot be written" in str(error)
    assert "then start anew" in str(error)
    assert reported > 20
    assert (await read(path))[:reported] == records(reported)


async def test_a_failing_fsync_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and self.total_changes > 2:
                super().execute("ROLLBACK")
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)

    real: Callable[..., sqlite3.Connection] = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Failing, **k))
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    await journal.write(records(2)[0])
    await journal.write(records(2)[1])
    with pytest.raises(JournalError, match="disk I/O error"):
        await asyncio.gather(*(journal.write(line) for line in records(5)[2:]))
    await journal.aclose()
    monkeypatch.undo()
    assert await read(path) == records(2)


async def test_what_is_under_way_is_written_when_it_is_closed(path: Path) -> None:
    journal = SqliteJournal(path)
    await journal.open(lambda _: None)
    writes = [asyncio.create_task(journal.write(line)) for line in records(2500)]
    await asyncio.sleep(0)
    writes[7].cancel()
    await journal.aclose()
    await asyncio.gather(*writes, return_exceptions=True)
    assert await read(path) == records(2500)
    await journal.aclose()


async def test_many_writers_share_their_commits(path: Path) -> None:
    """Two hundred at once wait for a few commits and not for two hundred."""
    commits = 0

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            nonlocal commits
            commits += sql == "COMMIT"
            return super().execute(sql, *values)

    with pytest.MonkeyPatch.context() as patch:
        real: Callable[..., sqlite3.Connection] = sqlite3.connect
        patch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Counting, **k))
        await write(path, records(200))
    assert commits <= 20
