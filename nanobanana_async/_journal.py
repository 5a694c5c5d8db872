"""What a journal holds, and what follows from it.

A journal is a list of records that grows at its end. Each attempt to submit a request begins with
`SENDING`, written before the request leaves; its outcome follows as soon as it is known. So what is
in no record was never sent, and an attempt without an outcome may be running and paid for. Pure:
what follows from the records is a fold over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Protocol

from attrs import define, field, frozen

__all__ = ["LAST", "Journal", "Kind", "Past", "Record", "Replay", "kind_after", "may_follow"]


class Kind(Enum):
    """What happened to an attempt. The values are those on disk."""

    SENDING = "sending"
    """It is about to leave: `key`, `model` and `request`, the fields that were given; `mark`, what
    is stored of its callback's token."""
    REFUSED = "refused"
    """It was certainly not accepted: `error`. What is sent again is another attempt."""
    ACCEPTED = "accepted"
    """It runs and is paid for: `task_id`. A webhook's delivery may tell it of a lost one."""
    LOST = "lost"
    """Its answer was lost, it may be running: `error`."""
    ENDED = "ended"
    """The API says how it ended: `status`, as the API gave it."""
    ACKNOWLEDGED = "acknowledged"
    """Whoever asked for it has what became of it in a safe place."""


@frozen
class Record:
    """One line of a journal."""

    attempt: int
    """The number of the attempt, unique in its journal."""
    kind: Kind
    """What happened to it."""
    at: float
    """Unix time in seconds."""
    data: Mapping[str, Any] = field(factory=dict)
    """What `kind` says; fit for JSON."""


class Journal(Protocol):
    """A durable record of attempts. One client has it at a time.

    Whoever implements it owes: records come back in the order in which they were taken, whole; what
    `write` has returned for survives a power cut; and once one record could not be written, none is
    any more. A client calls it in its event loop, opens it once and closes it at its end.
    """

    async def open(self, take: Callable[[Record], None]) -> None:
        """Take possession of it, and hand each record that it holds to `take`, oldest first.

        Of an attempt all records are held, or none: one that was acknowledged may be forgotten,
        the newest one excepted, or its number would be given out again.

        `take` may be called in another thread, but never after this has returned or raised. A
        ValueError that it raises goes out of here: the records contradict each other. Cancelled, or
        where it raises, it lets go of what it took.

        Raises:
            JournalInUseError: somebody else has it.
            JournalVersionError: another version wrote it.
            JournalDamagedError: it cannot be read whole; `take` was given what can be trusted.
            JournalError: it cannot be opened or written.
        """
        ...

    async def write(self, record: Record) -> None:
        """Return when the record is safe, a power cut included. Cancelled, it is written on.

        Raises:
            JournalError: it could not be written, and nothing can be from now on.
        """
        ...

    def note(self, record: Record) -> None:
        """Take a record that nobody waits for: it is written with others, at the latest on closing.

        Raises:
            JournalError: nothing can be written any more.
        """
        ...

    async def aclose(self) -> None:
        """Write what is under way and let go. Does no harm when called again.

        Cancelled, it lets go all the same. Whatever is taken from then on raises `JournalError`.
        """
        ...


@define
class Past:
    """What the records say of one attempt."""

    number: int
    sent_at: float
    """Unix time in seconds."""
    key: str | None
    mark: str | None
    """What is stored of its callback's token, in hexadecimal digits."""
    sent: Mapping[str, Any]
    """What `SENDING` holds; empty once acknowledged: 100,000 of these have to fit into memory."""
    kind: Kind = Kind.SENDING
    """The last of its records that is no acknowledgement."""
    since: float = 0.0
    """Unix time of that record."""
    task_id: str | None = None
    data: Mapping[str, Any] = field(factory=dict)
    """What that record holds; empty once acknowledged."""
    acknowledged: bool = False

    @property
    def may_be_paid(self) -> bool:
        """False where it was certainly not accepted."""
        return self.kind is not Kind.REFUSED


_MAY_FOLLOW: Mapping[Kind, frozenset[Kind]] = {
    Kind.SENDING: frozenset({Kind.REFUSED, Kind.ACCEPTED, Kind.LOST}),
    Kind.LOST: frozenset({Kind.ACCEPTED}),
    Kind.ACCEPTED: frozenset({Kind.ENDED}),
}
LAST = frozenset({Kind.REFUSED, Kind.ENDED})
"""After these nothing follows but an acknowledgement."""
_NOTHING: Mapping[str, Any] = {}


def may_follow(last: Kind, kind: Kind) -> bool:
    """True where an attempt whose last record was `last` can have one of this kind."""
    return kind in _MAY_FOLLOW.get(last, ())


def kind_after(last: Kind | None, attempt: int, kind: Kind) -> Kind | None:
    """Return what an attempt is after a record of this kind, where it was `last`.

    An acknowledgement changes nothing. It may be of an attempt that was forgotten: acknowledged
    once more, by somebody who had its outcome from an earlier client. Such a one stays None.

    Raises:
        ValueError: it cannot follow.
    """
    if kind is Kind.ACKNOWLEDGED:
        return last
    if kind is Kind.SENDING:
        if last is not None:
            raise ValueError(f"attempt {attempt} is sent twice")
    elif last is None:
        raise ValueError(f"attempt {attempt} was {kind.value}, and never sent")
    elif not may_follow(last, kind):
        raise ValueError(f"attempt {attempt} was {last.value} and then {kind.value}")
    return kind


@define(eq=False, repr=False)
class Replay:
    """The fold: give it the records in their order, then look at `attempts`."""

    attempts: dict[int, Past] = field(factory=dict, init=False)
    """By number, in the order of their sending."""

    def apply(self, record: Record) -> None:
        """Take in the next record.

        Raises:
            ValueError: it cannot follow those before it; nothing has changed.
        """
        past = self.attempts.get(record.attempt)
        kind = kind_after(past.kind if past else None, record.attempt, record.kind)
        if kind is None:
            return
        if past is None:
            sent = record.data
            self.attempts[record.attempt] = Past(
                record.attempt, record.at, sent.get("key"), sent.get("mark"), sent, since=record.at
            )
        elif record.kind is Kind.ACKNOWLEDGED:
            past.acknowledged = True
            past.sent = past.data = _NOTHING
        else:
            past.kind, past.since = kind, record.at
            past.data = _NOTHING if past.acknowledged else record.data
            past.task_id = record.data.get("task_id", past.task_id)
