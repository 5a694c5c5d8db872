"""One call's way from prompt to picture: what is known of it, and who waits for it."""

from __future__ import annotations

import asyncio
import weakref
from math import inf
from typing import Any

from attrs import define, field

from nanobanana_async._callback import Callback
from nanobanana_async._changes import Changes, tells
from nanobanana_async._errors import NanoBananaError
from nanobanana_async._lifecycle import Event, State, advance
from nanobanana_async._models import ImageRequest, ImageResult, TaskStatus
from nanobanana_async._observer import Trace
from nanobanana_async._service_times import ServiceClass
from nanobanana_async._unawaited import name_unawaited

__all__ = ["Generation", "fail"]


@define(eq=False, repr=False)
class Generation:
    """The record that queue, slots, schedule and table of tasks all speak of.

    Changed by synchronous methods only, in the event loop of its client; callers only await its
    futures, and always through `asyncio.shield`: one that is cancelled must not cancel the others.
    """

    model: str
    service_class: ServiceClass
    """What its service time depends on."""
    request: ImageRequest | None
    """None for a task picked up by its id."""
    started_at: float
    """The loop's time at which the call began."""
    body: bytes = b""
    bulk: bool = False
    resubmit_unknown: bool = False
    state: State = State.QUEUED
    task_id: str | None = None

    # Waiters. `result` is replaced by a fresh future when its waiters are failed for a task that
    # goes on. `accepted` exists only where somebody waits for the id alone.
    result: asyncio.Future[ImageResult] = field(init=False)
    accepted: asyncio.Future[str] | None = None
    lookers: list[tuple[float, asyncio.Future[TaskStatus]]] = field(factory=list)
    """Who asked for a fresh status, each with the loop's time at which the asking began."""
    changes: Changes | None = None
    """What listeners to its states read; exists only where somebody has listened."""
    waiters: int = 0
    """Callers that await the result now."""
    told: bool = False
    """True once somebody was given how it ended, or the log has named it."""
    returns: int = 0
    """How often the API was too busy to take it."""
    lost: NanoBananaError | None = None
    """Why the answer to an earlier submit of it was lost, which may have been accepted."""
    doubted: bool = False
    """True once it was refused with a key that turned out to be good."""
    handle: weakref.ref[Any] | None = None
    """The `Task` that callers hold, if any: weakly, for a handle refers to its generation."""

    attempts: list[int] = field(factory=list)
    """Numbers in the journal of its submits that may have been accepted."""
    callback: Callback | None = None
    """Where the end of its last submit is told; None where it is found out by looks alone."""
    trace: Trace | None = None
    """Who watches it; None where nobody does, or it has been told how it ended."""

    # What looks have taught.
    age_from: float = 0.0
    """The loop's time from which its age counts: midway between send and answer of the submit."""
    answered_at: float | None = None
    """The loop's time at which the submit was answered; None where it is not ours."""
    checks: int = 0
    said_to_have_ended: bool = False
    """True where a delivery that is not believed came while a look was under way: once more."""
    ran_until: float = 0.0
    """The greatest age at which it was seen running."""
    status: TaskStatus | None = None
    seen_at: float | None = None
    """The loop's time of the last good look."""
    failed_looks: int = 0
    """Looks in a row that told nothing."""
    trouble_at: float | None = None
    """The loop's time of the first of them."""
    missing_looks: int = 0
    """Looks in a row that were answered with "no such task"."""
    missing_at: float | None = None
    """The loop's time of the first of them."""
    lag: float | None = None
    """Seconds from its end to the look that saw it; None before that, or where not known."""
    unreadable_at: float | None = None
    """The loop's time at which it was first seen finished without a readable result."""

    def __attrs_post_init__(self) -> None:
        self.result = asyncio.get_running_loop().create_future()

    @property
    def attempt(self) -> int | None:
        """The number in the journal of the attempt that became its task, or else of the last one.

        With webhooks an earlier attempt may be found while a later one is under way.
        """
        if self.callback is not None and self.callback.number is not None:
            return self.callback.number
        return self.attempts[-1] if self.attempts else None

    def apply(self, event: Event) -> bool:
        """Move on in the table of `_lifecycle`; False where the event changes nothing."""
        before, self.state = self.state, advance(self.state, event)
        if self.trace is not None and self.state is not before:
            self.trace.moved(self.state)
        return self.state is not before

    @property
    def wanted(self) -> bool:
        """True while somebody waits for it, or could."""
        handle = self.handle() if self.handle else None
        return self.waiters > 0 or bool(self.lookers) or handle is not None

    def cancelled(self) -> None:
        """One who waits is cancelled. If it was the last, what is watched ends here."""
        handle = self.handle() if self.handle else None
        if self.waiters <= 1 and handle is None:
            self._end_trace(asyncio.CancelledError())

    def _end_trace(self, error: BaseException | None) -> None:
        if self.trace is not None:
            trace, self.trace = self.trace, None
            trace.ended(error)

    def succeed(self, result: ImageResult) -> None:
        self._end_trace(None)
        if not self.result.done():
            self.result.set_result(result)
        self.name_unawaited()

    def name_unawaited(self) -> None:
        """Log how it ended, where nobody was told and nobody can be any more.

        Called wherever that may have become true: at its end, when a caller leaves (who may be
        cancelled between the end and being woken up), and when its handle is dropped.
        """
        if self.result.done() and not (self.told or self.wanted):
            self.told = True
            name_unawaited(self.result.exception() or self.result.result())

    def fail(self, error: NanoBananaError) -> None:
        """Give `error` to everybody who waits: for the id, for the result, for a look."""
        self._give(error)
        self.name_unawaited()

    def _give(self, error: NanoBananaError) -> None:
        self._end_trace(error)
        if self.accepted is not None:
            fail(self.accepted, error)
        fail(self.result, error)
        self.fail_lookers(error)
        if self.changes is not None:
            self.changes.fail(error)
            self.changes = None

    def fail_waiters(self, error: NanoBananaError) -> None:
        """Give `error` to those who wait now; the task goes on, and so may whoever asks later."""
        self._give(error)
        self.told = False
        self.result = asyncio.get_running_loop().create_future()

    def tell(self, status: TaskStatus) -> None:
        """Tell listeners a state; of a finished task it is the last one."""
        if self.changes is not None:
            self.changes.tell(status)
            if status.finished and tells(status):
                self.changes.end()

    def answer_lookers(self, status: TaskStatus) -> None:
        """Give a fresh status to those who asked for one."""
        for _, looker in self.lookers:
            if not looker.done():
                looker.set_result(status)
        self.lookers = []

    def fail_lookers(self, error: NanoBananaError, started_until: float = inf) -> None:
        """Give `error` to those whose asking began by then."""
        for started_at, looker in self.lookers:
            if started_at <= started_until:
                fail(looker, error)
        self.lookers = [entry for entry in self.lookers if not entry[1].done()]

    def forget_trouble(self) -> None:
        """A good look came: what failed before it does not count any more."""
        self.failed_looks = self.missing_looks = 0
        self.trouble_at = self.missing_at = None


def fail(future: asyncio.Future[Any], error: NanoBananaError) -> None:
    """Give `error` to whoever awaits `future`; nobody need be waiting."""
    if not future.done():
        future.set_exception(error)
        future.exception()  # marks it as retrieved, or asyncio logs it when it is collected
