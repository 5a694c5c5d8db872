"""The table of accepted tasks, and what each look at one leads to.

Everything here concerns tasks that are paid for: nothing in this module ever sends one again or
forgets one that is not known to be finished.
"""

from __future__ import annotations

import logging
from math import inf
from random import Random
from typing import Final

from attrs import define, field

from nanobanana_async._callbacks import Callbacks
from nanobanana_async._changes import tells
from nanobanana_async._codec import Broken, Busy, Limited, LookAnswer, Refused, Seen, age_of
from nanobanana_async._counters import Counters
from nanobanana_async._errors import (
    APIStatusError,
    InvalidRequestError,
    NanoBananaError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResultUnreadableError,
    TaskNotFoundError,
    TaskStuckError,
    fresh,
)
from nanobanana_async._failures import failure
from nanobanana_async._generation import Generation
from nanobanana_async._lifecycle import Event, State
from nanobanana_async._models import ImageRequest, ImageResult, TaskStatus
from nanobanana_async._retry import Backoff
from nanobanana_async._schedule import Schedule
from nanobanana_async._service_times import LearnedTimes
from nanobanana_async._slots import Slots

__all__ = ["STATUS_PATIENCE", "Tracker", "refused_for_long", "result_of"]

_logger = logging.getLogger("nanobanana_async")

_KNOWN_STATES: Final = frozenset({"pending", "processing", "success", "failed"})
_LOOK_AGAIN: Final = Backoff(1.0, 30.0, jitter=0.1)
STATUS_PATIENCE: Final = 30.0
"""Seconds for which `status()` and `balance()` put up with answers that tell nothing."""
_UNREADABLE_PATIENCE: Final = 60.0
_MISSING_PATIENCE: Final = {False: 30.0, True: 600.0}  # by whether it was ever seen
_MISSING_LOOKS: Final = 3
_STUCK_GAP: Final = 60.0
_SILENT_LAG: Final = 5.0  # seconds: the API delivers at once
_SILENT_ENDS: Final = 3
_CLOCK_STEP: Final = 0.1  # seconds by which stamps and clocks may be off without having jumped
_WARNED: Final = 20  # states that are warned of: the set must not grow with what a server invents


@define(eq=False, repr=False)
class Tracker:
    """Tasks in flight by id."""

    schedule: Schedule[Generation]
    slots: Slots
    counters: Counters
    stuck_after: float
    random: Random
    times: LearnedTimes
    callbacks: Callbacks
    tasks: dict[str, Generation] = field(factory=dict, init=False)
    _clock_offset: float | None = field(default=None, init=False)
    """Unix time at the server minus the loop's time, in seconds."""
    _warned_states: set[str] = field(factory=set, init=False)
    _silent_ends: int = field(default=0, init=False)
    """Ends that a delivery should have told of, while none has ever come."""

    def accepted(self, generation: Generation, task_id: str, sent_at: float, now: float) -> None:
        """A submit was accepted: the task holds its slot and is looked at from now on.

        `now` is when the API said so: where it is found by its delivery that is not known, and it
        was about when the submit was sent.
        """
        generation.apply(Event.ACCEPTED if generation.state is State.SENDING else Event.FOUND)
        generation.task_id = task_id
        generation.age_from = (sent_at + now) / 2
        generation.answered_at = now
        self.counters.accepted += 1
        _logger.debug("Task %s accepted", task_id, extra={"task_id": task_id})
        self.tasks[task_id] = generation
        told = generation.callback is not None
        self.schedule.add(generation, generation.service_class, generation.age_from, told=told)
        if generation.accepted is not None and not generation.accepted.done():
            generation.accepted.set_result(task_id)

    def adopt(self, generation: Generation, now: float) -> None:
        """Take in a task that was submitted elsewhere; it counts once it is seen unfinished."""
        generation.age_from = now
        self.tasks[str(generation.task_id)] = generation
        self.schedule.add(generation, generation.service_class, now)

    def resume(self, generation: Generation, age: float, now: float) -> None:
        """Take in a task that an earlier client submitted: it is known to run, and counts at once.

        `age` is in seconds, as the wall clock has it; the first look corrects it.
        """
        generation.age_from = now - age
        self.tasks[str(generation.task_id)] = generation
        self.slots.adopt(generation)
        self.schedule.add(generation, generation.service_class, generation.age_from)

    def delivered(self, generation: Generation, status: TaskStatus, now: float) -> None:
        """Apply what a webhook told of a task: the same as a look that somebody else made."""
        if generation.seen_at is None:
            self._learn_age(generation, Seen(status), now)
        self._seen(generation, status, now, now)

    def looked(
        self, generation: Generation, answer: LookAnswer, *, sent_at: float, now: float
    ) -> None:
        """Apply the answer to a status check."""
        generation.checks += 1
        if self.tasks.get(str(generation.task_id)) is not generation:
            return  # a delivery told of its end meanwhile
        match answer:
            case Seen(status):
                if generation.seen_at is None:
                    self._learn_age(generation, answer, now)
                self._seen(generation, status, (sent_at + now) / 2, now)
            case Refused(PermissionDeniedError() as error):
                error.task_id = generation.task_id
                self._end(generation, Event.FAILED, now)
                self._lose(generation, error)
            case Refused(NotFoundError()):
                self._missing(generation, now)
            case Refused(InvalidRequestError() as error):
                self._trouble(generation, _not_told(error), now)
                self._later(generation, now)
            case Limited():
                self._trouble(generation, refused_for_long(), now)
                self.at_once(generation, now)
            case Refused(error) | Busy(error) | Broken(error):
                self._trouble(generation, error, now)
                self._later(generation, now)

    def at_once(self, generation: Generation, now: float) -> None:
        """The look got no answer of the API: the very next one, as soon as one may go."""
        self.schedule.again(generation, now, now)

    def _trouble(self, generation: Generation, error: NanoBananaError, now: float) -> None:
        """A look that told nothing. It never fails the task, in the end it fails `status()`."""
        if generation.trouble_at is None:
            generation.trouble_at = now
        if now - generation.trouble_at >= STATUS_PATIENCE:
            # A copy: the same error may be what stops the client, and is then about no task.
            generation.fail_lookers(fresh(error, generation.task_id))

    def _learn_age(self, generation: Generation, seen: Seen, now: float) -> None:
        """A task of our own tells the server's clock; from that an adopted one's age follows."""
        created = seen.status.created_at
        if generation.answered_at is None:
            clock = None if self._clock_offset is None else now + self._clock_offset
            age = age_of(seen, clock)
            if age is not None:
                generation.age_from = now - age
        elif created is not None:
            self._clock_offset = created.timestamp() - generation.age_from

    def _seen(self, generation: Generation, status: TaskStatus, told_at: float, now: float) -> None:
        """Apply a readable status; `told_at` is about when the API looked at the task."""
        generation.forget_trouble()
        generation.status, generation.seen_at = status, now
        generation.answer_lookers(status)
        if status.state not in _KNOWN_STATES:
            self._warn_once(status)
        generation.tell(status)
        if status.state == "failed":
            self._failed(generation, status, now)
        elif status.state == "success" and status.urls:
            self._succeeded(generation, status, now)
        elif status.state == "success":
            self._unreadable(generation, status, now)
        else:
            self._unfinished(generation, told_at)

    def _unfinished(self, generation: Generation, told_at: float) -> None:
        # One that was sent earlier than what has been seen since says nothing new.
        age = max(told_at - generation.age_from, generation.ran_until)
        told_at = generation.age_from + age
        self._learn_survival(generation, age)
        generation.unreadable_at = None
        if generation.state is State.RUNNING:
            if generation.answered_at is None:
                self.slots.adopt(generation)
            if age >= self.stuck_after:
                self._stuck(generation)
        gap = _STUCK_GAP if generation.state is State.STUCK else 0.0
        self.schedule.seen(generation, age, told_at, told_at + gap)
        if generation.said_to_have_ended:
            generation.said_to_have_ended = False
            self.schedule.again(generation, told_at, told_at)

    def _learn_survival(self, generation: Generation, age: float) -> None:
        if generation.answered_at is not None:  # of others' tasks neither class nor age is certain
            self.times.table(generation.service_class).ran(generation.ran_until, age)
            generation.ran_until = age

    def _learn_end(self, generation: Generation, seconds: float | None, now: float) -> None:
        """It ended between two looks: when the API says, or in the middle where it does not.

        Taught nothing here, the table would know of its running alone and take tasks for endless.
        """
        status = generation.status
        if generation.answered_at is None or status is None or not status.finished:
            return
        since, age = generation.ran_until, max(now - generation.age_from, generation.ran_until)
        end = (since + age) / 2 if seconds is None else min(max(seconds, since), age)
        self.times.table(generation.service_class).ended(since, end)

    def _stuck(self, generation: Generation) -> None:
        generation.apply(Event.OVERDUE)
        self.slots.release(generation)
        error = TaskStuckError(
            f"Not finished after {self.stuck_after:,.0f} s",
            task_id=generation.task_id,
            advice="It is looked at once a minute; await the task again to wait on",
        )
        generation.fail_waiters(error)

    def _succeeded(self, generation: Generation, status: TaskStatus, now: float) -> None:
        if not self._end(generation, Event.SUCCEEDED, now):
            return
        self.counters.succeeded += 1
        generation.succeed(result_of(status, generation.request))

    def _failed(self, generation: Generation, status: TaskStatus, now: float) -> None:
        if self._end(generation, Event.FAILED, now):
            self._lose(generation, failure(status))

    def _unreadable(self, generation: Generation, status: TaskStatus, now: float) -> None:
        if generation.unreadable_at is None:
            generation.unreadable_at = now
        if now - generation.unreadable_at < _UNREADABLE_PATIENCE:
            self._later(generation, now, until=generation.unreadable_at + _UNREADABLE_PATIENCE)
            return
        self._end(generation, Event.FAILED, now)
        error = ResultUnreadableError(
            "The task succeeded, but its answer holds no readable URL",
            task_id=status.task_id,
            raw=status.raw,
        )
        self._lose(generation, error)

    def _missing(self, generation: Generation, now: float) -> None:
        generation.missing_looks += 1
        if generation.missing_at is None:
            generation.missing_at = now
        patience = _MISSING_PATIENCE[generation.status is not None]
        if now - generation.missing_at < patience or generation.missing_looks < _MISSING_LOOKS:
            self._later(generation, now, until=generation.missing_at + patience)
            return
        self._end(generation, Event.MISSING, now)
        error = TaskNotFoundError("The API does not know this task", task_id=generation.task_id)
        self._lose(generation, error)

    def _later(self, generation: Generation, now: float, until: float = inf) -> None:
        """Look again after a while; `until` is when patience ends, which calls for a last look."""
        generation.failed_looks += 1
        wait = _LOOK_AGAIN.delay(generation.failed_looks, self.random)
        self.schedule.again(generation, now, min(now + wait, until))

    def _end(self, generation: Generation, event: Event, now: float) -> bool:
        """Make an end known to table, schedule and slots; False where it had ended before."""
        if not generation.apply(event):
            return False
        self.schedule.remove(generation)
        self._close_callback(generation, now)
        self.slots.release(generation)
        self.slots.completed(now)
        del self.tasks[str(generation.task_id)]
        seconds = _service_time(generation, now)
        self._learn_end(generation, seconds, now)
        lag = generation.lag = _lag(generation, seconds, now)
        self.counters.finished(now, generation.checks, lag, seconds)
        self._note_silence(generation)
        _logger.debug(
            "Task %s ended: %s",
            generation.task_id,
            generation.state.value,
            extra={"task_id": generation.task_id, "checks": generation.checks, "lag": lag},
        )
        return True

    def _close_callback(self, generation: Generation, now: float) -> None:
        """What the API tells later, of a task that it did not say had ended, must not be lost."""
        callback, status = generation.callback, generation.status
        if callback is None:
            return
        if status is not None and status.finished and tells(status):
            self.callbacks.over(callback, status.task_id, now)
        else:
            self.callbacks.give_up(callback, "its end was not to be had", now)

    def _note_silence(self, generation: Generation) -> None:
        """Where no delivery ever comes, each picture is late: that must not go unsaid."""
        late = generation.lag is not None and generation.lag >= _SILENT_LAG
        if late and generation.callback is not None and self.counters.deliveries == 0:
            self._silent_ends += 1
            if self._silent_ends == _SILENT_ENDS:
                _logger.warning(
                    "No webhook delivery has come yet, and %s tasks have ended: can the API reach "
                    "public_url, and does your app hand what comes there to client.webhooks? Until "
                    "then ends are found by looks, late",
                    _SILENT_ENDS,
                )

    def _lose(self, generation: Generation, error: NanoBananaError) -> None:
        self.counters.failed += 1
        generation.fail(error)

    def _warn_once(self, status: TaskStatus) -> None:
        if status.state not in self._warned_states and len(self._warned_states) < _WARNED:
            self._warned_states.add(status.state)
            _logger.warning(
                "The API reports a state that is not documented, %r; taken as not finished",
                status.state,
                extra={"task_id": status.task_id, "state": status.state},
            )


def result_of(status: TaskStatus, request: ImageRequest | None) -> ImageResult:
    """Return what a task that succeeded with readable URLs has brought."""
    return ImageResult(
        task_id=status.task_id,
        urls=status.urls,
        created_at=status.created_at,
        completed_at=status.completed_at,
        processing_time=status.processing_time,
        request=request,
    )


def refused_for_long() -> RateLimitError:
    return RateLimitError(f"Refused for {STATUS_PATIENCE:.0f} s", status=429)


def _not_told(error: InvalidRequestError) -> APIStatusError:
    """A 400 to a look is no fault of the request that was paid for."""
    return APIStatusError(
        "The API refuses to tell of the task",
        status=error.status,
        code=error.code,
        api_message=error.api_message,
    )


def _service_time(generation: Generation, now: float) -> float | None:
    """Return how long the API worked on a task of ours, in seconds; None where it cannot be told.

    A local time is only ever compared with a local time, and a server's time with a server's. Where
    its clock jumped meanwhile the difference says nothing: a task cannot have taken longer than has
    passed since its submit was sent.
    """
    seconds = generation.status.service_time if generation.status else None
    if seconds is None or generation.answered_at is None:
        return None
    sent_at = 2 * generation.age_from - generation.answered_at
    return seconds if seconds <= now - sent_at + _CLOCK_STEP else None


def _lag(generation: Generation, seconds: float | None, now: float) -> float | None:
    """Return the seconds from a task's end to now; None where it cannot be told.

    The task ended `seconds` after its submit was answered, as the server says.
    """
    if seconds is None or generation.answered_at is None:
        return None
    return max(now - generation.answered_at - seconds, 0.0)
