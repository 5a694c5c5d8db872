"""What a client writes into its journal, and what it found there.

Everything that is known of money goes through here before it is acted on: that a submit is about to
leave, whether it was accepted, and how its task ended. Without a journal all of it does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from attrs import define, field

from nanobanana_async._callback import Callback
from nanobanana_async._callbacks import Callbacks
from nanobanana_async._changes import tells
from nanobanana_async._codec import (
    Accepted,
    Broken,
    Limited,
    LookAnswer,
    Seen,
    SubmitAnswer,
    request_record,
)
from nanobanana_async._errors import JournalDamagedError, JournalError, NanoBananaError
from nanobanana_async._gateway import NotSent
from nanobanana_async._generation import Generation
from nanobanana_async._journal import LAST, Journal, Kind, Past, Record, Replay, may_follow
from nanobanana_async._models import TaskStatus

__all__ = ["Attempts", "unix_time"]

_logger = logging.getLogger("nanobanana_async")


def unix_time() -> float:
    """Read the wall clock: the only one that goes on while no process runs."""
    return datetime.now(UTC).timestamp()


def first_number() -> int:
    """Return where the numbers of a new journal begin: the microsecond in which it is begun.

    So of two journals, one after the other, the later one has the greater numbers.
    """
    return int(unix_time() * 1e6)


@define(eq=False, repr=False)
class Attempts:
    """The attempts of one client, with those that its journal held when it was opened."""

    _journal: Journal | None
    _callbacks: Callbacks
    _open: bool = field(default=False, init=False)
    _last: int = field(default=0, init=False)
    _left: Replay = field(factory=Replay, init=False)
    """Of earlier clients: not acknowledged, and not handed out by `resume` yet."""
    _last_kind: dict[int, Kind] = field(factory=dict, init=False)
    """The last record of each attempt that goes on. An answer, a look and a delivery may all tell
    of the same thing: the first of them is written down."""
    sent: dict[str, str | None] = field(factory=dict, init=False)
    """What earlier clients sent and may have been accepted: by key the task's id, if it is known."""

    async def open(self, now: float) -> None:
        """Open the journal at this time of the loop. Raises `JournalError`."""
        if self._journal is None:
            return
        replay = Replay()
        try:
            await self._opened(self._journal, replay)
        except JournalDamagedError as error:
            error.task_ids = {
                past.key: past.task_id
                for past in replay.attempts.values()
                if past.key is not None and past.task_id is not None
            }
            raise
        self._open = True
        self._last = max(replay.attempts, default=first_number())
        for past in replay.attempts.values():
            self._callbacks.remember(past, now, seconds_ago=unix_time() - past.since)
            if past.may_be_paid:
                self._found_paid(past)

    def _found_paid(self, past: Past) -> None:
        if not past.acknowledged:
            self._left.attempts[past.number] = past
        if past.kind is not Kind.ENDED:
            self._last_kind[past.number] = past.kind
        if past.key is not None:
            self.sent[past.key] = past.task_id or self.sent.get(past.key)

    async def _opened(self, journal: Journal, replay: Replay) -> None:
        try:
            await journal.open(replay.apply)
        except ValueError as error:
            raise JournalDamagedError(f"The journal contradicts itself: {error}") from error

    async def aclose(self) -> None:
        """Let go of the journal; all that was recorded is safe."""
        if self._journal is not None and self._open:
            await self._journal.aclose()

    def take_left(self) -> list[Past]:
        """Take what earlier clients left, in the order of sending; later there is nothing."""
        left, self._left = self._left, Replay()
        return list(left.attempts.values())

    # Records. Those of what has happened already do not raise: it has happened all the same.

    async def sending(self, generation: Generation, callback: Callback | None) -> None:
        """A submit is about to leave.

        Raises:
            JournalError: it is not recorded, so it must not.
        """
        if self._journal is None:
            return
        self._last += 1
        number, request = self._last, generation.request
        data = {
            "key": request.key if request else None,
            "model": generation.model,
            "request": request_record(request) if request else {},
        }
        if callback is not None:
            data["mark"], callback.number = callback.mark.hex(), number
        await self._journal.write(Record(number, Kind.SENDING, unix_time(), data))
        generation.attempts.append(number)
        self._last_kind[number] = Kind.SENDING

    async def answered(
        self, generation: Generation, answer: SubmitAnswer | NotSent
    ) -> JournalError | None:
        """Record what the answer to its submit says; an error is returned, and logged."""
        if not generation.attempts:
            return None
        number = generation.attempts[-1]
        match answer:
            case Accepted(task_id):
                return await self._note(number, Kind.ACCEPTED, {"task_id": task_id})
            case Broken(error):
                return await self._note(number, Kind.LOST, {"error": _text(error)})
            case _:
                if self._last_kind.get(number) is Kind.SENDING:  # else a delivery contradicts it
                    generation.attempts.pop()
                return await self._note(number, Kind.REFUSED, {"error": _reason(answer)})

    async def looked(self, generation: Generation, answer: LookAnswer) -> JournalError | None:
        """Record what a look says, where it is an end; an error is returned, and logged."""
        match answer:
            case Seen(status) if status.finished and tells(status):
                return await self._note(generation.attempt, Kind.ENDED, {"status": status.raw})
        return None

    async def delivered(self, number: int | None, status: TaskStatus) -> JournalError | None:
        """Record what a webhook tells of an attempt; an error is returned, and logged.

        The records are handed over in the step of the call, so that it may be acted on in the same
        one. What nobody but the API could tell again is waited for: it repeats what is not
        answered. An end of a task that is known a look would find as well.
        """
        if number is None:
            return None
        news = self._news(number, Kind.ACCEPTED, {"task_id": status.task_id})
        ended = status.finished and tells(status)
        end = self._news(number, Kind.ENDED, {"status": status.raw}) if ended else None
        self._tell_left([record for record in (news, end) if record is not None])
        if news is None:
            return None if end is None else self._later(end)
        return (end and self._later(news)) or await self._at_once(end or news)

    def _tell_left(self, records: list[Record]) -> None:
        """An attempt that `resume` has not handed out yet: it is to know."""
        for record in records:
            past = self._left.attempts.get(record.attempt)
            if past is not None:
                self._left.apply(record)
                if past.key is not None:
                    self.sent[past.key] = past.task_id

    def acknowledge(self, attempts: Iterable[int]) -> None:
        """Somebody has what became of them in a safe place.

        Raises:
            JournalError: it cannot be written; they will be handed out again.
        """
        if self._journal is not None:
            for number in attempts:
                self._journal.note(Record(number, Kind.ACKNOWLEDGED, unix_time()))

    async def _note(
        self, number: int | None, kind: Kind, data: Mapping[str, Any]
    ) -> JournalError | None:
        news = self._news(number, kind, data)
        return None if news is None else await self._at_once(news)

    def _news(self, number: int | None, kind: Kind, data: Mapping[str, Any]) -> Record | None:
        """Return the record, to be written in this step; None where it says nothing new."""
        last = None if number is None else self._last_kind.get(number)
        if number is None or last is None or not may_follow(last, kind):
            return None
        if kind in LAST:
            del self._last_kind[number]
        else:
            self._last_kind[number] = kind
        return Record(number, kind, unix_time(), data)

    async def _at_once(self, record: Record) -> JournalError | None:
        try:
            await cast("Journal", self._journal).write(record)
        except JournalError as error:
            return _not_recorded(record, error)
        return None

    def _later(self, record: Record) -> JournalError | None:
        try:
            cast("Journal", self._journal).note(record)
        except JournalError as error:
            return _not_recorded(record, error)
        return None


def _not_recorded(record: Record, error: JournalError) -> JournalError:
    task_id = record.data.get("task_id") or record.data.get("status", {}).get("taskId")
    _logger.error(
        "Not recorded in the journal: attempt %d was %s %s",
        record.attempt,
        record.kind.value,
        task_id or "",
        extra={"task_id": task_id},
    )
    return error


def _reason(answer: SubmitAnswer | NotSent) -> str:
    match answer:
        case NotSent(cause):
            return cause
        case Limited() | Accepted():
            return "HTTP status 429"
        case _:
            return _text(answer.error)


def _text(error: NanoBananaError) -> str:
    return f"{error.args[0]} ({type(error).__name__})"
