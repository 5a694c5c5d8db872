"""Many generations as one stream: outcomes in the order of completion, memory bounded.

An object, not an async generator: leaving a generator by `break` leaves its tasks alive until the
garbage collector comes.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from functools import partial
from math import inf
from types import TracebackType
from typing import Final, Self, TypeAlias

from attrs import define, field

from nanobanana_async._alarm import Alarm
from nanobanana_async._engine import Engine
from nanobanana_async._errors import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ClientCrashedError,
    InsufficientBalanceError,
    JournalError,
    NanoBananaError,
    NotSubmittedError,
    TaskTimeoutError,
    fresh,
)
from nanobanana_async._generation import Generation
from nanobanana_async._models import ImageRequest, ImageResult
from nanobanana_async._outcome import Outcome
from nanobanana_async._submits import not_submitted, truth
from nanobanana_async._unawaited import name_unawaited
from nanobanana_async._waiting import timed_out

__all__ = ["GenerateMany", "Requests", "check_source"]

Requests: TypeAlias = Iterable[str | ImageRequest] | AsyncIterable[str | ImageRequest]

_ROOM_BESIDE_SLOTS: Final = 100
_READ_AT_ONCE: Final = 50

# What ends a run: at once, or when what was not sent has been handed out, or what runs, too.
_AT_ONCE = (AuthenticationError, ClientClosedError, ClientCrashedError)
_WHEN_THE_UNSENT_ARE_OUT = APIConnectionError
_WHEN_DONE = (InsufficientBalanceError, JournalError)


def check_source(requests: object) -> None:
    """Refuse what cannot be meant: a single prompt would be bought letter by letter.

    Raises:
        TypeError: it is a text, bytes or a mapping, or cannot be iterated over.
    """
    one = isinstance(requests, str | bytes | Mapping | ImageRequest)
    if one or not isinstance(requests, Iterable | AsyncIterable):
        kind = type(requests).__name__
        raise TypeError(f"requests must be an iterable of prompts or requests, not a {kind}")


class GenerateMany:
    """Outcomes of many requests, as they complete. ``async for``, and ``async with`` around it.

    The source is read only as there is room: read and not handed out are never more than the
    client's slots and a hundred. Leaving early withdraws what was not sent; what runs stays tracked
    by the client, and how it ends is logged. A `break`, or a cancellation, leaves where nothing
    else refers to this object, as in ``async for outcome in client.generate_many(…)``. Where it has
    a name, use ``async with``. `NanoBananaClient.generate_many` makes it.
    """

    def __init__(
        self,
        engine: Engine,
        requests: Requests,
        prepare: Callable[[ImageRequest], Generation],
        timeout: float | None,
    ) -> None:
        self._run = _Run(engine, prepare, timeout)
        self._requests: Requests | None = requests
        self._over = False
        # A plain `break` drops the last reference to this object. The collector may run in any
        # thread, and when the loop has gone there is nothing left to withdraw.
        self._leave = weakref.finalize(self, _leave_from_anywhere, engine.loop, self._run)
        self._leave.atexit = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        """Return the next outcome. Cancelled, none is lost: whoever asks again is given it.

        Raises:
            AuthenticationError, InsufficientBalanceError: the run cannot go on.
            APIConnectionError: likewise, without a connection for `connect_patience`.
            JournalError: likewise, or it cannot be opened.
            ClientClosedError, ClientCrashedError: the client ended meanwhile.
            Exception: whatever the source raised.
        """
        if self._over:
            raise StopAsyncIteration
        if self._requests is not None:
            requests, self._requests = self._requests, None
            try:
                await self._run.begin(requests)
            except BaseException:
                self._requests = requests  # not begun: whoever asks again is told the same
                raise
        outcome = await self._run.outcomes.get()
        if outcome is not None:
            self._run.handed_out()
            return outcome
        self._over = True
        self._run.outcomes.put_nowait(None)  # for whoever else iterates
        if self._run.error is not None:
            raise self._run.error
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        """Return this object; nothing is read before the first outcome is asked for."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave, as `aclose` does; cancelled, likewise."""
        await self.aclose()

    def stop(self) -> None:
        """Read no more and withdraw what was not sent, which comes as `NotSubmittedError`.

        Outcomes of what runs still come, and then the end.
        """
        self._run.stop()

    async def aclose(self) -> None:
        """Withdraw what was not sent and stop reading; what runs stays tracked by the client.

        Returns when the source has ended; cancelled, it does not wait for that. Does no harm when
        called again.
        """
        self._over = True
        self._leave.detach()
        self._run.drop()
        if self._run.reader is not None:
            await asyncio.wait([self._run.reader])


def _leave_from_anywhere(loop: asyncio.AbstractEventLoop, run: _Run) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(run.drop)


@define(eq=False, repr=False)
class _Waiting:
    """What belongs to a generation whose end is waited for."""

    outcome: Callable[..., Outcome]
    timer: asyncio.TimerHandle | None = None


@define(eq=False, repr=False)
class _Run:
    """The state behind a `GenerateMany`, which it must not refer to: see `_leave`."""

    engine: Engine
    prepare: Callable[[ImageRequest], Generation]
    timeout: float | None
    outcomes: asyncio.Queue[Outcome | None] = field(factory=asyncio.Queue, init=False)
    """None marks the end."""
    room: Alarm = field(factory=Alarm, init=False)
    """Rung when there may be room to read on."""
    _unclaimed: int = field(default=0, init=False)
    """Requests read and not handed out."""
    reader: asyncio.Task[None] | None = field(default=None, init=False)
    error: BaseException | None = field(default=None, init=False)
    _live: dict[Generation, _Waiting] = field(factory=dict, init=False)
    _reading: bool = field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self.engine.limits_changed.add(self.room)

    async def begin(self, requests: Requests) -> None:
        self.reader = await self.engine.spawn(self._read(requests))
        # However the reader ends, cancelled before its first step too, the consumer hears of it.
        self.reader.add_done_callback(self._read_to_its_end)

    def handed_out(self) -> None:
        """The consumer has taken an outcome."""
        self._unclaimed -= 1
        self.room.ring()

    def stop(self) -> None:
        """Nothing more is to be sent."""
        self._hand_out_unsent(NotSubmittedError("Not submitted, nothing was paid: stopped"))
        self._stop_reading()
        self._end_if_done()  # where all was read before, and nothing runs

    def leave(self) -> None:
        """Nobody takes outcomes any more."""
        if self.reader is not None:
            self.reader.cancel()
        for generation in list(self._live):
            self.engine.dispatcher.leave(generation)
            self._forget(generation)
            generation.name_unawaited()

    def drop(self) -> None:
        """Nobody can take outcomes any more: name those that wait to be handed out."""
        self.leave()
        while not self.outcomes.empty():
            outcome = self.outcomes.get_nowait()
            if outcome is not None and (end := outcome.result or outcome.error):
                name_unawaited(end)
        self.outcomes.put_nowait(None)

    async def _read(self, requests: Requests) -> None:
        source, index = _iterate(requests), 0
        try:
            while self._reading:
                while self._unclaimed >= self.engine.most_at_once + _ROOM_BESIDE_SLOTS:
                    await self.room.sleep(inf)
                request = await anext(source)
                self._unclaimed += 1
                self._start(index, request)
                index += 1
                if index % _READ_AT_ONCE == 0:
                    await asyncio.sleep(0)  # a long list must not hold up the loop
        except StopAsyncIteration:
            pass
        except Exception as error:  # noqa: BLE001 - the source's own, for whoever handed it in
            self.error = self.error or error
            self.leave()
        finally:
            await source.aclose()

    def _start(self, index: int, request: str | ImageRequest) -> None:
        if not isinstance(request, ImageRequest):
            request = ImageRequest(request)
        bare = partial(Outcome, index=index, key=request.key, request=request)
        try:
            generation = self.prepare(request)
        except NanoBananaError as error:
            self._hand_out(bare(error=error))
            return
        outcome = partial(self._outcome, bare, generation)
        generation.waiters += 1
        generation.result.add_done_callback(partial(self._ended, generation, outcome))
        waiting = self._live[generation] = _Waiting(outcome)
        if self.timeout is not None:
            time_out = partial(self._time_out, generation, outcome)
            waiting.timer = self.engine.loop.call_later(self.timeout, time_out)
        self.engine.dispatcher.submit(generation)

    def _ended(
        self,
        generation: Generation,
        outcome: Callable[..., Outcome],
        done: asyncio.Future[ImageResult],
    ) -> None:
        if self._forget(generation):
            generation.told = True
            error = done.exception()
            if isinstance(error, NanoBananaError):
                self._hand_out(outcome(error=error), generation)
            else:
                self._hand_out(outcome(result=done.result()))

    def _outcome(
        self,
        bare: Callable[..., Outcome],
        generation: Generation,
        *,
        result: ImageResult | None = None,
        error: NanoBananaError | None = None,
    ) -> Outcome:
        attempts = tuple(generation.attempts)
        return bare(
            result=result,
            error=error,
            attempt=generation.attempt,
            acknowledge=partial(self.engine.attempts.acknowledge, attempts),
        )

    def _time_out(self, generation: Generation, outcome: Callable[..., Outcome]) -> None:
        self._forget(generation)
        error = timed_out(generation, self.engine.dispatcher, self.timeout)
        if isinstance(error, TaskTimeoutError):
            error.task = self.engine.handle_of(generation)
        self._hand_out(outcome(error=error))

    def _forget(self, generation: Generation) -> bool:
        """Stop waiting for one; False where that was over before."""
        if generation not in self._live:
            return False
        timer = self._live.pop(generation).timer
        if timer is not None:
            timer.cancel()
        generation.waiters -= 1
        return True

    def _hand_out(self, outcome: Outcome, generation: Generation | None = None) -> None:
        reason = outcome.error
        if isinstance(reason, NotSubmittedError) and isinstance(reason.__cause__, NanoBananaError):
            reason = reason.__cause__
        if isinstance(reason, _AT_ONCE):
            self._end_at_once(reason, generation)
            return
        self.outcomes.put_nowait(outcome)
        if self.error is None and isinstance(reason, (*_WHEN_DONE, _WHEN_THE_UNSENT_ARE_OUT)):
            self.error = fresh(reason)
            if isinstance(reason, _WHEN_THE_UNSENT_ARE_OUT):
                # Others failed in the same step: their callbacks come before this one.
                self.engine.loop.call_soon(self._end_unsent, self.error)
            self._stop_reading()
        self._end_if_done()

    def _end_at_once(self, reason: NanoBananaError, generation: Generation | None) -> None:
        """Pictures that wait to be handed out still are; then the error, which names what runs."""
        if isinstance(self.error, _AT_ONCE):
            return
        error = self.error = fresh(reason)
        error.task_id = None
        running = [one.task_id for one in (generation, *self._live) if one and one.task_id]
        self._end_naming(error, running)

    def _end_unsent(self, error: NanoBananaError) -> None:
        """No connection: what waits in line is handed out, its own patience over or not."""
        self._hand_out_unsent(not_submitted(error))
        self._end_naming(error, [one.task_id for one in self._live if one.task_id])

    def _hand_out_unsent(self, error: NotSubmittedError) -> None:
        for generation, waiting in list(self._live.items()):
            if self.engine.dispatcher.leave(generation):
                self._forget(generation)
                end = truth(generation, fresh(error))
                self.outcomes.put_nowait(waiting.outcome(error=end))

    def _end_naming(self, error: NanoBananaError, running: list[str]) -> None:
        if running:
            error.advice += f". Still running at the API: {', '.join(running)}"
        self._stop_reading()
        self.leave()
        self.outcomes.put_nowait(None)

    def _read_to_its_end(self, reader: asyncio.Task[None]) -> None:
        if reader.cancelled() and self._reading:  # not by this run: from outside, or by its source
            stopped_by = self.engine.dispatcher.stopped_by
            reason = fresh(stopped_by) if stopped_by else asyncio.CancelledError()
            self.error = self.error or reason
        self._stop_reading()

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            if self.reader is not None:
                self.reader.cancel()
            self._end_if_done()

    def _end_if_done(self) -> None:
        if not self._reading and not self._live:
            self.outcomes.put_nowait(None)


async def _iterate(requests: Requests) -> AsyncGenerator[str | ImageRequest, None]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
