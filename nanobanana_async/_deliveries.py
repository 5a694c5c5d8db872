"""What a webhook delivers, and what each delivery leads to.

A delivery is a status answer that nobody asked for. It is believed for its token alone: that leads
to the attempt, and the body tells the task's id and how it ended. Everything is decided in the step
in which it is read; what is awaited afterwards, before the API gets its answer, is the journal at
most, and never the user's work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from attrs import define, evolve, field

from nanobanana_async._attempts import Attempts
from nanobanana_async._callback import Callback
from nanobanana_async._callbacks import Callbacks, Known, Over
from nanobanana_async._changes import tells
from nanobanana_async._codec import read_delivery
from nanobanana_async._counters import Counters
from nanobanana_async._dispatcher import Dispatcher
from nanobanana_async._errors import NanoBananaError
from nanobanana_async._generation import Generation
from nanobanana_async._journal import Past
from nanobanana_async._lifecycle import State
from nanobanana_async._models import TaskStatus
from nanobanana_async._submits import Submits
from nanobanana_async._tracker import Tracker
from nanobanana_async._webhooks import Webhooks

__all__ = ["LONGEST_DELIVERY", "Deliveries", "WebhookReceiver"]

_logger = logging.getLogger("nanobanana_async")

_RELAY_PATIENCE: Final = 10.0
"""Seconds; the API waits for its answer for 30."""
LONGEST_DELIVERY: Final = 65_536
"""Bytes; a status envelope has a few hundred."""


@define(eq=False, repr=False)
class Deliveries:
    """Takes deliveries for one client."""

    _webhooks: Webhooks
    _callbacks: Callbacks
    _attempts: Attempts
    _submits: Submits
    _tracker: Tracker
    _dispatcher: Dispatcher
    _counters: Counters
    _loop: asyncio.AbstractEventLoop
    _leave_relay: Callable[[], None] | None = field(default=None, init=False)

    def begin(self) -> None:
        """Take what other processes pass on, too."""
        if self._webhooks.relay is not None:
            try:
                self._leave_relay = self._webhooks.relay.subscribe(self._take_and_count)
            except Exception:
                _logger.exception("Deliveries that reach other processes will not come here")

    def end(self) -> None:
        """Take nothing more from others."""
        leave, self._leave_relay = self._leave_relay, None
        if leave is not None:
            try:
                leave()
            except Exception:
                _logger.exception("The relay could not be left")

    async def deliver(self, body: bytes, token: str) -> int:
        """Take a delivery and return the HTTP status to answer."""
        status = await self._take_and_count(body, token)
        if status is None:
            return await self._pass_on(body, token)
        return status

    async def _take_and_count(self, body: bytes, token: str) -> int | None:
        """Take a delivery; None where the token is good, but another process's."""
        status = await self._take(body, token)
        if status == HTTPStatus.OK:
            self._counters.deliveries += 1
        elif status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._counters.deliveries_refused += 1
        return status

    async def _pass_on(self, body: bytes, token: str) -> int:
        status: int | None = None
        if self._webhooks.relay is not None:
            try:
                async with asyncio.timeout(_RELAY_PATIENCE):
                    status = await self._webhooks.relay.publish(body, token)
            except Exception:
                _logger.exception("The relay could not pass a delivery on")
        return HTTPStatus.SERVICE_UNAVAILABLE if status is None else status

    async def _take(self, body: bytes, token: str) -> int | None:
        now = self._loop.time()
        try:
            known = self._callbacks.find(token)
        except LookupError:
            return HTTPStatus.NOT_FOUND
        if known is None:
            return None
        if isinstance(known, Over) and not known.is_good(now):
            return HTTPStatus.NOT_FOUND
        if len(body) > LONGEST_DELIVERY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        status = read_delivery(body)
        if status is None or self._names_another(known, status):
            return HTTPStatus.BAD_REQUEST
        return await self._told(known, status, now)

    def _names_another(self, known: Known, status: TaskStatus) -> bool:
        """True where the task is known to be none of this attempt."""
        if isinstance(known, Over):
            return not known.refused and known.task_id != status.task_id
        owner = known.owner
        # Where it was sent again, the task that is known is another attempt's.
        own = isinstance(owner, Past) or owner.callback is known.callback
        if own and owner.task_id not in (None, status.task_id):
            return True
        tracked = self._tracker.tasks.get(status.task_id)
        if tracked is None or tracked is owner:
            return False
        return not _was_adopted(owner, tracked)

    async def _told(self, known: Known, status: TaskStatus, now: float) -> int:
        if isinstance(known, Over):
            self._again(known, status)
            return HTTPStatus.OK
        owner, callback = known.owner, known.callback
        if isinstance(owner, Past):
            adopted = self._tracker.tasks.get(status.task_id)
            if adopted is not None:
                self._callbacks.hand_over(callback, adopted)
                return await self._of_running(adopted, callback, status, now)
        elif self._is_wanted(owner, callback):
            return await self._of_running(owner, callback, status, now)
        return await self._of_given_up(owner, callback, status, now)

    def _is_wanted(self, generation: Generation, callback: Callback) -> bool:
        """True where the generation goes on with this attempt.

        One that has no task yet goes on with any that is told of.
        """
        if self._is_unknown(generation):
            return True
        runs = generation.state in (State.RUNNING, State.STUCK)
        return runs and generation.callback is callback

    def _is_unknown(self, generation: Generation) -> bool:
        if generation.state is State.UNKNOWN:
            return self._submits.is_awaited(generation)
        return generation.state in (State.SENDING, State.QUEUED)

    def _again(self, over: Over, status: TaskStatus) -> None:
        """The first end counts: a second delivery changes nothing."""
        if over.refused:
            _logger.error(
                "Task %s was delivered, though the API had refused its submit: %s",
                status.task_id,
                _end(status),
                extra={"task_id": status.task_id, "urls": status.urls},
            )

    async def _of_running(
        self, generation: Generation, callback: Callback, status: TaskStatus, now: float
    ) -> int:
        if self._is_unknown(generation):
            self._submits.found(generation, callback, status.task_id, now)
        if self._webhooks.confirm:
            if not self._looked_for(generation, status):
                return HTTPStatus.SERVICE_UNAVAILABLE
            status = _id_alone(status)
        else:
            self._tracker.delivered(generation, status, now)
        self._dispatcher.delivered(generation, status, now)
        self._dispatcher.stop_submits(await self._attempts.delivered(callback.number, status))
        return HTTPStatus.OK

    def _looked_for(self, generation: Generation, status: TaskStatus) -> bool:
        """Have the API itself asked how it ended; False where this client asks nothing more."""
        try:
            if status.finished and not self._dispatcher.look(generation):
                generation.said_to_have_ended = True
        except NanoBananaError:
            return False
        return True

    async def _of_given_up(
        self, owner: Generation | Past, callback: Callback, status: TaskStatus, now: float
    ) -> int:
        """Nobody waits for it: its submit was unknown for too long, or it is an earlier client's."""
        if self._webhooks.confirm:
            status = _id_alone(status)
        if callback.given_up is not None or isinstance(owner, Generation):
            self._name(owner, callback, status)
        not_recorded = await self._attempts.delivered(callback.number, status)
        if not_recorded is not None:
            if callback.given_up is None:
                self._name(owner, callback, status)
            self._dispatcher.stop_submits(not_recorded)
            return HTTPStatus.SERVICE_UNAVAILABLE
        if status.finished and tells(status):
            self._callbacks.over(callback, status.task_id, now)
        return HTTPStatus.OK

    def _name(self, owner: Generation | Past, callback: Callback, status: TaskStatus) -> None:
        """Log what was told too late, or of a task that there is another one for."""
        extra = {"task_id": status.task_id, "urls": status.urls}
        if isinstance(owner, Generation) and _was_sent_again(owner, callback):
            self._counters.paid_twice += not callback.paid_twice
            callback.paid_twice = True
            _logger.error(
                "Paid twice: task %s is of a request that has another task, %s: %s",
                status.task_id,
                owner.task_id or "that is not known yet",
                _end(status),
                extra=extra | {"other_task_id": owner.task_id},
            )
        else:
            _logger.error(
                "Task %s was delivered, and nobody waits for it (%s): %s",
                status.task_id,
                callback.given_up or "it was left by an earlier client",
                _end(status),
                extra=extra,
            )


@define(eq=False, repr=False)
class WebhookReceiver:
    """Where deliveries come in, whatever the web framework. `NanoBananaClient.webhooks` is one."""

    _deliveries: Callable[[], Deliveries | None]

    async def deliver(self, body: bytes, token: str) -> int:
        """Take a delivery, and return the HTTP status to answer with, without a body.

        200: taken. 404: the token is not ours, or its task ended over ten minutes ago. 400: the body
        is no status, or of another task. 413: it has more than 65,536 bytes. 503: it is not known here
        and so may be another process's, or the client is not open, or could not record it: it comes
        again. Never raises for what comes from outside; returns within milliseconds, or as soon as the
        journal has it, or the relay an answer, for which it waits 10 s.

        Cancelled, it is taken all the same where it is this client's. What is another process's may
        not be, and comes again, since the API had no answer.

        Args:
            body: what was posted; may be cut beyond 65,537 bytes.
            token: the last part of the URL's path.

        Raises:
            WrongLoopError: called in another event loop or thread than the client's.
        """
        deliveries = self._deliveries()
        if deliveries is None:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return await deliveries.deliver(body, token)


def _was_adopted(owner: Generation | Past, tracked: Generation) -> bool:
    """True for a task of an earlier client that somebody has taken up by its id."""
    return isinstance(owner, Past) and tracked.callback is None


def _was_sent_again(generation: Generation, callback: Callback) -> bool:
    """True where another attempt of it was, or may yet be, accepted."""
    unpaid = generation.state in (State.REFUSED, State.WITHDRAWN)
    return generation.callback is not callback and not unpaid


def _id_alone(status: TaskStatus) -> TaskStatus:
    """Return what is believed of a delivery that a look is to confirm."""
    return evolve(status, state="processing", urls=(), raw=None)


def _end(status: TaskStatus) -> str:
    if status.state == "failed":
        return f"failed with {status.fail_code}"
    return " ".join(status.urls) or status.state
