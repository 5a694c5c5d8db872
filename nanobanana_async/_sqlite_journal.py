"""A journal in one SQLite file, written by one thread that commits whatever has come together.

The file is `_journal_file`'s. That is imported when a journal is opened: most programs have none, and
need not load SQLite.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import Attribute, define, field

from nanobanana_async._errors import JournalError
from nanobanana_async._journal import Kind, Record
from nanobanana_async._journal_faults import in_use, named

if TYPE_CHECKING:
    from nanobanana_async._journal_file import JournalFile

__all__ = ["SqliteJournal"]

# Records that come together are written together: a commit costs more than many records. Seconds:
_URGENT: Final = 0.004
"""What a submit waits for others to come, before its record is on its way."""
_LINGER: Final = 0.06
"""What other records wait at most, for a submit's to go along with."""

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
        from nanobanana_async._journal_file import JournalFile  # noqa: PLC0415 - see above

        if self._over is not None and not self._over.done():
            raise in_use(self.path)
        self._loop = asyncio.get_running_loop()
        self._batches, self._broken = SimpleQueue(), None
        opened: asyncio.Future[None] = self._loop.create_future()
        self._over = self._loop.create_future()
        # A daemon: a program that ends without closing must not hang. What was reported is safe.
        threading.Thread(
            target=self._work,
            args=(JournalFile(self.path), take, opened),
            name="nanobanana_async journal",
            daemon=True,
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

    def _work(
        self,
        file: JournalFile,
        take: Callable[[Record], None],
        opened: asyncio.Future[None],
    ) -> None:
        try:
            file.open(take, self._forget_before())
            self._tell([opened])
            while (batch := self._batches.get()) is not None:
                self._write(file, batch)
        except Exception as error:  # noqa: BLE001 - a thread that dies unheard leaves all waiting
            self._refuse(opened, named(error, self.path))
        finally:
            file.close()
            self._tell([self._over] if self._over else [])

    def _forget_before(self) -> float | None:
        if self.forget_after is None:
            return None
        return datetime.now(UTC).timestamp() - self.forget_after  # records bear wall-clock times

    def _write(self, file: JournalFile, batch: list[_Job]) -> None:
        futures = [written for _, written in batch if written is not None]
        try:
            file.write([record for record, _ in batch])
        except Exception as error:
            self._broken = named(error, self.path)
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
