"""A journal in one SQLite file, written by one thread that commits whatever has come together.

One connection, with an exclusive lock on the file for as long as it is open. That keeps a second
process out, and is safe with the versions of SQLite (before 3.51.3) in which several connections
that reset a write-ahead log can corrupt it. ``synchronous=FULL``: what was reported as written
survives a power cut.

A journal that has lost its end would have requests sent, and paid for, a second time. So each record
carries a checksum over itself and all before it, and a small file beside the journal, the mark, says
how many records there are at least. Pages that were damaged, and a log that was cut off, are noticed.

What is forgotten leaves in one transaction: the kept records go, with their numbers, into a new table
that takes the place of the old one. The last number stays, so what the mark says stays true.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from math import inf
from mmap import mmap
from pathlib import Path
from queue import SimpleQueue
from struct import Struct
from typing import Any, Final, TypeAlias
from zlib import crc32

from attrs import Attribute, define, field

from nanobanana_async._errors import (
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
)
from nanobanana_async._forgetting import Forgetting
from nanobanana_async._journal import Kind, Record

__all__ = ["SqliteJournal"]

_logger = logging.getLogger("nanobanana_async")

_APPLICATION: Final = 0x6E616E6F  # "nano"
_VERSION: Final = 1
_COLUMNS: Final = (
    "(number INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, "
    "kind TEXT NOT NULL, at REAL NOT NULL, data TEXT NOT NULL, checksum INTEGER NOT NULL)"
)
_SCHEMA: Final = f"CREATE TABLE records {_COLUMNS}"
_INSERT: Final = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)"
_BEGIN_ANEW: Final = f"CREATE TABLE kept {_COLUMNS}"
_KEEP: Final = "INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?)"
_SELECT: Final = "SELECT number, attempt, kind, at, data, checksum FROM records ORDER BY number"
_KEPT: Final = "The file is kept; what was sent after that is not known"
# Records that come together are written together: a commit costs more than many records. Seconds:
_URGENT: Final = 0.004
"""What a submit waits for others to come, before its record is on its way."""
_LINGER: Final = 0.06
"""What other records wait at most, for a submit's to go along with."""

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))

_Row: TypeAlias = tuple[int, int, str, float, str, int]
_Job: TypeAlias = tuple[Record, asyncio.Future[None] | None]


def _check_seconds(_: SqliteJournal, option: Attribute[float | None], value: float | None) -> None:
    if value is not None and (type(value) not in (int, float) or not 0 < value < inf):
        raise ValueError(f"{option.name} must be seconds above 0, not {value!r}")


@define(eq=False)
class SqliteJournal:
    """A `Journal` in an SQLite file at `path`, which is made where there is none.

    What it does and raises is `Journal`'s. Beside it stand its log (``-wal``), while it is open, and
    its mark (``-mark``): copy all of them, or none.

    A journal that is used for months forgets with `forget_after`, whenever it is opened. `sent` of the
    client does not name what was forgotten: acknowledge what is stored in another place, no sooner.

    Raises:
        ValueError: `forget_after` is no time.
    """

    path: Path = field(converter=Path)
    """Where it is, or will be; its folder must be there."""
    forget_after: float | None = field(default=None, validator=_check_seconds)
    """Seconds after its last record that an attempt is forgotten, if it was acknowledged; what was
    not is kept however old it is. A day or more where there are webhooks: of what is forgotten no late
    delivery is known. None: nothing is forgotten."""
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _batch: list[_Job] = field(factory=list, init=False)
    """What is not on its way to the thread yet."""
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _is_urgent: bool = field(default=False, init=False)
    """Whether the timer is that of a submit."""
    _batches: SimpleQueue[list[_Job] | None] = field(init=False)
    _over: asyncio.Future[None] | None = field(default=None, init=False)
    """Done when the thread has ended; None while there is none."""
    _broken: JournalError | None = field(default=None, init=False)

    async def open(self, take: Callable[[Record], None]) -> None:
        """Open the file, and hand its records to `take`, in a thread. Cancelled, it is closed again.

        Raises:
            JournalInUseError: another client has it, in this process or in another.
            JournalVersionError: another version wrote it.
            JournalDamagedError: it cannot be read whole, or is no journal.
            JournalError: it cannot be opened or written.
        """
        if self._over is not None and not self._over.done():
            raise _in_use(self.path)
        self._loop = asyncio.get_running_loop()
        self._batches, self._broken = SimpleQueue(), None
        opened: asyncio.Future[None] = self._loop.create_future()
        self._over = self._loop.create_future()
        # A daemon: a program that ends without closing must not hang. What was reported is safe.
        threading.Thread(
            target=self._work, args=(take, opened), name="nanobanana_async journal", daemon=True
        ).start()
        try:
            await asyncio.shield(opened)
        except BaseException:
            await self.aclose()
            raise

    async def write(self, record: Record) -> None:
        """Return when the record is on the disk; those that come together share a commit.

        Cancelled, it is written all the same.

        Raises:
            JournalError: it could not be written, and nothing can be from now on.
        """
        written: asyncio.Future[None] = self._loop.create_future()
        self._take(record, written)
        await written  # cancelled, the record is written all the same

    def note(self, record: Record) -> None:
        """Take a record that goes along with the next ones, within a tenth of a second.

        Raises:
            JournalError: nothing can be written any more, or it is closed.
        """
        self._take(record, None)

    async def aclose(self) -> None:
        """Write what is under way and close the file. Cancelled, its thread does so all the same."""
        if self._over is not None and not self._over.done():
            self._broken = self._broken or JournalError(f"{self.path} is closed")
            self._send()
            self._batches.put(None)
            await asyncio.shield(self._over)

    def _take(self, record: Record, written: asyncio.Future[None] | None) -> None:
        if self._broken is not None:
            raise self._broken
        self._batch.append((record, written))
        urgent = record.kind is Kind.SENDING
        if self._timer is not None and urgent and not self._is_urgent:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._is_urgent = urgent
            self._timer = self._loop.call_later(_URGENT if urgent else _LINGER, self._send)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        batch, self._batch, self._timer = self._batch, [], None
        if batch:
            self._batches.put(batch)

    # In the thread

    def _work(self, take: Callable[[Record], None], opened: asyncio.Future[None]) -> None:
        file = _File(self.path)
        try:
            file.open(take, self._forget_before())
            self._tell([opened])
            while (batch := self._batches.get()) is not None:
                self._write(file, batch)
        except Exception as error:  # noqa: BLE001 - a thread that dies unheard leaves all waiting
            self._refuse(opened, _named(error, self.path))
        finally:
            file.close()
            self._tell([self._over] if self._over else [])

    def _forget_before(self) -> float | None:
        if self.forget_after is None:
            return None
        return datetime.now(UTC).timestamp() - self.forget_after  # records bear wall-clock times

    def _write(self, file: _File, batch: list[_Job]) -> None:
        futures = [written for _, written in batch if written is not None]
        try:
            file.write([record for record, _ in batch])
        except Exception as error:
            self._broken = _named(error, self.path)
            self._tell(futures, self._broken)
            raise self._broken from error
        self._tell(futures)

    def _refuse(self, opened: asyncio.Future[None], error: JournalError) -> None:
        """Nothing can be written any more; those whose record is not safe are told."""
        self._broken = error
        self._tell([opened], error)
        while (batch := self._batches.get()) is not None:
            self._tell([written for _, written in batch if written is not None], error)

    def _tell(self, futures: list[asyncio.Future[None]], error: JournalError | None = None) -> None:
        def tell() -> None:
            for future in futures:
                if future.done():
                    continue
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)
                    future.exception()  # marks it as retrieved: its caller may have gone

        with suppress(RuntimeError):  # the loop was closed under a client that was not
            self._loop.call_soon_threadsafe(tell)


@define(eq=False, repr=False)
class _File:
    """The file itself. Numbers its rows, and links each to all before it by its checksum."""

    path: Path
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _mark: _Mark | None = field(default=None, init=False)
    _number: int = field(default=0, init=False)
    _checksum: int = field(default=_VERSION, init=False)
    _is_damaged: bool = field(default=False, init=False)

    def open(self, take: Callable[[Record], None], forget_before: float | None = None) -> None:
        if not self.path.parent.is_dir():
            raise JournalError(f"{self.path} cannot be made: there is no such folder")
        if not self.path.exists() and self.path.with_name(f"{self.path.name}-wal").exists():
            raise JournalDamagedError(f"{self.path} is gone, its log is not", advice=_KEPT)
        self._connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        _lock(self._connection, self.path)
        if forget_before is not None:
            self._forget(self._connection, forget_before)
        try:
            for row in self._connection.execute(_SELECT):
                take(self._checked(row))
        except (sqlite3.Error, ValueError) as error:  # also a text, or an order, that is none
            raise self._damaged() from error
        if self._number < self._marked().read():
            raise self._damaged()

    def write(self, records: list[Record]) -> None:
        if self._connection is None or self._mark is None:
            raise JournalError(f"{self.path} is not open")
        self._connection.execute("BEGIN")
        self._connection.executemany(_INSERT, [self._row(record) for record in records])
        self._connection.execute("COMMIT")
        # After the commit: the mark never says more than what is safe.
        self._mark.write(self._number)

    def close(self) -> None:
        """Close it. The log of a damaged file stays, though SQLite has no use for it any more."""
        log = self.path.with_name(f"{self.path.name}-wal")
        kept = log.read_bytes() if self._is_damaged and log.exists() else b""
        self._close()
        if kept and not log.exists():
            with suppress(OSError):
                log.write_bytes(kept)

    def _close(self) -> None:
        if self._mark is not None:
            self._mark.close()
        if self._connection is not None:
            with suppress(
                sqlite3.Error
            ):  # its last checkpoint; the log is read at the next opening
                self._connection.close()

    def _marked(self) -> _Mark:
        if self._mark is None:
            self._mark = _Mark(self.path.with_name(f"{self.path.name}-mark"))
        return self._mark

    def _forget(self, connection: sqlite3.Connection, before: float) -> None:
        """Forget what is old. Where that cannot be done, the file stays as it is.

        It is no reason to fail: all that was to be known is there. If the disk takes nothing more,
        the next submit is refused; and what is wrong with a damaged file, reading it will say.
        """
        try:
            forgotten = self._worth_forgetting(connection, before)
            if forgotten:
                _write_anew(connection, forgotten)
                connection.execute("VACUUM")  # or its free pages would only be used again
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except (sqlite3.Error, ValueError) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            _logger.warning("%s could not be made smaller: %s", self.path, error)

    def _worth_forgetting(self, connection: sqlite3.Connection, before: float) -> set[int]:
        last, forgetting = 0, Forgetting(before)
        for number, attempt, kind, at, *_ in _verified(connection):
            forgetting.apply(attempt, Kind(kind), at)
            last = number
        return set() if last < self._marked().read() else forgetting.worth()

    def _row(self, record: Record) -> _Row:
        data = _ENCODER.encode(record.data)
        self._number += 1
        fields = (self._number, record.attempt, record.kind.value, record.at, data)
        self._checksum = _next_checksum(fields, self._checksum)
        return (*fields, self._checksum)

    def _checked(self, row: tuple[Any, ...]) -> Record:
        number, attempt, kind, at, data, checksum = row
        expected = _next_checksum(row[:5], self._checksum)
        if checksum != expected:
            raise self._damaged()
        self._number, self._checksum = number, checksum
        return Record(attempt, Kind(kind), at, json.loads(data))

    def _damaged(self) -> JournalDamagedError:
        self._is_damaged = True
        return JournalDamagedError(
            f"{self.path} is damaged: it can be trusted up to record {self._number}", advice=_KEPT
        )


def _next_checksum(fields: tuple[Any, ...], before: int) -> int:
    return crc32(repr(fields).encode(), before)


def _write_anew(connection: sqlite3.Connection, without: set[int]) -> None:
    """Leave the records of these attempts out, in one transaction."""
    connection.execute("BEGIN")
    connection.execute(_BEGIN_ANEW)
    connection.executemany(_KEEP, _linked_anew(_verified(connection), without))
    connection.execute("DROP TABLE records")
    connection.execute("ALTER TABLE kept RENAME TO records")
    connection.execute("COMMIT")


def _linked_anew(rows: Iterator[_Row], without: set[int]) -> Iterator[_Row]:
    checksum = _VERSION
    for row in rows:
        if row[1] not in without:
            checksum = _next_checksum(row[:5], checksum)
            yield (*row[:5], checksum)


def _verified(connection: sqlite3.Connection) -> Iterator[_Row]:
    """Iterate over the rows. Raises `ValueError` at the first whose checksum is wrong."""
    before = _VERSION
    for row in connection.execute(_SELECT):
        before = _next_checksum(row[:5], before)
        if row[5] != before:
            raise ValueError(f"record {row[0]} is damaged")
        yield row


class _Mark:
    """How many records there are at least, in a file that is written as memory is.

    It outlives the process. Not forced to the disk: after a power cut it may say less than there are, but never more.
    """

    _layout: Final = Struct(">QI")

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(self._layout.size)
            self._memory = mmap(file.fileno(), self._layout.size)

    def read(self) -> int:
        """Return the number; 0 where it cannot be read, which proves nothing."""
        number, checksum = self._layout.unpack(self._memory[:])
        return int(number) if checksum == _of(number) else 0

    def write(self, number: int) -> None:
        self._memory[:] = self._layout.pack(number, _of(number))

    def close(self) -> None:
        self._memory.close()


def _of(number: int) -> int:
    return crc32(number.to_bytes(8, "big"))


def _lock(connection: sqlite3.Connection, path: Path) -> None:
    """Lock the file, and make it a journal where it is new."""
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != _APPLICATION:
        raise JournalDamagedError(f"{path} is no journal", advice="Give another file")
    if tables and version != _VERSION:
        raise JournalVersionError(
            f"{path} is of version {version}, not {_VERSION}", advice="Finish it with that version"
        )
    connection.execute("PRAGMA page_size=1024")  # of a new file: each commit writes whole pages
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    connection.execute("BEGIN IMMEDIATE")  # takes the lock, which is then kept
    if not tables:
        connection.execute(f"PRAGMA application_id={_APPLICATION}")
        connection.execute(f"PRAGMA user_version={_VERSION}")
        connection.execute(_SCHEMA)
    connection.execute("COMMIT")


def _in_use(path: Path) -> JournalInUseError:
    return JournalInUseError(f"{path} is in use", advice="One client can have it at a time")


def _named(error: Exception, path: Path) -> JournalError:
    """Say what an error of SQLite or of the system means here."""
    if isinstance(error, JournalError):
        return error
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return _in_use(path)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return JournalDamagedError(f"{path} is damaged: {error}", advice=_KEPT)
    if name.startswith("SQLITE_CANTOPEN"):
        return JournalError(f"{path} cannot be opened: {error}", advice="Choose another place")
    return JournalError(
        f"{path} cannot be written: {error}",
        advice="Nothing more is submitted. See to the disk, then start anew",
    )
