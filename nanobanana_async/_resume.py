"""What earlier clients of a journal left: handed out, and taken up again where it runs.

Nothing is ever sent again here. What is not taken, or taken and not acknowledged, stays in the
journal for the next client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Self

from attrs import define, field

from nanobanana_async._attempts import unix_time
from nanobanana_async._codec import request_from, service_class, status_from
from nanobanana_async._engine import Engine
from nanobanana_async._errors import (
    AuthenticationError,
    ClientClosedError,
    ClientCrashedError,
    NanoBananaError,
    ResultUnreadableError,
    SubmitUnknownError,
    fresh,
)
from nanobanana_async._failures import failure
from nanobanana_async._generation import Generation
from nanobanana_async._journal import Kind, Past
from nanobanana_async._lifecycle import State
from nanobanana_async._models import ImageRequest, ImageResult
from nanobanana_async._outcome import Outcome
from nanobanana_async._specs import MODELS
from nanobanana_async._tracker import result_of

__all__ = ["Resumption"]

_NEVER = datetime.max.replace(tzinfo=UTC)
_CLIENT_ENDED = (AuthenticationError, ClientClosedError, ClientCrashedError)


@define(eq=False, repr=False)
class Resumption:
    """Outcomes of what earlier clients left. ``async for``.

    First what has ended, those whose URLs end soonest in front; then submits of which nobody knows
    what became of them, as `SubmitUnknownError`; then what still runs, as it ends. Leaving early,
    or a cancellation, takes nothing back: what runs is tracked on, and what was not acknowledged is
    handed out again by the next client. `NanoBananaClient.resume` makes it.
    """

    _engine: Engine
    _unknown_hold: float
    _ready: asyncio.Queue[Outcome] = field(factory=asyncio.Queue, init=False)
    left: Mapping[int, ImageRequest] = field(factory=dict, init=False)
    """By the number of the attempt, the requests that are or were handed out. Empty before the
    client is open."""
    _begun: bool = field(default=False, init=False)
    _left: int = field(default=0, init=False)
    """Outcomes that are not handed out yet."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        """Return the next outcome. Cancelled, none is lost: whoever asks again is given it.

        Raises:
            AuthenticationError, ClientClosedError, ClientCrashedError: the client was stopped; what
                runs stays in the journal.
            JournalError: the journal cannot be opened.
        """
        if not self._begun:
            await self._engine.opened()
            self._engine.dispatcher.check()
            self.begin()
        if self._left == 0:
            raise StopAsyncIteration
        outcome = await self._ready.get()
        if isinstance(outcome.error, _CLIENT_ENDED):
            self._ready.put_nowait(outcome)  # for whoever asks again
            raise fresh(outcome.error)
        self._left -= 1
        return outcome

    def begin(self) -> None:
        """Take up what runs, in one step: `resume` does it where the client is open.

        Otherwise the first outcome that is asked for does. It is not to be called again.
        """
        self._begun = True
        left = list(enumerate(self._engine.attempts.take_left()))
        self._left = len(left)
        self.left = {past.number: _request(past) for _, past in left}
        ended = [self._ended(index, past) for index, past in left if past.kind is Kind.ENDED]
        for outcome in sorted(ended, key=_expiry):
            self._ready.put_nowait(outcome)
        running: dict[str, tuple[int, Past]] = {}
        for index, past in left:
            if past.kind is Kind.ACCEPTED and past.task_id and past.task_id not in running:
                running[past.task_id] = index, past
            elif past.kind is not Kind.ENDED:
                self._unknown(index, past)
        for index, past in running.values():
            self._track(index, past)
        self._engine.dispatcher.wake()

    def _outcome(
        self,
        index: int,
        past: Past,
        request: ImageRequest,
        result: ImageResult | None = None,
        error: NanoBananaError | None = None,
    ) -> Outcome:
        return Outcome(
            index=index,
            key=past.key,
            request=request,
            result=result,
            error=error,
            attempt=past.number,
            acknowledge=partial(self._engine.attempts.acknowledge, (past.number,)),
        )

    def _ended(self, index: int, past: Past) -> Outcome:
        request, raw = _request(past), past.data.get("status")
        status = status_from(raw)
        if status is not None and status.state == "failed":
            return self._outcome(index, past, request, error=failure(status))
        if status is not None and status.urls:
            return self._outcome(index, past, request, result_of(status, request))
        error = ResultUnreadableError(
            "The journal holds an end that cannot be read", task_id=past.task_id, raw=raw
        )
        return self._outcome(index, past, request, error=error)

    def _unknown(self, index: int, past: Past) -> None:
        """It is named, never sent again, and holds a slot for as long as it may be running."""
        request = _request(past)
        cause = past.data.get("error") if past.kind is Kind.LOST else "no answer is on record"
        if self._awaited(index, past, str(cause)):
            return
        error = SubmitUnknownError(f"The answer to the submit was lost: {cause}")
        error.request = request
        self._ready.put_nowait(self._outcome(index, past, request, error=error))
        hold = min(past.sent_at + self._unknown_hold - unix_time(), self._unknown_hold)
        if hold > 0:
            ghost, slots = object(), self._engine.tracker.slots
            slots.adopt(ghost)
            slots.keep(ghost, self._engine.loop.time() + hold)

    def _awaited(self, index: int, past: Past, cause: str) -> bool:
        """Wait for its delivery, where one may still come; False where it is too late for that."""
        engine, now = self._engine, self._engine.loop.time()
        callback, webhooks = engine.callbacks.of_past(past), engine.callbacks.webhooks
        if callback is None or webhooks is None:
            return False
        left = past.sent_at + webhooks.unknown_patience - unix_time()
        if left <= 0:
            engine.callbacks.give_up(callback, "its submit was reported as unknown", now)
            return False
        generation = _generation(past, now)
        generation.state = State.UNKNOWN
        engine.callbacks.hand_over(callback, generation)
        engine.tracker.slots.adopt(generation)
        until = now + min(left, webhooks.unknown_patience)
        engine.submits.await_delivery(generation, NanoBananaError(cause), until)
        self._await(index, past, generation)
        return True

    def _track(self, index: int, past: Past) -> None:
        """Its slot counts from now on, and it is looked at as its age asks for."""
        engine, now = self._engine, self._engine.loop.time()
        generation = engine.tracker.tasks.get(str(past.task_id))
        if generation is None:
            generation = _generation(past, now)
            engine.tracker.resume(generation, max(unix_time() - past.since, 0.0), now)
        callback = engine.callbacks.of_past(past)
        if callback is not None:
            engine.callbacks.hand_over(callback, generation)
        self._await(index, past, generation)

    def _await(self, index: int, past: Past, generation: Generation) -> None:
        generation.attempts = [past.number]
        generation.waiters += 1
        if self._engine.watch is not None and generation.trace is None:
            generation.trace = self._engine.watch.began(generation)
        generation.result.add_done_callback(partial(self._over, index, past, generation))

    def _over(
        self, index: int, past: Past, generation: Generation, done: asyncio.Future[ImageResult]
    ) -> None:
        generation.waiters -= 1
        generation.told = True
        request, error = _request(past), done.exception()
        if isinstance(error, NanoBananaError):
            self._ready.put_nowait(self._outcome(index, past, request, error=error))
        else:
            self._ready.put_nowait(self._outcome(index, past, request, done.result()))


def _request(past: Past) -> ImageRequest:
    return request_from(past.sent.get("request", {}), past.key)


def _generation(past: Past, now: float) -> Generation:
    request, model = _request(past), str(past.sent.get("model"))
    spec = MODELS.get(model)
    of = (model, None, None, None) if spec is None else service_class(request, spec)
    age = max(unix_time() - past.sent_at, 0.0)
    generation = Generation(model, of, request, now - age)
    generation.state, generation.task_id = State.RUNNING, past.task_id
    return generation


def _expiry(outcome: Outcome) -> datetime:
    return (outcome.result.expires_at if outcome.result else None) or _NEVER
