"""Submits: who is next, and what the answer to one leads to.

This is where money is spent, so this is where "never paid twice" is decided: a generation goes back
to the queue only where it was certainly not accepted.
"""

from __future__ import annotations

import logging
from math import inf
from random import Random
from typing import Final, assert_never

from attrs import define, field, frozen

from nanobanana_async._callback import Callback
from nanobanana_async._callbacks import Callbacks
from nanobanana_async._codec import Accepted, Broken, Busy, Limited, Refused, SubmitAnswer
from nanobanana_async._counters import Counters
from nanobanana_async._errors import (
    APIStatusError,
    AuthenticationError,
    InsufficientBalanceError,
    JournalError,
    NanoBananaError,
    NotSubmittedError,
    QueueTimeoutError,
    SubmitUnknownError,
    fresh,
)
from nanobanana_async._gate import Gate
from nanobanana_async._gateway import NotSent
from nanobanana_async._generation import Generation
from nanobanana_async._lifecycle import Event, State
from nanobanana_async._queue import TwoClassQueue
from nanobanana_async._retry import Backoff
from nanobanana_async._slots import Slots
from nanobanana_async._tracker import Tracker

__all__ = ["Post", "Submits", "not_submitted", "submit_unknown", "truth"]

_logger = logging.getLogger("nanobanana_async")

_BUSY_AGAIN: Final = Backoff(1.0, 30.0, jitter=0.1)
_AT_ONCE: Final = Backoff(0.0, 0.0)
_UNKNOWN_AGAIN: Final = Backoff(1.0, 30.0, jitter=0.1)
_UNKNOWN_IN_A_ROW: Final = 8
_SHORTEST_HOLD: Final = 30.0


@frozen(eq=False, repr=False)
class Post:
    """A submit that was decided on: it has its slot."""

    generation: Generation
    callback: Callback | None
    """Where the end of this attempt is told."""
    credit_probe: int
    """Its number as a probe of the account's credit; 0 where it is none."""
    doubt_probe: int
    """Likewise, of whether submits are answered."""


@define(eq=False, repr=False)
class Submits:
    """The queue in front of the slots, and the gates for what concerns submits alone."""

    _slots: Slots
    _tracker: Tracker
    _counters: Counters
    _callbacks: Callbacks
    _unknown_hold: float
    _random: Random
    _queue: TwoClassQueue[Generation] = field(factory=TwoClassQueue, init=False)
    _credit: Gate = field(init=False)
    """Closed after a 402: the next submit goes out alone, and its acceptance opens it."""
    _doubt: Gate = field(init=False)
    """Closed after several unknown submits in a row: an hour of 502s must not cost 30,000."""
    _unknown_in_a_row: int = field(default=0, init=False)
    _awaited: dict[Generation, tuple[float, NanoBananaError]] = field(factory=dict, init=False)
    """Submits whose answer was lost and whose delivery may still come: until when, and the cause.
    Each keeps its slot as long."""
    _awaited_until: float = field(default=inf, init=False)
    """When the first of them is given up, or was."""

    def __attrs_post_init__(self) -> None:
        self._credit = Gate(_AT_ONCE, self._random)
        self._doubt = Gate(_UNKNOWN_AGAIN, self._random)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def queued_bulk(self) -> int:
        """Of those in line, the bulk ones."""
        return self._queue.bulk

    @property
    def opens_at(self) -> float:
        """From when submits may go out, by what is known of the credit and of lost answers."""
        return max(self._credit.opens_at, self._doubt.opens_at)

    def join(self, generation: Generation) -> None:
        """Stand in line."""
        self._queue.push(generation, bulk=generation.bulk)

    def leave(self, generation: Generation) -> bool:
        """Its caller stops waiting. True where it was still in line: withdrawn, nothing is paid."""
        if generation.state is State.QUEUED and generation.waiters <= 1:
            generation.apply(Event.WITHDRAWN)
            self._queue.remove(generation)
            # Whoever has its handle and asks later is told, too.
            generation.fail(truth(generation, QueueTimeoutError("Withdrawn: its callers left")))
            return True
        return False

    def ready_at(self) -> float:
        """From when one may go out: -inf for now, inf while there is nobody or no slot."""
        return max(self._queue.ready_at(), self._slots.free_at(), self.opens_at)

    def begin(self, now: float) -> Post:
        """Take the next one and a slot for it."""
        generation = self._queue.pop(now)
        self._slots.take(generation)
        generation.apply(Event.SENT)
        callback = self._callbacks.announce(generation)
        return Post(generation, callback, self._credit.enter(), self._doubt.enter())

    def answered(
        self, post: Post, answer: SubmitAnswer | NotSent, *, sent_at: float, now: float
    ) -> None:
        """Do what the answer to a submit asks for, in one step."""
        generation = post.generation
        self._learn(post, answer, now)
        if generation.state is not State.SENDING:
            self._overtaken(post, answer, now)
            return
        match answer:
            case Accepted(task_id) if task_id in self._tracker.tasks:
                # Two submits for one task: one of them was answered with the other's id.
                self._lose(generation, _duplicate(task_id), now)
            case Accepted(task_id):
                self._slots.accepted(generation)
                self._tracker.accepted(generation, task_id, sent_at, now)
            case NotSent() | Limited():
                self._go_back(generation, now, wait=0.0)
            case Busy():
                generation.returns += 1
                wait = _BUSY_AGAIN.delay(generation.returns, self._random)
                self._go_back(generation, now, wait)
            case Refused(AuthenticationError()) if not generation.doubted:
                # Not accepted. The dispatcher asks whether the key is wrong before anything else
                # goes out; if it is, this call fails with all the others, else it is sent again.
                generation.doubted = True
                self._go_back(generation, now, wait=0.0)
            case Refused(error):
                self._refuse(generation, error, now)
            case Broken(error):
                self._lose(generation, error, now)
            case _:
                assert_never(answer)

    def withdrawn(self, post: Post, now: float) -> None:
        """It was decided on, and not sent."""
        self._not_sent(post, now)
        if post.generation.state is State.SENDING:  # else another attempt of it was delivered
            self._go_back(post.generation, now, wait=0.0)

    def not_recorded(self, post: Post, error: JournalError, now: float) -> None:
        """It was not sent, since the journal could not be written."""
        self._not_sent(post, now)
        if post.generation.state is State.SENDING:
            self._refuse(post.generation, fresh(error), now)

    def _not_sent(self, post: Post, now: float) -> None:
        if post.callback is not None:
            self._callbacks.forget(post.callback)
            if post.generation.callback is post.callback:
                post.generation.callback = None
        self._credit.probe_told_nothing(post.credit_probe, now)
        self._doubt.probe_told_nothing(post.doubt_probe, now)

    def _learn(self, post: Post, answer: SubmitAnswer | NotSent, now: float) -> None:
        if isinstance(answer, Accepted):
            self._credit.open()
        else:
            self._credit.probe_failed(post.credit_probe, now)
        match answer:
            case Accepted() | Refused() | Limited():
                self._doubt.open()
                self._unknown_in_a_row = 0
            case NotSent() | Busy():
                self._doubt.probe_told_nothing(post.doubt_probe, now)
            case Broken():
                self._unknown(post, now)

    def _unknown(self, post: Post, now: float) -> None:
        self._unknown_in_a_row += 1
        if not self._doubt.is_open:
            self._doubt.probe_failed(post.doubt_probe, now)
        elif self._unknown_in_a_row >= _UNKNOWN_IN_A_ROW:
            _logger.warning(
                "The answers to %d submits in a row were lost; submitting one at a time",
                self._unknown_in_a_row,
            )
            self._doubt.close(now)

    def out_of_credit(self, error: InsufficientBalanceError, now: float) -> None:
        """Fail all who wait in line; the next call made later goes out alone as a probe."""
        self._credit.close(now)
        self.fail_all(error)

    def fail_all(self, error: NanoBananaError, started_until: float = inf) -> None:
        """Withdraw those in line whose call began by then; bulk ones get `NotSubmittedError`."""
        for generation in list(self._queue):
            if generation.started_at <= started_until:
                generation.apply(Event.WITHDRAWN)
                self._queue.remove(generation)
                unpaid = not_submitted(error) if generation.bulk else fresh(error)
                generation.fail(truth(generation, unpaid))

    def _go_back(self, generation: Generation, now: float, wait: float) -> None:
        """It was certainly not accepted: back to the front, unless its caller has gone."""
        self._not_accepted(generation, now)
        generation.apply(Event.RETURNED)
        if generation.waiters == 0:
            generation.apply(Event.WITHDRAWN)
            unpaid = QueueTimeoutError("Not accepted, and its caller had left")
            generation.fail(truth(generation, unpaid))
        elif wait:
            self._queue.delay(generation, now + wait, bulk=generation.bulk)
        else:
            self._queue.push_front(generation, bulk=generation.bulk)

    def _not_accepted(self, generation: Generation, now: float) -> None:
        self._slots.release(generation)
        if generation.callback is not None:
            self._callbacks.over(generation.callback, None, now, refused=True)
            generation.callback = None

    def _refuse(self, generation: Generation, error: NanoBananaError, now: float) -> None:
        self._not_accepted(generation, now)
        generation.apply(Event.REFUSED)
        generation.fail(truth(generation, error))
        if isinstance(error, InsufficientBalanceError):
            self.out_of_credit(error, now)

    def _lose(self, generation: Generation, cause: NanoBananaError, now: float) -> None:
        """The answer is lost. Whatever runs at the API now keeps its slot for a while."""
        webhooks = self._callbacks.webhooks
        if webhooks is not None and generation.callback is not None:
            generation.apply(Event.LOST)
            self.await_delivery(generation, cause, now + webhooks.unknown_patience)
        elif generation.resubmit_unknown and generation.waiters:
            self._counters.unknown += 1
            generation.apply(Event.LOST)
            generation.lost = cause
            self._resubmit(generation, now)
        else:
            self._slots.keep(generation, now + self._hold_of(generation))
            self.lost(generation, cause, now)

    def lost(self, generation: Generation, cause: NanoBananaError, now: float) -> None:
        """It may have been accepted: said loudly, and never sent again."""
        generation.apply(Event.LOST)
        self._give_up(generation, cause, now)

    def _give_up(self, generation: Generation, cause: NanoBananaError, now: float) -> None:
        self._counters.unknown += 1
        if generation.callback is not None:
            why = "its submit was reported as unknown"
            self._callbacks.give_up(generation.callback, why, now)
        generation.fail(submit_unknown(generation, cause))

    # Submits whose answer was lost, and whose delivery may come

    def await_delivery(self, generation: Generation, cause: NanoBananaError, until: float) -> None:
        """Wait until then for the delivery of a submit whose answer was lost; it has a slot."""
        self._awaited[generation] = until, cause
        self._awaited_until = min(self._awaited_until, until)
        self._slots.keep(generation, until)

    def found(self, generation: Generation, callback: Callback, task_id: str, now: float) -> None:
        """A delivery tells of a task before the submit's answer did, or instead of it.

        `callback` is that of any attempt: it may have been sent again meanwhile, or be in line for
        that. Then what the last one comes to is nobody's.
        """
        self._counters.found += 1
        self._doubt.open()
        self._unknown_in_a_row = 0
        last = generation.callback
        if generation.state is State.SENDING:
            if last is callback:
                self._slots.accepted(generation)
        elif generation.state is State.UNKNOWN:
            del self._awaited[generation]
            self._slots.found(generation)
            if last is not callback:
                self._hold_for_another(generation, now)
        else:
            self._queue.remove(generation)
            self._slots.adopt(generation)
        if last is not None and last is not callback:
            self._callbacks.give_up(last, "another attempt was delivered", now)
        self._callbacks.hand_over(callback, generation)
        sent_at = callback.sent_at
        if sent_at is None:
            generation.apply(Event.FOUND)
            generation.task_id = task_id
            self._tracker.resume(generation, now - generation.started_at, now)
        else:
            self._tracker.accepted(generation, task_id, sent_at, sent_at)

    def next_expiry(self) -> float:
        """When `expire` has something to do."""
        return self._awaited_until

    def expire(self, now: float) -> None:
        """Give up those whose delivery did not come; their slots are free."""
        if self._awaited_until > now:
            return
        for generation, (until, cause) in list(self._awaited.items()):
            if until <= now:
                del self._awaited[generation]
                if generation.resubmit_unknown and generation.waiters:
                    self._send_again(generation, cause, now)
                else:
                    self._give_up(generation, cause, now)
        self._awaited_until = min((until for until, _ in self._awaited.values()), default=inf)

    def _send_again(self, generation: Generation, cause: NanoBananaError, now: float) -> None:
        if generation.callback is not None:
            self._callbacks.give_up(generation.callback, "its submit's answer was lost", now)
        self._counters.unknown += 1
        generation.lost = cause
        generation.apply(Event.RESUBMITTED)
        self._queue.push_front(generation, bulk=generation.bulk)

    def give_up_all(self, now: float) -> None:
        """Nothing goes on with this client: whoever waits for a delivery is told."""
        awaited, self._awaited = self._awaited, {}
        for generation, (_, cause) in awaited.items():
            self._give_up(generation, cause, now)

    def is_awaited(self, generation: Generation) -> bool:
        """True while its answer is lost and a delivery may find it."""
        return generation in self._awaited

    def _overtaken(self, post: Post, answer: SubmitAnswer | NotSent, now: float) -> None:
        """A delivery, of this attempt or an earlier one, came before the answer.

        The generation is tracked, or has ended, already. Another task that this attempt may have
        started is nobody's, but it runs: it has a slot.
        """
        generation = post.generation
        own = generation.callback is post.callback
        match answer:
            case Accepted(task_id) if task_id != generation.task_id:
                self._paid_twice(post, task_id)
                self._hold_for_another(generation, now)
            case Broken() if not own:
                self._counters.unknown += 1
                _logger.error(
                    "The request of task %s was sent again, and that may have been accepted, too",
                    generation.task_id,
                    extra={"task_id": generation.task_id},
                )
                self._hold_for_another(generation, now)
            case Accepted() | Broken():
                pass
            case _ if own:
                _logger.warning(
                    "Task %s was delivered, though its submit was refused",
                    generation.task_id,
                    extra={"task_id": generation.task_id},
                )
            case _ if post.callback is not None:
                self._callbacks.over(post.callback, None, now, refused=True)

    def _paid_twice(self, post: Post, task_id: str) -> None:
        self._counters.paid_twice += 1
        if post.callback is not None:
            post.callback.paid_twice = True
        delivered = post.generation.task_id
        _logger.error(
            "Two tasks for one request, which is paid twice: %s was delivered, and %s accepted",
            delivered,
            task_id,
            extra={"task_ids": (delivered, task_id)},
        )

    def _hold_for_another(self, generation: Generation, now: float) -> None:
        ghost = object()
        self._slots.adopt(ghost)
        self._slots.keep(ghost, now + self._hold_of(generation))

    def _hold_of(self, generation: Generation) -> float:
        """Return for how long a submit that may be running keeps its slot."""
        learned = self._tracker.times.slow(generation.service_class)
        if learned is None:
            return self._unknown_hold
        # No longer than a running task keeps its own, however long the slowest are stuck.
        return max(_SHORTEST_HOLD, min(learned, self._tracker.stuck_after))

    def _resubmit(self, generation: Generation, now: float) -> None:
        """Its caller takes the risk. The lost attempt may run too: it holds a slot of its own."""
        ghost = object()
        self._slots.replace(generation, by=ghost)
        self._slots.keep(ghost, now + self._hold_of(generation))
        generation.apply(Event.RESUBMITTED)
        self._queue.push_front(generation, bulk=generation.bulk)


def _duplicate(task_id: str) -> APIStatusError:
    return APIStatusError("the answer names the task of another submit", task_id=task_id)


def truth(generation: Generation, error: NanoBananaError) -> NanoBananaError:
    """Return `error`, which says that nothing was paid, unless an earlier attempt may have been."""
    return error if generation.lost is None else submit_unknown(generation, generation.lost)


def submit_unknown(generation: Generation, cause: NanoBananaError) -> SubmitUnknownError:
    """Build the error of a submit that may have been accepted."""
    error = SubmitUnknownError(
        f"The answer to the submit was lost: {cause.args[0]}",
        status=cause.status,
        code=cause.code,
        api_message=cause.api_message,
    )
    error.__cause__ = cause
    error.request = generation.request
    return error


def not_submitted(cause: NanoBananaError) -> NotSubmittedError:
    """Build the error of a bulk request that was read and is not sent any more."""
    error = NotSubmittedError(f"Not submitted, nothing was paid: {cause.args[0]}")
    error.__cause__ = cause
    return error
