"""The SQLite file of a journal.

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

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from mmap import mmap
from pathlib import Path
from struct import Struct
from typing import Any, Final, TypeAlias
from zlib import crc32

from attrs import define, field

from nanobanana_async._errors import JournalDamagedError, JournalError, JournalVersionError
from nanobanana_async._forgetting import Forgetting
from nanobanana_async._journal import Kind, Record
from nanobanana_async._journal_faults import KEPT

__all__ = ["JournalFile"]

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

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))

_Row: TypeAlias = tuple[int, int, str, float, str, int]


@define(eq=False, repr=False)
class JournalFile:
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
            raise JournalDamagedError(f"{self.path} is gone, its log is not", advice=KEPT)
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
            f"{self.path} is damaged: it can be trusted up to record {self._number}", advice=KEPT
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
